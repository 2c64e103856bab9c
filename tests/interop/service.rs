//! A program of others as a server of the test's own: on a free port, with a temporary folder, killed and started again.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

/// Twice the usual: interpreters start slowly on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(20);

/// A running server; dropping it ends it and removes its folder.
pub(crate) struct Service {
    address: SocketAddr,
    /// Where it listens instead, if it does.
    socket: Option<PathBuf>,
    folder: PathBuf,
    command: Command,
    child: Child,
    starts: usize,
}

impl Service {
    /// Starts a server and waits until it accepts; the closure is told the address and the folder for its files.
    pub(crate) fn start(command: impl Fn(SocketAddr, &Path) -> Command) -> Self {
        Self::start_at(None, command)
    }

    /// The same for one that listens at a Unix socket, the file of this name in its folder.
    pub(crate) fn start_at(socket: Option<&str>, command: impl Fn(SocketAddr, &Path) -> Command) -> Self {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::SeqCst);
        let folder = env::temp_dir().join(format!("http-sse-interop-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        // Another process may take the free port before the server does: then there is another one.
        for _ in 0..5 {
            let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let mut command = command(address, &folder);
            command.stdin(Stdio::null()).stdout(Stdio::null());
            let mut child = spawn(&mut command);
            let socket = socket.map(|name| folder.join(name));
            if accepts(&mut child, address, socket.as_deref()) {
                return Self { address, socket, folder, command, child, starts: 1 };
            }
        }
        panic!("the server does not start, see its messages above: {:?}", command(([127, 0, 0, 1], 0).into(), &folder));
    }

    pub(crate) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the server, by SIGKILL and by SIGTERM in turn, and starts it again on the same port.
    pub(crate) fn restart(&mut self) {
        self.restart_by(if self.starts % 2 == 1 { "KILL" } else { "TERM" });
    }

    /// The same by SIGKILL each time, for what serves the streams it has for as long as they last before SIGTERM ends it.
    pub(crate) fn kill_and_restart(&mut self) {
        self.restart_by("KILL");
    }

    fn restart_by(&mut self, signal: &str) {
        self.end(signal);
        // Processes that it started notice its death a little later.
        let until = Instant::now() + DEADLINE;
        while self.socket.is_none() && TcpStream::connect(self.address).is_ok() {
            assert!(Instant::now() < until, "after its end its port is still open: {:?}", self.command);
            thread::sleep(Duration::from_millis(2));
        }
        self.starts += 1;
        self.child = spawn(&mut self.command);
        let is_back = accepts(&mut self.child, self.address, self.socket.as_deref());
        assert!(is_back, "the server does not start again: {:?}", self.command);
    }

    fn end(&mut self, signal: &str) {
        // Built into the shell: the program of this name need not be installed.
        let _ = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.id())]).status();
        let until = Instant::now() + DEADLINE;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > until {
                let _ = self.child.kill();
                let _ = self.child.wait();
                assert!(thread::panicking(), "SIG{signal} does not end {:?}", self.command);
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end("KILL");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Waits until the port is open; false when the program has ended instead.
fn accepts(child: &mut Child, address: SocketAddr, socket: Option<&Path>) -> bool {
    let until = Instant::now() + DEADLINE;
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let accepts = match socket {
            Some(path) => UnixStream::connect(path).is_ok(),
            None => TcpStream::connect(address).is_ok(),
        };
        if accepts {
            return true;
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

//! An nginx of the test's own: started from a temporary folder, on a free port, as the current user.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, process};

const DEADLINE: Duration = Duration::from_secs(10);

/// Takes messages at `/publish` and hands them out at `/subscribe`, from the oldest on of so many that it keeps.
pub(crate) fn channel_of(messages: usize) -> String {
    format!(
        "
        location = /publish {{
            nchan_publisher;
            nchan_channel_id news;
            nchan_message_buffer_length {messages};
            nchan_message_timeout 10m;
        }}
        location = /subscribe {{
            nchan_subscriber eventsource;
            nchan_channel_id news;
            nchan_subscriber_first_message oldest;
        }}"
    )
}

/// Hands streams through, and names the worker that does.
pub(crate) fn in_front_of(address: SocketAddr) -> String {
    format!(
        "
        location / {{
            proxy_pass http://{address};
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_buffering off;
            add_header X-Worker $pid;
        }}"
    )
}

/// An nginx that can load the module.
pub(crate) struct Program {
    nginx: PathBuf,
    module: PathBuf,
}

#[derive(Clone, Copy)]
pub(crate) enum Signal {
    Kill,
    Terminate,
}

/// A running nginx; dropping it ends it.
pub(crate) struct Nginx {
    master: Child,
    folder: PathBuf,
    address: SocketAddr,
    log: Receiver<Line>,
    /// The process in each worker slot.
    workers: Vec<u32>,
}

/// What nginx's log says of its workers.
enum Line {
    Started(u32),
    Exited(u32),
}

/// Finds nginx and the module, where packages put them.
pub(crate) fn find() -> Option<Program> {
    let folders = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let nginx =
        env::split_paths(&folders).chain(usual).map(|folder| folder.join("nginx")).find(|nginx| nginx.is_file())?;
    // It writes how it was built to the error output.
    let built = Command::new(&nginx).arg("-V").output().ok()?;
    let built = String::from_utf8_lossy(&built.stderr).into_owned();
    let modules = built.split_whitespace().find_map(|word| word.strip_prefix("--modules-path="));
    let module = Path::new(modules.unwrap_or("/usr/lib/nginx/modules")).join("ngx_nchan_module.so");
    module.is_file().then_some(Program { nginx, module })
}

impl Nginx {
    /// Starts nginx and waits for its workers.
    pub(crate) fn start(program: &Program, workers: usize, locations: &str) -> Self {
        // Another process may take the free port before nginx does: then there is another one.
        (0..5)
            .find_map(|_| Self::try_start(program, workers, locations))
            .expect("nginx does not start, see its messages above")
    }

    fn try_start(program: &Program, workers: usize, locations: &str) -> Option<Self> {
        static FOLDERS: AtomicU32 = AtomicU32::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::SeqCst);
        let folder = env::temp_dir().join(format!("http-sse-nchan-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = folder.join("nginx.conf");
        fs::write(&config, configuration(program, &folder, address, workers, locations)).unwrap();
        let mut master = Command::new(&program.nginx)
            .args(["-e", "stderr", "-p"])
            .arg(&folder)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let messages = BufReader::new(master.stderr.take().unwrap());
        let (sender, log) = channel();
        thread::spawn(move || {
            for text in messages.lines().map_while(Result::ok) {
                if text.contains("[emerg]") {
                    eprintln!("{text}");
                }
                let known = Line::parse(&text).is_none_or(|line| sender.send(line).is_ok());
                if !known {
                    return;
                }
            }
        });
        let mut nginx = Self { master, folder, address, log, workers: Vec::new() };
        while nginx.workers.len() < workers {
            match nginx.next_line()? {
                Line::Started(pid) => nginx.workers.push(pid),
                Line::Exited(pid) => panic!("nginx's worker {pid} ended at once"),
            }
        }
        Some(nginx)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the slot in which a process works.
    pub(crate) fn slot(&self, pid: u32) -> Option<usize> {
        self.workers.iter().position(|worker| *worker == pid)
    }

    /// Kills the worker and waits until nginx has put another in its place.
    pub(crate) fn kill(&mut self, slot: usize, signal: Signal) {
        let old = self.workers[slot];
        send(signal, old);
        loop {
            match self.next_line().expect("nginx ended") {
                Line::Exited(pid) => assert_eq!(pid, old, "a worker died that was not killed"),
                Line::Started(pid) => {
                    self.workers[slot] = pid;
                    return;
                }
            }
        }
    }

    /// Sends a message to all subscribers.
    pub(crate) fn publish(&self, message: &str) {
        let mut connection = TcpStream::connect(self.address).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        let length = message.len();
        write!(
            connection,
            "POST /publish HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{message}"
        )
        .unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 ") || answer.starts_with("HTTP/1.1 202 "), "{message}: {answer}");
    }

    /// Returns `None` when nginx has ended.
    fn next_line(&self) -> Option<Line> {
        match self.log.recv_timeout(DEADLINE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nginx says nothing for 10 s"),
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        send(Signal::Terminate, self.master.id());
        let until = Instant::now() + DEADLINE;
        while let Ok(None) = self.master.try_wait() {
            if Instant::now() > until {
                let _ = self.master.kill();
                let _ = self.master.wait();
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        let number = |rest: &str| rest.split(' ').next().and_then(|pid| pid.parse().ok());
        if let Some((_, pid)) = text.split_once(": start worker process ") {
            return number(pid).map(Self::Started);
        }
        let (_, exit) = text.split_once(": worker process ")?;
        if exit.contains("exited") { number(exit).map(Self::Exited) } else { None }
    }
}

fn send(signal: Signal, pid: u32) {
    let name = match signal {
        Signal::Kill => "KILL",
        Signal::Terminate => "TERM",
    };
    // Built into the shell: the program of this name need not be installed.
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status();
    assert!(sent.is_ok_and(|status| status.success()) || thread::panicking(), "kill -{name} {pid} failed");
}

fn configuration(program: &Program, folder: &Path, address: SocketAddr, workers: usize, locations: &str) -> String {
    let (module, folder) = (program.module.display(), folder.display());
    format!(
        "load_module {module};
daemon off;
worker_processes {workers};
error_log stderr notice;
pid {folder}/nginx.pid;
lock_file {folder}/nginx.lock;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    nchan_shared_memory_size 16M;
    server {{
        listen {address};{locations}
    }}
}}
"
    )
}

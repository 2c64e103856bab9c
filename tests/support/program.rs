//! Runs an example of this crate as a program of its own.
//!
//! Cargo builds the examples before it runs all tests, but not for a single one: `cargo build --example NAME` does.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use http_sse::crossbeam_channel::{Receiver, unbounded};

const DEADLINE: Duration = Duration::from_secs(10);

/// Returns the command that runs the example, through `HTTP_SSE_RUNNER` or Cargo's own setting where the machine is
/// not that of the build, and without the proxy and the systemd that the environment may name.
#[track_caller]
pub fn example(name: &str) -> Command {
    let mut command = on_its_machine(&path(name));
    for variable in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(variable).env_remove(variable.to_uppercase());
    }
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Returns the command that runs this test binary once more.
pub fn this_test() -> Command {
    on_its_machine(&env::current_exe().unwrap())
}

/// Returns the command that runs one `#[ignore]`d test of this binary: a part that another test needs in a process of
/// its own.
pub fn part(module: &str, name: &str) -> Command {
    let mut command = this_test();
    // A module's path begins with the crate, a test's does not.
    let name = module.split_once("::").map_or(name.to_owned(), |(_, module)| format!("{module}::{name}"));
    command.args(["--exact", &name, "--ignored", "--nocapture"]);
    command
}

/// A running example; it is killed when a test fails.
pub struct Running {
    child: Child,
    lines: Option<Receiver<String>>,
    stderr: JoinHandle<String>,
}

/// What an example left behind.
#[derive(Debug)]
pub struct Left {
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Running {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut running = Self::start_unread(command);
        let output = running.take_output();
        let (sender, lines) = unbounded();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = String::new();
            while output.read_line(&mut line).is_ok_and(|length| length > 0) && sender.send(line.clone()).is_ok() {
                line.clear();
            }
        });
        running.lines = Some(lines);
        running
    }

    /// Starts it with an output that nobody reads.
    #[track_caller]
    pub fn start_unread(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let mut errors = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut text = Vec::new();
            errors.read_to_end(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        Self { child, lines: None, stderr }
    }

    /// Takes the unread output; dropping it closes it.
    pub fn take_output(&mut self) -> ChildStdout {
        self.child.stdout.take().unwrap()
    }

    /// Waits for the next line of the output.
    #[track_caller]
    pub fn line(&self) -> String {
        let line = self.lines.as_ref().unwrap().recv_timeout(DEADLINE);
        line.unwrap_or_else(|error| panic!("no line of output: {error}"))
    }

    /// Sends a signal, by its name without SIG.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        // Built into the shell: the program of this name need not be installed.
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill} failed");
    }

    /// Returns `true` if its first thread waits in the system, or has ended. Needs Linux.
    pub fn is_asleep(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The name before may hold anything.
        let state = stat.rsplit(") ").next().unwrap();
        state.starts_with(['S', 'Z'])
    }

    /// Waits for the end, at most 10 s.
    #[track_caller]
    pub fn finish(mut self) -> Left {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > DEADLINE {
                self.child.kill().unwrap();
                panic!("still running after {DEADLINE:?}, with this on stderr: {:?}", self.stderr.join());
            }
            thread::sleep(Duration::from_millis(1));
        };
        let stdout = self.lines.map(|lines| lines.iter().collect()).unwrap_or_default();
        Left { code: status.code(), stdout, stderr: self.stderr.join().unwrap() }
    }
}

/// Runs it to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Left {
    Running::start(command).finish()
}

/// A folder of the test's own, which goes when it is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("http-sse-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The examples are beside the folder of the test binaries.
#[track_caller]
fn path(name: &str) -> PathBuf {
    let tests = env::current_exe().unwrap();
    let path = tests.parent().unwrap().with_file_name("examples").join(format!("{name}{}", env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing: `cargo build --example {name}` makes it", path.display());
    path
}

fn on_its_machine(program: &Path) -> Command {
    let runner = runner().unwrap_or_default();
    let mut words = runner.split_whitespace();
    let Some(runner) = words.next() else { return Command::new(program) };
    let mut command = Command::new(runner);
    command.args(words).arg(program);
    command
}

fn runner() -> Option<String> {
    if let Ok(runner) = env::var("HTTP_SSE_RUNNER") {
        return Some(runner);
    }
    // target/TRIPLE/debug/deps/test
    let test = env::current_exe().unwrap();
    let triple = test.ancestors().nth(3)?.file_name()?.to_str()?.to_uppercase().replace('-', "_");
    env::var(format!("CARGO_TARGET_{triple}_RUNNER")).ok()
}

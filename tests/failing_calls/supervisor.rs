//! `fail.py`, which runs one program after the other.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/failing_calls/fail.py");

pub(crate) struct Supervisor {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Supervisor {
    /// Fails where calls cannot be made to fail: without Python, or where the filter is not allowed.
    pub(crate) fn probe() -> Result<(), String> {
        let probe = Command::new("python3").arg(SCRIPT).args(["/dev/null", "record", "true"]).output();
        let probe = probe.map_err(|error| format!("failing system calls need Python: {error}"))?;
        let why = || format!("system calls cannot be made to fail here: {}", String::from_utf8_lossy(&probe.stderr));
        probe.status.success().then_some(()).ok_or_else(why)
    }

    pub(crate) fn start() -> Self {
        let mut command = Command::new("python3");
        let mut child = command.args([SCRIPT, "serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (requests, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, requests, answers }
    }

    /// Runs a program, and returns its exit code; the folder then holds its outputs and the report.
    pub(crate) fn run(&mut self, folder: &Path, is_unmarked: bool, plan: &[&str], program: &[String]) -> i32 {
        let plan: Vec<_> = plan.iter().copied().chain(program.iter().map(String::as_str)).collect();
        let request = serde_json::json!([folder, is_unmarked, plan]);
        writeln!(self.requests, "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().parse().expect("fail.py goes on")
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

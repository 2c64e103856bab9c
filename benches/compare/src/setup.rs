//! On which processors a contestant and the server run, and beside what.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::words::Failure;

/// A way to divide the machine.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub name: &'static str,
    pub title: &'static str,
    /// Server and contestant each keep to one core.
    is_pinned: bool,
    /// Each core has a busy loop of the contestant's own priority.
    is_loaded: bool,
    /// By what the number of events is divided.
    pub divisor: u64,
}

pub const ALL: [Setup; 3] = [
    Setup { name: "free", title: "Free: the system's choice of cores", is_pinned: false, is_loaded: false, divisor: 1 },
    Setup {
        name: "pinned",
        title: "Pinned: the contestant on one core, the server on another",
        is_pinned: true,
        is_loaded: false,
        divisor: 1,
    },
    Setup {
        name: "loaded",
        title: "Loaded: a busy loop on every core",
        is_pinned: false,
        is_loaded: true,
        divisor: 50,
    },
];

/// Keep the cores busy until they are dropped.
pub struct Burners(Vec<Child>);

impl Setup {
    /// Those that this machine can do: to pin takes two cores and `taskset`.
    pub fn possible(named: Option<&str>) -> Vec<Self> {
        let can_pin = cores() > 1 && Command::new("taskset").arg("--version").output().is_ok();
        let all = ALL.into_iter().filter(|setup| can_pin || !setup.is_pinned);
        all.filter(|setup| named.is_none_or(|name| name == setup.name)).collect()
    }

    /// This program as server.
    pub fn server(&self) -> Result<Command, Failure> {
        self.command("1")
    }

    /// This program as contestant.
    pub fn contestant(&self) -> Result<Command, Failure> {
        self.command("0")
    }

    fn command(&self, core: &str) -> Result<Command, Failure> {
        let program = env::current_exe()?;
        if !self.is_pinned {
            return Ok(Command::new(program));
        }
        let mut command = Command::new("taskset");
        command.args(["-c", core]).arg(program);
        Ok(command)
    }

    /// Starts what runs beside.
    pub fn burn(&self) -> Result<Burners, Failure> {
        let amount = if self.is_loaded { cores() } else { 0 };
        let mut burners = Burners(Vec::new());
        for _ in 0..amount {
            burners.0.push(Command::new(env::current_exe()?).arg("burn").spawn()?);
        }
        Ok(burners)
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        for burner in &mut self.0 {
            // It has nothing to lose.
            let _ = burner.kill();
            let _ = burner.wait();
        }
    }
}

pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The server's process, and its port.
pub struct Load {
    process: Child,
    pub port: String,
}

impl Load {
    pub fn start(setup: &Setup, block: usize) -> Result<Self, Failure> {
        let mut process = setup.server()?.args(["serve", &block.to_string()]).stdout(Stdio::piped()).spawn()?;
        let mut port = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut port)?;
        Ok(Self { process, port: port.trim().to_owned() })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

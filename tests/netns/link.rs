//! Two network namespaces and what connects them. Nothing outside of them is touched; dropping removes them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process, thread};

/// Addresses for documentation, which exist inside of the namespaces only.
pub(crate) const SERVER: &str = "192.0.2.1";
pub(crate) const CLIENT: &str = "192.0.2.2";
pub(crate) const MOVED_CLIENT: &str = "192.0.2.3";
/// Of the server itself, by whichever device.
pub(crate) const FAR_SERVER: &str = "203.0.113.1";
/// The second device at both ends, and the client's address there.
pub(crate) const MODEM: &str = "wwan0";
pub(crate) const MODEM_CLIENT: &str = "198.51.100.2";
const MODEM_SERVER: &str = "198.51.100.1";
/// The name of the device at both ends.
pub(crate) const DEVICE: &str = "wire";
const PREFIX: &str = "http-sse-";

/// The namespace of a server and that of a client.
pub(crate) struct Link {
    server: Namespace,
    client: Namespace,
    loss: Loss,
}

enum Loss {
    None,
    Netem,
    /// A program of ours that carries the packets.
    Carried(Child),
}

struct Namespace {
    name: String,
}

impl Link {
    /// Makes the namespaces, and a pair of veth devices between them.
    ///
    /// # Errors
    ///
    /// Why that cannot be here.
    pub(crate) fn new() -> Result<Self, String> {
        let link = Self::unconnected()?;
        link.connect_by_veth()?;
        link.configure();
        Ok(link)
    }

    /// The same with link-local addresses, fe80::1 of the server and fe80::2 of the client.
    ///
    /// # Errors
    ///
    /// Why that cannot be here.
    pub(crate) fn link_local() -> Result<Self, String> {
        let link = Self::new()?;
        for (namespace, address) in [(&link.server, "fe80::1/64"), (&link.client, "fe80::2/64")] {
            run_quietly("ip", &["-n", &namespace.name, "addr", "add", address, "dev", DEVICE, "nodad"])?;
        }
        Ok(link)
    }

    /// The same with a second link: the server has one address that can be reached by both.
    ///
    /// # Errors
    ///
    /// Why that cannot be here.
    pub(crate) fn doubled() -> Result<Self, String> {
        let link = Self::new()?;
        let (server, client) = (&link.server.name, &link.client.name);
        let pair = ["link", "add", MODEM, "netns", server, "type", "veth", "peer", "name", MODEM, "netns", client];
        run_quietly("ip", &pair)?;
        for (namespace, address) in [(server, MODEM_SERVER), (client, MODEM_CLIENT)] {
            run("ip", &["-n", namespace, "addr", "add", &format!("{address}/24"), "dev", MODEM]);
            run("ip", &["-n", namespace, "link", "set", MODEM, "up"]);
        }
        run("ip", &["-n", server, "addr", "add", &format!("{FAR_SERVER}/32"), "dev", "lo"]);
        run("ip", &["-n", server, "link", "set", "lo", "up"]);
        link.add_route();
        run("ip", &["-n", client, "route", "add", "default", "via", MODEM_SERVER, "dev", MODEM, "metric", "200"]);
        Ok(link)
    }

    /// Adds the client's preferred way to the server, which goes with the device.
    pub(crate) fn add_route(&self) {
        let way = ["default", "via", SERVER, "dev", DEVICE, "metric", "100"];
        run("ip", &[["-n", &self.client.name, "route", "add"].as_slice(), &way].concat());
    }

    /// The same with a link that loses 5 % of the packets and delays the others by 100 ms, each way.
    ///
    /// # Errors
    ///
    /// Why that cannot be here.
    pub(crate) fn lossy() -> Result<Self, String> {
        let mut link = Self::unconnected()?;
        link.connect_by_veth()?;
        let netem = ["root", "netem", "delay", "100ms", "limit", "10000", "loss", "5%"];
        let added = [&link.server, &link.client]
            .map(|end| try_run("tc", &[["-n", &end.name, "qdisc", "add", "dev", DEVICE].as_slice(), &netem].concat()));
        if added.iter().all(Result::is_ok) {
            link.loss = Loss::Netem;
        } else {
            run("ip", &["-n", &link.server.name, "link", "del", DEVICE]);
            link.loss = Loss::Carried(link.carry()?);
        }
        link.configure();
        Ok(link)
    }

    /// Returns a command that runs in the server's namespace.
    pub(crate) fn server(&self, program: &Path) -> Command {
        self.server.command(program)
    }

    /// Returns a command that runs in the client's namespace.
    pub(crate) fn client(&self, program: &Path) -> Command {
        self.client.command(program)
    }

    /// Takes the client's device down or up.
    pub(crate) fn set_client_link(&self, state: &str) {
        run("ip", &["-n", &self.client.name, "link", "set", DEVICE, state]);
    }

    /// Gives the client another address, and takes the one that it had.
    pub(crate) fn move_client(&self) {
        for (verb, address) in [("del", CLIENT), ("add", MOVED_CLIENT)] {
            run("ip", &["-n", &self.client.name, "addr", verb, &format!("{address}/24"), "dev", DEVICE]);
        }
    }

    /// Says how many packets were lost, and by whom. The link is gone then.
    pub(crate) fn lost(&mut self) -> (u32, &'static str) {
        match &mut self.loss {
            Loss::None => (0, "nobody"),
            Loss::Netem => {
                let dropped = [&self.server, &self.client].map(|end| {
                    let shown = run("tc", &["-s", "-n", &end.name, "qdisc", "show", "dev", DEVICE]);
                    let count = shown.split_once("(dropped ").unwrap().1;
                    count.split_once(',').unwrap().0.parse::<u32>().unwrap()
                });
                (dropped.iter().sum(), "netem")
            }
            Loss::Carried(carrier) => {
                drop(carrier.stdin.take());
                let mut text = String::new();
                carrier.stdout.take().unwrap().read_to_string(&mut text).unwrap();
                carrier.wait().unwrap();
                (text.trim().strip_prefix("lost ").unwrap().parse().unwrap(), "a carrier in user space")
            }
        }
    }

    fn unconnected() -> Result<Self, String> {
        if run_quietly("id", &["-u"])?.trim() != "0" {
            return Err("only root may".to_owned());
        }
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::SeqCst);
        let name = |end| format!("{PREFIX}{}-{number}-{end}", process::id());
        remove_leftovers();
        let server = Namespace::new(name("server"))?;
        let client = Namespace::new(name("client"))?;
        Ok(Self { server, client, loss: Loss::None })
    }

    fn connect_by_veth(&self) -> Result<(), String> {
        let (server, client) = (&self.server.name, &self.client.name);
        let pair = ["link", "add", DEVICE, "netns", server, "type", "veth", "peer", "name", DEVICE, "netns", client];
        run_quietly("ip", &pair).map(drop)
    }

    fn carry(&self) -> Result<Child, String> {
        let script = support::root().join("tests/netns/lossy_link.py");
        let mut carrier = self.server(Path::new("python3"));
        carrier.arg(script).args([self.client.name.as_str(), DEVICE, "0.05", "0.1"]);
        let mut carrier = carrier.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        // What comes later is read to the end, so the buffer loses nothing.
        let _ = BufReader::with_capacity(1, carrier.stdout.as_mut().unwrap()).read_line(&mut line);
        if line != "ready\n" {
            let _ = carrier.kill();
            let _ = carrier.wait();
            return Err("neither is netem in the kernel, nor are there python3 and /dev/net/tun".to_owned());
        }
        Ok(carrier)
    }

    fn configure(&self) {
        for (namespace, address) in [(&self.server, SERVER), (&self.client, CLIENT)] {
            run("ip", &["-n", &namespace.name, "addr", "add", &format!("{address}/24"), "dev", DEVICE]);
            run("ip", &["-n", &namespace.name, "link", "set", DEVICE, "up"]);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Loss::Carried(carrier) = &mut self.loss {
            let _ = carrier.kill();
            let _ = carrier.wait();
        }
    }
}

impl Namespace {
    fn new(name: String) -> Result<Self, String> {
        run_quietly("ip", &["netns", "add", &name])?;
        Ok(Self { name })
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        // Its end tells the process that the test has gone, even if that was killed.
        command.args(["netns", "exec", &self.name]).arg(program).stdin(Stdio::piped());
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let removed = try_run("ip", &["netns", "del", &self.name]);
        assert!(removed.is_ok() || thread::panicking(), "{removed:?}");
    }
}

/// Removes the namespaces of tests that were killed.
fn remove_leftovers() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            let _ = try_run("ip", &["netns", "del", &name]);
        }
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) -> String {
    run_quietly(program, arguments).unwrap_or_else(|error| panic!("{error}"))
}

fn run_quietly(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = try_run(program, arguments)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn try_run(program: &str, arguments: &[&str]) -> Result<Output, String> {
    let told = || format!("`{program} {}`", arguments.join(" "));
    let folders = env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let output = Command::new(program).args(arguments).env("PATH", folders).output();
    let output = output.map_err(|error| format!("{}: {error}", told()))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{}: {}", told(), String::from_utf8_lossy(&output.stderr).trim()))
}

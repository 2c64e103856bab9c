//! Notifications to systemd, over a datagram socket.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::{ffi::OsStrExt, net::SocketAddr, net::UnixDatagram};
use std::time::Duration;
use std::{env, io, process};

/// Sends a state like `sd_notify(3)`; without systemd, does nothing.
pub(crate) fn notify(state: &str) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(()) };
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

/// The watchdog interval of systemd for this process.
pub(crate) fn watchdog_interval() -> Option<Duration> {
    let is_meant = env::var("WATCHDOG_PID").map_or(true, |pid| pid == process::id().to_string());
    let microseconds = env::var("WATCHDOG_USEC").ok()?.parse().ok().filter(|&microseconds: &u64| microseconds > 1)?;
    is_meant.then(|| Duration::from_micros(microseconds))
}

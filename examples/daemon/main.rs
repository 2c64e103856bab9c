//! A systemd service that monitors its stream: `cargo run --example daemon -- URL`.
//!
//! It is ready as soon as it runs: a device may boot before its network. The loop that handles the events feeds the
//! watchdog, and only while the stream is alive: bytes arrive, or an attempt is scheduled. SIGTERM ends it cleanly.
//!
//! ```ini
//! [Service]
//! Type=notify
//! ExecStart=/usr/local/bin/daemon https://example.com/events
//! WatchdogSec=30
//! Restart=always
//! RestartSec=5
//! TimeoutStopSec=10
//! DynamicUser=yes
//!
//! [Install]
//! WantedBy=multi-user.target
//! ```

use std::error::Error;

#[cfg(target_os = "linux")]
mod service;
#[cfg(target_os = "linux")]
mod systemd;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn Error>> {
    service::run()
}

#[cfg(not(target_os = "linux"))]
fn main() -> Result<(), Box<dyn Error>> {
    Err("this example needs Linux: it reports to systemd".into())
}

//! A resolver that a stop reaches: the system's look-up runs in a helper thread that can be left behind.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::thread;

use crossbeam_channel::{Receiver, at, bounded, never, select};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::{Interrupt, Link};
use crate::error::Timeout;
use crate::stop::lock;

/// `getaddrinfo` with the usual plug-ins fits well; only touched pages count.
const STACK: usize = 256 * 1024;
/// How many look-ups of one connection may hang in the system at once: redirects choose the names.
const MOST_PENDING: usize = 8;
/// As many addresses as ureq hands on.
const MOST_ADDRESSES: usize = 16;

/// The look-ups of one connection that an attempt has left behind; a retry waits for its own again.
#[derive(Debug, Default)]
pub(crate) struct Pending(Mutex<Vec<LookUp>>);

#[derive(Debug)]
struct LookUp {
    name: String,
    answer: Receiver<io::Result<Vec<SocketAddr>>>,
}

#[derive(Debug)]
pub(crate) struct Dns {
    pub(crate) link: Arc<Link>,
    pub(crate) pending: Arc<Pending>,
}

impl Resolver for Dns {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let addresses = match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => self.look_up(format!("{host}:{port}"))?,
        };
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        let mut resolved = self.empty();
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

impl Dns {
    fn look_up(&self, name: String) -> io::Result<Vec<SocketAddr>> {
        let look_up = match self.pending.take(&name) {
            Some(look_up) => look_up,
            None => start(name)?,
        };
        let until = self.link.limits().until(std::time::Instant::now()).0.map_or_else(never, at);
        select! {
            recv(look_up.answer) -> answer => {
                answer.unwrap_or_else(|_| Err(io::Error::other("the look-up thread ended without an answer")))
            }
            recv(self.link.lap.cut_signal()) -> _ => {
                self.pending.put(look_up);
                Err(Interrupt::Cut.into())
            }
            recv(until) -> _ => {
                self.pending.put(look_up);
                Err(Interrupt::Timeout(Timeout::Resolve).into())
            }
        }
    }
}

impl Pending {
    /// Takes a look-up of this name that still runs, or has just found something.
    fn take(&self, name: &str) -> Option<LookUp> {
        let mut pending = lock(&self.0);
        let found = pending.iter().position(|look_up| look_up.name == name)?;
        let look_up = pending.swap_remove(found);
        match look_up.answer.try_recv() {
            // A failure of minutes ago says nothing about now.
            Ok(Err(_)) => None,
            Ok(Ok(addresses)) => {
                let (sender, answer) = bounded(1);
                // Room for one: cannot fail.
                let _ = sender.send(Ok(addresses));
                Some(LookUp { answer, ..look_up })
            }
            Err(_) => Some(look_up),
        }
    }

    fn put(&self, look_up: LookUp) {
        let mut pending = lock(&self.0);
        pending.retain(|old| old.answer.is_empty());
        if pending.len() < MOST_PENDING {
            pending.push(look_up);
        }
    }
}

fn start(name: String) -> io::Result<LookUp> {
    let (sender, answer) = bounded(1);
    let host = name.clone();
    thread::Builder::new().name("sse-dns".into()).stack_size(STACK).spawn(move || {
        // Nobody listens any more when the connection is gone: nothing to do about it.
        let _ = sender.send(host.to_socket_addrs().map(Iterator::collect));
    })?;
    Ok(LookUp { name, answer })
}

//! Which address of a host to try first: the memory shared by the attempts of one connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use crate::sync::lock;

/// The maximum number of remembered hosts: redirects choose them.
const MAX_HOSTS: usize = 8;
/// The maximum time for the response head while other addresses of the host are untried.
const MAX_HEAD_TIME: Duration = Duration::from_secs(30);

/// The addresses that one connection has tried, shared between its attempts.
#[derive(Debug, Default)]
pub(crate) struct AddressMemory(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// Only hosts with several addresses.
    hosts: Vec<Host>,
    /// The host and the address that the attempt is connected to.
    current: Option<(String, IpAddr)>,
}

#[derive(Debug)]
struct Host {
    name: String,
    /// The address that last opened a stream.
    good: Option<IpAddr>,
    /// The addresses that have failed since, the latest last.
    failed: Vec<IpAddr>,
}

impl AddressMemory {
    /// Begins a request: returns the addresses in the order to try them.
    ///
    /// First the good one, then unknown ones with alternating families (RFC 8305 §4), then those that failed, the
    /// latest last.
    pub(crate) fn order(&self, host: &str, addresses: &[SocketAddr]) -> Vec<SocketAddr> {
        let mut memory = lock(&self.0);
        memory.current = None;
        let mut ordered = interleaved(addresses);
        if let Some(host) = memory.hosts.iter().find(|known| known.name == host) {
            // Stable: equal items keep their order.
            ordered.sort_by_key(|address| host.rank(address.ip()));
        }
        ordered
    }

    /// Records the address that was reached, and those that failed. Returns how long the response head may take.
    pub(crate) fn connected(
        &self,
        host: &str,
        addresses: &[SocketAddr],
        reached: Option<SocketAddr>,
        unreachable: &[SocketAddr],
        head_time: Duration,
    ) -> Duration {
        if addresses.len() < 2 {
            return head_time;
        }
        let mut memory = lock(&self.0);
        let reached = reached.map(|address| address.ip());
        memory.current = reached.map(|address| (host.to_owned(), address));
        let host = memory.host(host);
        host.failed.retain(|failed| addresses.iter().any(|address| address.ip() == *failed));
        unreachable.iter().for_each(|address| host.failed(address.ip()));
        let is_known = |address: IpAddr| host.failed.contains(&address);
        let others = addresses.iter().map(SocketAddr::ip).filter(|address| Some(*address) != reached);
        // A good address may take the full time.
        if host.good == reached || others.into_iter().all(is_known) { head_time } else { head_time.min(MAX_HEAD_TIME) }
    }

    /// The request opened a stream.
    pub(crate) fn succeeded(&self) {
        let mut memory = lock(&self.0);
        if let Some((host, address)) = memory.current.take() {
            let host = memory.host(&host);
            host.good = Some(address);
            host.failed.clear();
        }
    }

    /// The request failed after the address was reached: the next one starts with another address.
    pub(crate) fn failed(&self) {
        let mut memory = lock(&self.0);
        if let Some((host, address)) = memory.current.take() {
            memory.host(&host).failed(address);
        }
    }
}

impl Memory {
    fn host(&mut self, name: &str) -> &mut Host {
        let found = match self.hosts.iter().position(|host| host.name == name) {
            Some(found) => found,
            None => {
                if self.hosts.len() == MAX_HOSTS {
                    self.hosts.remove(0);
                }
                self.hosts.push(Host { name: name.to_owned(), good: None, failed: Vec::new() });
                self.hosts.len() - 1
            }
        };
        &mut self.hosts[found]
    }
}

impl Host {
    fn failed(&mut self, address: IpAddr) {
        self.good = self.good.filter(|good| *good != address);
        self.failed.retain(|failed| *failed != address);
        self.failed.push(address);
    }

    fn rank(&self, address: IpAddr) -> usize {
        if self.good == Some(address) {
            return 0;
        }
        self.failed.iter().position(|failed| *failed == address).map_or(1, |place| 2 + place)
    }
}

/// Keeps the order within each family, and starts with the family that the system prefers.
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let starts_with_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let mut preferred = addresses.iter().filter(|address| address.is_ipv6() == starts_with_ipv6);
    let mut other = addresses.iter().filter(|address| address.is_ipv6() != starts_with_ipv6);
    let mut ordered = Vec::with_capacity(addresses.len());
    while ordered.len() < addresses.len() {
        ordered.extend(preferred.next());
        ordered.extend(other.next());
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(300);

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 80)).collect()
    }

    /// Makes an attempt that reaches the first address in order; returns it, and how long the head may take.
    fn attempt(memory: &AddressMemory, addresses: &[SocketAddr]) -> (String, Duration) {
        let ordered = memory.order("host:80", addresses);
        let head_time = memory.connected("host:80", addresses, Some(ordered[0]), &[], LONG);
        (ordered[0].ip().to_string(), head_time)
    }

    #[test]
    fn the_families_take_turns() {
        let all = addresses(&["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"]);
        let ordered = AddressMemory::default().order("host:80", &all);
        assert_eq!(ordered, addresses(&["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]));
        assert_eq!(interleaved(&addresses(&["10.0.0.1", "::1"])), addresses(&["10.0.0.1", "::1"]));
    }

    #[test]
    fn failures_go_through_all_addresses_and_begin_again() {
        let (memory, all) = (AddressMemory::default(), addresses(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
        let tried: Vec<_> = (0..5)
            .map(|_| {
                let (address, head_time) = attempt(&memory, &all);
                memory.failed();
                (address, head_time)
            })
            .collect();
        let expected = [("10.0.0.1", MAX_HEAD_TIME), ("10.0.0.2", MAX_HEAD_TIME), ("10.0.0.3", LONG)];
        assert_eq!(tried[..3], expected.map(|(address, head_time)| (address.to_owned(), head_time)));
        assert_eq!(tried[3..], ["10.0.0.1", "10.0.0.2"].map(|address| (address.to_owned(), LONG)));
    }

    #[test]
    fn the_good_address_comes_first_and_may_take_its_time_until_it_fails() {
        let (memory, all) = (AddressMemory::default(), addresses(&["10.0.0.1", "10.0.0.2"]));
        attempt(&memory, &all);
        memory.failed();
        attempt(&memory, &all);
        memory.succeeded();
        assert_eq!(attempt(&memory, &all), ("10.0.0.2".to_owned(), LONG));
        memory.failed();
        assert_eq!(attempt(&memory, &all).0, "10.0.0.1");
    }

    #[test]
    fn an_address_that_cannot_be_reached_has_been_tried() {
        let (memory, all) = (AddressMemory::default(), addresses(&["10.0.0.1", "10.0.0.2"]));
        assert_eq!(memory.connected("host:80", &all, Some(all[1]), &all[..1], LONG), LONG);
        memory.failed();
        assert_eq!(attempt(&memory, &all).0, "10.0.0.1");
    }

    #[test]
    fn an_attempt_that_reached_nothing_leaves_the_others_alone() {
        let (memory, all) = (AddressMemory::default(), addresses(&["10.0.0.1", "10.0.0.2"]));
        attempt(&memory, &all);
        memory.succeeded();
        memory.order("host:80", &all);
        memory.failed();
        assert_eq!(attempt(&memory, &all).0, "10.0.0.1");
    }

    #[test]
    fn a_host_with_one_address_is_not_remembered_and_others_are_forgotten_in_turn() {
        let memory = AddressMemory::default();
        assert_eq!(memory.connected("a:80", &addresses(&["10.0.0.1"]), None, &[], LONG), LONG);
        assert!(lock(&memory.0).hosts.is_empty());
        let all = addresses(&["10.0.0.1", "10.0.0.2"]);
        for number in 0..2 * MAX_HOSTS {
            memory.connected(&format!("{number}:80"), &all, Some(all[0]), &[], LONG);
        }
        assert_eq!(lock(&memory.0).hosts.len(), MAX_HOSTS);
    }
}

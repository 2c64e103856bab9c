//! Whether this machine has a network at all.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Returns `true` if a system error means that this machine cannot send to any address.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    use ErrorKind::{AddrNotAvailable, NetworkDown, NetworkUnreachable};
    matches!(error.kind(), NetworkUnreachable | NetworkDown | AddrNotAvailable)
}

/// Returns `true` if an error may come from a failed DNS lookup. It has no error number, and neither do those to which
/// this crate has added a proxy or a socket; but those have a kind, and a lookup's is one without a stable name.
pub(crate) fn is_lookup(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, InvalidData, InvalidInput, NotFound, Other};
    use ErrorKind::{PermissionDenied, TimedOut, UnexpectedEof};
    let has_kind = matches!(
        error.kind(),
        ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | InvalidData
            | InvalidInput
            | NotFound
            | Other
            | PermissionDenied
            | TimedOut
            | UnexpectedEof
    );
    error.raw_os_error().is_none() && !has_kind
}

/// Returns `true` if there is a default route: asks the system with unassigned addresses. Nothing is sent.
pub(crate) fn is_there() -> bool {
    let v4 = [SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9))];
    let v6 = [
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        SocketAddr::from((Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9)),
    ];
    [v4, v6].into_iter().any(|[own, other]| UdpSocket::bind(own).is_ok_and(|socket| socket.connect(other).is_ok()))
}

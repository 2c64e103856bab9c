//! Which system calls fail how: the errors that their manual pages name and that a sound program can meet.
//!
//! Left out: `close` and `shutdown`, which do their work even where they report an error; memory that is not a thread's
//! stack, without which every Rust program aborts; and what fails only when it is called in a wrong way (EBADF, EINVAL).

pub(crate) type Errno = (&'static str, i32);

macro_rules! errnos {
    ($($name:ident = $number:literal),* $(,)?) => {
        $(pub(crate) const $name: Errno = (stringify!($name), $number);)*
    };
}

errnos! {
    EPERM = 1, EINTR = 4, EIO = 5, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EBUSY = 16, ENFILE = 23, EMFILE = 24,
    EFBIG = 27, ENOSPC = 28, EROFS = 30, EPIPE = 32, ENOPROTOOPT = 92, EAFNOSUPPORT = 97,
    EADDRNOTAVAIL = 99, ENETDOWN = 100, ENETUNREACH = 101, ECONNABORTED = 103, ECONNRESET = 104, ENOBUFS = 105,
    ETIMEDOUT = 110, ECONNREFUSED = 111, EHOSTUNREACH = 113, EDQUOT = 122,
}

const DESCRIPTORS: &[Errno] = &[EMFILE, ENFILE, ENOMEM];
const FILES: &[Errno] = &[EMFILE, ENFILE, ENOMEM, EACCES, EINTR, EIO, ENOSPC, EROFS];
const SENDING: &[Errno] =
    &[EINTR, EAGAIN, ECONNRESET, EPIPE, EPERM, ENOMEM, ENOBUFS, ENETDOWN, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT];
const RECEIVING: &[Errno] = &[EINTR, EAGAIN, ECONNRESET, ENOMEM, EIO, ENETDOWN, EHOSTUNREACH, ETIMEDOUT];
const WRITING: &[Errno] = &[ENOSPC, EINTR, EAGAIN, EIO, EDQUOT, EFBIG, EPIPE];
const STORING: &[Errno] = &[EIO, ENOSPC, EROFS, EDQUOT, EACCES];

/// The first error of each is that of the quick half.
#[rustfmt::skip]
pub(crate) const CALLS: &[(&str, &[Errno])] = &[
    ("socket", &[EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES, EPERM, EAFNOSUPPORT]),
    ("socketpair", DESCRIPTORS),
    ("pipe2", DESCRIPTORS),
    ("fcntl", &[EMFILE]),
    ("bind", &[EADDRNOTAVAIL, EACCES, ENOMEM]),
    ("connect", &[ENETUNREACH, EINTR, EAGAIN, EADDRNOTAVAIL, ECONNREFUSED, ECONNABORTED, ECONNRESET, EHOSTUNREACH,
        ENETDOWN, ETIMEDOUT, EPERM, EACCES, ENOMEM, ENOBUFS, EIO]),
    ("getsockname", &[ENOBUFS]),
    ("getpeername", &[ENOBUFS]),
    ("setsockopt", &[ENOPROTOOPT, ENOMEM, ENOBUFS, EPERM]),
    ("getsockopt", &[ENOBUFS, ENOPROTOOPT, ENOMEM]),
    ("ioctl", &[ENOMEM, EIO]),
    ("sendto", SENDING),
    ("sendmsg", SENDING),
    ("sendmmsg", SENDING),
    ("recvfrom", RECEIVING),
    ("recvmsg", RECEIVING),
    ("poll", &[ENOMEM, EINTR, EAGAIN]),
    ("ppoll", &[ENOMEM, EINTR, EAGAIN]),
    ("clone3", &[EAGAIN, ENOMEM, EPERM]),
    ("clone", &[EAGAIN, ENOMEM, EPERM]),
    ("mmap", &[ENOMEM, EAGAIN]),
    ("mprotect", &[ENOMEM]),
    ("futex", &[EINTR, EAGAIN]),
    ("clock_nanosleep", &[EINTR]),
    ("getrandom", &[EINTR]),
    ("openat", FILES),
    ("read", &[EIO, EINTR, EAGAIN, ENOMEM]),
    ("write", WRITING),
    ("writev", WRITING),
    ("lseek", &[EIO]),
    ("statx", &[EIO, EACCES, ENOMEM]),
    ("newfstatat", &[EIO, EACCES, ENOMEM]),
    ("fsync", STORING),
    ("fdatasync", STORING),
    ("ftruncate", STORING),
    ("fallocate", STORING),
    ("rename", &[EIO, ENOSPC, EROFS, EACCES, EBUSY, EPERM, EDQUOT]),
    ("renameat", STORING),
    ("renameat2", STORING),
    ("unlink", STORING),
    ("unlinkat", STORING),
    ("mkdir", STORING),
    ("mkdirat", STORING),
];

pub(crate) fn errnos(call: &str) -> &'static [Errno] {
    CALLS.iter().find(|(name, _)| *name == call).map(|(_, errnos)| *errnos).unwrap_or_default()
}

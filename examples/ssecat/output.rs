//! Writes to standard output and standard error, even if another program has made them non-blocking.

use std::io::{self, ErrorKind, Write};
#[cfg(unix)]
use std::os::fd::AsFd;

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, poll};
#[cfg(unix)]
use rustix::io::retry_on_intr;

#[cfg(unix)]
pub(crate) trait Output: Write + AsFd {}
#[cfg(unix)]
impl<O: Write + AsFd> Output for O {}
#[cfg(not(unix))]
pub(crate) trait Output: Write {}
#[cfg(not(unix))]
impl<O: Write> Output for O {}

/// Writes and flushes everything, waiting while the output accepts nothing.
pub(crate) fn write(mut output: impl Output, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(amount) => bytes = &bytes[amount..],
            Err(error) => wait_after(error, &output)?,
        }
    }
    while let Err(error) = output.flush() {
        wait_after(error, &output)?;
    }
    Ok(())
}

/// Waits until the output accepts data again, or returns the error.
fn wait_after(error: io::Error, output: &impl Output) -> io::Result<()> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(()),
        ErrorKind::WouldBlock => wait_until_writable(output),
        _ => Err(error),
    }
}

#[cfg(unix)]
fn wait_until_writable(output: &impl Output) -> io::Result<()> {
    // An error of the output is reported by the next write. A signal does not end the wait: `Stop` limits it.
    retry_on_intr(|| poll(&mut [PollFd::new(output, PollFlags::OUT)], None))?;
    Ok(())
}

#[cfg(not(unix))]
fn wait_until_writable(_: &impl Output) -> io::Result<()> {
    std::thread::sleep(std::time::Duration::from_millis(10));
    Ok(())
}

/// Blocks until the reader of standard output has closed it; returns `false` if that cannot be detected.
#[cfg(unix)]
pub(crate) fn wait_for_close() -> bool {
    let output = io::stdout();
    // Errors and hang-ups are always reported.
    let mut watched = [PollFd::new(&output, PollFlags::empty())];
    let is_known = retry_on_intr(|| poll(&mut watched, None)).is_ok();
    is_known && watched[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

#[cfg(not(unix))]
pub(crate) fn wait_for_close() -> bool {
    false
}

//! Programs: the examples, and clients that are killed, traced or short of something, in processes of their own.

#[cfg(target_os = "linux")]
mod checkpoint_states;
#[cfg(target_os = "linux")]
mod daemon;
#[cfg(unix)]
mod descriptors;
#[cfg(unix)]
mod kills;
mod replay;
#[cfg(unix)]
mod ssecat;
#[cfg(target_os = "linux")]
mod systemd;

//! Streams that are asked for once: they end at the event that says so, and are never asked for again by themselves.
#![cfg(feature = "json")]
#![allow(clippy::unwrap_used, reason = "in tests a failed unwrap is the verdict")]

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/transcript.rs"]
mod transcript;

mod chat;
mod completion;
mod paid;
mod repeat;
mod unfinished;
mod until;

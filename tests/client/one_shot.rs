//! Streams that are asked for once: they end at the event that says so, and are never asked for again by themselves.

mod chat;
mod completion;
mod paid;
mod repeat;
mod unfinished;
mod until;

//! The parser by itself.

mod chunks;
mod clauses;
mod feed;
mod limits;

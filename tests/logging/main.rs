//! The log: what is said at which level, and what becomes of a logger that panics. The logger is the whole process's.

mod contract;
mod panics;

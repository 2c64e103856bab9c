//! The tool, as the shell sees it: output, exit codes, signals, and what it asks a server for.
//!
//! It drives the built example, see `support/program.rs`.

#[path = "../../examples/ssecat/format.rs"]
#[allow(dead_code, reason = "its unit tests use a part")]
mod format;
#[path = "../../examples/ssecat/status.rs"]
mod status;

mod checkpoint;
mod docs;
mod end;
mod exec;
mod formats;
mod gaps;
mod output;
mod record;
mod request;
mod state;
mod terminal;
mod usage;

use std::io::Write;
use std::process::Command;

use http_sse::testing::Peer;

use support::program::{Left, example, run};

/// Returns the tool's command with these arguments.
fn ssecat(arguments: &[&str]) -> Command {
    let mut command = example("ssecat");
    command.args(arguments);
    command
}

/// Runs the tool once against a server that answers with these blocks and ends the response.
#[track_caller]
fn answered(arguments: &[&str], blocks: &'static str) -> Left {
    let server = http_sse::testing::Server::serve(move |_, peer| send(peer, blocks)).unwrap();
    run(ssecat(arguments).args(["--retry", "never"]).arg(server.url("/events")))
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn send(mut peer: Peer, blocks: &str) {
    peer.stream();
    peer.send(blocks);
    peer.end();
}

//! The rows.

use std::time::Duration;

use http_sse::Request;
use http_sse::testing::Peer;

use super::peer::{
    BOMB, Ending, GZIP, Origin, Place, Play, SECRETS, chunk_garbage, deliver, drip_events, drip_head, fill_zeros, gzip,
    half_until_close,
};
use super::{Attempts, Group, Row, Settings};

use Attempts::{BackOff, Base, Every, One};
use Ending::{Fin, Reset, Stall};
use Group::{Broken, Endless, Id, Redirect, Retry, Silent, Unreachable};
use Place::{AfterHead, BeforeHead, BetweenEvents, InEvent, InHead};
use Play::{Break, EndlessHead, Script};

const fn row(name: &'static str, group: Group, play: Play, attempts: Attempts, sees: &'static [&'static str]) -> Row {
    Row { name, group, play, attempts, sees, has_events: false, request: |request, _| request }
}

impl Row {
    const fn with_events(self) -> Self {
        Self { has_events: true, ..self }
    }

    const fn with(self, request: fn(Request, Settings) -> Request) -> Self {
        Self { request, ..self }
    }
}

fn with_secrets(request: Request, _: Settings) -> Request {
    SECRETS.iter().fold(request, |request, (name, value)| request.header(*name, *value))
}

fn with_response_limit(request: Request, settings: Settings) -> Request {
    request.response_timeout(settings.limit)
}

fn with_idle_limit(request: Request, settings: Settings) -> Request {
    request.idle_timeout(settings.limit)
}

fn with_connect_limit(request: Request, settings: Settings) -> Request {
    request.connect_timeout(settings.limit)
}

/// The least that a server can ask for.
const HALF_A_SECOND: Attempts = Every(Duration::from_millis(500));
const TOO_LARGE: &[&str] = &["EventTooLarge"];
const PROTOCOL: &[&str] = &["Protocol"];
const GONE: &[&str] = &["Disconnected"];
const RESET: &[&str] = &["Io"];
const NO_HEAD: &[&str] = &["Timeout(Response)"];
const IDLE: &[&str] = &["Timeout(Idle)"];
const UNSENT: &[&str] = &["LastEventId"];
const ENCODED: &[&str] = &["ContentEncoding"];

pub const ROWS: &[Row] = &[
    // The others compare with this one.
    row("none: open and idle", Silent, Break(AfterHead, Stall), One, &[]),
    // Without end
    row("endless line", Endless, Play::Endless("", "x"), BackOff, TOO_LARGE),
    row("endless data line", Endless, Play::Endless("data: ", "x"), BackOff, TOO_LARGE),
    row("endless event of short lines", Endless, Play::Endless("", "data: x\n"), BackOff, TOO_LARGE),
    row("endless block without data", Endless, Play::Endless("", "event: x\nid: y\nz\n"), BackOff, TOO_LARGE),
    row("endless comment", Endless, Play::Endless(":", "x"), BackOff, TOO_LARGE),
    row("endless comments", Endless, Play::Endless("", ": x\n"), One, &[]),
    row("endless head", Endless, EndlessHead("HTTP/1.1 200 OK\r\n", "x: y\r\n"), BackOff, PROTOCOL),
    row("endless line in the head", Endless, EndlessHead("HTTP/1.1 200 OK\r\nx: ", "y"), BackOff, PROTOCOL),
    row("endless 1xx", Endless, EndlessHead("", "HTTP/1.1 103 Early Hints\r\n\r\n"), BackOff, PROTOCOL),
    row("endless error body", Endless, EndlessHead("HTTP/1.1 503 \r\n\r\n", "x"), BackOff, &["Status"]),
    row(
        "endless chunk size",
        Endless,
        EndlessHead("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"),
        BackOff,
        PROTOCOL,
    ),
    row("unasked gzip: a bomb", Endless, Script(|_, peer| fill_zeros(peer, BOMB)), BackOff, ENCODED),
    // Slow and silent
    row("1 byte per 100 ms in the head", Silent, Script(drip_head), One, &[]),
    row("1 byte per 100 ms past the response timeout", Silent, Script(drip_head), BackOff, NO_HEAD)
        .with(with_response_limit),
    row("1 byte per 100 ms in the body", Silent, Script(drip_events), One, &[]).with_events(),
    row("stall before the head", Silent, Break(BeforeHead, Stall), One, &[]),
    row("stall before the head, past the response timeout", Silent, Break(BeforeHead, Stall), BackOff, NO_HEAD)
        .with(with_response_limit),
    row("stall in the head", Silent, Break(InHead, Stall), One, &[]),
    row("stall between events", Silent, Break(BetweenEvents, Stall), One, &[]).with_events(),
    row("stall mid-event", Silent, Break(InEvent, Stall), One, &[]).with_events(),
    row("stall mid-event, past the idle timeout", Silent, Break(InEvent, Stall), Base, IDLE)
        .with_events()
        .with(with_idle_limit),
    row("half-open peer, past the idle timeout", Silent, Break(AfterHead, Stall), BackOff, IDLE).with(with_idle_limit),
    // Broken off
    row("FIN before the head", Broken, Break(BeforeHead, Fin), BackOff, GONE),
    row("RST before the head", Broken, Break(BeforeHead, Reset), BackOff, RESET),
    row("FIN in the head", Broken, Break(InHead, Fin), BackOff, GONE),
    row("RST in the head", Broken, Break(InHead, Reset), BackOff, RESET),
    row("FIN after the head", Broken, Break(AfterHead, Fin), BackOff, GONE),
    row("RST after the head", Broken, Break(AfterHead, Reset), BackOff, GONE),
    row("FIN between events", Broken, Break(BetweenEvents, Fin), BackOff, GONE).with_events(),
    row("RST between events", Broken, Break(BetweenEvents, Reset), BackOff, GONE).with_events(),
    row("FIN mid-event", Broken, Break(InEvent, Fin), BackOff, GONE).with_events(),
    row("RST mid-event", Broken, Break(InEvent, Reset), BackOff, GONE).with_events(),
    row(
        "FIN mid-event, no framing",
        Broken,
        Script(|_, peer| half_until_close(peer, Peer::close_abruptly)),
        BackOff,
        &[],
    )
    .with_events(),
    row("RST mid-event, no framing", Broken, Script(|_, peer| half_until_close(peer, Peer::reset)), BackOff, GONE)
        .with_events(),
    row("chunk framing garbage", Broken, Script(chunk_garbage), BackOff, PROTOCOL),
    row(
        "unasked gzip: proper",
        Broken,
        Script(|_, mut peer| {
            gzip(&mut peer, GZIP);
            peer.end();
        }),
        BackOff,
        ENCODED,
    ),
    row(
        "flapping: accepts and closes",
        Broken,
        Script(|_, peer| peer.close_abruptly()),
        BackOff,
        &["Disconnected", "Io"],
    ),
    row("flapping: 503", Broken, Script(|_, mut peer| peer.respond(503, &[], "")), BackOff, &["Status"]),
    row(
        "flapping: opens and ends",
        Broken,
        Script(|_, mut peer| {
            peer.stream();
            peer.send(": welcome\n\n");
            peer.end();
        }),
        BackOff,
        &["NoEvent"],
    ),
    row(
        "flapping: sends events and ends",
        Broken,
        Script(|_, mut peer| {
            deliver(&mut peer);
            peer.end();
        }),
        BackOff,
        &[],
    )
    .with_events(),
    // Not reached
    // The stream before is cut; on a busy machine no attempt may fall into the time without a port.
    row("port gone and back", Unreachable, Play::Gone, BackOff, &["Io", "Disconnected"]).with_events(),
    row("full accept queue", Unreachable, Play::Hole, One, &[]),
    row("full accept queue, past the connect timeout", Unreachable, Play::Hole, BackOff, &["Timeout(Connect)"])
        .with(with_connect_limit),
    // Redirected
    row(
        "redirect loop",
        Redirect,
        Script(|_, mut peer| peer.respond(302, &[("Location", "/")], "")),
        One,
        &["Redirect"],
    ),
    row("secrets to another port", Redirect, Play::To(Origin::Port), Base, &[]).with_events().with(with_secrets),
    row("secrets to another host", Redirect, Play::To(Origin::Host), Base, &[]).with_events().with(with_secrets),
    row("secrets to another scheme", Redirect, Play::To(Origin::Scheme), Base, &[]).with_events().with(with_secrets),
    // Ids
    row("id with control bytes", Id, Play::Id(|| b"a\x01\x7fb".to_vec(), None), BackOff, UNSENT).with_events(),
    row("id with NUL", Id, Play::Id(|| b"a\0b".to_vec(), None), BackOff, &[]).with_events(),
    row("id of 100 KB", Id, Play::Id(|| vec![b'x'; 100_000], None), BackOff, UNSENT).with_events(),
    row("id of invalid UTF-8", Id, Play::Id(|| b"a\xffb".to_vec(), Some("a\u{FFFD}b")), BackOff, &[]).with_events(),
    // Reconnection times
    row("retry: 0", Retry, Play::Retry("0"), HALF_A_SECOND, &[]).with_events(),
    row("retry: 1", Retry, Play::Retry("1"), HALF_A_SECOND, &[]).with_events(),
    row("retry: 9999999999999", Retry, Play::Retry("9999999999999"), One, &[]).with_events(),
    row("retry: 30 digits", Retry, Play::Retry("999999999999999999999999999999"), One, &[]).with_events(),
    row("retry: +5", Retry, Play::Retry("+5"), Base, &[]).with_events(),
];

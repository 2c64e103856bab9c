//! What the public suites know about event streams: their facts, in our own form, against the parser alone and the whole
//! client. Each case names the file that its facts come from.

mod case;
mod http;
mod launchdarkly;
mod parsing;
mod reconnecting;
mod socket;
mod whatwg;
mod wpt;

use std::time::Duration;

use http_sse::{Client, RetryPolicy};

use case::Case;

fn cases() -> Vec<Case> {
    [whatwg::cases(), wpt::cases(), launchdarkly::cases()].into_iter().flatten().collect()
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Comes back soon, and obeys whatever reconnection time a suite's server asks for.
fn quick() -> RetryPolicy {
    RetryPolicy::constant(Duration::from_millis(1)).max_retries(None).server_delay(Duration::ZERO..=Duration::MAX)
}

/// Fails with every case that is wrong, not with the first.
#[track_caller]
fn verdict(wrong: Vec<String>, cases: usize) {
    assert!(cases > 0, "no case was looked at");
    assert!(wrong.is_empty(), "{} of {cases} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

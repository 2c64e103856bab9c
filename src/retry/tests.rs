//! The arithmetic of the waits, without a clock.

use super::*;

use std::time::Instant;

const SECOND: Duration = Duration::from_secs(1);

fn waits(backoff: &mut Backoff, now: Instant, random: f64, count: usize) -> Vec<Option<u64>> {
    (0..count).map(|_| backoff.failed(now, Cause::Ordinary, None, random).map(|d| d.as_millis() as u64)).collect()
}

#[test]
fn the_default_doubles_from_one_second_and_gives_up_after_five_retries() {
    let mut backoff = Backoff::new(RetryPolicy::default());
    let now = Instant::now();
    assert_eq!(waits(&mut backoff, now, 0.0, 6), [Some(1000), Some(2000), Some(4000), Some(8000), Some(16000), None]);
}

#[test]
fn jitter_adds_up_to_the_wait_itself_and_never_subtracts() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever());
    assert_eq!(waits(&mut backoff, now, 0.5, 3), [Some(1500), Some(3000), Some(6000)]);
}

#[test]
fn forever_stays_at_the_cap_however_long_the_outage() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever());
    let last = (0..10_000).map(|_| backoff.failed(now, Cause::Ordinary, None, 0.0)).last().unwrap();
    assert_eq!(last, Some(Duration::from_secs(30)));
}

#[test]
fn constant_has_neither_growth_nor_jitter() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::constant(SECOND * 3));
    assert_eq!(waits(&mut backoff, now, 0.9, 2), [Some(3000), Some(3000)]);
}

#[test]
fn never_gives_up_at_once() {
    let now = Instant::now();
    assert_eq!(Backoff::new(RetryPolicy::never()).failed(now, Cause::Ordinary, None, 0.0), None);
    assert_eq!(RetryPolicy::never(), RetryPolicy::default().max_retries(0));
}

#[test]
fn an_event_and_a_life_of_the_base_delay_reset_the_count() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    waits(&mut backoff, now, 0.0, 3);
    backoff.opened(now);
    backoff.delivered();
    assert_eq!(backoff.failed(now + SECOND, Cause::Ordinary, None, 0.0), Some(SECOND));
    assert_eq!(backoff.failures(), 1);
}

#[test]
fn an_event_alone_does_not_reset_the_count() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    waits(&mut backoff, now, 0.0, 3);
    backoff.opened(now);
    backoff.delivered();
    assert_eq!(backoff.failed(now + SECOND / 2, Cause::Ordinary, None, 0.0), Some(SECOND * 8));
}

#[test]
fn where_it_is_set_reset_after_is_the_rule_and_no_event_shortens_it() {
    let now = Instant::now();
    for (lived, wait) in [(599, 8), (600, 1)] {
        let mut backoff = Backoff::new(RetryPolicy::default().reset_after(SECOND * 600));
        waits(&mut backoff, now, 0.0, 3);
        backoff.opened(now);
        backoff.delivered();
        assert_eq!(backoff.failed(now + SECOND * lived, Cause::Ordinary, None, 0.0), Some(SECOND * wait), "{lived} s");
    }
    // Shorter than the base delay of 1 s, and without an event.
    let mut backoff = Backoff::new(RetryPolicy::default().reset_after(SECOND / 2));
    waits(&mut backoff, now, 0.0, 3);
    backoff.opened(now);
    assert_eq!(backoff.failed(now + SECOND / 2, Cause::Ordinary, None, 0.0), Some(SECOND));
}

#[test]
fn staying_open_resets_the_count_without_any_event() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    waits(&mut backoff, now, 0.0, 3);
    backoff.opened(now);
    assert_eq!(backoff.failed(now + SECOND * 60, Cause::Ordinary, None, 0.0), Some(SECOND));
}

#[test]
fn a_clean_end_after_a_good_life_waits_the_base_and_starts_the_count_again() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    waits(&mut backoff, now, 0.0, 2);
    backoff.opened(now);
    backoff.delivered();
    assert_eq!(backoff.ended(now + SECOND, 0.5), SECOND * 3 / 2);
    assert_eq!(backoff.failures(), 0);
}

/// Lives of a tenth of a second with an event, and the waits after them.
fn short_lives(backoff: &mut Backoff, now: Instant, count: usize) -> (Vec<u64>, Vec<bool>) {
    let life = || {
        backoff.opened(now);
        backoff.delivered();
        let wait = backoff.ended(now + SECOND / 10, 0.0).as_secs();
        (wait, backoff.begins_to_grow())
    };
    std::iter::repeat_with(life).take(count).unzip()
}

#[test]
fn the_wait_grows_while_lives_are_short_and_says_so_once_and_is_no_failure() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default().max_retries(1));
    let (waits, begins) = short_lives(&mut backoff, now, 7);
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(begins, [false, true, false, false, false, false, false]);
    assert_eq!(backoff.failures(), 0);
    backoff.opened(now);
    backoff.delivered();
    assert_eq!(backoff.ended(now + SECOND, 0.0), SECOND, "a life of the base delay");
    assert_eq!(short_lives(&mut backoff, now, 2), (vec![1, 2], vec![false, true]));
}

#[test]
fn short_lives_and_failures_grow_the_same_wait() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    assert_eq!(waits(&mut backoff, now, 0.0, 1), [Some(1000)]);
    assert_eq!(short_lives(&mut backoff, now, 1).0, [2]);
    assert_eq!(waits(&mut backoff, now, 0.0, 1), [Some(4000)]);
}

#[test]
fn an_interval_that_the_server_asked_for_does_not_grow() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    backoff.server_asks(SECOND * 2);
    let (waits, begins) = short_lives(&mut backoff, now, 9);
    assert_eq!((waits, begins), (vec![2; 9], vec![false; 9]));
}

#[test]
fn a_constant_wait_does_not_grow_and_nothing_says_it_does() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::constant(SECOND * 3));
    assert_eq!(short_lives(&mut backoff, now, 3), (vec![3; 3], vec![false; 3]));
}

#[test]
fn an_end_without_an_event_is_a_failure_unless_the_stream_was_open_for_long() {
    let now = Instant::now();
    for (policy, enough) in [(RetryPolicy::default(), 60), (RetryPolicy::default().reset_after(SECOND * 7), 7)] {
        let mut backoff = Backoff::new(policy);
        backoff.opened(now);
        assert!(backoff.has_come_to_nothing(now));
        assert!(backoff.has_come_to_nothing(now + SECOND * enough - Duration::from_millis(1)));
        assert!(!backoff.has_come_to_nothing(now + SECOND * enough));
        backoff.delivered();
        assert!(!backoff.has_come_to_nothing(now));
    }
}

#[test]
fn no_answer_in_time_counts_and_makes_no_wait_grow() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    for _ in 0..5 {
        assert_eq!(backoff.failed(now, Cause::Silence, None, 0.0), Some(SECOND));
    }
    assert_eq!(backoff.failed(now, Cause::Silence, None, 0.0), None);
}

#[test]
fn what_lasts_waits_the_longest_at_once() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever());
    assert_eq!(backoff.failed(now, Cause::Lasting, None, 0.5), Some(SECOND * 45));
    assert_eq!(backoff.failed(now, Cause::Ordinary, None, 0.0), Some(SECOND * 2));
}

#[test]
fn without_a_network_nothing_counts_where_the_policy_waits_for_it() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default().max_elapsed(SECOND * 100).wait_for_network());
    waits(&mut backoff, now, 0.0, 4);
    let later = now + SECOND * 1000;
    for _ in 0..100 {
        assert!(backoff.failed(later, Cause::Offline, None, 0.0).is_some());
    }
    assert_eq!(backoff.failures(), 104);
    // The limits start again: six more failures, of which the last ends it. The waits stay as long as they were.
    let rest: Vec<_> = (0..6).map(|_| backoff.failed(later, Cause::Ordinary, None, 0.0).is_some()).collect();
    assert_eq!(rest, [true, true, true, true, true, false]);
}

#[test]
fn without_a_network_no_wait_is_too_long() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default().max_elapsed(SECOND * 3).wait_for_network());
    let mut failed = |cause| backoff.failed(now, cause, None, 0.0);
    assert_eq!(failed(Cause::Ordinary), Some(SECOND));
    assert_eq!(failed(Cause::Offline), Some(SECOND * 2));
    // Longer than the limit, which does not run.
    assert_eq!(failed(Cause::Offline), Some(SECOND * 4));
    assert_eq!(failed(Cause::Ordinary), None);
}

#[test]
fn without_a_network_every_attempt_counts_by_default() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    let waits: Vec<_> = (0..6).map(|_| backoff.failed(now, Cause::Offline, None, 0.0).is_some()).collect();
    assert_eq!(waits, [true, true, true, true, true, false]);
    let never = RetryPolicy::never().wait_for_network();
    assert_eq!(Backoff::new(never).failed(now, Cause::Offline, None, 0.0), None);
}

#[test]
fn the_failure_that_it_gives_up_with_is_counted() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default().max_retries(2));
    assert_eq!(waits(&mut backoff, now, 0.0, 3), [Some(1000), Some(2000), None]);
    assert_eq!(backoff.failures(), 3);
    backoff.ends_with_failure(now);
    assert_eq!(backoff.failures(), 4);
}

/// An attempt that `reconnect()` asked for, made after the wait that it returned.
fn asked(backoff: &mut Backoff, now: &mut Instant) -> Duration {
    let wait = backoff.reconnect(*now);
    *now += wait;
    backoff.begins(*now);
    wait
}

#[test]
fn an_attempt_that_is_asked_for_comes_at_once_but_once_per_base_delay() {
    let mut now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever());
    assert_eq!(asked(&mut backoff, &mut now), Duration::ZERO);
    assert_eq!(asked(&mut backoff, &mut now), SECOND);
    now += SECOND / 4;
    assert_eq!(backoff.reconnect(now), SECOND * 3 / 4);
    assert_eq!(asked(&mut backoff, &mut now), SECOND * 3 / 4);
    now += SECOND;
    assert_eq!(asked(&mut backoff, &mut now), Duration::ZERO);
    // An attempt of the policy's own is none of these.
    now += SECOND;
    backoff.begins(now);
    assert_eq!(asked(&mut backoff, &mut now), Duration::ZERO);
    backoff.server_asks(SECOND * 5);
    assert_eq!(asked(&mut backoff, &mut now), SECOND * 5);
}

#[test]
fn an_attempt_that_is_asked_for_waits_for_retry_after_unless_that_is_forgotten() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever());
    backoff.failed(now, Cause::Ordinary, Some(SECOND * 30), 0.0);
    assert_eq!(backoff.reconnect(now + SECOND * 10), SECOND * 20);
    // A later failure that asks for nothing does not take it back.
    assert_eq!(backoff.failed(now + SECOND, Cause::Ordinary, None, 0.0), Some(SECOND * 29));
    assert_eq!(backoff.reconnect(now + SECOND * 10), SECOND * 20);
    backoff.forget_retry_after();
    assert_eq!(backoff.reconnect(now + SECOND * 10), Duration::ZERO);
    backoff.failed(now, Cause::Ordinary, Some(SECOND * 30), 0.0);
    backoff.opened(now);
    assert_eq!(backoff.reconnect(now + SECOND * 10), Duration::ZERO);
}

#[test]
fn an_attempt_that_is_asked_for_forgets_no_failure() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default().max_retries(3));
    waits(&mut backoff, now, 0.0, 3);
    assert_eq!(backoff.reconnect(now), Duration::ZERO);
    backoff.begins(now);
    assert_eq!(backoff.failures(), 3);
    assert_eq!(waits(&mut backoff, now, 0.0, 1), [None]);
}

#[test]
fn retry_from_the_server_replaces_the_base_within_its_clamp() {
    let now = Instant::now();
    for (asked, wait) in [(0, 500), (1, 500), (700, 700), (u64::MAX, 300_000)] {
        let mut backoff = Backoff::new(RetryPolicy::forever());
        backoff.server_asks(Duration::from_millis(asked));
        assert_eq!(
            backoff.failed(now, Cause::Ordinary, None, 0.0),
            Some(Duration::from_millis(wait)),
            "retry: {asked}"
        );
    }
}

#[test]
fn a_base_above_the_cap_is_not_lowered_by_it() {
    let mut backoff = Backoff::new(RetryPolicy::forever());
    backoff.server_asks(Duration::from_secs(120));
    let now = Instant::now();
    assert_eq!(waits(&mut backoff, now, 0.0, 2), [Some(120_000), Some(120_000)]);
}

#[test]
fn retry_after_is_a_lower_bound_spread_above_and_capped_at_a_day() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever());
    assert_eq!(backoff.failed(now, Cause::Ordinary, Some(SECOND * 10), 0.5), Some(Duration::from_millis(10_500)));
    assert_eq!(backoff.failed(now, Cause::Ordinary, Some(Duration::ZERO), 0.0), Some(SECOND * 2));
    assert_eq!(backoff.failed(now, Cause::Ordinary, Some(Duration::MAX), 0.0), Some(SECOND * 24 * 3600));
}

#[test]
fn the_cap_of_retry_after_can_be_set() {
    let now = Instant::now();
    for cap in [Duration::ZERO, SECOND * 7, Duration::MAX] {
        let mut backoff = Backoff::new(RetryPolicy::forever().max_retry_after(cap));
        assert_eq!(backoff.failed(now, Cause::Ordinary, Some(Duration::MAX), 0.0), Some(cap.max(SECOND)));
    }
    let mut backoff = Backoff::new(RetryPolicy::forever().max_retry_after(None));
    assert_eq!(backoff.failed(now, Cause::Ordinary, Some(SECOND * 1_000_000), 0.0), Some(SECOND * 1_000_000));
}

#[test]
fn a_retry_after_beyond_the_clock_holds_up_a_reconnect_too() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever().max_retry_after(None));
    assert_eq!(backoff.failed(now, Cause::Ordinary, Some(Duration::MAX), 0.0), Some(Duration::MAX));
    assert!(backoff.reconnect(now) > SECOND * 3600);
}

#[test]
fn max_elapsed_gives_up_as_soon_as_the_next_wait_would_end_too_late() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever().max_elapsed(SECOND * 8));
    let at = |seconds| now + SECOND * seconds;
    let waits: Vec<_> = [0, 1, 3, 7].map(|seconds| backoff.failed(at(seconds), Cause::Ordinary, None, 0.0)).into();
    assert_eq!(waits, [Some(SECOND), Some(SECOND * 2), Some(SECOND * 4), None]);
    let mut backoff = Backoff::new(RetryPolicy::forever().max_elapsed(SECOND * 3));
    assert_eq!(backoff.failed(now, Cause::Ordinary, Some(SECOND * 20), 0.0), None);
    let mut backoff = Backoff::new(RetryPolicy::forever().max_elapsed(SECOND));
    assert_eq!(backoff.failed(now, Cause::Ordinary, None, 0.0), Some(SECOND), "it ends just in time");
}

#[test]
fn absurd_settings_saturate_instead_of_panicking() {
    let now = Instant::now();
    let policy = RetryPolicy::exponential(Duration::MAX, Duration::MAX).jitter(f64::MAX).max_retries(u32::MAX);
    let mut backoff = Backoff::new(policy);
    for _ in 0..100 {
        assert_eq!(backoff.failed(now, Cause::Ordinary, Some(Duration::MAX), 0.99), Some(Duration::MAX));
    }
    assert_eq!(
        Backoff::new(RetryPolicy::forever().jitter(f64::NAN)).failed(now, Cause::Ordinary, None, 0.5),
        Some(SECOND)
    );
    #[allow(clippy::reversed_empty_ranges)] // what a user may write by mistake
    let mut backoff = Backoff::new(RetryPolicy::forever().server_delay(SECOND * 9..=SECOND));
    backoff.server_asks(SECOND);
    assert_eq!(backoff.failed(now, Cause::Ordinary, None, 0.0), Some(SECOND * 9));
}

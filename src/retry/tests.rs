//! The arithmetic of the waits, without a clock.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn waits(backoff: &mut Backoff, now: Instant, random: f64, count: usize) -> Vec<Option<u64>> {
    (0..count).map(|_| backoff.failed(now, None, random).map(|d| d.as_millis() as u64)).collect()
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
    let last = (0..10_000).map(|_| backoff.failed(now, None, 0.0)).last().unwrap();
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
    assert_eq!(Backoff::new(RetryPolicy::never()).failed(now, None, 0.0), None);
    let mut backoff = Backoff::new(RetryPolicy::never());
    backoff.opened(now);
    backoff.delivered();
    assert_eq!(backoff.ended(now, 0.0), None);
}

#[test]
fn an_event_and_a_life_of_the_base_delay_reset_the_count() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    waits(&mut backoff, now, 0.0, 3);
    backoff.opened(now);
    backoff.delivered();
    assert_eq!(backoff.failed(now + SECOND, None, 0.0), Some(SECOND));
    assert_eq!(backoff.failures(), 1);
}

#[test]
fn an_event_alone_does_not_reset_the_count() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    waits(&mut backoff, now, 0.0, 3);
    backoff.opened(now);
    backoff.delivered();
    assert_eq!(backoff.failed(now + SECOND / 2, None, 0.0), Some(SECOND * 8));
}

#[test]
fn staying_open_resets_the_count_without_any_event() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    waits(&mut backoff, now, 0.0, 3);
    backoff.opened(now);
    assert_eq!(backoff.failed(now + SECOND * 60, None, 0.0), Some(SECOND));
}

#[test]
fn a_clean_end_with_events_waits_the_base_and_keeps_the_count() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    waits(&mut backoff, now, 0.0, 2);
    backoff.opened(now);
    backoff.delivered();
    assert_eq!(backoff.ended(now, 0.5), Some(SECOND * 3 / 2));
    assert_eq!(backoff.failures(), 2);
}

#[test]
fn accept_then_close_counts_as_failure_and_ends_after_five() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::default());
    let mut delays = vec![];
    for _ in 0..6 {
        backoff.opened(now);
        delays.push(backoff.ended(now, 0.0).map(|d| d.as_secs()));
    }
    assert_eq!(delays, [Some(1), Some(2), Some(4), Some(8), Some(16), None]);
}

#[test]
fn retry_from_the_server_replaces_the_base_within_its_clamp() {
    let now = Instant::now();
    for (asked, wait) in [(0, 500), (1, 500), (700, 700), (u64::MAX, 300_000)] {
        let mut backoff = Backoff::new(RetryPolicy::forever());
        backoff.server_asks(Duration::from_millis(asked));
        assert_eq!(backoff.failed(now, None, 0.0), Some(Duration::from_millis(wait)), "retry: {asked}");
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
    assert_eq!(backoff.failed(now, Some(SECOND * 10), 0.5), Some(Duration::from_millis(10_500)));
    assert_eq!(backoff.failed(now, Some(Duration::ZERO), 0.0), Some(SECOND * 2));
    assert_eq!(backoff.failed(now, Some(Duration::MAX), 0.0), Some(SECOND * 24 * 3600));
}

#[test]
fn the_cap_of_retry_after_can_be_set() {
    let now = Instant::now();
    for cap in [Duration::ZERO, SECOND * 7, Duration::MAX] {
        let mut backoff = Backoff::new(RetryPolicy::forever().max_retry_after(cap));
        assert_eq!(backoff.failed(now, Some(Duration::MAX), 0.0), Some(cap.max(SECOND)));
    }
}

#[test]
fn max_elapsed_gives_up_on_a_long_row_of_failures() {
    let now = Instant::now();
    let mut backoff = Backoff::new(RetryPolicy::forever().max_elapsed(SECOND * 10));
    assert!(backoff.failed(now, None, 0.0).is_some());
    assert!(backoff.failed(now + SECOND * 9, None, 0.0).is_some());
    assert!(backoff.failed(now + SECOND * 10, None, 0.0).is_none());
}

#[test]
fn absurd_settings_saturate_instead_of_panicking() {
    let now = Instant::now();
    let policy = RetryPolicy::exponential(Duration::MAX, Duration::MAX).jitter(f64::MAX).max_retries(u32::MAX);
    let mut backoff = Backoff::new(policy);
    for _ in 0..100 {
        assert_eq!(backoff.failed(now, Some(Duration::MAX), 0.99), Some(Duration::MAX));
    }
    assert_eq!(Backoff::new(RetryPolicy::forever().jitter(f64::NAN)).failed(now, None, 0.5), Some(SECOND));
    #[allow(clippy::reversed_empty_ranges)] // what a user may write by mistake
    let mut backoff = Backoff::new(RetryPolicy::forever().server_delay(SECOND * 9..=SECOND));
    backoff.server_asks(SECOND);
    assert_eq!(backoff.failed(now, None, 0.0), Some(SECOND * 9));
}

//! What the types of the interface promise by themselves: threads, clones, sizes, bounds.

use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::iter::FusedIterator;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http_sse::crossbeam_channel::Receiver;
use http_sse::parser::{EventTooLarge, Frame, Parser};
use http_sse::{
    Attempt, Client, ClientBuilder, End, Error, ErrorResponse, Event, EventReader, Events, Handle, JsonError,
    NextTimeoutError, PanicOrigin, PinMismatch, Request, Response, RetryPolicy, State, Stats, Timeout,
};

type Item = Result<Event, Error>;

fn sends<T: Send + 'static>() {}
fn shares<T: Send + Sync + 'static>() {}
fn clones<T: Clone>() {}
fn copies<T: Copy>() {}
fn debugs<T: Debug>() {}
fn defaults<T: Default>() {}
fn compares<T: Eq>() {}
fn iterates<T: Iterator<Item = I> + FusedIterator, I>() {}

#[test]
fn what_is_used_from_several_threads_may_be() {
    shares::<Client>();
    shares::<Handle>();
    shares::<Error>();
    shares::<Event>();
    shares::<End>();
    shares::<ErrorResponse>();
    shares::<Stats>();
    shares::<State>();
    shares::<RetryPolicy>();
    shares::<Frame>();
    shares::<Parser>();
    shares::<Events>();
}

#[test]
fn what_is_handed_to_another_thread_may_be() {
    sends::<Request>();
    sends::<ClientBuilder>();
    sends::<EventReader>();
}

#[test]
fn what_is_shared_or_kept_can_be_cloned() {
    clones::<Client>();
    clones::<Handle>();
    clones::<Error>();
    clones::<End>();
    clones::<Event>();
    clones::<ErrorResponse>();
    clones::<RetryPolicy>();
    clones::<Parser>();
    copies::<State>();
    copies::<Stats>();
    copies::<Timeout>();
}

#[test]
fn every_type_can_be_debugged() {
    debugs::<Attempt<'_>>();
    debugs::<Client>();
    debugs::<ClientBuilder>();
    debugs::<End>();
    debugs::<Error>();
    debugs::<Event>();
    debugs::<EventReader>();
    debugs::<Events>();
    debugs::<Frame>();
    debugs::<Handle>();
    debugs::<Response<'_>>();
    debugs::<Parser>();
    debugs::<Request>();
    debugs::<RetryPolicy>();
    debugs::<State>();
    debugs::<Stats>();
    debugs::<ErrorResponse>();
}

#[test]
fn what_has_a_natural_beginning_has_a_default() {
    defaults::<Client>();
    defaults::<RetryPolicy>();
    defaults::<Stats>();
    defaults::<Parser>();
}

#[test]
fn what_tests_compare_can_be_compared() {
    compares::<Event>();
    compares::<Frame>();
    compares::<State>();
    compares::<Timeout>();
    compares::<EventTooLarge>();
}

#[test]
fn consumers_are_fused_iterators() {
    iterates::<Events, Item>();
    iterates::<EventReader, Item>();
}

#[test]
fn typed_consumers_are_iterators_that_end_for_good() {
    use http_sse::{Decoded, JsonEvents};
    iterates::<JsonEvents<u32, Events>, Result<Decoded<u32>, Error>>();
    iterates::<JsonEvents<u32, EventReader>, Result<Decoded<u32>, Error>>();
    sends::<JsonEvents<u32, Events>>();
    debugs::<JsonEvents<u32, Events>>();
    clones::<Decoded<u32>>();
}

#[test]
fn events_are_a_receiver_by_dereference_and_by_borrowed_iteration() {
    fn derefs<T: Deref<Target = Receiver<Item>>>() {}
    fn iterates_by_reference<T>()
    where
        for<'a> &'a T: IntoIterator<Item = Item>,
    {
    }
    derefs::<Events>();
    iterates_by_reference::<Events>();
}

#[test]
fn an_error_fits_in_32_bytes() {
    assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
    assert!(size_of::<Item>() <= 128, "{}", size_of::<Item>());
}

#[test]
fn an_error_is_an_error_of_std() {
    fn is_error<T: StdError + Display + Send + Sync + 'static>() {}
    is_error::<Error>();
    is_error::<EventTooLarge>();
    is_error::<JsonError>();
    is_error::<NextTimeoutError>();
    is_error::<PinMismatch>();
    let boxed: Box<dyn StdError + Send + Sync> = Error::Disconnected.into();
    assert!(boxed.downcast_ref::<Error>().is_some());
}

#[test]
fn every_error_can_be_created_and_distinguished_by_code_under_test() {
    let io = || Arc::new(std::io::Error::other("cause"));
    for (error, is_transient) in [
        (Error::InvalidRequest("x".into()), false),
        (Error::DuplicateId("x".into()), false),
        (Error::Spawn(io()), false),
        (Error::Io(io()), true),
        (Error::Tls(io()), true),
        (Error::ClockNotSet(io()), true),
        (Error::PinMismatch(Arc::new(PinMismatch::new("A1:B2", "sha256//47DE", ["E3:B0"]))), false),
        (Error::Timeout(Timeout::Resolve), true),
        (Error::Timeout(Timeout::Connect), true),
        (Error::Timeout(Timeout::Response), true),
        (Error::Timeout(Timeout::Idle), true),
        (Error::Disconnected, true),
        (Error::NoEvent(None), true),
        (Error::NoEvent(Some("{}".into())), true),
        (Error::LastEventId("x".into()), false),
        (Error::from(ErrorResponse::new(503)), true),
        (Error::from(ErrorResponse::new(404)), false),
        (Error::ContentType(Arc::new(ErrorResponse::new(200))), false),
        (Error::ContentEncoding("gzip".into()), true),
        (Error::Redirect("x".into()), false),
        (Error::Protocol("x".into()), true),
        (Error::EventTooLarge { limit: 1, is_runaway: false }, true),
        (Error::Panicked(PanicOrigin::Callback), false),
        (Error::Panicked(PanicOrigin::Library), false),
    ] {
        assert_eq!(error.is_transient(), is_transient, "{error:?}");
        assert_eq!(error.is_timeout(), matches!(error, Error::Timeout(_)));
        assert_eq!(error.status().is_some(), matches!(error, Error::Status(_) | Error::ContentType(_)));
        assert!(!error.is_json() && error.event().is_none());
        let text = error.to_string();
        assert!(!text.is_empty() && !text.ends_with('.') && !text.contains('\n'), "{text}");
    }
}

#[test]
fn code_under_test_takes_any_iterator_of_items() {
    fn sum(events: impl IntoIterator<Item = Item>) -> Result<u32, Error> {
        events.into_iter().map(|event| Ok(event?.data().parse().unwrap_or(0))).sum()
    }
    assert_eq!(sum([Ok(Event::new("", "1")), Ok(Event::new("", "2"))]).unwrap(), 3);
    assert!(sum([Ok(Event::new("", "1")), Err(Error::Disconnected)]).is_err());
}

#[test]
fn signatures_are_those_of_the_contract() {
    let _: fn() -> Client = Client::new;
    let _: fn() -> ClientBuilder = Client::builder;
    let _: fn(ClientBuilder) -> Result<Client, Error> = ClientBuilder::build;
    let _: fn(&Client, &'static str, Request) -> Result<Events, Error> = Client::connect;
    let _: fn(&Client, String, Request) -> Result<EventReader, Error> = Client::read;
    let _: fn(&Client, Arc<str>, Request) -> Result<Handle, Error> = Client::listen;
    let _: fn(&Client, &str) -> Option<Handle> = Client::handle;
    let _: fn(&Client) -> Vec<String> = Client::ids;
    let _: fn(&Client, &str) -> bool = Client::stop;
    let _: fn(&Client) = Client::stop_all;
    let _: fn(&Client, Duration) -> bool = Client::shutdown;
    let _: fn(&Handle) -> &str = Handle::id;
    let _: fn(&Handle) = Handle::stop;
    let _: fn(&Handle) = Handle::reconnect;
    let _: fn(&Handle) = Handle::join;
    let _: fn(&Handle, Duration) -> bool = Handle::join_timeout;
    let _: fn(&Handle, Duration) -> bool = Handle::wait_open;
    let _: fn(&Handle) -> State = Handle::state;
    let _: fn(&Handle) -> bool = Handle::is_closed;
    let _: fn(&Handle) -> Option<End> = Handle::end;
    let _: fn(&Handle) -> Option<String> = Handle::last_event_id;
    let _: fn(&Handle) -> Stats = Handle::stats;
    let _: fn(&Events) -> Handle = Events::handle;
    let _: fn(&EventReader) -> Handle = EventReader::handle;
    let _: fn(&mut EventReader, Duration) -> Result<Item, NextTimeoutError> = EventReader::next_timeout;
    let _: fn(&Error) -> Option<Duration> = Error::retry_after;
    let _: fn(&Error) -> Option<&str> = Error::body;
    let _: [fn(Request, Duration) -> Request; 3] =
        [Request::connect_timeout, Request::response_timeout, Request::idle_timeout];
    let _: [fn(Request, Option<Duration>) -> Request; 3] =
        [Request::connect_timeout, Request::response_timeout, Request::idle_timeout];
    let _: [fn(RetryPolicy, Option<Duration>) -> RetryPolicy; 2] =
        [RetryPolicy::max_elapsed, RetryPolicy::max_retry_after];
    let _: fn(RetryPolicy, u32) -> RetryPolicy = RetryPolicy::max_retries;
    let _: fn(RetryPolicy, Option<u32>) -> RetryPolicy = RetryPolicy::max_retries;
    let _: fn(Event) -> String = Event::into_data;
    let _: fn(RetryPolicy, f64) -> RetryPolicy = RetryPolicy::jitter;
}

#[test]
fn the_policies_differ_only_in_what_they_name() {
    let second = Duration::from_secs(1);
    assert_eq!(RetryPolicy::default(), RetryPolicy::exponential(second, second * 30).max_retries(5).jitter(1.0));
    assert_eq!(RetryPolicy::forever(), RetryPolicy::default().max_retries(None).persistent());
    assert_eq!(RetryPolicy::never(), RetryPolicy::default().max_retries(0));
    assert_eq!(RetryPolicy::constant(second), RetryPolicy::exponential(second, second).jitter(0.0));
    assert_eq!(
        RetryPolicy::default(),
        RetryPolicy::default().max_elapsed(None).server_delay(second / 2..=second * 300)
    );
    assert_ne!(RetryPolicy::never(), RetryPolicy::default());
    // Set, it is the only rule.
    assert_ne!(RetryPolicy::default().reset_after(second * 60), RetryPolicy::default());
}

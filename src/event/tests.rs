//! The memory of an event, and what it releases.

use super::*;

#[test]
fn an_event_is_a_pointer() {
    assert_eq!(size_of::<Event>(), size_of::<usize>());
}

#[test]
fn taking_the_data_out_does_not_move_it() {
    let event = Event::new("a type", "some data").with_id("7");
    let address = event.data().as_ptr();
    let data = event.into_data();
    assert_eq!(data, "some data");
    assert_eq!(data.as_ptr(), address);
}

#[test]
fn data_taken_out_does_not_keep_a_large_id_alive() {
    let data = Event::new("", "x").with_id("7".repeat(10_000)).into_data();
    assert!(data.capacity() <= 2 + 256, "{}", data.capacity());
}

#[test]
fn an_event_of_a_string_with_spare_capacity_releases_it() {
    let mut roomy = String::with_capacity(100_000);
    roomy.push('x');
    assert_eq!(Event::new("", roomy).into_data().capacity(), 1);
}

#[test]
fn an_id_is_replaced_whole() {
    let event = Event::new("", "x").with_id("7".repeat(10_000)).with_id("8");
    assert_eq!((event.content.text.len(), event.id()), (2, Some("8")));
}

#[test]
fn a_type_named_message_equals_the_default() {
    assert_eq!(Event::new("message", "x"), Event::new("", "x"));
}

#[test]
fn raw_text_does_not_count_for_equality() {
    let mut content = Content::new("x".to_owned(), "", "", None);
    content.add_extra(Extra { raw: Some("data:x".into()), ..Extra::default() });
    let event = Event::of(content);
    assert_eq!(event.raw(), Some("data:x"));
    assert_eq!(event, Event::new("", "x"));
}

#[test]
fn debug_shows_the_data() {
    let shown = format!("{:?}", Event::new("t", "some data").with_id("7"));
    assert_eq!(shown, r#"Event { event_type: "t", data: "some data", id: Some("7") }"#);
}

use super::*;

#[test]
fn an_error_is_at_most_32_bytes_and_crosses_threads() {
    fn crosses_threads<T: Send + Sync + 'static>() {}
    crosses_threads::<Error>();
    assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
}

#[test]
fn the_transient_statuses_are_those_of_the_contract() {
    let transient: Vec<u16> = (100..600).filter(|&code| Error::from(ErrorResponse::new(code)).is_transient()).collect();
    assert_eq!(transient, [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 529]);
}

#[test]
fn display_tells_the_story_once_and_source_starts_after_it() {
    let inner = io::Error::new(io::ErrorKind::ConnectionRefused, "refused");
    let error = Error::io(inner);
    assert_eq!(error.to_string(), "network error: refused");
    assert!(error.source().is_none());
}

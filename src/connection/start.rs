//! The start of a stream: if it contains no event, this may say why.

use crate::error::Error;
use crate::http::{MAX_ERROR_BODY, start_of_text};

/// The first bytes of a stream without an event so far.
#[derive(Debug, Default)]
pub(super) struct Start(Vec<u8>);

impl Start {
    pub(super) fn keep(&mut self, data: &[u8]) {
        let room = MAX_ERROR_BODY - self.0.len();
        self.0.extend_from_slice(&data[..data.len().min(room)]);
    }

    pub(super) fn into_error(self) -> Error {
        Error::NoEvent((!self.0.is_empty()).then(|| start_of_text(&self.0, MAX_ERROR_BODY).into()))
    }
}

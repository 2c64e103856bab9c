//! What a stream began with: where it brings no event, that may say why.

use crate::error::Error;

/// As much as is kept of the body of an error response, in bytes.
const LIMIT: usize = 4 * 1024;

/// The first bytes of a stream that has brought no event.
#[derive(Debug, Default)]
pub(super) struct Start(Vec<u8>);

impl Start {
    pub(super) fn keep(&mut self, data: &[u8]) {
        let room = LIMIT - self.0.len();
        self.0.extend_from_slice(&data[..data.len().min(room)]);
    }

    pub(super) fn into_error(self) -> Error {
        Error::NoEvent((!self.0.is_empty()).then(|| String::from_utf8_lossy(&self.0).into()))
    }
}

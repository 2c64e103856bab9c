//! The last connector of the chain: counts the response head and starts its timer.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use memchr::memmem;
use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::{Interrupt, Link, Phase};
use crate::stop::deadline;

/// The largest response head that is accepted, 1xx responses included, in bytes.
pub(crate) const HEAD_LIMIT: usize = 20 * 1024;

#[derive(Debug)]
pub(crate) struct HeadConnector {
    pub(crate) link: Arc<Link>,
    /// A proxy's own connection passes through here as well: it has another URI.
    pub(crate) target: Uri,
}

#[derive(Debug)]
pub(crate) struct HeadTransport<T> {
    inner: T,
    link: Arc<Link>,
    /// Whether the response comes over this one, and not over a tunnel within it.
    is_target: bool,
    /// How many bytes of the response were received before its head was complete.
    received: usize,
}

impl<In: Transport> Connector<In> for HeadConnector {
    type Out = HeadTransport<In>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(inner) = chained else { return Ok(None) };
        let is_target = *details.uri == self.target;
        match self.link.limits().phase {
            Phase::Connect { response, .. } if is_target => {
                self.link.set_phase(Phase::Response { until: deadline(Instant::now(), response) });
            }
            _ => {}
        }
        Ok(Some(HeadTransport { inner, link: Arc::clone(&self.link), is_target, received: 0 }))
    }
}

impl<T: Transport> HeadTransport<T> {
    /// Reads on until the head is complete: ureq parses it from the start each time it is asked,
    /// which a server that drips single bytes would turn into quadratic work.
    fn await_head(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let mut had = self.inner.buffers().input().len();
        if self.received.saturating_sub(had) > HEAD_LIMIT {
            return Err(Error::Io(io::Error::from(Interrupt::HeadTooLarge)));
        }
        loop {
            let progress = self.inner.await_input(timeout)?;
            let input = self.inner.buffers().input();
            self.received = self.received.saturating_add(input.len().saturating_sub(had));
            // The end of a head may straddle what was there before.
            let fresh = &input[had.min(input.len()).saturating_sub(3)..];
            let complete = memmem::find(fresh, b"\n\r\n").is_some() || memmem::find(fresh, b"\n\n").is_some();
            if !progress || complete || input.len() > HEAD_LIMIT {
                return Ok(progress);
            }
            had = input.len();
        }
    }
}

impl<T: Transport> Transport for HeadTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        match self.link.limits().phase {
            Phase::Response { .. } if self.is_target => self.await_head(timeout),
            _ => self.inner.await_input(timeout),
        }
    }

    /// Never pooled: a stream's connection is not used again.
    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

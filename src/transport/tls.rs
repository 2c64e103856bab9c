//! A TLS connector around one rustls configuration that all connections of a client share.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, Either, NextTimeout, Transport};

use super::Interrupt;
use super::buffers::{IoBuffers, Sizes};
use super::roots::Tls;

#[derive(Debug)]
pub(crate) struct TlsConnector {
    pub(crate) tls: Arc<Tls>,
    pub(crate) sizes: Sizes,
}

#[derive(Debug)]
pub(crate) struct TlsTransport {
    stream: StreamOwned<ClientConnection, Wire>,
    buffers: IoBuffers,
}

/// A transport as `Read` and `Write`. Its limits are in the link: ureq's timeouts are passed on empty.
#[derive(Debug)]
struct Wire(Box<dyn Transport>);

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(inner) = chained else { return Ok(None) };
        if !details.needs_tls() || inner.is_tls() {
            return Ok(Some(Either::A(inner)));
        }
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name =
            ServerName::try_from(host).map_err(|_| Error::Tls("the host is not a name a certificate can have"))?;
        let config = self.tls.config().map_err(|why| Error::Other(why.into()))?;
        let mut session = ClientConnection::new(config, name).map_err(|error| Error::Io(io::Error::other(error)))?;
        let mut wire = Wire(Box::new(inner));
        while session.is_handshaking() {
            session.complete_io(&mut wire)?;
        }
        let stream = StreamOwned::new(session, wire);
        Ok(Some(Either::B(TlsTransport { stream, buffers: IoBuffers::new(self.sizes) })))
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.stream.write_all(self.buffers.written(amount))?;
        Ok(self.stream.flush()?)
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        self.buffers.release_output();
        let amount = match self.stream.read(self.buffers.input_append_buf()) {
            // A server that does not say goodbye: what it cut short, the framing tells.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => 0,
            Err(error) if Interrupt::of(&error) == Some(Interrupt::Lull) => {
                self.buffers.shrink();
                return Err(error.into());
            }
            result => result?,
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}

/// Tells whether an error is TLS's own, and whether it is about the certificate's dates.
pub(crate) fn classify(error: &io::Error) -> Option<Fault> {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(
            NotValidYet | NotValidYetContext { .. } | Expired | ExpiredContext { .. },
        )
        | rustls::Error::FailedToGetCurrentTime => Some(Fault::Clock),
        _ => Some(Fault::Other),
    }
}

/// What kind of TLS error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Clock,
    Other,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.maybe_await_input(NextTimeout::default()).map_err(Error::into_io)?;
        let input = self.0.buffers().input();
        let amount = buffer.len().min(input.len());
        buffer[..amount].copy_from_slice(&input[..amount]);
        self.0.buffers().input_consume(amount);
        Ok(amount)
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let output = self.0.buffers().output();
        let amount = buffer.len().min(output.len());
        output[..amount].copy_from_slice(&buffer[..amount]);
        self.0.transmit_output(amount, NextTimeout::default()).map_err(Error::into_io)?;
        Ok(amount)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

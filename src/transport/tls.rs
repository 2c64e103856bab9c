//! TLS over a wire, with rustls.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::{Fault, Wait, Wire};

#[derive(Debug)]
pub(crate) struct Tls {
    session: ClientConnection,
    below: Wire,
    /// A fatal error, reported after all data decrypted before it has been read.
    broken: Option<rustls::Error>,
}

/// The wire below, as the `Read` and `Write` that rustls asks for, for one wait.
struct Stream<'a> {
    wire: &'a mut Wire,
    wait: &'a mut Wait,
    /// The reason of the failure; rustls only learns that there was one.
    fault: Option<Fault>,
}

impl Tls {
    /// Performs the handshake with a host of this name.
    pub(crate) fn connect(config: Arc<ClientConfig>, host: &str, below: Wire, wait: &mut Wait) -> Result<Self, Fault> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| rustls::Error::General(format!("the host {host:?} is not a valid name for a certificate")))
            .map_err(Fault::Tls)?;
        let session = ClientConnection::new(config, name).map_err(Fault::Tls)?;
        let mut tls = Self { session, below, broken: None };
        while tls.session.is_handshaking() {
            tls.flush(wait)?;
            let goes_on = tls.exchange(wait)?;
            if let Some(error) = tls.broken.take() {
                return Err(Fault::Tls(error));
            }
            if !goes_on {
                return Err(Fault::Io(ErrorKind::UnexpectedEof.into()));
            }
        }
        tls.flush(wait)?;
        Ok(tls)
    }

    pub(super) fn read(&mut self, buffer: &mut [u8], wait: &mut Wait) -> Result<usize, Fault> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // The end, or the FIN of a peer that has not said close_notify: `UnexpectedEof`.
                over => return over.map_err(Fault::Io),
            }
            if let Some(error) = self.broken.take() {
                return Err(Fault::Tls(error));
            }
            self.exchange(wait)?;
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8], wait: &mut Wait) -> Result<usize, Fault> {
        // Data left by an earlier call is sent first: the session stores a bounded amount.
        self.flush(wait)?;
        let taken = self.session.writer().write(bytes)?;
        match self.flush(wait) {
            // It is sent with the next call.
            Ok(()) | Err(Fault::DeadlineReached) => Ok(taken),
            Err(fault) => Err(fault),
        }
    }

    /// Sends data that has been written and encrypted but not sent.
    pub(super) fn flush(&mut self, wait: &mut Wait) -> Result<(), Fault> {
        while self.session.wants_write() {
            let mut stream = Stream { wire: &mut self.below, wait, fault: None };
            if let Err(error) = self.session.write_tls(&mut stream) {
                return Err(stream.fault.take().unwrap_or(Fault::Io(error)));
            }
        }
        Ok(())
    }

    pub(super) fn defer(&mut self, error: io::Error) {
        self.below.defer(error);
    }

    /// Sends what can be sent immediately, reads once, and decrypts. Returns `false` at the end of the connection.
    fn exchange(&mut self, wait: &mut Wait) -> Result<bool, Fault> {
        match self.flush(&mut Wait::none()) {
            // A peer that accepts nothing may have sent the reason.
            Ok(()) | Err(Fault::DeadlineReached) => {}
            Err(fault) => return Err(fault),
        }
        let mut stream = Stream { wire: &mut self.below, wait, fault: None };
        let amount = match self.session.read_tls(&mut stream) {
            Ok(amount) => amount,
            Err(error) => return Err(stream.fault.take().unwrap_or(Fault::Io(error))),
        };
        if amount > 0 {
            wait.restart();
        }
        if let Err(error) = self.session.process_new_packets() {
            self.broken = Some(error);
            // The peer may receive the reason; the connection has ended anyway.
            let _ = self.flush(&mut Wait::none());
        }
        Ok(amount > 0)
    }
}

impl Stream<'_> {
    fn told<T>(&mut self, result: Result<T, Fault>) -> io::Result<T> {
        result.map_err(|fault| {
            self.fault = Some(fault);
            ErrorKind::Other.into()
        })
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.wire.read(buffer, self.wait);
        self.told(result)
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.wire.write(bytes, self.wait);
        self.told(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

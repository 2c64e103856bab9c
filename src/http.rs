//! One attempt: send the request, follow redirects, classify the response, read its body.
//!
//! Together with `transport` the only module that uses ureq, rustls and socket2.

mod body;
mod dial;
mod failure;
#[cfg(feature = "multipart")]
mod form;
mod framing;
#[cfg(feature = "gzip")]
mod gzip;
mod head;
mod headers;
mod proxy;
mod redact;
mod redirect;
mod repair;
mod url;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use log::debug;
use ureq::Agent;
use ureq::http::header::{CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use ureq::http::request::Builder;
use ureq::http::response::Parts;

use crate::cancel::AttemptToken;
use crate::clock;
use crate::coding::is_gzip;
use crate::error::{Error, ErrorResponse};
use crate::sync::deadline;
use crate::transport::addresses::AddressMemory;
use crate::transport::buffers::{IoBuffers, Sizes};
use crate::transport::dns::PendingLookups;
use crate::transport::link::Link;
use crate::transport::tcp::Keepalive;
#[cfg(feature = "tls")]
use crate::transport::tls_config::TlsConfigs;
use crate::transport::{MAX_HEAD, Wire};
use dial::{Hop, HopConnector, HopResolver};
use head::Slot;

pub(crate) use body::{Body, Received};
pub(crate) use failure::Failure;
#[cfg(feature = "multipart")]
pub(crate) use form::{Part, encode as encode_form};
pub(crate) use headers::start_of_text;
pub(crate) use proxy::ProxyRules;
use proxy::ProxyTarget;
use redact::redacted;
pub(crate) use redact::redacted_text;
pub(crate) use redirect::OriginPolicy;
pub(crate) use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use url::{HostNames, host_names};
pub(crate) use validate::{basic, content_type, parse_header, parse_origin, parse_url};

/// How much of a body that is not an event stream is kept, in bytes, and how long it may take.
pub(crate) const MAX_ERROR_BODY: usize = 4 * 1024;
const ERROR_BODY_TIME: Duration = Duration::from_secs(1);
/// The size of the output buffer unless a header line is longer, in bytes.
const OUTPUT: usize = 4 * 1024;

/// How the connections of one client reach the network.
#[derive(Clone, Debug)]
pub(crate) struct TransportConfig {
    #[cfg(feature = "tls")]
    pub(crate) tls: Arc<TlsConfigs>,
    pub(crate) proxy: ProxyRules,
    /// What redirects of this request may carry.
    pub(crate) origins: OriginPolicy,
    pub(crate) keepalive: Option<Keepalive>,
    pub(crate) link: Arc<Link>,
    pub(crate) lookups: Arc<PendingLookups>,
    /// The maximum size of the input of a busy connection, in bytes.
    pub(crate) read_buffer: usize,
}

impl TransportConfig {
    /// Returns an error where pins would have no effect. A redirect cannot lead from https to http.
    pub(crate) fn check_pins(&self, url: &Uri) -> Result<(), String> {
        #[cfg(feature = "tls")]
        if self.tls.is_pinned() && url.scheme_str() != Some("https") {
            return Err("the client pins certificates, which only an https URL has".into());
        }
        let _ = url;
        Ok(())
    }
}

/// The limits of an attempt; what is not limited has the longest time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    pub(crate) idle: Option<Duration>,
    pub(crate) redirects: u32,
    pub(crate) any_content_type: bool,
    /// gzip was requested.
    pub(crate) accepts_gzip: bool,
}

/// One complete attempt, which can be moved to a helper thread.
pub(crate) struct Outgoing {
    /// The connection's id, for the log.
    pub(crate) id: Arc<str>,
    pub(crate) method: Method,
    /// Without userinfo and fragment.
    pub(crate) url: Uri,
    pub(crate) headers: HeaderMap,
    /// The header with the position, if it matters whether a redirect has dropped it.
    pub(crate) position_header: Option<String>,
    pub(crate) body: Option<Arc<[u8]>>,
    pub(crate) transport: TransportConfig,
    pub(crate) limits: Limits,
    pub(crate) addresses: Arc<AddressMemory>,
    pub(crate) attempt: Arc<AttemptToken>,
}

/// The result of an attempt, and the status of the last response it received.
pub(crate) struct Outcome {
    pub(crate) status: Option<u16>,
    pub(crate) result: Result<Answer, Failure>,
}

pub(crate) enum Answer {
    Stream(Box<OpenStream>),
    /// 204: the server asks not to reconnect.
    NoContent,
    /// The request was accepted without a stream; contains the status.
    NoStream(u16),
}

/// An open event stream.
pub(crate) struct OpenStream {
    pub(crate) status: u16,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    /// A redirect has dropped the header with the position.
    pub(crate) lacks_position: bool,
    pub(crate) body: Body,
}

impl Outgoing {
    /// Sends the request and follows redirects until the response can be classified.
    pub(crate) fn open(&mut self) -> Outcome {
        let outcome = self.send_and_follow();
        match outcome.result {
            Ok(_) => self.addresses.succeeded(),
            // The next attempt starts with another address of the host.
            Err(Failure::Error(_)) => self.addresses.failed(),
            Err(Failure::Cancelled) => {}
        }
        outcome
    }

    fn send_and_follow(&mut self) -> Outcome {
        let origin = self.url.clone();
        let mut redirects = 0;
        loop {
            let (parts, wire, input) = match self.send() {
                Ok(response) => response,
                Err(failure) => return Outcome { status: None, result: Err(failure) },
            };
            let status = parts.status.as_u16();
            debug!("sse {}: {} {} -> {status}", self.id, self.method, redacted(&self.url));
            if redirect::is_redirect(status) {
                drop(wire);
                redirects += 1;
                match self.follow(&origin, status, parts.headers.get(LOCATION), redirects) {
                    Ok(()) => {
                        self.addresses.succeeded();
                        continue;
                    }
                    Err(why) => return Outcome { status: Some(status), result: Err(Error::Redirect(why).into()) },
                }
            }
            return Outcome { status: Some(status), result: self.classify(parts, wire, input) };
        }
    }

    /// Sends the request with ureq, and takes the connection out of it after the response head.
    fn send(&self) -> Result<(Parts, Wire, IoBuffers), Failure> {
        let slot = Arc::<Slot>::default();
        let agent = self.agent(&slot)?;
        let request = || -> Builder {
            let mut builder = ureq::http::Request::builder().method(self.method.clone()).uri(self.url.clone());
            if let Some(headers) = builder.headers_mut() {
                *headers = self.headers.clone();
                // The zone of an address is meaningless to others (RFC 6874 section 4); ureq would send it.
                if self.url.host().is_some_and(|host| host.contains('%')) && !headers.contains_key(HOST) {
                    headers.extend(HeaderValue::from_str(&host_names(&self.url).header).map(|host| (HOST, host)));
                }
            }
            builder
        };
        let needs_length = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        let unwritable = |error: ureq::http::Error| Failure::from(ureq::Error::Http(error));
        let response = match &self.body {
            Some(body) => agent.run(request().body(&body[..]).map_err(unwritable)?),
            None if needs_length => agent.run(request().body(&[][..]).map_err(unwritable)?),
            None => agent.run(request().body(()).map_err(unwritable)?),
        };
        let response = response.map_err(|error| slot.take_failure().unwrap_or_else(|| error.into()))?;
        let (parts, body) = response.into_parts();
        // No byte of the body has been read: ureq drops the connection.
        drop(body);
        let (wire, input) = slot.take_connection().ok_or(Error::Disconnected)?;
        Ok((parts, wire, input))
    }

    /// Returns an agent with ureq's timers, redirects, proxies, pool and default headers turned off.
    fn agent(&self, slot: &Arc<Slot>) -> Result<Agent, Failure> {
        let longest = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).max().unwrap_or(0);
        let line = longest.max(self.url.to_string().len());
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .accept_encoding("")
            .accept("")
            .user_agent("")
            .max_response_header_size(MAX_HEAD)
            .max_idle_connections(0);
        let hop = Arc::new(Hop {
            attempt: Arc::clone(&self.attempt),
            addresses: Arc::clone(&self.addresses),
            transport: self.transport.clone(),
            target: self.url.clone(),
            proxy: self.transport.proxy.for_url(&self.url).map_err(Error::InvalidRequest)?,
            names: host_names(&self.url),
            user_agent: self.headers.get(USER_AGENT).cloned(),
            deadline: deadline(clock::now(), self.limits.connect),
            response_timeout: self.limits.response,
            sizes: Sizes { output: OUTPUT.max(line + 64), input: self.transport.read_buffer },
            slot: Arc::clone(slot),
        });
        Ok(Agent::with_parts(config.build(), HopConnector(Arc::clone(&hop)), HopResolver(hop)))
    }

    /// Turns this request into the one for the redirect target.
    fn follow(
        &mut self,
        origin: &Uri,
        status: u16,
        location: Option<&HeaderValue>,
        redirects: u32,
    ) -> Result<(), String> {
        if redirects > self.limits.redirects {
            return Err(format!("more than {} redirects in a row", self.limits.redirects));
        }
        let target = redirect::target(&self.url, location)?;
        if target.scheme_str() == Some("https") && cfg!(not(feature = "tls")) {
            return Err("it leads to https, but the feature `tls` is off".into());
        }
        let method = redirect::method(status, &self.method);
        if method != self.method {
            self.method = method;
            self.body = None;
            redirect::strip_body_headers(&mut self.headers);
        }
        self.transport.origins.enter(origin, &target, &mut self.headers, self.body.is_some())?;
        redirect::strip_host(&mut self.headers);
        debug!("sse {}: redirected by {status} to {}", self.id, redacted(&target));
        self.url = target;
        Ok(())
    }

    fn classify(&self, parts: Parts, wire: Wire, input: IoBuffers) -> Result<Answer, Failure> {
        let (status, headers) = (parts.status.as_u16(), parts.headers);
        let framing = headers::framing(&self.method, status, &headers).map_err(|why| Error::Protocol(why.to_owned()));
        // Even if any type is accepted, a 202 without a type has no body to read.
        let is_named = status != 202 || headers.contains_key(CONTENT_TYPE);
        let is_stream = headers::is_event_stream(&headers) || self.limits.any_content_type && is_named;
        let encoding = headers::content_encoding(&self.id, &headers);
        let is_gzip = self.limits.accepts_gzip && encoding.as_deref().is_some_and(is_gzip);
        let refused = encoding.filter(|_| !is_gzip);
        let body = |framing, idle_timeout| {
            let body = Body::new(wire, input, framing, idle_timeout);
            #[cfg(feature = "gzip")]
            let body = if is_gzip { body.gunzipped() } else { body };
            body
        };
        let refusal = || {
            let response =
                ErrorResponse::new(status).with_retry_after(headers::retry_after(&headers, clock::wall_time));
            match headers::content_type_text(&headers) {
                Some(content_type) => response.with_content_type(content_type),
                None => response,
            }
        };
        match status {
            204 => return Ok(Answer::NoContent),
            200 => {}
            202 if self.method != Method::GET && !is_stream => return Ok(Answer::NoStream(status)),
            201..300 if self.method != Method::GET && status != 205 => {}
            300..400 => return Err(Error::Redirect(format!("the status {status} is not supported")).into()),
            _ => {
                let start = start_of(framing.ok().map(|framing| body(framing, None)))?;
                let start = start.filter(|start| refused.is_none() || headers::is_text(start));
                return Err(Error::from(with_start(refusal(), start)).into());
            }
        }
        if let Some(encoding) = refused {
            return Err(Error::ContentEncoding(encoding).into());
        }
        if !is_stream {
            let start = start_of(framing.ok().map(|framing| body(framing, None)))?;
            return Err(Error::ContentType(Arc::new(with_start(refusal(), start))).into());
        }
        let body = body(framing?, self.limits.idle);
        let lacks_position = self.position_header.as_ref().is_some_and(|name| !self.headers.contains_key(name));
        Ok(Answer::Stream(Box::new(OpenStream { status, url: self.url.to_string(), headers, lacks_position, body })))
    }
}

/// Reads the start of the body; `None` if it is not readable.
fn start_of(body: Option<Body>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(body) = body else { return Ok(None) };
    let start = body.read_start(MAX_ERROR_BODY, deadline(clock::now(), ERROR_BODY_TIME))?;
    Ok(Some(start).filter(|start| !start.is_empty()))
}

fn with_start(response: ErrorResponse, start: Option<Vec<u8>>) -> ErrorResponse {
    match start {
        Some(start) => response.with_body(start_of_text(&start, MAX_ERROR_BODY)),
        None => response,
    }
}

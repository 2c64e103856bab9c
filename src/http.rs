//! One attempt: send the request, follow redirects, judge the response, read its body.
//!
//! With `transport` the only place that names ureq, rustls and socket2.

mod failure;
#[cfg(feature = "multipart")]
mod form;
mod judge;
mod proxy;
mod redact;
mod redirect;
mod url;
mod validate;

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use log::debug;
use ureq::http::header::LOCATION;
use ureq::http::request::Builder;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector};
use ureq::{Agent, Body, BodyReader};

use crate::error::{Error, Status};
use crate::stop::{Lap, deadline};
use crate::transport::buffers::Sizes;
use crate::transport::dns::{Dns, Pending};
use crate::transport::tcp::{Keepalive, TcpConnector};
use crate::transport::{HEAD_LIMIT, HeadConnector, Interrupt, Link, Phase};
#[cfg(feature = "tls")]
use crate::transport::{roots::Tls, tls::TlsConnector};

pub(crate) use failure::Failure;
#[cfg(feature = "multipart")]
pub(crate) use form::encode as encode_form;
pub(crate) use proxy::ProxyRules;
use redact::redacted;
pub(crate) use redact::redacted_text;
pub(crate) use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
pub(crate) use validate::{basic, content_type, parse_header, parse_url};

/// How much of an error response's body is kept, in bytes, and how long it may take.
const ERROR_BODY: u64 = 4 * 1024;
const ERROR_BODY_TIME: Duration = Duration::from_secs(1);
/// The output buffer unless a header line is longer, in bytes.
const OUTPUT: usize = 4 * 1024;

/// How the connections of one client reach the network.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    #[cfg(feature = "tls")]
    pub(crate) tls: Arc<Tls>,
    pub(crate) proxy: ProxyRules,
    pub(crate) keepalive: Option<Keepalive>,
    /// What the input of a busy connection may grow to, in bytes.
    pub(crate) read_buffer: usize,
}

/// The limits of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connect: Duration,
    pub(crate) response: Duration,
    pub(crate) idle: Option<Duration>,
    pub(crate) redirects: u32,
    pub(crate) any_content_type: bool,
}

/// One attempt, complete: it can be handed to a helper thread.
pub(crate) struct Outgoing {
    /// The connection's id, for the log.
    pub(crate) id: Arc<str>,
    pub(crate) method: Method,
    /// Without userinfo and fragment.
    pub(crate) url: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Arc<[u8]>>,
    pub(crate) network: Network,
    pub(crate) limits: Limits,
    pub(crate) pending: Arc<Pending>,
    pub(crate) lap: Arc<Lap>,
}

/// What an attempt came to, and the status of the last response it saw.
pub(crate) struct Outcome {
    pub(crate) status: Option<u16>,
    pub(crate) result: Result<Answer, Failure>,
}

pub(crate) enum Answer {
    Stream(Box<Response>),
    /// 204: the server asks not to come back.
    NoContent,
}

/// An open event stream.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    body: BodyReader<'static>,
    link: Arc<Link>,
}

/// What a read of the body came to.
pub(crate) enum Chunk {
    Bytes(usize),
    /// The response ended as its framing says.
    End,
    /// The caller's time is over; the stream is as good as before.
    Tick,
    /// No byte has come for a while; asked for by `minds_lull`.
    Lull,
}

impl Outgoing {
    /// Sends the request and follows redirects until there is a verdict.
    pub(crate) fn open(&mut self) -> Outcome {
        let origin = self.url.clone();
        let mut redirects = 0;
        loop {
            let link =
                Arc::new(Link::new(Arc::clone(&self.lap), Instant::now(), self.limits.connect, self.limits.response));
            let response = match self.send(&link) {
                Ok(response) => response,
                Err(failure) => return Outcome { status: None, result: Err(failure) },
            };
            let (parts, body) = response.into_parts();
            let status = parts.status.as_u16();
            debug!("sse {}: {} {} -> {status}", self.id, self.method, redacted(&self.url));
            if redirect::is_redirect(status) {
                drop(body);
                redirects += 1;
                match self.follow(&origin, status, parts.headers.get(LOCATION), redirects) {
                    Ok(()) => continue,
                    Err(why) => return Outcome { status: Some(status), result: Err(Error::Redirect(why).into()) },
                }
            }
            return Outcome { status: Some(status), result: self.judge(status, parts.headers, body, link) };
        }
    }

    fn send(&self, link: &Arc<Link>) -> Result<ureq::http::Response<Body>, Failure> {
        let agent = self.agent(link)?;
        let request = || -> Builder {
            let mut builder = ureq::http::Request::builder().method(self.method.clone()).uri(self.url.clone());
            if let Some(headers) = builder.headers_mut() {
                *headers = self.headers.clone();
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
        Ok(response?)
    }

    /// ureq with its timers, redirects, pool and default headers off.
    fn agent(&self, link: &Arc<Link>) -> Result<Agent, Failure> {
        let proxy = self.network.proxy.for_url(&self.url).map_err(Error::InvalidRequest)?;
        let proxy = proxy.map(|proxy| proxy.for_ureq()).transpose().map_err(Error::InvalidRequest)?;
        let longest = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).max().unwrap_or(0);
        let line = longest.max(self.url.to_string().len());
        let sizes = Sizes { output: OUTPUT.max(line + 64), input: self.network.read_buffer };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy)
            .accept_encoding("")
            .accept("")
            .max_response_header_size(HEAD_LIMIT)
            .max_idle_connections(0);
        // The proxy's CONNECT carries it too; validated when it was set.
        let user_agent = self.headers.get("user-agent").and_then(|value| value.to_str().ok()).unwrap_or_default();
        config = config.user_agent(user_agent);
        let link = Arc::clone(link);
        let chain =
            ().chain(ConnectProxyConnector::default()).chain(TcpConnector {
                link: Arc::clone(&link),
                keepalive: self.network.keepalive,
                sizes,
            });
        #[cfg(feature = "tls")]
        let chain = chain.chain(TlsConnector { tls: Arc::clone(&self.network.tls), sizes });
        let chain = chain.chain(HeadConnector { link: Arc::clone(&link), target: self.url.clone() });
        Ok(Agent::with_parts(config.build(), chain, Dns { link, pending: Arc::clone(&self.pending) }))
    }

    /// Turns this request into the one that the redirect asks for.
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
            return Err("it leads to https, and the feature `tls` is off".into());
        }
        let method = redirect::method(status, &self.method);
        if method != self.method {
            self.method = method;
            self.body = None;
            redirect::strip_body_headers(&mut self.headers);
        }
        // Never restored: a way back to the origin may be of the other host's making.
        if !redirect::same_origin(origin, &target) {
            redirect::strip_for_other_origin(&mut self.headers);
        }
        redirect::strip_host(&mut self.headers);
        debug!("sse {}: redirected by {status} to {}", self.id, redacted(&target));
        self.url = target;
        Ok(())
    }

    fn judge(&self, status: u16, headers: HeaderMap, body: Body, link: Arc<Link>) -> Result<Answer, Failure> {
        match status {
            204 => return Ok(Answer::NoContent),
            200 => {}
            300..400 => return Err(Error::Redirect(format!("the status {status} is not followed")).into()),
            _ => {
                let retry_after = judge::retry_after(&headers, SystemTime::now);
                let status = Status::new(status).with_retry_after(retry_after);
                return Err(Error::from(status.with_body(error_body(body, &link)?)).into());
            }
        }
        if let Some(encoding) = judge::content_encoding(&self.id, &headers) {
            return Err(Error::ContentEncoding(encoding).into());
        }
        if !self.limits.any_content_type && !judge::is_event_stream(&headers) {
            return Err(Error::ContentType(judge::content_type_text(&headers)).into());
        }
        link.set_phase(Phase::Body { idle: self.limits.idle });
        Ok(Answer::Stream(Box::new(Response {
            status,
            url: self.url.to_string(),
            headers,
            body: body.into_reader(),
            link,
        })))
    }
}

impl Response {
    /// Reads what has arrived, or waits for it until `tick`. Never called again after an error or the end.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        tick: Option<Instant>,
        minds_lull: bool,
    ) -> Result<Chunk, Failure> {
        self.link.set_wait(tick, minds_lull);
        match self.body.read(buffer) {
            Ok(0) => Ok(Chunk::End),
            Ok(amount) => Ok(Chunk::Bytes(amount)),
            Err(error) => match Interrupt::of(&error) {
                Some(Interrupt::Tick) => Ok(Chunk::Tick),
                Some(Interrupt::Lull) => Ok(Chunk::Lull),
                _ => Err(error.into()),
            },
        }
    }
}

/// Reads the start of an error's body; what is missing is not an error of its own.
fn error_body(body: Body, link: &Link) -> Result<Option<String>, Failure> {
    link.set_phase(Phase::ErrorBody { until: deadline(Instant::now(), ERROR_BODY_TIME) });
    let mut text = Vec::new();
    match body.into_reader().take(ERROR_BODY).read_to_end(&mut text) {
        Err(error) if Interrupt::of(&error) == Some(Interrupt::Cut) => return Err(Failure::Cut),
        _ => {}
    }
    Ok((!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned()))
}

//! The command line: what is asked for, or one line that names what is wrong with it.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_sse::{Checkpoint, Client, Error, Event, Request, RetryPolicy};
use lexopt::{Arg, Parser, ValueExt};

pub(crate) const HELP: &str = "\
Prints the events of a Server-Sent Events stream.

Usage: ssecat [OPTIONS] URL

Request:
  -X METHOD           the method; default GET, with -d POST
  -H 'NAME: VALUE'    a header; may be given several times
  -d BODY, -d @FILE   the body, or the file that holds it (@- the standard input); sent as application/json
                      if it is JSON, else as application/x-www-form-urlencoded, unless -H 'Content-Type: …' says more
  --last-id ID        start after this event
  --checkpoint FILE   keep the id of the last event printed in FILE, and start after it; wins over --last-id
                      once it holds an id
  --cacert PEM        trust the certificates of this file, and no others

Output:
  --json              one JSON object a line: {\"type\":…,\"id\":…,\"data\":…}, data always as a string
  --only TYPE         leave out events of other types; may be given several times
  --count N           end after N events printed
  --timeout SECS      end after so many seconds, whatever has come (exit code 0)
  -v                  log more

Connection:
  --idle SECS         reconnect when nothing has come for so long, comments included; default 300
  --retry never|forever|N
                      how many failures in a row to try again; default 5 for GET, never for every other method

  -h, --help          print this
  -V, --version       print the version

SECS may have decimals. Events go to the standard output, the state to the error output.
Exit codes: 0 done, 1 the output cannot be written, 2 usage, 3 network, 4 HTTP status, 5 TLS or clock.
";

/// A URL that passes every check, to find out which option does not.
const SOUND_URL: &str = "http://localhost/";

pub(crate) enum Wish {
    Help,
    Version,
    Read(Box<Arguments>),
}

#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) json: bool,
    pub(crate) count: Option<u64>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) verbose: bool,
    url: String,
    method: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    only: Vec<String>,
    last_id: String,
    checkpoint: Option<PathBuf>,
    idle: Option<Duration>,
    retry: Option<RetryPolicy>,
    cacert: Option<Certificates>,
}

struct Certificates {
    path: PathBuf,
    pem: Vec<u8>,
}

impl Arguments {
    /// Reads the command line, without the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString, IntoIter: 'static>) -> Result<Wish, String> {
        let mut parser = Parser::from_args(arguments);
        let mut asked = Self::default();
        let mut url = None;
        while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
            match argument {
                Arg::Short('X') => asked.method = Some(text(&mut parser, "-X")?),
                Arg::Short('H') => asked.headers.push(header(&text(&mut parser, "-H")?)?),
                Arg::Short('d') if asked.body.is_some() => return Err("-d is given twice".into()),
                Arg::Short('d') => asked.body = Some(body(value(&mut parser)?)?),
                Arg::Long("json") => asked.json = true,
                Arg::Long("only") => asked.only.push(event_type(text(&mut parser, "--only")?)?),
                Arg::Long("last-id") => asked.last_id = text(&mut parser, "--last-id")?,
                Arg::Long("checkpoint") => asked.checkpoint = Some(value(&mut parser)?.into()),
                Arg::Long("idle") => asked.idle = Some(seconds(&text(&mut parser, "--idle")?, "--idle")?),
                Arg::Long("count") => asked.count = Some(count(&text(&mut parser, "--count")?)?),
                Arg::Long("timeout") => asked.timeout = Some(seconds(&text(&mut parser, "--timeout")?, "--timeout")?),
                Arg::Long("retry") => asked.retry = Some(retry(&text(&mut parser, "--retry")?)?),
                Arg::Long("cacert") => asked.cacert = Some(certificates(value(&mut parser)?.into())?),
                Arg::Short('v') => asked.verbose = true,
                Arg::Short('h') | Arg::Long("help") => return Ok(Wish::Help),
                Arg::Short('V') | Arg::Long("version") => return Ok(Wish::Version),
                // A header without quotes ends up here, with a secret in it.
                Arg::Value(_) if url.is_some() => {
                    return Err("more than one URL: an argument with a space in it needs quotes".into());
                }
                Arg::Value(value) => url = Some(unicode(value, "the URL")?),
                argument => return Err(argument.unexpected().to_string()),
            }
        }
        asked.url = url.ok_or("the URL is missing; --help tells more")?;
        Ok(Wish::Read(Box::new(asked)))
    }

    pub(crate) fn wants(&self, event: &Event) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| wanted == event.event_type())
    }

    pub(crate) fn open_checkpoint(&self) -> Result<Option<Checkpoint>, String> {
        let Some(path) = &self.checkpoint else { return Ok(None) };
        let problem = |what: &dyn std::fmt::Display| format!("--checkpoint {path:?}: {what}");
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(problem(&format_args!("there is no folder {folder:?}")));
        }
        Checkpoint::open(path).map(Some).map_err(|error| problem(&error))
    }

    pub(crate) fn client(&self) -> Result<Client, Error> {
        match &self.cacert {
            None => Ok(Client::new()),
            Some(certificates) => trusting(&certificates.pem),
        }
    }

    /// Returns the request; `last_event_id` is that of the checkpoint. The body goes along.
    pub(crate) fn request(&mut self, last_event_id: &str) -> Request {
        let default = if self.body.is_some() { "POST" } else { "GET" };
        let mut request = Request::new(self.method.as_deref().unwrap_or(default), &self.url);
        for (name, value) in &self.headers {
            request = request.append_header(name, value);
        }
        if let Some(body) = self.body.take() {
            let content_type = content_type(&body);
            request = request.body(body, content_type);
        }
        request = request.last_event_id(if last_event_id.is_empty() { &self.last_id } else { last_event_id });
        if let Some(idle) = self.idle {
            request = request.idle_timeout(idle);
        }
        match &self.retry {
            Some(policy) => request.retry(policy.clone()),
            None => request,
        }
    }

    /// Returns what is wrong with a request that was refused, and in which option.
    pub(crate) fn culprit(&self, error: Error) -> String {
        if let (Some(certificates), Err(error)) = (&self.cacert, self.client()) {
            // The name of the setter means nothing here.
            let problem = problem(error).replace("root_certificates_pem: ", "");
            return format!("--cacert {:?}: {problem}", certificates.path);
        }
        let Ok(client) = Client::builder().no_proxy().build() else { return problem(error) };
        let refusal = |request| client.read("check", request).err().map(problem);
        let method = self.method.iter().map(|method| ("-X: ", Request::new(method, SOUND_URL)));
        let headers = self.headers.iter().map(|(n, v)| ("-H: ", Request::get(SOUND_URL).append_header(n, v)));
        let last_id = ("--last-id: ", Request::get(SOUND_URL).last_event_id(&self.last_id));
        let requests = method.chain(headers).chain([("", Request::get(&self.url)), last_id]);
        let mut found = requests.filter_map(|(option, request)| Some(format!("{option}{}", refusal(request)?)));
        found.next().unwrap_or_else(|| problem(error))
    }
}

#[cfg(feature = "tls")]
fn trusting(pem: &[u8]) -> Result<Client, Error> {
    Client::builder().only_root_certificates_pem(pem).build()
}

#[cfg(not(feature = "tls"))]
fn trusting(_: &[u8]) -> Result<Client, Error> {
    Err(Error::InvalidRequest("this program was built without TLS".into()))
}

/// An error in one line, without the introduction that the option's name is.
fn problem(error: Error) -> String {
    match error {
        Error::InvalidRequest(what) => what,
        error => error.to_string(),
    }
}

fn value(parser: &mut Parser) -> Result<OsString, String> {
    parser.value().map_err(|error| error.to_string())
}

fn text(parser: &mut Parser, option: &str) -> Result<String, String> {
    unicode(value(parser)?, option)
}

fn unicode(value: OsString, option: &str) -> Result<String, String> {
    // Not shown: it may be a secret.
    value.string().map_err(|_| format!("{option}: the value is not Unicode"))
}

/// The value is never shown: it may be a secret.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("-H: there is no colon in the value, as in 'Name: value'")?;
    if name.trim().eq_ignore_ascii_case("last-event-id") {
        return Err("-H: the header last-event-id is set by --last-id".into());
    }
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn body(value: OsString) -> Result<Vec<u8>, String> {
    let bytes = value.into_encoded_bytes();
    let Some(path) = bytes.strip_prefix(b"@") else { return Ok(bytes) };
    let path = std::str::from_utf8(path).map_err(|_| "-d: the name of the file is not Unicode")?;
    if path != "-" {
        return fs::read(path).map_err(|error| format!("-d @{path}: {error}"));
    }
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes).map_err(|error| format!("-d @-: {error}"))?;
    Ok(bytes)
}

fn content_type(body: &[u8]) -> &'static str {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(_) => "application/json",
        Err(_) => "application/x-www-form-urlencoded",
    }
}

fn event_type(text: String) -> Result<String, String> {
    if text.is_empty() {
        return Err("--only \"\": events without a type are of the type \"message\"".into());
    }
    Ok(text)
}

fn seconds(text: &str, option: &str) -> Result<Duration, String> {
    let duration = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| format!("{option} {text:?}: not a number of seconds above 0"))
}

fn count(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|&count| count > 0);
    count.ok_or_else(|| format!("--count {text:?}: not a whole number above 0"))
}

fn retry(text: &str) -> Result<RetryPolicy, String> {
    match (text, text.parse()) {
        ("never", _) => Ok(RetryPolicy::never()),
        ("forever", _) => Ok(RetryPolicy::forever()),
        (_, Ok(retries)) => Ok(RetryPolicy::default().max_retries(retries)),
        (_, Err(_)) => Err(format!("--retry {text:?}: neither never nor forever nor a whole number")),
    }
}

fn certificates(path: PathBuf) -> Result<Certificates, String> {
    match fs::read(&path) {
        Ok(pem) => Ok(Certificates { path, pem }),
        Err(error) => Err(format!("--cacert {path:?}: {error}")),
    }
}

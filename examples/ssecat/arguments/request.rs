//! The client, the request and the checkpoint, or the option that the library refuses.

use std::path::Path;

use http_sse::{Checkpoint, Client, ClientBuilder, Error, Request};

use super::Arguments;
use crate::format::Format;

/// A URL that passes every check, to find out which option fails.
const SOUND_URL: &str = "http://localhost/";

impl Arguments {
    pub(crate) fn client(&self) -> Result<Client, Error> {
        self.trust.add_to(self.linked(Client::builder())?)?.build()
    }

    /// Sets the address and the network link of connections.
    fn linked(&self, mut builder: ClientBuilder) -> Result<ClientBuilder, Error> {
        for (host, address) in &self.resolve {
            builder = builder.resolve(host, *address);
        }
        if let Some(interface) = &self.interface {
            builder = match interface.parse() {
                Ok(address) => builder.bind_address(address),
                Err(_) => bound_to_device(builder, interface)?,
            };
        }
        match &self.unix_socket {
            Some(path) => over_unix_socket(builder, path),
            None => Ok(builder),
        }
    }

    /// Returns the request, including the body; `position` is that of the checkpoint.
    pub(crate) fn request(&mut self, position: Option<&str>) -> Request {
        let default = if self.body.is_some() { "POST" } else { "GET" };
        let mut request = Request::new(self.method.as_deref().unwrap_or(default), &self.url);
        for (name, value) in &self.headers {
            request = request.append_header(name, value);
        }
        if let Some(body) = self.body.take() {
            let content_type = content_type(&body);
            request = request.body(body, content_type);
        }
        request = self.starting_at(request, position.or(self.last_id.as_deref()));
        if let Some(idle) = self.idle {
            request = request.idle_timeout(idle);
        }
        if self.compressed {
            request = request.accept_gzip();
        }
        if self.layout().format == Format::Raw {
            request = request.keep_raw();
        }
        if self.gaps {
            request = request.mark_gaps();
        }
        match &self.retry {
            Some(policy) => request.retry(policy.clone()),
            None => request,
        }
    }

    fn starting_at(&self, request: Request, position: Option<&str>) -> Request {
        match &self.cursor {
            None => request.last_event_id(position),
            Some(place) => request.cursor(place.cursor(self.is_cursor_inclusive).start_at(position)),
        }
    }

    /// Opens the checkpoint, if there is one.
    pub(crate) fn open_checkpoint(&self) -> Result<Option<Checkpoint>, String> {
        let Some(path) = &self.checkpoint else { return Ok(None) };
        let problem = |what: &dyn std::fmt::Display| format!("--checkpoint {path:?}: {what}");
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(problem(&format_args!("no such directory: {folder:?}")));
        }
        let checkpoint = Checkpoint::open(path).map_err(|error| problem(&error))?;
        // A command that has succeeded must not run again, whatever happens to this program.
        Ok(Some(if self.exec.is_some() { checkpoint.every_events(1) } else { checkpoint }))
    }

    /// Returns what is wrong with a request that was refused, and in which option.
    pub(crate) fn culprit(&self, error: Error) -> String {
        if let Err(error) = self.linked(Client::builder().no_proxy()).and_then(ClientBuilder::build) {
            let setters = [
                ("resolve(", "--resolve ("),
                ("bind_address", "--interface "),
                ("bind_device", "--interface "),
                ("unix_socket", "--unix-socket "),
            ];
            return setters.iter().fold(problem(error), |text, (setter, option)| text.replace(setter, option));
        }
        if let Some(culprit) = self.trust.culprit() {
            return culprit;
        }
        let Ok(client) = Client::builder().no_proxy().build() else { return problem(error) };
        let refusal = |request| client.read("check", request).err().map(problem);
        let method = self.method.iter().map(|method| ("-X: ", Request::new(method, SOUND_URL)));
        let headers = self.headers.iter().map(|(n, v)| ("-H: ", Request::get(SOUND_URL).append_header(n, v)));
        let cursor = ("--cursor: ", self.starting_at(Request::get(SOUND_URL), None));
        let last_id = ("--last-id: ", self.starting_at(Request::get(SOUND_URL), self.last_id.as_deref()));
        let requests = method.chain(headers).chain([("", Request::get(&self.url)), cursor, last_id]);
        let mut found = requests.filter_map(|(option, request)| Some(format!("{option}{}", refusal(request)?)));
        found.next().unwrap_or_else(|| problem(error))
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn bound_to_device(builder: ClientBuilder, name: &str) -> Result<ClientBuilder, Error> {
    Ok(builder.bind_device(name))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn bound_to_device(_: ClientBuilder, _: &str) -> Result<ClientBuilder, Error> {
    Err(Error::InvalidRequest("--interface: device names are supported on Linux only, use an address".into()))
}

#[cfg(unix)]
fn over_unix_socket(builder: ClientBuilder, path: &Path) -> Result<ClientBuilder, Error> {
    Ok(builder.unix_socket(path))
}

#[cfg(not(unix))]
fn over_unix_socket(_: ClientBuilder, _: &Path) -> Result<ClientBuilder, Error> {
    Err(Error::InvalidRequest("--unix-socket is not supported on this system".into()))
}

/// An error in one line, without its prefix, which the name of the option replaces.
pub(super) fn problem(error: Error) -> String {
    match error {
        Error::InvalidRequest(what) => what,
        error => error.to_string(),
    }
}

fn content_type(body: &[u8]) -> &'static str {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(_) => "application/json",
        Err(_) => "application/x-www-form-urlencoded",
    }
}

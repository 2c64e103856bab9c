//! Selects the proxy for a URL, set explicitly or by the environment like in curl (7.86 and later). Pure.

mod exception;

use std::fmt;
use std::sync::Arc;

use ureq::http::{HeaderValue, Uri};

use super::redact::redacted_nonsense;
use super::url::{self, HostNames, Parsed, host_names};
use super::validate::basic_of;
use exception::Exception;

/// Selects the proxy for a URL. Default: every URL is reached directly.
#[derive(Clone, Default)]
pub(crate) struct ProxyRules(Option<Arc<Rules>>);

#[derive(Default)]
struct Rules {
    http: Option<Choice>,
    https: Option<Choice>,
    exceptions: Vec<Exception>,
}

/// An unusable proxy is an error only of a request that needs it.
type Choice = Result<ProxyTarget, String>;

/// A proxy for CONNECT.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProxyTarget {
    /// The connection to the proxy itself uses TLS.
    pub(crate) is_tls: bool,
    /// For the resolver: a name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// `Proxy-Authorization`, from the user name and password of the proxy's URL.
    pub(crate) authorization: Option<HeaderValue>,
    /// The URL of the proxy without secrets, for errors and the log.
    pub(crate) shown: String,
}

impl ProxyRules {
    /// Reaches every URL through one proxy; `from` names the setting in errors.
    pub(crate) fn through(url: &str, from: &str) -> Result<Self, String> {
        let target = parse(url, from)?;
        let choice = Some(Ok(target));
        Ok(Self(Some(Arc::new(Rules { http: choice.clone(), https: choice, exceptions: Vec::new() }))))
    }

    /// Reads the environment as it is now.
    pub(crate) fn environment() -> Self {
        Self::from_environment(|name| Some(std::env::var_os(name)?.to_string_lossy().into_owned()))
    }

    /// Reads an environment: the variable of the scheme, then that for all, lower case first; an empty variable counts
    /// as not set.
    ///
    /// In a CGI program, `HTTP_PROXY` is a header of the incoming request.
    pub(crate) fn from_environment(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| Some((*name, lookup(name).filter(|value| !value.is_empty())?)))
        };
        let choice = |names: &[&'static str]| {
            first(names).map(|(name, url)| parse(&url, &format!("the environment variable {name}")))
        };
        let http = match lookup("REQUEST_METHOD") {
            None => choice(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
            // There, names are case-insensitive.
            Some(_) if cfg!(windows) => choice(&["all_proxy", "ALL_PROXY"]),
            Some(_) => choice(&["http_proxy", "all_proxy", "ALL_PROXY"]),
        };
        let https = choice(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]);
        if http.is_none() && https.is_none() {
            return Self::default();
        }
        let exceptions = first(&["no_proxy", "NO_PROXY"]).map(|(_, list)| exception::parse(&list));
        Self(Some(Arc::new(Rules { http, https, exceptions: exceptions.unwrap_or_default() })))
    }

    /// Returns the proxy for a URL, or `None` if it is reached directly; the error says why the proxy is unusable.
    pub(crate) fn for_url(&self, url: &Uri) -> Result<Option<ProxyTarget>, String> {
        let Some(rules) = &self.0 else { return Ok(None) };
        let choice = if url.scheme_str() == Some("https") { &rules.https } else { &rules.http };
        let Some(choice) = choice else { return Ok(None) };
        let HostNames { tls: host, port, .. } = host_names(url);
        if rules.exceptions.iter().any(|exception| exception.covers(&host, port)) {
            return Ok(None);
        }
        choice.clone().map(Some)
    }
}

impl fmt::Debug for ProxyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |choice: &Option<Choice>| match choice {
            None => "direct".to_owned(),
            Some(Ok(target)) => target.shown.clone(),
            Some(Err(why)) => why.clone(),
        };
        let Some(rules) = &self.0 else { return f.write_str("ProxyRules(direct)") };
        f.debug_struct("ProxyRules")
            .field("http", &shown(&rules.http))
            .field("https", &shown(&rules.https))
            .finish_non_exhaustive()
    }
}

/// Parses the URL of a proxy; the scheme is optional, path and query are ignored.
fn parse(text: &str, from: &str) -> Choice {
    let bad = |why: &str| format!("the proxy {:?} from {from} {why}", redacted_nonsense(text));
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.trim().to_ascii_lowercase());
    let with_scheme = match scheme.as_deref() {
        None => format!("http://{}", text.trim()),
        Some("http") => text.to_owned(),
        Some("https") if cfg!(feature = "tls") => text.to_owned(),
        Some("https") => return Err(bad("needs the feature `tls`")),
        Some(socks) if socks.starts_with("socks") => {
            return Err(bad("is a SOCKS proxy; only HTTP proxies are supported"));
        }
        Some(_) => return Err(bad("is not an HTTP proxy (http:// or https://)")),
    };
    let Parsed { uri, userinfo } = url::parse(with_scheme.as_bytes(), None).map_err(|why| bad(&why))?;
    let HostNames { resolver: host, port, .. } = host_names(&uri);
    let scheme = uri.scheme_str().unwrap_or_default();
    let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
    Ok(ProxyTarget {
        is_tls: scheme == "https",
        host,
        port,
        authorization: userinfo.map(|userinfo| basic_of(&userinfo)),
        shown: format!("{scheme}://{authority}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(variables: &[(&str, &str)]) -> ProxyRules {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        ProxyRules::from_environment(move |name| {
            variables.iter().find(|(set, _)| set == name).map(|(_, value)| value.clone())
        })
    }

    /// Where a URL goes: the proxy as it is shown, "direct", or the error.
    fn way(variables: &[(&str, &str)], url: &str) -> String {
        match rules(variables).for_url(&url.parse().unwrap()) {
            Ok(None) => "direct".into(),
            Ok(Some(target)) => target.shown,
            Err(why) => why,
        }
    }

    #[test]
    fn the_variable_of_the_scheme_counts_then_that_of_all_lower_case_first() {
        let (http, https) = ("http://a.test/", "https://a.test/");
        for (variables, url, proxy) in [
            (&[][..], http, "direct"),
            (&[("http_proxy", "http://1.test")], http, "http://1.test"),
            (&[("http_proxy", "http://1.test")], https, "direct"),
            (&[("HTTPS_PROXY", "http://1.test")], http, "direct"),
            (&[("HTTPS_PROXY", "http://1.test")], https, "http://1.test"),
            (&[("http_proxy", "http://1.test"), ("HTTP_PROXY", "http://2.test")], http, "http://1.test"),
            (&[("https_proxy", "http://1.test"), ("HTTPS_PROXY", "http://2.test")], https, "http://1.test"),
            (&[("all_proxy", "http://1.test"), ("ALL_PROXY", "http://2.test")], http, "http://1.test"),
            (&[("ALL_PROXY", "http://1.test")], https, "http://1.test"),
            (&[("HTTP_PROXY", "http://1.test"), ("all_proxy", "http://2.test")], http, "http://1.test"),
            (&[("HTTP_PROXY", "http://1.test"), ("all_proxy", "http://2.test")], https, "http://2.test"),
            (&[("http_proxy", ""), ("HTTP_PROXY", "http://2.test")], http, "http://2.test"),
            (&[("https_proxy", ""), ("all_proxy", "http://2.test")], https, "http://2.test"),
            (&[("https_proxy", "")], https, "direct"),
        ] {
            assert_eq!(way(variables, url), proxy, "{variables:?} {url}");
        }
    }

    #[test]
    fn a_request_that_is_answered_does_not_set_the_proxy_of_a_cgi_program() {
        let (cgi, evil) = (("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil.test"));
        assert_eq!(way(&[evil, cgi], "http://a.test/"), "direct");
        assert_eq!(way(&[evil, cgi, ("ALL_PROXY", "http://1.test")], "http://a.test/"), "http://1.test");
        assert_eq!(way(&[("HTTPS_PROXY", "http://1.test"), cgi], "https://a.test/"), "http://1.test");
        #[cfg(not(windows))]
        assert_eq!(way(&[evil, cgi, ("http_proxy", "http://1.test")], "http://a.test/"), "http://1.test");
        assert_eq!(way(&[evil], "http://a.test/"), "http://evil.test");
    }

    #[test]
    fn a_proxy_without_a_scheme_is_http() {
        for (text, shown, host, port, is_tls) in [
            ("proxy.test:3128", "http://proxy.test:3128", "proxy.test", 3128, false),
            ("proxy.test", "http://proxy.test", "proxy.test", 80, false),
            ("u:p@127.1:1", "http://127.0.0.1:1", "127.0.0.1", 1, false),
            ("HTTP://PROXY.test:80/path?x#y", "http://proxy.test", "proxy.test", 80, false),
            (" http://proxy.test:3128\n", "http://proxy.test:3128", "proxy.test", 3128, false),
            ("[::1]:3128", "http://[::1]:3128", "::1", 3128, false),
            #[cfg(feature = "tls")]
            ("https://proxy.test", "https://proxy.test", "proxy.test", 443, true),
        ] {
            let target = parse(text, "a test").unwrap();
            let seen = (&*target.shown, &*target.host, target.port, target.is_tls);
            assert_eq!(seen, (shown, host, port, is_tls), "{text}");
        }
    }

    #[test]
    fn user_name_and_password_are_decoded_and_shown_nowhere() {
        for (userinfo, authorization) in [
            ("", None),
            ("@", None),
            ("user@", Some("Basic dXNlcjo=")),
            ("us%40er:p%3Aa%2Fss@", Some("Basic dXNAZXI6cDphL3Nz")),
        ] {
            let rules = ProxyRules::through(&format!("http://{userinfo}proxy.test"), "a test").unwrap();
            let target = rules.for_url(&"http://a.test/".parse().unwrap()).unwrap().unwrap();
            assert_eq!(target.authorization.as_ref().map(|value| value.to_str().unwrap()), authorization);
            let shown = format!("{rules:?} {target:?}");
            assert!(!shown.contains("user") && !shown.contains("dXN") && shown.contains("proxy.test"), "{shown}");
        }
    }

    #[test]
    fn a_proxy_of_no_use_is_an_error_only_where_it_would_be_used() {
        let http = "http://a.test/";
        for unusable in
            ["socks5://user:secret@p.test:1080", "socks4a://p.test", "ftp://p.test", "http://", "p q", "p.test:x"]
        {
            let why = way(&[("http_proxy", unusable)], http);
            assert!(why.contains("the environment variable http_proxy") && !why.contains("secret"), "{why}");
            assert_eq!(way(&[("http_proxy", unusable), ("NO_PROXY", "a.test")], http), "direct");
            assert_eq!(way(&[("https_proxy", unusable)], http), "direct");
            assert_eq!(way(&[("all_proxy", unusable), ("http_proxy", "http://1.test")], http), "http://1.test");
            assert!(ProxyRules::through(unusable, "a test").is_err());
        }
    }

    #[test]
    fn no_proxy_is_read_lower_case_first_and_for_every_scheme() {
        let proxy = ("ALL_PROXY", "http://1.test");
        for url in ["http://a.test/", "https://a.test/"] {
            assert_eq!(way(&[proxy, ("NO_PROXY", "a.test")], url), "direct");
            assert_eq!(way(&[proxy, ("no_proxy", "a.test"), ("NO_PROXY", "b.test")], url), "direct");
            assert_eq!(way(&[proxy, ("no_proxy", "b.test"), ("NO_PROXY", "a.test")], url), "http://1.test");
            assert_eq!(way(&[proxy, ("no_proxy", ""), ("NO_PROXY", "a.test")], url), "direct");
        }
        let through = ProxyRules::through("http://1.test", "a test").unwrap();
        assert!(through.for_url(&"http://a.test/".parse().unwrap()).unwrap().is_some());
    }
}

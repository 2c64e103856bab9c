//! Which proxy a connection goes through.

use std::net::Ipv6Addr;

use ureq::Proxy;

use super::redact::redacted_text;
use super::redirect;

/// Checks a proxy's URL; the error shows it without user name and password.
pub(crate) fn parse_proxy(url: &str, from: &str) -> Result<Proxy, String> {
    let shown = redacted_text(url);
    let not_a_url = || format!("the proxy {shown:?} of {from} is not a URL");
    let proxy = Proxy::new(url).map_err(|_| not_a_url())?;
    // ureq takes a port that is none for the default.
    if !is_host(proxy.host()) || !redirect::port_is_valid(proxy.uri()) {
        return Err(not_a_url());
    }
    match proxy.protocol() {
        ureq::ProxyProtocol::Http => Ok(proxy),
        ureq::ProxyProtocol::Https if cfg!(feature = "tls") => Ok(proxy),
        _ => Err(format!("the proxy {shown:?} of {from} is not an HTTP proxy")),
    }
}

/// Finds the proxy of the environment, where ureq looks for it: the first variable that is set counts.
pub(crate) fn environment_proxy() -> Result<Option<Proxy>, String> {
    for name in ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        match std::env::var(name) {
            Ok(url) if !url.is_empty() => {
                parse_proxy(&url, &format!("the environment variable {name}"))?;
                // Once more by ureq, which adds what NO_PROXY says.
                return Ok(Proxy::try_from_env());
            }
            _ => {}
        }
    }
    Ok(None)
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(address) => address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && !host.contains('%'),
    }
}

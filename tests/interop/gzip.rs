//! Compressors that nobody here wrote: no event is late behind them, and none is lost where they break.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use http_sse::crossbeam_channel::RecvTimeoutError;
use http_sse::{Error, Request, RetryPolicy};

use crate::delivery::{Delivery, client, promptly_through, url};
use crate::nginx::{self, Nginx, Signal};
use crate::program::{find, find_cached, or_left_out, script};
use crate::proxies::{apache_with, varnish};
use crate::service::Service;
use crate::source::{Break, Source};
use crate::{EVERYTHING, killed_while_read, sse_starlette};

const DEADLINE: Duration = Duration::from_secs(10);

/// Whatever the client asks for.
const DEFLATE: &str = "LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
LoadModule env_module /usr/lib/apache2/modules/mod_env.so
SetOutputFilter DEFLATE
SetEnv force-gzip 1";

/// nginx, which compresses what it passes on and flushes with each piece.
fn nginx(server: SocketAddr) -> Option<Nginx> {
    let program = or_left_out(nginx::find(), "nginx with the nchan module")?;
    let location = format!(
        "location / {{
            proxy_pass http://{server};
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_buffering off;
            gzip on;
            gzip_types text/event-stream;
        }}"
    );
    Some(Nginx::start(&program, 1, &location))
}

fn express() -> Option<Service> {
    let modules = or_left_out(find_cached("express/node_modules"), "Express")?;
    let node = or_left_out(find("node"), "node")?;
    Some(Service::start(|address, _| {
        let mut command = Command::new(&node);
        command.env("NODE_PATH", &modules).arg(script("express_server.cjs")).arg(address.port().to_string());
        command
    }))
}

#[test]
fn compressed_events_come_through_nginx_at_once() {
    let source = Source::start();
    let Some(mut proxy) = nginx(source.address()) else { return };
    let (delivery, mut kills) = (Delivery::compressed(client(), &url(proxy.address())), 0);
    promptly_through("nginx, gzip", delivery, &source, &EVERYTHING, || {
        proxy.kill(0, if kills % 2 == 0 { Signal::Kill } else { Signal::Terminate });
        kills += 1;
    });
}

#[test]
fn events_of_sse_starlette_compressed_by_nginx_survive_restarts() {
    let Some(server) = sse_starlette() else { return };
    let Some(proxy) = nginx(server.address()) else { return };
    let delivery = Delivery::compressed(client(), &url(proxy.address()));
    killed_while_read("sse-starlette behind nginx, gzip", server, delivery);
}

#[test]
fn events_of_express_with_its_compression_come_at_once_and_survive_restarts() {
    let Some(server) = express() else { return };
    let first = Request::get(format!("http://{}/first", server.address())).accept_gzip();
    let events = client().build().unwrap().connect("first", first).unwrap();
    assert_eq!(events.recv_timeout(DEADLINE).unwrap().unwrap().data(), "first");
    drop(events);
    let delivery = Delivery::compressed(client(), &url(server.address()));
    killed_while_read("Express with compression", server, delivery);
}

#[test]
fn varnish_passes_on_at_once_what_its_server_compresses_and_holds_it_back_without_gzip() {
    let source = Source::start();
    let Some(server) = nginx(source.address()) else { return };
    // Its defaults, but that it keeps no response, and that a refused connection costs no wait.
    let rules = "sub vcl_backend_response { set beresp.uncacheable = true; return (deliver); }
sub vcl_backend_error { return (deliver); }";
    let Some(mut proxy) = varnish(server.address(), rules) else { return };
    let url = url(proxy.address());

    let plain = Request::get(format!("{url}?plain")).retry(RetryPolicy::never());
    let events = client().build().unwrap().connect("plain", plain).unwrap();
    source.next_request();
    source.release(3);
    assert!(matches!(events.recv_timeout(Duration::from_millis(500)), Err(RecvTimeoutError::Timeout)));
    drop(events);

    let delivery = Delivery::compressed(client(), &url);
    let often = [Some(Break::End), Some(Break::Cut)].repeat(3);
    let manners = [often.as_slice(), &[None]].concat();
    promptly_through("varnish before nginx, gzip", delivery, &source, &manners, || proxy.restart());
}

#[test]
fn apache_that_compresses_whatever_was_asked_passes_events_on_at_once() {
    let source = Source::start();
    let Some(mut proxy) = apache_with(source.address(), DEFLATE) else { return };
    let url = url(proxy.address());
    let unasked = Request::get(&url).retry(RetryPolicy::never());
    let failure = client().build().unwrap().read("unasked", unasked).unwrap().next();
    assert!(matches!(failure, Some(Err(Error::ContentEncoding(_)))), "{failure:?}");
    source.next_request();

    let delivery = Delivery::compressed(client(), &url);
    promptly_through("apache, gzip", delivery, &source, &EVERYTHING, || proxy.kill_and_restart());
}

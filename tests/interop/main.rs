//! Servers and proxies that nobody here wrote: a thousand events each, while servers restart and connections break.
//!
//! `scripts/interop-setup` installs them. A test whose program is not there is left out, and says so; with
//! `interop` in `HTTP_SSE_REQUIRED` it fails then. Each test starts what it needs on free ports, and prints what it counted.
//!
//! What a restart is depends on who remembers the events. The servers on uvicorn and Node, and the one behind the
//! proxies, make them from their number, so they are really killed and started again, and so are the proxies. nchan
//! keeps messages in its memory, which a restart empties: there the connections are reset instead, in mid-event.
#![cfg(unix)]

mod delivery;
mod forwarder;
mod frameworks;
mod gzip;
mod journal;
mod journal_example;
mod mcp;
mod nchan;
mod nginx;
mod program;
mod proxies;
mod service;
mod source;

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use delivery::{Delivery, client, through, url};
use forwarder::Forwarder;
use http_sse::Client;
use http_sse::Request;
use nginx::{Nginx, Signal};
use program::{find, find_cached, or_left_out, script};
use service::Service;
use source::{Break, EVENTS, Source};

/// Breaks by the server in turn with one by what stands before it.
const EVERYTHING: [Option<Break>; 4] = [Some(Break::End), Some(Break::Reset), None, Some(Break::Cut)];

#[test]
fn events_of_nchan_survive_the_reset_of_connections() {
    let Some(program) = or_left_out(nginx::find(), "nginx with the nchan module") else { return };
    let server = Nginx::start(&program, 1, &nginx::channel_of(2000));
    let forwarder = Forwarder::start(server.address());
    let delivery = Delivery::start(client(), &format!("http://{}/subscribe", forwarder.address()));
    publish(&server, &forwarder, delivery, "nginx with nchan");
}

#[test]
fn events_of_nchan_over_tls_survive_the_reset_of_connections() {
    let authority = support::tls::Authority::new();
    let Some((server, forwarder, url)) = nchan_over_tls(&authority, "") else { return };
    let delivery = Delivery::start(client().only_root_certificates_pem(authority.pem()), &url);
    publish(&server, &forwarder, delivery, "nginx with nchan over TLS");
}

#[test]
fn events_of_nchan_that_asks_for_a_client_certificate_survive_the_reset_of_connections() {
    let authority = support::tls::Authority::new();
    let Some((server, forwarder, url)) = nchan_over_tls(&authority, "ssl_verify_client on;") else { return };
    let trusting = || client().only_root_certificates_pem(authority.pem());
    let without = trusting().build().unwrap().read("without", Request::get(&url)).unwrap().next().unwrap();
    let refusal = without.unwrap_err();
    assert_eq!(refusal.status(), Some(400));
    assert!(refusal.body().unwrap().contains("No required SSL certificate was sent"), "{refusal}");

    let identity = authority.client_identity();
    let delivery = Delivery::start(trusting().client_certificate_pem(identity.certificate_pem, identity.key_pem), &url);
    publish(&server, &forwarder, delivery, "nginx with nchan, client certificates");
}

/// Starts nchan with a plain port, to publish, and one with TLS behind a forwarder, whose URL is returned.
fn nchan_over_tls(authority: &support::tls::Authority, setting: &str) -> Option<(Nginx, Forwarder, String)> {
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    let program = or_left_out(nginx::find(), "nginx with the nchan module")?;
    let identity = authority.server_identity();
    let number = FOLDERS.fetch_add(1, Ordering::SeqCst);
    let folder = std::env::temp_dir().join(format!("http-sse-interop-tls-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("certificate.pem"), identity.certificate_pem).unwrap();
    fs::write(folder.join("key.pem"), identity.key_pem).unwrap();
    fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
    let encrypted = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = format!(
        "
        listen {encrypted} ssl;
        ssl_certificate {0}/certificate.pem;
        ssl_certificate_key {0}/key.pem;
        ssl_client_certificate {0}/authority.pem;
        {setting}{1}",
        folder.display(),
        nginx::channel_of(2000)
    );
    // Of the two ports, publishing takes the plain one, where nobody is asked for a certificate.
    let server = Nginx::start(&program, 1, &settings);
    fs::remove_dir_all(&folder).unwrap();
    // The handshake has to fit in, with something to spare.
    let forwarder = Forwarder::passing(encrypted, 10_000);
    let url = format!("https://{}/subscribe", forwarder.address());
    Some((server, forwarder, url))
}

/// Publishes all messages, while the forwarder resets connections by itself and on command.
fn publish(server: &Nginx, forwarder: &Forwarder, mut delivery: Delivery, what: &str) {
    for number in 1..=EVENTS {
        server.publish(&number.to_string());
        if number % 50 == 0 {
            forwarder.reset();
        }
    }
    server.publish("last");
    delivery.receive(EVENTS);
    (0..forwarder.resets()).for_each(|_| delivery.broken());
    delivery.finish(what);
}

#[test]
fn events_come_through_nginx_without_buffering() {
    behind_nginx("nginx, buffering off", "proxy_http_version 1.1; proxy_buffering off;", &EVERYTHING);
}

#[test]
fn events_come_through_nginx_with_buffering() {
    behind_nginx("nginx, buffering on", "proxy_http_version 1.1; proxy_buffering on;", &EVERYTHING);
}

#[test]
fn events_come_through_nginx_with_its_defaults_which_are_http_1_0_and_buffering() {
    behind_nginx("nginx, HTTP/1.0 upstream, buffering on", "", &EVERYTHING);
}

#[test]
fn events_come_through_nginx_over_http_1_0_without_buffering() {
    behind_nginx("nginx, HTTP/1.0 upstream, buffering off", "proxy_buffering off;", &EVERYTHING);
}

#[test]
fn events_come_through_nginx_whose_read_timeout_cuts_quiet_streams() {
    let settings = "proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 200ms;";
    behind_nginx("nginx, proxy_read_timeout 200 ms", settings, &[Some(Break::Silence)]);
}

fn behind_nginx(what: &str, settings: &str, manners: &[Option<Break>]) {
    let Some(program) = or_left_out(nginx::find(), "nginx with the nchan module") else { return };
    let source = Source::start();
    let location =
        format!("location / {{ proxy_pass http://{}; proxy_set_header Connection ''; {settings} }}", source.address());
    let mut proxy = Nginx::start(&program, 1, &location);
    let (address, mut kills) = (proxy.address(), 0);
    through(what, client(), &url(address), &source, manners, || {
        proxy.kill(0, if kills % 2 == 0 { Signal::Kill } else { Signal::Terminate });
        kills += 1;
    });
}

#[test]
fn events_come_through_haproxy_that_is_restarted() {
    let Some(program) = or_left_out(find("haproxy"), "haproxy") else { return };
    let source = Source::start();
    let mut proxy = Service::start(|address, folder| {
        let config = folder.join("haproxy.cfg");
        fs::write(&config, haproxy_configuration(address, source.address())).unwrap();
        let mut command = Command::new(&program);
        command.args(["-db", "-q", "-f"]).arg(config);
        command
    });
    let address = proxy.address();
    let manners = [EVERYTHING.as_slice(), &[Some(Break::Silence)]].concat();
    through("haproxy", client(), &url(address), &source, &manners, || proxy.restart());
}

fn haproxy_configuration(address: SocketAddr, server: SocketAddr) -> String {
    format!(
        "defaults
    mode http
    retries 0
    timeout connect 5s
    timeout client 10s
    timeout server 400ms
listen events
    bind {address}
    server source {server}
"
    )
}

#[test]
fn events_come_through_tinyproxy_that_is_restarted() {
    let Some(program) = or_left_out(find("tinyproxy"), "tinyproxy") else { return };
    let source = Source::start();
    let mut proxy = Service::start(|address, folder| {
        let config = folder.join("tinyproxy.conf");
        // Also for plain http the client asks for a tunnel, which tinyproxy allows to listed ports only.
        let (port, target) = (address.port(), source.address().port());
        let text = format!("Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nConnectPort {target}\nLogLevel Critical\n");
        fs::write(&config, text).unwrap();
        let mut command = Command::new(&program);
        command.args(["-d", "-c"]).arg(config);
        command
    });
    let client = Client::builder().proxy(format!("http://{}", proxy.address()));
    through("tinyproxy", client, &url(source.address()), &source, &EVERYTHING, || proxy.restart());
}

#[test]
fn events_of_sse_starlette_survive_restarts_of_uvicorn() {
    let Some(server) = sse_starlette() else { return };
    killed_and_started("sse-starlette on uvicorn", server);
}

fn sse_starlette() -> Option<Service> {
    let python = or_left_out(find_cached("python/bin/python3"), "sse-starlette")?;
    Some(Service::start(|address, _| {
        let mut command = Command::new(&python);
        command.arg(script("sse_starlette_server.py")).arg(address.port().to_string());
        command
    }))
}

#[test]
fn events_over_a_unix_socket_survive_restarts_of_uvicorn() {
    let Some(python) = or_left_out(find_cached("python/bin/python3"), "sse-starlette") else { return };
    let server = Service::start_at(Some("socket"), |_, folder| {
        let mut command = Command::new(&python);
        command.arg(script("sse_starlette_server.py")).arg(folder.join("socket"));
        command
    });
    killed_and_started("sse-starlette on uvicorn at a Unix socket", server);
}

#[test]
fn events_of_better_sse_survive_restarts_of_node() {
    let Some(modules) = or_left_out(find_cached("node/node_modules"), "better-sse") else { return };
    let Some(node) = or_left_out(find("node"), "node") else { return };
    let server = Service::start(|address, _| {
        let mut command = Command::new(&node);
        command.env("NODE_PATH", &modules).arg(script("better_sse_server.cjs")).arg(address.port().to_string());
        command
    });
    killed_and_started("better-sse on Node", server);
}

fn killed_and_started(what: &str, server: Service) {
    let client = match server.socket() {
        Some(path) => Client::builder().unix_socket(path),
        None => client(),
    };
    let delivery = Delivery::start(client, &url(server.address()));
    killed_while_read(what, server, delivery);
}

fn killed_while_read(what: &str, mut server: Service, mut delivery: Delivery) {
    for count in [150, 350, 550, 750] {
        delivery.receive(count);
        server.restart();
        delivery.broken();
    }
    delivery.finish(what);
}

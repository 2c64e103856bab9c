//! Proxies that pass events on only when they are told to, that cache them, or that hide the death of a server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use http_sse::crossbeam_channel::RecvTimeoutError;
use http_sse::testing::{Framing, Server};
use http_sse::{Client, End, Error, Request, RetryPolicy};

use crate::delivery::{Delivery, client, promptly_through, url};
use crate::nginx::{self, Nginx};
use crate::program::{find, or_left_out, say};
use crate::service::Service;
use crate::source::{Break, Source};
use crate::{EVERYTHING, haproxy_configuration};

const DEADLINE: Duration = Duration::from_secs(10);

/// Without the other rules Varnish's own errors ask for 5 s (`Retry-After`), which the client grants.
const PASS: &str = "sub vcl_recv { return (pass); }
sub vcl_backend_error { return (deliver); }
sub vcl_synth { return (deliver); }";

/// Starts a program that finds all it needs in one file of configuration.
fn configured(program: &Path, arguments: &[&str], configuration: impl Fn(SocketAddr, &Path) -> String) -> Service {
    Service::start(|address, folder| {
        let file = folder.join("configuration");
        fs::write(&file, configuration(address, folder)).unwrap();
        let mut command = Command::new(program);
        // What Caddy keeps.
        command.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder);
        command.args(arguments).arg(file).stderr(Stdio::null());
        command
    })
}

pub(crate) fn varnish(server: SocketAddr, rules: &str) -> Option<Service> {
    let program = or_left_out(find("varnishd"), "varnishd")?;
    Some(Service::start(|address, folder| {
        let file = folder.join("rules.vcl");
        let (host, port) = (server.ip(), server.port());
        let backend = format!("vcl 4.1;\nbackend source {{ .host = \"{host}\"; .port = \"{port}\"; }}\n{rules}\n");
        fs::write(&file, backend).unwrap();
        let mut command = Command::new(&program);
        command.args(["-F", "-j", "none", "-s", "malloc,16m", "-a"]).arg(address.to_string());
        command.arg("-n").arg(folder.join("work")).arg("-f").arg(file).stderr(Stdio::null());
        command
    }))
}

fn lighttpd(server: SocketAddr, setting: &str) -> Option<Service> {
    let program = or_left_out(find("lighttpd"), "lighttpd")?;
    Some(configured(&program, &["-D", "-f"], |address, folder| {
        let (host, port) = (server.ip(), server.port());
        format!(
            r#"server.document-root = "{}"
server.bind = "{}"
server.port = {}
server.modules = ("mod_proxy")
proxy.server = ("" => (("host" => "{host}", "port" => {port}, "disable-time" => 0)))
{setting}
"#,
            folder.display(),
            address.ip(),
            address.port()
        )
    }))
}

fn apache(server: SocketAddr) -> Option<Service> {
    apache_with(server, "")
}

pub(crate) fn apache_with(server: SocketAddr, settings: &str) -> Option<Service> {
    let program = or_left_out(find("apache2"), "apache2")?;
    // One process, which can be killed as a whole.
    Some(configured(&program, &["-X", "-f"], |address, folder| {
        let modules = "/usr/lib/apache2/modules";
        let folder = folder.display();
        // The user and group count for root only.
        format!(
            "ServerName localhost
Listen {address}
ServerRoot {folder}
DefaultRuntimeDir {folder}
PidFile {folder}/pid
ErrorLog /dev/null
User nobody
Group nogroup
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
ProxyPass / http://{server}/ retry=0
{settings}
"
        )
    }))
}

fn caddy(server: SocketAddr) -> Option<Service> {
    let program = or_left_out(find("caddy"), "caddy")?;
    Some(configured(&program, &["run", "--adapter", "caddyfile", "--config"], |address, _| {
        format!(
            "{{
    admin off
    auto_https off
    grace_period 100ms
}}
http://{address} {{
    reverse_proxy {server}
}}
"
        )
    }))
}

fn restarted(what: &str, proxy: Option<Service>, source: &Source, manners: &[Option<Break>]) {
    let Some(mut proxy) = proxy else { return };
    let address = proxy.address();
    promptly_through(what, Delivery::start(client(), &url(address)), source, manners, || proxy.restart());
}

#[test]
fn events_come_through_varnish_that_caches_nothing_and_is_restarted() {
    let source = Source::start();
    // Neither often: each start compiles the rules, and a server that refused is left alone for a while.
    let often = [Some(Break::End), Some(Break::Cut)].repeat(3);
    let manners = [often.as_slice(), &[None, Some(Break::Reset)]].concat();
    let proxy = varnish(source.address(), PASS);
    restarted("varnish, pass", proxy, &source, &manners);
}

#[test]
fn varnish_repeats_a_complete_stream_unless_the_server_forbids_it() {
    let server = Server::serve_concurrently(|number, mut peer| {
        let Ok(asked) = peer.try_request() else { return };
        let headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")];
        let headers = if asked.path() == "/fresh" { &headers[..] } else { &headers[..1] };
        peer.begin(200, headers, Framing::Chunked);
        peer.send(format!("id: {number}\ndata: {number}\n\n"));
        peer.end();
    });
    let server = server.unwrap();
    let Some(proxy) = varnish(server.addr(), "") else { return };
    let client = client().build().unwrap();
    let read = |path: &str| {
        let request = Request::get(format!("http://{}{path}", proxy.address())).retry(RetryPolicy::never());
        let events: Result<Vec<_>, Error> = client.read(path, request).unwrap().collect();
        events.unwrap().pop().unwrap().into_data()
    };
    // The id was sent with the second request, but its answer is that of the first.
    assert_eq!(read("/silent"), read("/silent"));
    assert_ne!(read("/fresh"), read("/fresh"));
}

#[test]
fn events_come_through_lighttpd_that_streams_and_is_restarted() {
    let source = Source::start();
    let proxy = lighttpd(source.address(), "server.stream-response-body = 2");
    // It answers 503 for two seconds after a refused connection.
    let manners = [[Some(Break::End), None, Some(Break::Cut)].repeat(3), vec![Some(Break::Reset)]].concat();
    restarted("lighttpd, server.stream-response-body = 2", proxy, &source, &manners);
}

#[test]
fn lighttpd_with_its_defaults_holds_a_stream_back_until_it_ends() {
    let source = Source::start();
    let Some(proxy) = lighttpd(source.address(), "") else { return };
    let request = Request::get(url(proxy.address())).retry(RetryPolicy::never());
    let events = client().build().unwrap().connect("held", request).unwrap();
    source.next_request();
    source.release(3);
    assert!(matches!(events.recv_timeout(Duration::from_millis(300)), Err(RecvTimeoutError::Timeout)));
    source.break_streams(Break::End);
    let received: Vec<_> = (0..3).map(|_| events.recv_timeout(DEADLINE).unwrap().unwrap().into_data()).collect();
    assert_eq!(received, ["1", "2", "3"]);
}

#[test]
fn events_come_through_apache_that_is_restarted() {
    let source = Source::start();
    let Some(mut proxy) = apache(source.address()) else { return };
    let delivery = Delivery::start(client(), &url(proxy.address()));
    promptly_through("apache", delivery, &source, &EVERYTHING, || proxy.kill_and_restart());
}

#[test]
fn events_come_through_caddy_that_is_restarted() {
    let source = Source::start();
    restarted("caddy", caddy(source.address()), &source, &EVERYTHING);
}

/// What a client can see of the server's death depends on the proxy, unless it knows how the answer ends.
#[test]
fn until_tells_that_the_server_died_behind_every_proxy() {
    let source = Source::start();
    let server = source.address();
    let client = client().build().unwrap();
    let check = |what: &str, address: SocketAddr| dying(what, &client, &url(address), &source);
    let streaming = "server.stream-response-body = 2";
    let services = [
        ("varnish, pass", varnish(server, PASS)),
        ("lighttpd", lighttpd(server, streaming)),
        ("apache", apache(server)),
        ("caddy", caddy(server)),
        ("haproxy", haproxy(server)),
    ];
    for (what, proxy) in services {
        if let Some(proxy) = proxy {
            check(what, proxy.address());
        }
    }
    let Some(program) = or_left_out(nginx::find(), "nginx with the nchan module") else { return };
    for (what, version) in [("nginx, HTTP/1.0 upstream", ""), ("nginx, HTTP/1.1 upstream", "proxy_http_version 1.1;")] {
        let location = format!("location / {{ proxy_pass http://{server}; proxy_buffering off; {version} }}");
        check(what, Nginx::start(&program, 1, &location).address());
    }
}

fn haproxy(server: SocketAddr) -> Option<Service> {
    let program = or_left_out(find("haproxy"), "haproxy")?;
    Some(configured(&program, &["-db", "-q", "-f"], |address, _| haproxy_configuration(address, server)))
}

/// Has the server die in the middle of answers to a POST, which only `until` is sure to notice.
fn dying(what: &str, client: &Client, url: &str, source: &Source) {
    for manner in [Break::Cut, Break::Reset] {
        let end = |request: Request| {
            let events = client.connect("dying", request.retry(RetryPolicy::never())).unwrap();
            source.next_request();
            source.release(3);
            (0..3).for_each(|_| drop(events.recv_timeout(DEADLINE).unwrap().unwrap()));
            source.break_streams(manner);
            let handle = events.handle();
            assert!(handle.join_timeout(DEADLINE), "the connection's thread is still there");
            handle.end().unwrap()
        };
        let seen = match end(Request::post(url)) {
            End::Complete => "looks complete",
            End::Failed(Error::Disconnected) => "is detected",
            end => panic!("{what}: {end:?}"),
        };
        say(&format!("{what}: the server's death ({manner:?}) {seen}"));
        let end = end(Request::post(url).until(|event| event.data() == "last"));
        assert!(matches!(end, End::Failed(Error::Disconnected)), "{what}: {end:?}");
    }
}

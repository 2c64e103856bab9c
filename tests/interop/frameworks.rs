//! Frameworks in Python with manners of their own: a head that comes late, and workers that are killed all the time.

use std::process::{Command, Stdio};

use crate::delivery::{Delivery, client, url};
use crate::program::{find_cached, has_cached, or_left_out, script};
use crate::service::Service;
use crate::{killed_and_started, source::EVENTS};

#[test]
fn events_of_tornado_whose_head_comes_with_the_first_survive_its_restarts() {
    let found = find_cached("python/bin/python3").filter(|_| has_cached("python", "tornado"));
    let Some(python) = or_left_out(found, "Tornado") else { return };
    let server = Service::start(|address, _| {
        let mut command = Command::new(&python);
        command.arg(script("tornado_server.py")).arg(address.port().to_string()).stderr(Stdio::null());
        command
    });
    killed_and_started("Tornado, late head", server);
}

/// A worker of this kind does nothing but the stream: gunicorn takes it for dead, after 30 s if nothing else is set.
#[test]
fn events_of_flask_survive_that_gunicorn_kills_its_sync_worker_every_second() {
    let Some(gunicorn) = or_left_out(find_cached("python/bin/gunicorn"), "gunicorn") else { return };
    let server = Service::start(|address, _| {
        let mut command = Command::new(&gunicorn);
        command.args(["--worker-class", "sync", "--timeout", "1", "--no-control-socket", "--bind"]);
        command.arg(address.to_string()).arg("--chdir").arg(script("")).arg("flask_server:app");
        command.env("PYTHONDONTWRITEBYTECODE", "1").stderr(Stdio::null());
        command
    });
    let mut delivery = Delivery::start(client(), &url(server.address()));
    delivery.receive(EVENTS);
    // The first request, and those after a kill; the last one learns that there is no more.
    let kills = delivery.handle().stats().attempts - 1;
    (0..kills).for_each(|_| delivery.broken());
    assert!(kills >= 1, "it never killed its worker");
    delivery.finish("Flask under gunicorn's sync worker");
}

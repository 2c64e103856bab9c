//! A receiver that is dropped while nothing comes: it is gone at once, with all that it had queued.

use http_sse::testing::{Peer, Server};
use http_sse::{Client, Events, Overflow, Request};

use support::transcript::{assert_ended, client, next_data, quick, stop};
use support::wait_until;

/// A quiet stream with two receivers, both of which have received its one event.
fn quiet(request: impl FnOnce(Request) -> Request) -> (Client, Server, Peer, [Events; 2]) {
    let (client, server) = (client(), Server::start().unwrap());
    let rx = client.connect("it", request(Request::get(server.url("/")).retry(quick()))).unwrap();
    let other = client.subscribe("it").unwrap();
    let mut peer = server.accept();
    peer.stream();
    peer.send("data: a\n\n");
    wait_until(|| rx.len() == 1 && other.len() == 1);
    (client, server, peer, [rx, other])
}

#[test]
fn a_bare_clone_of_a_receiver_ends_when_that_is_dropped_though_nothing_comes() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest] {
        let (_client, _server, mut peer, [rx, other]) = quiet(|request| request.overflow(overflow));
        let bare = other.clone();
        assert_eq!(next_data(&bare), "a");
        drop(other);
        assert_ended(&bare);
        peer.send("data: b\n\n");
        assert_eq!([next_data(&rx), next_data(&rx)], ["a", "b"]);
        stop(&rx);
        peer.wait_for_close();
    }
}

#[test]
fn a_bare_clone_ends_while_the_connection_waits_for_room_in_another() {
    for is_first_slow in [true, false] {
        let (_client, _server, mut peer, [rx, other]) = quiet(|request| request.capacity(1));
        let (slow, leaves) = if is_first_slow { (rx, other) } else { (other, rx) };
        let bare = leaves.clone();
        assert_eq!(next_data(&bare), "a");
        peer.send("data: b\n\ndata: c\n\n");
        // To the first it is sent before the wait for the second, to the second after that for the first.
        if !is_first_slow {
            assert_eq!(next_data(&bare), "b");
        }
        wait_until(|| slow.handle().stats().events == 2);
        drop(leaves);
        assert_ended(&bare);
        assert_eq!([next_data(&slow), next_data(&slow), next_data(&slow)], ["a", "b", "c"]);
        stop(&slow);
        peer.wait_for_close();
    }
}

#[test]
fn the_others_have_every_event_when_one_leaves_while_another_is_waited_for() {
    let (client, _server, mut peer, [slow, leaves]) = quiet(|request| request.capacity(1));
    let stays = client.subscribe("it").unwrap();
    assert_eq!(next_data(&leaves), "a");
    peer.send("data: b\n\ndata: c\n\n");
    wait_until(|| slow.handle().stats().events == 2);
    drop(leaves);
    assert_eq!([next_data(&slow), next_data(&slow)], ["a", "b"]);
    assert_eq!([next_data(&stays), next_data(&stays)], ["b", "c"]);
    assert_eq!(next_data(&slow), "c");
    drop(stays);
    stop(&slow);
    peer.wait_for_close();
}

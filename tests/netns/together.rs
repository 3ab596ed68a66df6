//! Two programs at once, each with a guard in nf_tables.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tcpshake::lab::{Address, LINK, NEAR_V4, configure};

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::connect;
use crate::scripted::{Scripted, start};
use crate::world::{World, close_after_client};

pub(crate) const TESTS: &[Named] = &[
    ("p08_two_nft_guards_at_once", p08_two_nft_guards_at_once),
    ("p08_one_source_port_for_two", p08_one_source_port_for_two),
    ("an_nft_guard_covers_its_own_address_alone", an_nft_guard_covers_its_own_address_alone),
];

/// The first program, open on port 40000 and guarded; `meanwhile` something else happens.
fn beside(meanwhile: impl FnOnce(&World, &Scripted)) {
    let (world, mut peer, running) = start(&["--guard", "nft", "--close", "passive"]);
    let ack = peer.open();
    meanwhile(&world, &peer);
    peer.talk_and_close(&ack);
    let run = running.finish();
    run.assert_ended(0, "completed");
    assert_eq!(run.end()["kernel_resets"], 0, "still guarded");
    assert_eq!(resets_from(&world.capture.segments(), NEAR_V4.into()), 0);
}

/// The second one's table comes and goes; the first one's stands.
fn p08_two_nft_guards_at_once() {
    beside(|world, _| {
        let second = connect(&[&world.server(close_after_client).v4(), "--guard", "nft"]);
        second.assert_ended(0, "completed");
        let captured = world.capture.segments();
        assert_eq!(resets_from(&captured, NEAR_V4.into()), 0);
        assert_told_as_captured(&second, &captured);
    });
}

fn p08_one_source_port_for_two() {
    beside(|_, peer| {
        connect(&[&peer.address.to_string(), "--guard", "nft", "--source-port", "40000"])
            .assert_error(8, "source port 40000 is taken");
    });
}

/// Somebody else's connection from the same port of another address of ours: he may reset it.
fn an_nft_guard_covers_its_own_address_alone() {
    beside(|world, _| {
        const OTHER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 3);
        configure(LINK, &[Address { ip: OTHER.into(), prefix_len: 24 }]).unwrap();
        let server: SocketAddr = world.server(close_after_client).v4().parse().unwrap();
        let local = SocketAddr::from((OTHER, 40_000));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&local.into()).unwrap();
        socket.connect(&server.into()).unwrap();
        socket.set_linger(Some(Duration::ZERO)).unwrap();
        drop(socket);
        world.capture.until(|seen| seen.source == local && seen.flags.contains("RST"));
    });
}

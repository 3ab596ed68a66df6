//! Hand-made segments to a port that the program listens on: what no kernel would send.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use tcpshake::lab::{FAR_V4, FAR_V6, NEAR_V4, NEAR_V6};
use tcpshake::tcp::{Flags, Segment, SeqNum};

use crate::Named;
use crate::capture::Capture;
use crate::frames::Frames;
use crate::listen::{PORT, SERVICE, Service, assert_true, client, served, talk};
use crate::run::Run;
use crate::scripted::{IRS, Scripted, segment};
use crate::world::World;

pub(crate) const TESTS: &[Named] = &[
    ("listen_must_57_must_63_over_ipv6_and_from_nowhere", what_is_no_host),
    ("listen_e01_wrong_acknowledgments", a_wrong_acknowledgment),
    ("listen_e02_b09_a_reset_before_the_open", a_reset_before_the_open),
    ("listen_e08_gives_up_who_never_opens", who_never_opens),
    ("listen_e06_another_syn_begins_anew", another_syn_begins_anew),
    ("listen_b07_the_same_syn_again", the_same_syn_again),
    ("listen_a07_a09_what_comes_with_the_third_ack", what_comes_with_the_third_ack),
    ("listen_g01_g10_challenges", challenges),
    ("listen_g14_challenges_no_more_than_it_may", no_more_challenges_than_it_may),
    ("listen_d09_a_cookie_that_nobody_gave", a_cookie_that_nobody_gave),
    ("listen_gives_up_who_is_half_open_when_the_count_is_reached", half_open_at_the_end),
];

fn listen(arguments: &[&str]) -> (World, Scripted, Service) {
    let world = World::new();
    let peer = Scripted::start(&world, SERVICE);
    let service = Service::start(arguments);
    (world, peer, service)
}

fn syn(seq: SeqNum) -> Segment {
    Segment { seq, flags: Flags::SYN, ..segment() }
}

fn ack(seq: SeqNum, ack: SeqNum) -> Segment {
    Segment { seq, ack, flags: Flags::ACK, ..segment() }
}

/// How each connection ended, in the order of their ends.
fn outcomes(run: &Run) -> Vec<&str> {
    let ends = run.lines.iter().filter(|line| line["type"] == "end");
    ends.map(|end| end["outcome"].as_str().unwrap()).collect()
}

/// Opens a connection; yields our next number.
#[track_caller]
fn open(peer: &mut Scripted) -> SeqNum {
    peer.say(&syn(IRS));
    let syn_ack = peer.hear();
    assert_eq!((syn_ack.flags, syn_ack.ack), (Flags::SYN | Flags::ACK, IRS + 1));
    peer.say(&ack(IRS + 1, syn_ack.seq + 1));
    syn_ack.seq + 1
}

/// Closes a connection that has said nothing, after an echo's fashion.
#[track_caller]
fn close(peer: &mut Scripted, ours: SeqNum) {
    peer.say(&Segment { flags: Flags::FIN | Flags::ACK, ..ack(IRS + 1, ours) });
    while !peer.hear().has(Flags::FIN) {}
    peer.say(&ack(IRS + 2, ours + 1));
}

/// MUST-57, MUST-63: a SYN from, or to, what is no single host draws nothing; nor one from our own end.
fn what_is_no_host() {
    let world = World::new();
    let frames = Frames::new(&world);
    let service = Service::start(&["--echo", "--count", "1"]);
    let v4 = |a, b, c, d| IpAddr::from([a, b, c, d]);
    let far = IpAddr::from(FAR_V4);
    for source in [
        v4(255, 255, 255, 255),
        v4(224, 0, 0, 1),
        v4(0, 0, 0, 0),
        v4(0, 1, 2, 3),
        v4(240, 0, 0, 1),
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv6Addr::from([0xff02, 0, 0, 0, 0, 0, 0, 1]).into(),
    ] {
        let to = if source.is_ipv4() { NEAR_V4.into() } else { IpAddr::from(NEAR_V6) };
        frames.send((source, 1234).into(), (to, PORT).into(), &syn(SeqNum(7)));
    }
    frames.send((far, 0).into(), SERVICE, &syn(SeqNum(7)));
    frames.send(SERVICE, SERVICE, &syn(SeqNum(7))); // "land"
    for destination in [v4(255, 255, 255, 255), v4(10, 99, 0, 255), v4(224, 0, 0, 1), v4(10, 99, 0, 77)] {
        frames.send((far, 1234).into(), (destination, PORT).into(), &syn(SeqNum(7)));
        frames.send((far, 1234).into(), (destination, PORT).into(), &ack(SeqNum(7), SeqNum(7)));
    }
    for destination in [[0xff02, 0, 0, 0, 0, 0, 0, 1], [0xfd99, 0, 0, 0, 0, 0, 0, 0x77]] {
        let to = SocketAddr::from((Ipv6Addr::from(destination), PORT));
        frames.send((FAR_V6, 1234).into(), to, &syn(SeqNum(7)));
    }
    let lo = Capture::of_arrivals("lo");
    assert_eq!(talk(client(&world, SERVICE), b"hello"), b"hello");
    let run = service.finish();
    run.assert_ended(0, "completed");
    assert_eq!((&served(&run)["begun"], &served(&run)["cookies_sent"]), (&1.into(), &0.into()));
    assert_eq!(lo.segments(), []);
    let captured = world.capture.segments();
    let strange =
        captured.iter().filter(|seen| seen.destination.port() == 1234 || seen.destination.port() == 0);
    assert_eq!(strange.collect::<Vec<_>>(), Vec::<&crate::capture::Seen>::new());
}

/// E-01: it draws a RST, and the right one still opens.
fn a_wrong_acknowledgment() {
    let (world, mut peer, service) = listen(&["--echo", "--count", "1"]);
    peer.say(&syn(IRS));
    let ours = peer.hear().seq;
    for wrong in [ours, ours + 2, ours + 100_000] {
        peer.say(&ack(IRS + 1, wrong));
        let reset = peer.hear();
        assert_eq!((reset.flags, reset.seq), (Flags::RST, wrong));
    }
    peer.say(&ack(IRS + 1, ours + 1));
    close(&mut peer, ours + 1);
    let run = service.finish();
    run.assert_ended(0, "completed");
    assert_true(&run, &world.capture.segments());
}

/// E-02, B-09: nobody is told, nothing counts, and the next SYN is served.
fn a_reset_before_the_open() {
    let (world, mut peer, service) = listen(&["--echo", "--count", "1"]);
    peer.say(&syn(SeqNum(90)));
    assert_eq!(peer.hear().ack, SeqNum(91));
    peer.say(&Segment { seq: SeqNum(91), flags: Flags::RST, ..segment() });
    let ours = open(&mut peer);
    close(&mut peer, ours);
    let run = service.finish();
    assert_eq!(run.code, Some(0), "who never opened is no failure: {run:#?}");
    assert_eq!(outcomes(&run), ["not-opened", "completed"]);
    assert_eq!((&served(&run)["unopened"], &served(&run)["connections"]), (&1.into(), &1.into()));
    drop(world);
}

/// E-08: after the time for it, without a word, for the SYN may have been anybody's; an ACK then comes too late, and
/// others are served.
fn who_never_opens() {
    let (world, mut peer, mut service) = listen(&["--echo", "--count", "1", "--timeout", "0.4"]);
    peer.say(&syn(IRS));
    let syn_ack = peer.hear();
    service.until(|line| line["type"] == "end");
    peer.say(&ack(IRS + 1, syn_ack.seq + 1));
    let reset = peer.hear();
    assert_eq!(
        (reset.flags, reset.seq),
        (Flags::RST, syn_ack.seq + 1),
        "that of LISTEN, and no other before it"
    );
    assert_eq!(talk(client(&world, SERVICE), b"hello"), b"hello");
    let run = service.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(outcomes(&run), ["not-opened", "completed"]);
    assert_eq!((&served(&run)["unopened"], &served(&run)["connections"]), (&1.into(), &1.into()));
}

/// E-06: a client that has begun anew is half-open no more, and is answered at once.
fn another_syn_begins_anew() {
    let (world, mut peer, service) = listen(&["--echo", "--count", "1"]);
    peer.say(&syn(IRS));
    peer.hear();
    let next = IRS + 1000;
    peer.say(&syn(next));
    let syn_ack = peer.hear();
    assert_eq!((syn_ack.flags, syn_ack.ack), (Flags::SYN | Flags::ACK, next + 1));
    peer.say(&Segment { flags: Flags::FIN | Flags::ACK, ..ack(next + 1, syn_ack.seq + 1) });
    while !peer.hear().has(Flags::FIN) {}
    peer.say(&ack(next + 2, syn_ack.seq + 2));
    let run = service.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(outcomes(&run), ["not-opened", "completed"]);
    assert_eq!((&served(&run)["begun"], &served(&run)["unopened"]), (&2.into(), &1.into()));
    drop(world);
}

/// B-07: the same SYN again is the same client.
fn the_same_syn_again() {
    let (world, mut peer, service) = listen(&["--echo", "--count", "1"]);
    peer.say(&syn(IRS));
    let first = peer.hear();
    for _ in 0..3 {
        peer.say(&syn(IRS));
        let again = peer.hear();
        assert!(again == first || (again.flags, again.ack) == (Flags::ACK, IRS + 1), "{again:?}");
    }
    peer.say(&ack(IRS + 1, first.seq + 1));
    close(&mut peer, first.seq + 1);
    let run = service.finish();
    run.assert_ended(0, "completed");
    assert_eq!(served(&run)["begun"], 1, "{run:#?}");
    assert_true(&run, &world.capture.segments());
}

/// text or FIN with the ACK that opens, or instead of it.
fn what_comes_with_the_third_ack() {
    for (text_len, flags) in [(10, Flags::ACK), (0, Flags::FIN | Flags::ACK), (10, Flags::FIN | Flags::ACK)] {
        let (world, mut peer, service) = listen(&["--echo", "--count", "1"]);
        peer.say(&syn(IRS));
        let ours = peer.hear().seq + 1;
        let first = Segment { text_len, flags, ..ack(IRS + 1, ours) };
        peer.say(&first);
        if !flags.contains(Flags::FIN) {
            peer.say(&Segment { flags: Flags::FIN | Flags::ACK, ..ack(first.end(), ours) });
        }
        let fin = loop {
            let heard = peer.hear();
            if heard.has(Flags::FIN) {
                break heard;
            }
        };
        assert_eq!(fin.end(), ours + text_len + 1, "the echo, and the FIN");
        peer.say(&ack(IRS + 2 + text_len, fin.end()));
        let run = service.finish();
        run.assert_ended(0, "completed");
        assert_eq!(run.end()["text_received"], text_len);
        assert_true(&run, &world.capture.segments());
    }
}

/// G-01, G-10, RFC 5961: a RST or SYN that anybody could have guessed is asked about; the exact RST is obeyed.
fn challenges() {
    let (world, mut peer, service) = listen(&["--echo", "--count", "1"]);
    let ours = open(&mut peer);
    let challenge = |heard: Segment| (heard.flags, heard.seq, heard.ack, heard.text_len);
    let expected = (Flags::ACK, ours, IRS + 1, 0);
    for guess in [
        Segment { flags: Flags::RST, ..ack(IRS + 2, ours) },
        Segment { flags: Flags::RST, ..ack(IRS + 1 + 60_000, ours) },
        syn(IRS + 1),
        syn(IRS + 100_000),
        Segment { flags: Flags::SYN | Flags::ACK, ..ack(IRS, ours) },
        ack(IRS + 1, ours + 1), // of what was never sent
    ] {
        peer.say(&guess);
        assert_eq!(challenge(peer.hear()), expected, "{guess:?}");
    }
    peer.say(&Segment { seq: IRS, flags: Flags::RST, ..segment() }); // before the window: nothing
    peer.say(&Segment { seq: IRS + 1, flags: Flags::RST, ..segment() });
    let run = service.finish();
    run.assert_ended(6, "reset");
    assert_true(&run, &world.capture.segments());
}

/// G-14: no more than ten in five seconds, however many ask for it.
fn no_more_challenges_than_it_may() {
    let (world, mut peer, service) = listen(&["--echo", "--count", "1"]);
    let ours = open(&mut peer);
    world.capture.until(|seen| seen.flags == "ACK");
    for n in 0..200 {
        peer.say(&Segment { seq: IRS + 2 + n, flags: Flags::RST, ..segment() });
    }
    peer.say(&Segment { text_len: 1, ..ack(IRS + 1, ours) });
    let mut acks = 0;
    loop {
        let heard = peer.hear(); // its wire shows it RSTs of its own, too
        if heard.text_len > 0 {
            break;
        }
        acks += usize::from(heard.flags == Flags::ACK);
    }
    assert_eq!(acks, 10 + 1, "with that of the text");
    peer.say(&Segment { seq: IRS + 2, flags: Flags::RST, ..segment() });
    service.finish().assert_ended(6, "reset");
}

/// Whoever makes one up, or changes one, is met as by a port where nobody listens.
fn a_cookie_that_nobody_gave() {
    let (world, mut peer, service) = listen(&["--echo", "--count", "1", "--half-open", "0"]);
    peer.say(&ack(IRS + 1, SeqNum(4321)));
    assert_eq!(peer.hear().flags, Flags::RST, "before any was given");
    peer.say(&syn(IRS));
    let cookie = peer.hear().seq;
    for wrong in [ack(IRS + 1, cookie + 2), ack(IRS + 2, cookie + 1), ack(IRS + 1, cookie + (1 << 24) + 1)] {
        peer.say(&wrong);
        let reset = peer.hear();
        assert_eq!((reset.flags, reset.seq), (Flags::RST, wrong.ack));
    }
    peer.say(&Segment { flags: Flags::RST, ..ack(IRS + 1, cookie + 1) }); // takes nothing up
    peer.say(&ack(IRS + 1, cookie + 1));
    close(&mut peer, cookie + 1);
    let run = service.finish();
    run.assert_ended(0, "completed");
    assert_eq!((&served(&run)["begun"], &served(&run)["cookies_returned"]), (&1.into(), &1.into()));
    drop(world);
}

fn half_open_at_the_end() {
    let (world, mut peer, service) = listen(&["--echo", "--count", "1"]);
    peer.say(&syn(IRS));
    let syn_ack = peer.hear();
    assert_eq!(talk(client(&world, SERVICE), b"hello"), b"hello");
    let reset = peer.hear();
    assert_eq!((reset.flags, reset.seq), (Flags::RST | Flags::ACK, syn_ack.seq + 1));
    let run = service.finish();
    assert_eq!((run.code, &served(&run)["unopened"]), (Some(0), &1.into()), "{run:#?}");
    assert_true(&run, &world.capture.segments());
}

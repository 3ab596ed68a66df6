//! Peers that send garbage: it is shown, it changes nothing, and the exchange goes on.

use tcpshake::packet::checksum::Sum;
use tcpshake::tcp::{Flags, Opt, OptionsBuilder, Segment};

use crate::Named;
use crate::capture::assert_told_as_captured;
use crate::run::Run;
use crate::scripted::{IRS, Scripted, segment, start, syn_ack};
use crate::world::World;

pub(crate) const TESTS: &[Named] = &[
    ("c01_c02_wrong_acknowledgments_while_opening", c01_c02_wrong_acknowledgments_while_opening),
    ("l01_l02_bad_checksums_and_headers", l01_l02_bad_checksums_and_headers),
    ("g01_resets_beside_the_next_number", g01_resets_beside_the_next_number),
    ("g10_g11_syn_and_ack_of_unsent_data", g10_g11_syn_and_ack_of_unsent_data),
    ("o10_opened_then_reset", o10_opened_then_reset),
    ("h03_h04_repeated_fin_in_time_wait", h03_h04_repeated_fin_in_time_wait),
    ("h01_fin_never_acknowledged", h01_fin_never_acknowledged),
    ("n07_a_path_that_is_too_narrow", n07_a_path_that_is_too_narrow),
];

const ACK: Flags = Flags::ACK;

/// Four segments, the peer's part by hand.
fn close(peer: &mut Scripted) {
    let fin = peer.hear();
    assert_eq!(fin.flags, Flags::FIN | ACK);
    peer.say(&Segment { seq: IRS + 1, ack: fin.end(), flags: ACK, ..segment() });
    peer.say(&Segment { seq: IRS + 1, ack: fin.end(), flags: Flags::FIN | ACK, ..segment() });
    assert_eq!(peer.hear().ack, IRS + 2);
}

/// The segments told are those on the wire, and the near kernel stayed out of it.
fn assert_true(run: &Run, world: &World) {
    let captured = world.capture.segments();
    assert_told_as_captured(run, &captured);
    assert_eq!(run.end()["kernel_resets"], 0);
}

/// C-01, C-02, C-05: each draws a RST with its own number, and the SYN still counts.
fn c01_c02_wrong_acknowledgments_while_opening() {
    let (world, mut peer, running) = start(&[]);
    let syn = peer.hear();
    for wrong in [syn.seq, syn.seq + 2, syn.seq + 5000] {
        peer.say(&Segment { ack: wrong, ..syn_ack(&syn) });
        let reset = peer.hear();
        assert_eq!((reset.flags, reset.seq), (Flags::RST, wrong));
    }
    peer.say(&Segment { ack: syn.seq + 2, flags: Flags::RST | ACK, ..segment() });
    peer.say(&Segment { flags: Flags::RST, ..segment() });
    peer.say(&syn_ack(&syn));
    assert_eq!(peer.hear().flags, ACK);
    close(&mut peer);
    let run = running.finish();
    run.assert_ended(0, "completed");
    assert_true(&run, &world);
}

/// L-01, L-02, MUST-3: shown, and without effect.
fn l01_l02_bad_checksums_and_headers() {
    let (_world, mut peer, running) = start(&["--close", "passive"]);
    let syn = peer.hear();
    let mut bad_checksum = peer.packet(&syn_ack(&syn));
    bad_checksum[36] ^= 0xff;
    let mut bad_offset = peer.packet(&syn_ack(&syn));
    bad_offset[32] = 0xf0;
    for packet in [bad_checksum, bad_offset] {
        peer.say_packet(&packet);
    }
    peer.say(&syn_ack(&syn));
    assert_eq!(peer.hear().flags, ACK);
    let fin = Segment { seq: IRS + 1, ack: syn.seq + 1, flags: Flags::FIN | ACK, ..segment() };
    let mut spoiled = peer.packet(&fin);
    spoiled[37] ^= 1;
    peer.say_packet(&spoiled);
    peer.say(&fin);
    assert_eq!(peer.hear().flags, ACK);
    let ours = peer.hear();
    peer.say(&Segment { seq: IRS + 2, ack: ours.end(), flags: ACK, ..segment() });
    let run = running.finish();
    run.assert_ended(0, "completed");
    let faults: Vec<_> = run.steps().filter_map(|step| step["fault"].as_str()).collect();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults[0].contains("tcp: checksum") && faults[1].contains("60 octets needed"), "{faults:?}");
}

/// G-01: outside the window silence, inside a challenge; only the exact number resets.
fn g01_resets_beside_the_next_number() {
    let (world, mut peer, running) = start(&["--close", "passive"]);
    let ack = peer.open();
    let reset = Segment { seq: IRS + 1, flags: Flags::RST, ..segment() };
    peer.say(&Segment { seq: IRS, ..reset });
    peer.say(&Segment { seq: IRS + 1 + 70_000, ..reset });
    peer.say(&Segment { seq: IRS + 2, ..reset });
    let challenge = peer.hear();
    assert_eq!((challenge.flags, challenge.seq, challenge.ack), (ACK, ack.seq, IRS + 1));
    peer.say(&reset);
    let run = running.finish();
    run.assert_ended(6, "reset");
    assert_eq!(run.end()["state"], "ESTABLISHED");
    let clauses: Vec<_> = run.steps().filter_map(|step| step["clause"]["name"].as_str()).skip(3).collect();
    assert_eq!(
        clauses,
        ["SeqUnacceptableRst", "SeqUnacceptableRst", "RstChallenged", "RstChallenged", "RstResets"]
    );
    assert_true(&run, &world);
}

/// G-10, G-11.
fn g10_g11_syn_and_ack_of_unsent_data() {
    let (world, mut peer, running) = start(&["--close", "passive"]);
    let ack = peer.open();
    for strange in [
        Segment { seq: IRS + 1, flags: Flags::SYN, ..segment() },
        Segment { seq: IRS + 1, ack: ack.seq + 1, flags: ACK, ..segment() },
    ] {
        peer.say(&strange);
        let challenge = peer.hear();
        assert_eq!((challenge.flags, challenge.seq, challenge.ack), (ACK, ack.seq, IRS + 1));
    }
    peer.say(&Segment { seq: IRS + 1, flags: Flags::RST, ..segment() });
    let run = running.finish();
    run.assert_ended(6, "reset");
    assert_true(&run, &world);
}

/// O-10: what a port knocker or a full server does.
fn o10_opened_then_reset() {
    let (world, mut peer, running) = start(&[]);
    peer.open();
    let fin = peer.hear();
    peer.say(&Segment { seq: fin.ack, flags: Flags::RST, ..segment() });
    let run = running.finish();
    run.assert_ended(6, "reset");
    assert_true(&run, &world);
}

/// H-04, I-01: our last ACK is lost, so to say; what is kept of TIME-WAIT answers the FIN again.
fn h03_h04_repeated_fin_in_time_wait() {
    let (world, mut peer, mut running) = start(&["--linger", "20000"]);
    peer.open();
    let fin = peer.hear();
    let answer = Segment { seq: IRS + 1, ack: fin.end(), flags: Flags::FIN | ACK, ..segment() };
    peer.say(&answer);
    let last = peer.hear();
    running.until(|line| line["type"] == "end");
    peer.say(&answer);
    assert_eq!(peer.hear(), last);
    running.until(|line| line["type"] == "step" && line["direction"] == "sent");
    running.signal(nix::sys::signal::Signal::SIGINT);
    let run = running.finish();
    assert_eq!(run.end()["outcome"], "completed");
    let late: Vec<_> = run.steps().filter(|step| step["late"] == true).collect();
    assert_eq!(late.len(), 2);
    assert_eq!(late[0]["clause"]["name"], "FinRepeated");
    assert_true(&run, &world);
}

/// H-01: the FIN is sent again, and given up.
fn h01_fin_never_acknowledged() {
    let (world, mut peer, running) = start(&["--retries", "1", "--timeout", "15"]);
    peer.open();
    let fin = peer.hear();
    assert_eq!(peer.hear(), fin, "the same again");
    let run = running.finish();
    run.assert_ended(7, "close-incomplete");
    assert_eq!(run.end()["state"], "FIN-WAIT-1");
    assert!(run.end()["verdict"].as_str().unwrap().contains("did not acknowledge our FIN"));
    assert_true(&run, &world);
}

/// What a router says to the sender of `packet`, for which its next link has no room.
fn too_large(peer: &Scripted, packet: &[u8], mtu: u16) -> Vec<u8> {
    const HEADER: usize = 20;
    const QUOTED: usize = HEADER + 8;
    const ICMP: u8 = 1;
    let mut message = vec![3, 4, 0, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend(&packet[..QUOTED]);
    let checksum = Sum::default().octets(&message).checksum();
    message[2..4].copy_from_slice(&checksum.to_be_bytes());

    let mut octets = peer.packet(&Segment::default());
    octets.truncate(HEADER);
    octets[9] = ICMP;
    octets[2..4].copy_from_slice(&((HEADER + message.len()) as u16).to_be_bytes());
    octets[10..12].fill(0);
    let checksum = Sum::default().octets(&octets).checksum();
    octets[10..12].copy_from_slice(&checksum.to_be_bytes());
    octets.extend(message);
    octets
}

/// N-07: a router's word gets through to the program, which goes on with segments that fit.
fn n07_a_path_that_is_too_narrow() {
    let text = "x".repeat(2920);
    let (world, mut peer, running) = start(&["--send", &text]);
    let syn = peer.hear();
    let mss = OptionsBuilder::default().push(Opt::Mss(1460)).unwrap().build();
    peer.say(&Segment { options: mss, ..syn_ack(&syn) });
    let sent: Vec<_> = (0..4).map(|_| peer.hear()).collect();
    assert_eq!(sent.iter().map(|segment| segment.text_len).collect::<Vec<_>>(), [0, 1460, 1460, 0]);
    peer.say_packet(&too_large(&peer, &peer.packet_of_client(&sent[1]), 1400));
    let again: Vec<_> = (0..3).map(|_| peer.hear()).collect();
    assert_eq!(again.iter().map(|segment| segment.text_len).collect::<Vec<_>>(), [1360, 1360, 200]);
    let end = again[2].end();
    assert_eq!(end, sent[3].end(), "the FIN goes with the last of it");
    peer.say(&Segment { seq: IRS + 1, ack: end, flags: Flags::FIN | ACK, ..segment() });
    assert_eq!(peer.hear().ack, IRS + 2);
    let run = running.finish();
    run.assert_ended(0, "completed");
    let icmp = &run.steps().find(|step| step["event"] == "icmp").unwrap()["icmp"];
    assert_eq!((&icmp["code"], &icmp["mtu"], &icmp["effect"]), (&4.into(), &1400.into(), &"noted".into()));
    assert!(run.steps().any(|step| step["clause"]["name"] == "PathNarrow"));
    assert_true(&run, &world);
}

//! The variables of both ends, from segments alone.

use std::time::Duration;

use tcpshake::capture::Perspective;
use tcpshake::record::{Step, View};
use tcpshake::tcp::{Clause, Flags, Opt, Options, OptionsBuilder, State};

use crate::support::{
    ACK, CLIENT_ISS, FIN_ACK, From, MILLISECOND, Packets, RST, SERVER_ISS, SYN, SYN_ACK, WINDOW, steps,
    steps_from,
};

const LONG: Duration = Duration::from_secs(5);

fn of_client(packets: &Packets) -> Vec<Step> {
    steps(&packets.pcap(), 1)
}

fn of_server(packets: &Packets) -> Vec<Step> {
    steps_from(&packets.pcap(), 1, Perspective::Server)
}

fn last(steps: &[Step]) -> &Step {
    steps.last().unwrap()
}

/// SND.UNA, SND.NXT and the end of what was queued, counted from ISS.
fn sent(view: &View) -> [i32; 3] {
    let snd = view.snd;
    [snd.una, snd.nxt, snd.end].map(|number| number - snd.iss)
}

/// All packets from the n-th on come so much later.
fn delay(packets: &mut Packets, n: usize, by: Duration) {
    packets.seen[n..].iter_mut().for_each(|seen| seen.at += by);
}

fn options(options: &[Opt<'_>]) -> Options {
    let push = |built: OptionsBuilder, option: &Opt<'_>| built.push(*option).unwrap();
    options.iter().fold(OptionsBuilder::default(), push).build()
}

#[test]
fn a_capture_that_begins_in_the_midst_counts_from_there() {
    let mut packets = Packets::default();
    packets.send(From::Server, ACK, 5001, 7001, b"text");
    let before = of_client(&packets)[0].before.view;
    assert_eq!(sent(&before), [1, 1, 1]);
    assert_eq!((before.rcv.irs, before.rcv.nxt - before.rcv.irs), (SERVER_ISS + 5000, 1));
}

/// Until an end shows its window, and in a capture without SYNs its scale, what is sent to it is within it.
#[test]
fn a_window_that_is_not_known_is_the_largest() {
    let mut packets = Packets::default();
    packets.send(From::Client, ACK, 1, 1, b"text");
    packets.send(From::Client, ACK, 200_001, 1, b"text");
    assert_eq!(last(&of_server(&packets)).clause, Some(Clause::TextHeld));
}

#[test]
fn what_is_acknowledged_was_sent_unless_it_is_far_away_or_old() {
    let mut packets = Packets::default();
    packets.open().send(From::Client, ACK, 1, 1, b"hello");
    for (ack, expected) in
        [(1, [1, 6, 6]), (20, [20, 20, 20]), (20 + (1 << 30), [20, 20, 20]), (1, [20, 20, 20])]
    {
        packets.send(From::Server, ACK, 1, ack, b"");
        assert_eq!(sent(&last(&of_client(&packets)).view), expected, "{ack}");
    }
}

/// A FIN is the last: an acknowledgment beyond it is of nothing.
#[test]
fn nothing_was_sent_behind_a_fin() {
    let mut packets = Packets::default();
    packets.open().send(From::Client, FIN_ACK, 1, 1, b"").send(From::Server, ACK, 1, 20, b"");
    assert_eq!(sent(&last(&of_client(&packets)).view), [1, 2, 1]);
}

#[test]
fn the_third_segment_shows_the_second() {
    let mut packets = Packets::default();
    packets.send(From::Client, SYN, 0, 0, b"").send(From::Client, ACK, 1, 1, b"");
    let View { rcv, .. } = last(&of_client(&packets)).view;
    assert_eq!((rcv.irs, rcv.nxt), (SERVER_ISS, SERVER_ISS + 1));
    assert_eq!(sent(&last(&of_client(&packets)).view), [1, 1, 1]);
}

/// Neither the SYN,ACK nor what followed it was captured.
#[test]
fn an_acknowledgment_of_text_shows_an_open() {
    let mut packets = Packets::default();
    packets.send(From::Client, SYN, 0, 0, b"").send(From::Server, ACK, 1, 6, b"");
    let server = of_server(&packets);
    assert_eq!(last(&server).state, State::Established);
    assert_eq!((last(&server).view.rcv.irs, last(&server).view.rcv.nxt), (CLIENT_ISS, CLIENT_ISS + 6));
}

#[test]
fn what_is_sent_moves_on_and_never_back() {
    let mut packets = Packets::default();
    packets.open().send(From::Client, ACK, 1, 1, b"hello");
    assert_eq!(sent(&last(&of_client(&packets)).view), [1, 6, 6]);
    packets.send(From::Client, ACK, 1, 1, b"he");
    assert_eq!(sent(&last(&of_client(&packets)).view), [1, 6, 6]);
    packets.send(From::Client, FIN_ACK, 6, 1, b"").send(From::Client, ACK, 6, 1, b"more");
    assert_eq!(sent(&last(&of_client(&packets)).view)[2], 6, "behind a FIN there is nothing");
}

/// RFC 6298 section 3, Karn's algorithm.
#[test]
fn round_trips_are_measured_of_what_was_sent_once() {
    let timeout = |repeated: &[u8]| {
        let mut packets = Packets::default();
        packets.open().send(From::Client, ACK, 1, 1, b"hello").send(From::Client, ACK, 6, 1, b"");
        if !repeated.is_empty() {
            packets.send(From::Client, ACK, 1, 1, repeated);
        }
        packets.send(From::Server, ACK, 1, 6, b"");
        let answer = packets.seen.len() - 1;
        delay(&mut packets, answer, LONG);
        last(&of_client(&packets)).view.rto
    };
    assert!(timeout(b"") > LONG / 2);
    assert_eq!(timeout(b"hello"), Duration::from_secs(1));
}

#[test]
fn round_trips_are_measured_of_a_syn_that_was_sent_once() {
    let mut once = Packets::default();
    once.send(From::Client, SYN, 0, 0, b"").send(From::Server, SYN_ACK, 0, 1, b"");
    delay(&mut once, 1, LONG);
    assert!(last(&of_client(&once)).view.rto > LONG);
    let mut twice = Packets::default();
    twice.open();
    twice.seen.insert(2, twice.seen[1].clone());
    twice.seen[2].octets[4..6].copy_from_slice(&[7, 7]); // another identification: no duplicate of the network's
    twice.seen[2].at += MILLISECOND / 2;
    delay(&mut twice, 3, LONG);
    assert_eq!(last(&of_server(&twice)).view.rto, Duration::from_secs(3), "RFC 6298 section 5.7");
}

#[test]
fn the_server_is_told_by_the_same_rules() {
    let mut packets = Packets::default();
    packets.open();
    let steps = of_server(&packets);
    let clauses: Vec<_> = steps.iter().map(|step| step.clause).collect();
    assert_eq!(clauses, [Clause::ListenTakesSyn, Clause::ListenTakesSyn, Clause::AckOpens].map(Some));
    assert_eq!(sent(&steps[1].view), [0, 1, 1]);
    assert_eq!(steps[1].view.snd.iss, SERVER_ISS);
}

#[test]
fn a_syn_ack_shows_the_syn() {
    let mut packets = Packets::default();
    packets.send(From::Server, SYN_ACK, 0, 1, b"");
    let step = &of_server(&packets)[0];
    assert_eq!((step.state, step.view.rcv.irs), (State::SynReceived, CLIENT_ISS));
    assert_eq!(sent(&step.view), [0, 1, 1]);
}

/// A repeated SYN is answered as the first was, and changes nothing.
#[test]
fn a_syn_comes_twice() {
    let mut packets = Packets::default();
    for clause in [Clause::ListenTakesSyn, Clause::SynRepeated] {
        packets.send(From::Client, SYN, 0, 0, b"").send(From::Server, SYN_ACK, 0, 1, b"");
        let (server, ends) = (of_server(&packets), last(&of_client(&packets)).state);
        assert_eq!(
            server.iter().rev().take(2).map(|step| step.clause).collect::<Vec<_>>(),
            [Some(clause); 2]
        );
        assert_eq!((last(&server).state, ends), (State::SynReceived, State::Established));
    }
    let mut unanswered = Packets::default();
    unanswered.send(From::Client, SYN, 0, 0, b"").send(From::Client, SYN, 0, 0, b"");
    assert_eq!(last(&of_client(&unanswered)).state, State::SynSent);
}

/// RFC 9293 figure 7: two SYNs cross, whatever else comes before the second.
#[test]
fn syns_cross() {
    for between in [None, Some(Flags::PSH), Some(SYN | RST)] {
        let mut packets = Packets::default();
        packets.send(From::Client, SYN, 0, 0, b"");
        if let Some(flags) = between {
            packets.send(From::Client, flags, 50_000, 0, b"");
        }
        packets.send(From::Server, SYN, 0, 0, b"");
        let steps = of_server(&packets);
        let Step { state, view, .. } = last(&steps);
        assert_eq!(
            (*state, sent(view), view.rcv.irs),
            (State::SynReceived, [0, 1, 1], CLIENT_ISS),
            "{between:?}"
        );
    }
}

/// RFC 9293 section 3.4: text on a SYN has numbers behind it; a FIN on a SYN is none.
#[test]
fn a_syn_carries_text() {
    for (flags, text, nxt) in [(SYN, &b""[..], 1), (SYN, b"hello", 6), (SYN | Flags::FIN, b"hello", 6)] {
        let mut packets = Packets::default();
        packets.send(From::Client, flags, 0, 0, text);
        assert_eq!(sent(&of_client(&packets)[0].view), [0, nxt, nxt], "{flags:?}, {text:?}");
    }
}

/// RFC 7323 section 2.2: windows are scaled if both SYNs say so.
#[test]
fn windows_are_scaled_if_both_say_so() {
    let (scales, plain) = (options(&[Opt::WindowScale(3)]), Options::NONE);
    for (server_options, scale) in [(scales, 3), (plain, 0)] {
        let mut packets = Packets::default();
        packets.send_with(scales, From::Client, SYN, 0, 0, b"");
        packets.send_with(server_options, From::Server, SYN_ACK, 0, 1, b"");
        packets.send_with(plain, From::Client, ACK, 1, 1, b"");
        let (client, server) = (of_client(&packets), of_server(&packets));
        let window = u32::from(WINDOW);
        // Neither SYN's own window is scaled, and the server has sent nothing else.
        for (step, announced) in [(last(&client), window << scale), (last(&server), window)] {
            assert_eq!((step.view.snd_scale, step.view.rcv.wnd.get()), (scale, announced));
        }
    }
}

/// RFC 7323 section 5: who agreed on timestamps drops what is older than the latest.
#[test]
fn old_timestamps_are_seen_where_they_were_agreed_on() {
    let stamp = |value| options(&[Opt::Timestamps { value, echo: 0 }]);
    for (agreed, clause) in [(stamp(1000), Clause::PawsOld), (Options::NONE, Clause::TextAccepted)] {
        let mut packets = Packets::default();
        packets.send_with(stamp(1000), From::Client, SYN, 0, 0, b"");
        packets.send_with(agreed, From::Server, SYN_ACK, 0, 1, b"");
        packets.send_with(agreed, From::Client, ACK, 1, 1, b"");
        packets.send_with(stamp(999), From::Client, ACK, 1, 1, b"hello");
        assert_eq!(last(&of_server(&packets)).clause, Some(clause));
        packets.send_with(stamp(999), From::Server, ACK, 1, 1, b"hello");
        assert_eq!(last(&of_client(&packets)).clause, Some(clause));
    }
}

/// Who answers a SYN with a RST and nothing else was in CLOSED; who had answered it before aborts.
#[test]
fn a_reset_is_a_refusal_or_an_abort() {
    let mut refused = Packets::default();
    refused.send(From::Client, SYN, 0, 0, b"").send(From::Server, RST, 0, 0, b"");
    assert_eq!(last(&of_server(&refused)).clause, Some(Clause::ClosedSendsRst));
    let mut aborted = Packets::default();
    aborted.send(From::Client, SYN, 0, 0, b"").send(From::Server, SYN_ACK, 0, 1, b"");
    aborted.send(From::Server, RST, 1, 0, b"");
    assert_eq!(last(&of_server(&aborted)).clause, Some(Clause::Abort));
    let mut open = Packets::default();
    open.open().send(From::Server, RST, 1, 0, b"");
    assert_eq!(last(&of_server(&open)).clause, Some(Clause::Abort));
}

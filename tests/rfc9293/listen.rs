//! 3.10.7.2: LISTEN.

use tcpshake::tcp::{Clause as C, Flags, Opt, State as S};

use crate::support::*;

/// D-01, D-02, D-03, D-04, D-05.
#[test]
fn d01_d02_d03_d04_d05_listen_anything_but_a_syn() {
    let xmas = Flags::FIN | Flags::PSH | Flags::URG;
    each(
        listen,
        &[
            (ack(7, 5), S::Listen, "R 5", C::ListenRefusesAck),
            (ack(7, 0), S::Listen, "R 0", C::ListenRefusesAck),
            (ack(7, 1).text(9), S::Listen, "R 1", C::ListenRefusesAck),
            (fin(7, 5), S::Listen, "R 5", C::ListenRefusesAck),
            (syn_ack(7, 5), S::Listen, "R 5", C::ListenRefusesAck),
            (rst(7), S::Listen, "", C::ListenIgnoresRst),
            (rst_ack(7, 1), S::Listen, "", C::ListenIgnoresRst),
            (bits(Flags::NONE, 7, 0), S::Listen, "", C::ListenDrops),
            (bits(Flags::FIN, 7, 0), S::Listen, "", C::ListenDrops),
            (bits(Flags::PSH, 7, 0).text(9), S::Listen, "", C::ListenDrops),
            (bits(xmas, 7, 0).text(9), S::Listen, "", C::ListenDrops),
        ],
    );
}

/// A-02, D-06, D-07, O-06: only the SYN counts, what else it carries comes again.
#[test]
fn a02_d06_d07_listen_syn() {
    let kamikaze = syn(0).flag(Flags::URG | Flags::PSH).fin().text(3);
    each(
        listen,
        &[
            (syn(0), S::SynReceived, "S. 0 ack 1", C::ListenTakesSyn),
            (syn(0).fin(), S::SynReceived, "S. 0 ack 1", C::ListenTakesSyn),
            (syn(0).text(100), S::SynReceived, "S. 0 ack 1", C::ListenTakesSyn),
            (kamikaze, S::SynReceived, "S. 0 ack 1", C::ListenTakesSyn),
            (syn(0).flag(Flags::RST), S::Listen, "", C::ListenIgnoresRst),
            // O-05: no ECN is granted.
            (syn(0).flag(Flags::ECE | Flags::CWR), S::SynReceived, "S. 0 ack 1", C::ListenTakesSyn),
        ],
    );
}

/// D-06: the FIN that stood on the SYN is processed when it comes again.
#[test]
fn d06_listen_syn_fin_then_the_fin_again() {
    script(
        listen,
        &[
            (syn(0).fin(), S::SynReceived, "S. 0 ack 1", C::ListenTakesSyn),
            (fin(1, 1), S::CloseWait, ". 1 ack 2", C::FinAccepted),
        ],
    );
}

/// 3.10.7.2 third: the variables a SYN sets.
#[test]
fn listen_syn_sets_both_sequence_spaces() {
    for place in everywhere() {
        let rig = syn_received_passive(place);
        let (snd, rcv) = (rig.tcb.snd(), rig.tcb.rcv());
        assert_eq!((snd.iss, snd.una, snd.nxt), (place.iss, place.iss, place.iss + 1));
        assert_eq!((rcv.irs, rcv.nxt), (place.irs, place.irs + 1));
    }
}

/// B-07: a second identical SYN opens nothing new.
#[test]
fn b07_listen_syn_twice() {
    script(
        listen,
        &[
            (syn(0), S::SynReceived, "S. 0 ack 1", C::ListenTakesSyn),
            (syn(0), S::SynReceived, "S. 0 ack 1", C::SynRepeated),
            (ack(1, 1), S::Established, "", C::AckOpens),
        ],
    );
}

/// B-09: RFC 9293 figure 8, an old duplicate SYN before the real one.
#[test]
fn b09_listen_old_duplicate_syn_then_the_real_one() {
    script(
        listen,
        &[
            (syn(90), S::SynReceived, "S. 0 ack 91", C::ListenTakesSyn),
            (rst(91), S::Listen, "", C::RstReturnsToListen),
            (syn(100), S::SynReceived, "S. 250000 ack 101", C::ListenTakesSyn),
            (ack(101, 250_001), S::Established, "", C::AckOpens),
        ],
    );
}

/// B-09, E-02: nothing the first SYN said lives on in the connection of the second.
#[test]
fn e02_listen_forgets_the_options_of_the_syn_before() {
    let full = [Opt::Mss(100), Opt::SackPermitted, Opt::WindowScale(7)];
    for place in everywhere() {
        let listening = listen(place).with(&[syn(0).win(9000).opt(&full), rst(1)]).recounted();
        let [fresh, reused] = [listen(place), listening].map(|rig| rig.with(&[syn(50), ack(51, 1).win(900)]));
        assert_eq!(reused.tcb.snd_scale().get(), 0);
        assert_eq!(reused.tcb.rcv(), fresh.tcb.rcv());
        assert_eq!(reused.clone_sending(600), fresh.clone_sending(600));
    }
}

/// E-02, MUST-65, K-08: what is granted depends on the second SYN alone.
#[test]
fn e02_k08_listen_grants_what_the_second_syn_offers() {
    let full = [Opt::Mss(100), Opt::SackPermitted, Opt::WindowScale(7)];
    for (first, second) in [(&full[..], &[][..]), (&[], &full), (&full, &full)] {
        let granted = |rig: Rig| { rig }.on(syn(50).opt(second)).0.segment.unwrap().options;
        let reused = listen(WRAP).with(&[syn(0).opt(first), rst(1)]);
        assert_eq!(granted(reused), granted(listen(WRAP)), "{first:?} then {second:?}");
    }
}

/// E-02, RFC 5961 5.2: MAX.SND.WND is what this peer announced, not the one before.
#[test]
fn e02_g12_listen_forgets_the_window_of_the_syn_before() {
    for place in everywhere() {
        let listening = listen(place).with(&[syn(0).win(9000), rst(1)]).recounted();
        let [fresh, reused] =
            [listen(listening.place), listening].map(|rig| rig.with(&[syn(50), ack(51, 1).win(900)]));
        assert_eq!(reused.tcb.snd(), fresh.tcb.snd());
        let (reaction, _) = { reused }.on(ack(51, -5000));
        assert_eq!(reaction.clause, C::AckOutOfRange);
    }
}

/// MUST-65, SHLD-5: what the SYN offers is granted in the SYN,ACK, and nothing else.
#[test]
fn must_65_shld_5_listen_grants_only_what_was_offered() {
    for (offered, scale, sack) in [
        (&[][..], false, false),
        (&[Opt::Mss(1460)][..], false, false),
        (&[Opt::WindowScale(3)][..], true, false),
        (&[Opt::SackPermitted][..], false, true),
        (&[Opt::SackPermitted, Opt::WindowScale(3)][..], true, true),
    ] {
        let mut rig = listen(WRAP);
        let (reaction, _) = rig.on(syn(0).opt(offered));
        let granted = reaction.segment.unwrap().options.syn();
        assert!(granted.mss.is_some(), "{offered:?}");
        assert_eq!((granted.window_scale.is_some(), granted.sack_permitted), (scale, sack), "{offered:?}");
        assert_eq!(granted.timestamps, None);
    }
}

//! What is out of the ordinary has its name.

use tcpshake::lesson;
use tcpshake::record::connection::Remark;
use tcpshake::record::{Event, Role};
use tcpshake::tcp::{Segment, State, UnscaledWindow};

use crate::support::{
    ACK, CLIENT_ISS, From, Packets, RST, SERVER_ISS, client, remarks, server, states, steps,
};

const TEXT: &[u8] = &[b'x'; 100];

#[test]
fn a_retransmission_and_how_often_it_was_one() {
    let mut packets = Packets::default();
    packets.open();
    for _ in 0..3 {
        packets.send(From::Client, ACK, 1, 1, TEXT);
    }
    let steps = steps(&packets.pcap(), 1);
    assert_eq!(remarks(&steps)[3..], [None, Some(Remark::Retransmission), Some(Remark::Retransmission)]);
    let times: Vec<u8> = steps
        .iter()
        .map(|step| if let Event::Sent { retransmission, .. } = step.event { retransmission } else { 0 })
        .collect();
    assert_eq!(times[3..], [0, 1, 2]);
}

#[test]
fn the_same_packet_twice_is_a_duplicate() {
    let mut packets = Packets::default();
    packets.open().send(From::Server, ACK, 1, 1, TEXT);
    let again = packets.seen[3].clone();
    packets.seen.push(again);
    let steps = steps(&packets.pcap(), 1);
    assert_eq!(remarks(&steps)[4], Some(Remark::Duplicate));
    assert_eq!((steps[4].clause, steps[4].view), (None, steps[3].view), "it may not have come twice");
}

#[test]
fn a_gap_and_what_fills_it() {
    let mut packets = Packets::default();
    packets.open();
    packets.send(From::Server, ACK, 101, 1, TEXT);
    packets.send(From::Client, ACK, 1, 1, b"");
    packets.send(From::Server, ACK, 1, 1, TEXT);
    packets.send(From::Client, ACK, 1, 201, b"");
    assert_eq!(
        remarks(&steps(&packets.pcap(), 1))[3..],
        [Some(Remark::Gap { octets: 100 }), Some(Remark::RepeatedAck), Some(Remark::OutOfOrder), None]
    );
}

#[test]
fn what_the_capture_lacks_is_told_by_its_acknowledgment() {
    let mut packets = Packets::default();
    packets.open();
    packets.send(From::Client, ACK, 1, 301, b"");
    packets.send(From::Server, ACK, 401, 1, TEXT);
    packets.send(From::Client, ACK, 1, 501, b"");
    let unseen = |octets| Some(Remark::AcknowledgesUnseen { octets });
    let steps = steps(&packets.pcap(), 1);
    assert_eq!(remarks(&steps)[3..], [unseen(300), Some(Remark::Gap { octets: 100 }), unseen(100)]);
    assert_eq!(states(&steps)[5], (State::Established, Some(State::Established)));
}

#[test]
fn keep_alive_closed_window_and_reset() {
    let mut packets = Packets::default();
    packets.open();
    packets.send(From::Client, ACK, 0, 1, b"");
    let shut = Segment {
        seq: SERVER_ISS + 1,
        ack: CLIENT_ISS + 1,
        flags: ACK,
        window: UnscaledWindow(0),
        ..Segment::default()
    };
    packets.segment(server(), client(), &shut, b"");
    packets.send(From::Server, RST, 1, 1, b"");
    assert_eq!(
        remarks(&steps(&packets.pcap(), 1))[3..],
        [Some(Remark::KeepAlive), Some(Remark::WindowClosed), Some(Remark::Reset)]
    );
}

#[test]
fn an_ordinary_connection_has_nothing_to_remark() {
    let mut packets = Packets::default();
    packets.open().send(From::Client, ACK, 1, 1, TEXT);
    packets.send(From::Server, ACK, 1, 101, TEXT).close(100, 100);
    let found = remarks(&steps(&packets.pcap(), 1));
    assert!(found.iter().all(Option::is_none), "{found:?}");
}

/// What no one rule explains has a sentence all the same, with what is out of the ordinary about it.
#[test]
fn what_is_remarked_is_said_in_a_sentence() {
    let mut packets = Packets::default();
    packets.open().send(From::Client, ACK, 1, 1, b"hello").send(From::Client, ACK, 1, 1, b"hello");
    let steps = steps(&packets.pcap(), 1);
    let last = lesson::sentence(Role::Active, steps.last().unwrap());
    assert!(last.contains("5 octets") && last.ends_with("begins with what was sent before."), "{last}");
    assert!(last.contains("Retransmission: "), "{last}");
}

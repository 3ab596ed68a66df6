//! 3.10.7.1: no connection.

use tcpshake::tcp::{Clause as C, Flags, State as S, answer_in_closed};

use crate::support::*;

fn rows() -> Vec<Row> {
    vec![
        (syn(0), S::Closed, "R. 0 ack 1", C::ClosedSendsRst),
        (syn(0).text(3), S::Closed, "R. 0 ack 4", C::ClosedSendsRst),
        (syn(0).fin().text(3), S::Closed, "R. 0 ack 5", C::ClosedSendsRst),
        (bits(Flags::FIN, 0, 77), S::Closed, "R. 0 ack 1", C::ClosedSendsRst),
        (bits(Flags::NONE, 0, 77), S::Closed, "R. 0 ack 0", C::ClosedSendsRst),
        (bits(Flags::PSH, 0, 77).text(3), S::Closed, "R. 0 ack 3", C::ClosedSendsRst),
        (ack(0, 5), S::Closed, "R 5", C::ClosedSendsRst),
        (ack(0, -1).text(9), S::Closed, "R -1", C::ClosedSendsRst),
        (syn_ack(0, 5), S::Closed, "R 5", C::ClosedSendsRst),
        (fin(0, 5).text(2), S::Closed, "R 5", C::ClosedSendsRst),
        (rst(0), S::Closed, "", C::ClosedDiscardsRst),
        (rst_ack(0, 5), S::Closed, "", C::ClosedDiscardsRst),
        (rst(0).flag(Flags::SYN | Flags::FIN).text(1), S::Closed, "", C::ClosedDiscardsRst),
    ]
}

/// D-08.
#[test]
fn d08_closed_segment_is_answered_with_a_rst_its_sender_accepts() {
    each(closed, &rows());
}

/// D-08: the same for a host that keeps no control block.
#[test]
fn d08_no_tcb_is_answered_as_closed() {
    for place in everywhere() {
        let rig = closed(place);
        for (event, _, reply, clause) in rows() {
            let (answer, decided) = answer_in_closed(&rig.absolute(event.segment()));
            let answer = answer.map(|segment| rig.show(&segment)).unwrap_or_default();
            assert_eq!((answer.as_str(), decided), (reply, clause), "{event:?}");
        }
    }
}

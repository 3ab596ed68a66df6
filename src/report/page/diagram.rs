//! The state diagram (RFC 9293 figure 5) as a picture, and the way an exchange takes through it.
//!
//! As in the figure, CLOSED stands twice: before the first segment and after the last.

use crate::record::Step;
use crate::tcp::State;

/// A box of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    /// Its name in the page's data.
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
}

/// An arrow of the picture, as the figure words it.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// `SYN-SENT>ESTABLISHED`.
    pub(super) key: String,
    pub(super) label: &'static str,
    /// From here ...
    pub(super) from: [f64; 2],
    /// ... to the middle of the head's base ...
    pub(super) to: [f64; 2],
    /// ... and the head.
    pub(super) head: [[f64; 2]; 3],
}

/// Of the picture, in units of its own.
pub(super) const WIDTH: f64 = 310.0;
pub(super) const HEIGHT: f64 = 344.0;
pub(super) const BOX_HEIGHT: f64 = 26.0;
const WIDE: f64 = 94.0;
/// So that arrows pass beside it.
const SLIM: f64 = 60.0;

/// The second CLOSED.
const CLOSED_AGAIN: &str = "CLOSED-AGAIN";

const LEFT: f64 = 48.0;
const MIDDLE: f64 = 155.0;
const RIGHT: f64 = 262.0;

const fn node(state: State, x: f64, y: f64) -> Node {
    let width = if matches!(state, State::Closed | State::Listen) { SLIM } else { WIDE };
    Node { key: state.name(), label: state.name(), x, y, width }
}

/// The boxes, where the figure has them.
pub(super) const NODES: [Node; 12] = [
    node(State::Closed, MIDDLE, 18.0),
    node(State::Listen, MIDDLE, 72.0),
    node(State::SynReceived, LEFT, 120.0),
    node(State::SynSent, RIGHT, 120.0),
    node(State::Established, MIDDLE, 170.0),
    node(State::FinWait1, LEFT, 222.0),
    node(State::CloseWait, RIGHT, 222.0),
    node(State::FinWait2, LEFT, 274.0),
    node(State::Closing, MIDDLE, 274.0),
    node(State::LastAck, RIGHT, 274.0),
    node(State::TimeWait, MIDDLE, 326.0),
    Node { key: CLOSED_AGAIN, ..node(State::Closed, RIGHT, 326.0) },
];

/// The arrows of the figure: from, to, and what makes a connection walk them.
const ARROWS: [(&str, &str, &str); 20] = [
    ("CLOSED", "LISTEN", "passive OPEN"),
    ("LISTEN", "CLOSED", "CLOSE"),
    ("CLOSED", "SYN-SENT", "active OPEN, send SYN"),
    ("SYN-SENT", "CLOSED", "CLOSE"),
    ("LISTEN", "SYN-RECEIVED", "receive SYN, send SYN,ACK"),
    ("SYN-RECEIVED", "LISTEN", "receive RST"),
    ("LISTEN", "SYN-SENT", "SEND, send SYN"),
    ("SYN-SENT", "SYN-RECEIVED", "receive SYN, send SYN,ACK"),
    ("SYN-SENT", "ESTABLISHED", "receive SYN,ACK, send ACK"),
    ("SYN-RECEIVED", "ESTABLISHED", "receive ACK of SYN"),
    ("SYN-RECEIVED", "FIN-WAIT-1", "CLOSE, send FIN"),
    ("ESTABLISHED", "FIN-WAIT-1", "CLOSE, send FIN"),
    ("ESTABLISHED", "CLOSE-WAIT", "receive FIN, send ACK"),
    ("FIN-WAIT-1", "FIN-WAIT-2", "receive ACK of FIN"),
    ("FIN-WAIT-1", "CLOSING", "receive FIN, send ACK"),
    ("CLOSE-WAIT", "LAST-ACK", "CLOSE, send FIN"),
    ("FIN-WAIT-2", "TIME-WAIT", "receive FIN, send ACK"),
    ("CLOSING", "TIME-WAIT", "receive ACK of FIN"),
    ("LAST-ACK", CLOSED_AGAIN, "receive ACK of FIN"),
    ("TIME-WAIT", CLOSED_AGAIN, "2 MSL have passed"),
];

/// The arrows with their places.
pub(super) fn edges() -> Vec<Edge> {
    let place = |key: &str| NODES.iter().find(|node| node.key == key);
    let edge = |(from, to, label): &(&str, &str, &'static str)| {
        let back = ARROWS.iter().any(|(start, end, _)| (start, end) == (to, from));
        Some(Edge::between(place(from)?, place(to)?, label, if back { Way::Both } else { Way::One }))
    };
    ARROWS.iter().filter_map(edge).collect()
}

/// Whether there is an arrow back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    One,
    Both,
}

impl Edge {
    fn between(from: &Node, to: &Node, label: &'static str, way: Way) -> Self {
        /// How far two arrows between the same boxes stand from their middle.
        const APART: f64 = 5.0;
        const HEAD: f64 = 7.0;
        const HALF_HEAD: f64 = 3.5;
        let (dx, dy) = (to.x - from.x, to.y - from.y);
        let length = dx.hypot(dy);
        let (ux, uy) = (dx / length, dy / length);
        let aside = if way == Way::Both { APART } else { 0.0 };
        let shift = [-uy * aside, ux * aside];
        let start = from.edge([ux, uy], shift);
        let tip = to.edge([-ux, -uy], shift);
        let base = [tip[0] - ux * HEAD, tip[1] - uy * HEAD];
        let wing = |side: f64| [base[0] - uy * side, base[1] + ux * side].map(tenths);
        Self {
            key: format!("{}>{}", from.key, to.key),
            label,
            from: start.map(tenths),
            to: base.map(tenths),
            head: [tip.map(tenths), wing(HALF_HEAD), wing(-HALF_HEAD)],
        }
    }
}

impl Node {
    pub(super) fn left(&self) -> f64 {
        self.x - self.width / 2.0
    }

    pub(super) fn top(&self) -> f64 {
        self.y - BOX_HEIGHT / 2.0
    }

    /// Where a line in this direction leaves the box, if it passes the middle so far aside.
    fn edge(&self, direction: [f64; 2], aside: [f64; 2]) -> [f64; 2] {
        let reach = |half: f64, toward: f64, aside: f64| {
            if toward == 0.0 { f64::INFINITY } else { (half * toward.signum() - aside) / toward }
        };
        let ([ux, uy], [ax, ay]) = (direction, aside);
        let far = reach(self.width / 2.0, ux, ax).min(reach(BOX_HEIGHT / 2.0, uy, ay));
        [self.x + ax + ux * far, self.y + ay + uy * far]
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// The boxes that each step walks through, the first being where it began; of the local end.
pub(super) fn local(steps: &[Step]) -> Vec<Vec<&'static str>> {
    let mut walker = Walker::default();
    let walk = |step: &Step| {
        let passed = step.arrows.iter().map(|arrow| arrow.to);
        [step.before.state].into_iter().chain(passed).chain([step.state]).collect::<Vec<_>>()
    };
    steps.iter().map(|step| walker.through(walk(step).into_iter())).collect()
}

/// The same of the remote end; nothing where its state is not known.
pub(super) fn remote(states: &[Option<State>]) -> Vec<Vec<&'static str>> {
    let mut walker = Walker::default();
    let mut before = None;
    let walk = |after: &Option<State>| {
        let walked = walker.through(before.into_iter().chain(*after));
        before = *after;
        walked
    };
    states.iter().map(walk).collect()
}

/// Knows which CLOSED it is.
#[derive(Default)]
struct Walker {
    began: bool,
}

impl Walker {
    fn through(&mut self, states: impl Iterator<Item = State>) -> Vec<&'static str> {
        let mut keys: Vec<&'static str> = states.map(|state| self.key(state)).collect();
        keys.dedup();
        keys
    }

    fn key(&mut self, state: State) -> &'static str {
        match state {
            State::Closed if self.began => CLOSED_AGAIN,
            State::Closed => state.name(),
            State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => {
                self.began = true;
                state.name()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_box_and_every_arrow_two() {
        for state in State::ALL {
            assert!(NODES.iter().any(|node| node.key == state.name()), "{state}");
        }
        assert_eq!(edges().len(), ARROWS.len());
    }

    #[test]
    fn no_box_overlaps_another_or_leaves_the_picture() {
        for (at, node) in NODES.iter().enumerate() {
            assert!(node.left() > 0.0 && node.left() + node.width < WIDTH, "{}", node.key);
            assert!(node.top() > 0.0 && node.top() + BOX_HEIGHT < HEIGHT, "{}", node.key);
            for other in &NODES[..at] {
                let apart = (node.x - other.x).abs() > f64::midpoint(node.width, other.width)
                    || (node.y - other.y).abs() > BOX_HEIGHT;
                assert!(apart, "{} and {}", node.key, other.key);
            }
        }
    }

    #[test]
    fn the_arrows_are_the_state_machine_s() {
        let legal = |from: &str, to: &str| {
            crate::tcp::Arrow::LEGAL.iter().any(|arrow| arrow.from.name() == from && arrow.to.name() == to)
        };
        for (from, to, _) in ARROWS {
            assert!(legal(from, to.trim_end_matches("-AGAIN")), "{from} {to}");
        }
    }

    #[test]
    fn a_connection_that_is_over_is_in_the_lower_closed() {
        let states = [None, Some(State::SynReceived), Some(State::Closed), Some(State::Closed)];
        let walked = [vec![], vec!["SYN-RECEIVED"], vec!["SYN-RECEIVED", CLOSED_AGAIN], vec![CLOSED_AGAIN]];
        assert_eq!(remote(&states), walked);
    }
}

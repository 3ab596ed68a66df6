//! One acknowledgment for all that has arrived together (RFC 9293 section 3.10.7.4).

use tcpshake::driver::{Close, Plan};
use tcpshake::tcp::Segment;

use crate::script::*;

/// Ten octets of the peer's, the `n`-th from 0.
fn words(n: u32) -> Do {
    Do::Say(Segment { text_len: 10, ..peer(ACK, 1 + 10 * n, 1) })
}

/// What is told of a peer that says all of this in the same moment, a while after it has opened, and closes later.
fn told_of(at_once: impl Fn() -> Vec<Do> + 'static, plan: &Plan) -> Vec<String> {
    let script = Script::new(move |n, segment| match n {
        0 => vec![(1, Do::Say(syn_ack()))],
        1 => {
            let said = at_once();
            let last = said.len() as u32;
            let fin = (900, Do::Say(fin(1 + 10 * last, 1)));
            said.into_iter().map(|word| (500, word)).chain([fin]).collect()
        }
        _ => polite(n, segment),
    });
    run(script, plan).rungs().split_off(3)
}

/// MUST-58, MUST-59: three segments wait together, and are acknowledged together, at once.
#[test]
fn must_58_must_59_what_waits_together_is_acknowledged_together() {
    let rungs = told_of(|| (0..3).map(words).collect(), &plan(Close::Passive));
    assert_eq!(rungs[..4], ["< . 1", "< . 11", "< . 21", "> . 1"]);
    assert_eq!(told_of(|| vec![words(0)], &plan(Close::Passive))[..2], ["< . 1", "> . 1"]);
}

/// What waits behind it may be nothing to acknowledge: the acknowledgment goes all the same, once.
#[test]
fn must_58_an_acknowledgment_is_not_forgotten_for_what_says_nothing() {
    let rungs = told_of(|| vec![words(0), Do::Raw(vec![0x45]), words(1)], &plan(Close::Passive));
    assert_eq!(
        rungs.iter().filter(|rung| *rung == "> . 1").count(),
        2,
        "for the text, and the FIN: {rungs:?}"
    );
    let rungs = told_of(|| vec![words(0), Do::Raw(vec![0x45])], &plan(Close::Passive));
    assert!(rungs[..3].contains(&"> . 1".to_owned()), "{rungs:?}");
}

/// A gap is told of at once, however much waits behind what shows it (RFC 5681 section 4.2).
#[test]
fn a_gap_is_told_of_at_once() {
    let rungs = told_of(|| vec![words(0), words(2), words(3), words(1)], &plan(Close::Passive));
    assert_eq!(rungs[..7], ["< . 1", "< . 21", "> . 1", "< . 31", "> . 1", "< . 11", "> . 1"]);
}

/// And so is that it is smaller.
#[test]
fn a_gap_that_is_filled_in_part_is_told_of_at_once() {
    let rungs = told_of(|| vec![words(2), words(0), words(1)], &plan(Close::Passive));
    assert_eq!(rungs[..6], ["< . 21", "> . 1", "< . 1", "> . 1", "< . 11", "> . 1"]);
}

/// Who leaves the connection open leaves nothing unacknowledged.
#[test]
fn what_is_left_open_is_acknowledged() {
    let leaving = Plan { await_text: 10, ..plan(Close::None) };
    assert_eq!(told_of(|| (0..3).map(words).collect(), &leaving)[..2], ["< . 1", "> . 1"]);
}

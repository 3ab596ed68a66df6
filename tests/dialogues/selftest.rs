//! The player, played with: what is wrong in a file, or in what it expects, must be told as what it is, and where.

use crate::run;

/// Names and tests.
pub(crate) const TESTS: &[(&str, fn())] = &[
    ("right_as_it_is", right_as_it_is),
    ("each_wrong_field_is_named", each_wrong_field_is_named),
    ("what_is_missing_or_too_much_fails", what_is_missing_or_too_much_fails),
    ("wrong_expectations_fail", wrong_expectations_fail),
    ("what_cannot_be_read_is_an_error_with_its_place", what_cannot_be_read_is_an_error_with_its_place),
    ("the_transcript_can_be_pasted", the_transcript_can_be_pasted),
];

/// Right in all its fields; the setup is the first line.
const RIGHT: &str = "\
connect timestamps
0.000 > S 0:0(0) win 64240 <mss 1460,sackOK,TS val 0 ecr 0,wscale 0>
0.010 < S. 0:0(0) ack 1 win 1000 <mss 1000,TS val 7 ecr 0>
0.010 > . 1:1(0) ack 1 win 64240 <TS val 10 ecr 7>
0.010 state ESTABLISHED
0.010 clause SynSentOpened
0.010 snd.wnd 1000
0.100 send 10
0.100 > P. 1:11(10) ack 1 urg 0
0.110 < P. 1:6(5) ack 11 <TS val 8 ecr 100>
0.110 > . 11:11(0) ack 6
0.110 delivered 5
0.110 told received P.
0.120 < icmp 3/1 quoting 11:11(0)
0.120 told not ours: ICMP 3/1
0.200 < R 6:6(0)
0.200 verdict reset by the peer in ESTABLISHED
silence until 9
";

fn message(text: &str) -> String {
    run(text, "file.tcp").expect_err("it fails")
}

/// The message once `line`, from 1, is another one.
fn with(line: usize, other: &str) -> String {
    let lines = RIGHT.lines().enumerate().map(|(at, right)| if at + 1 == line { other } else { right });
    message(&lines.collect::<Vec<_>>().join("\n"))
}

#[track_caller]
fn begins(message: &str, expected: &str) {
    assert!(message.starts_with(expected), "{message}");
}

fn right_as_it_is() {
    run(RIGHT, "file.tcp").unwrap();
}

fn each_wrong_field_is_named() {
    let syn = |fields: &str| with(2, &format!("0.000 > {fields}"));
    let actual = "(S 0:0(0) win 64240 <mss 1460,sackOK,TS val 0 ecr 0,wscale 0>)";
    begins(&syn("S. 0:0(0) ack 1"), &format!("file.tcp:2: flags: expected S., actual S {actual}"));
    begins(&syn("S 1:1(0)"), &format!("file.tcp:2: sequence number: expected 1, actual 0 {actual}"));
    begins(&syn("S 0:5(5)"), "file.tcp:2: length: expected 5, actual 0 ");
    begins(&syn("S 0:0(0) win 1"), "file.tcp:2: window: expected 1, actual 64240 ");
    begins(&syn("S 0:0(0) urg 1"), "file.tcp:2: urgent pointer: expected 1, actual 0 ");
    begins(
        &syn("S 0:0(0) to 10.99.0.2:81"),
        "file.tcp:2: destination: expected 10.99.0.2:81, actual 10.99.0.2:80 ",
    );
    begins(
        &syn("S 0:0(0) <mss 1460>"),
        "file.tcp:2: options: expected mss 1460, actual mss 1460,sackOK,TS val 0 ecr 0,wscale 0 ",
    );
    begins(&with(4, "0.010 > . 1:1(0) ack 2"), "file.tcp:4: acknowledgment: expected 2, actual 1 ");
    begins(
        &with(4, "0.010 > . 1:1(0) ack 1 <TS val 11 ecr 7>"),
        "file.tcp:4: options: expected TS val 11 ecr 7, actual TS val 10 ecr 7 ",
    );
    begins(
        &with(9, "0.101 > P. 1:11(10) ack 1"),
        "file.tcp:9: time: expected 0.101, actual 0.100 (P. 1:11(10) ",
    );
}

fn what_is_missing_or_too_much_fails() {
    begins(
        &with(4, "# nothing"),
        "file.tcp:5: segment: expected state ESTABLISHED, actual > . 1:1(0) ack 1 ",
    );
    begins(&with(11, "# nothing"), "file.tcp:12: segment: expected delivered 5, actual > . 11:11(0) ack 6 ");
    begins(
        &with(16, "0.200 > R. 11:11(0) ack 6"),
        "file.tcp:16: segment: expected > R. 11:11(0) ack 6, actual nothing",
    );
    begins(
        &with(17, "0.200 < . 6:6(0) ack 11"),
        "file.tcp:17: endpoint: expected one that goes on, actual it has ended",
    );
    begins(&with(17, "0.200 close"), "file.tcp:17: endpoint: ");
    begins(
        &with(17, "0.200 > R 11:11(0)"),
        "file.tcp:17: segment: expected > R 11:11(0), actual nothing was sent",
    );
    begins(
        &message("connect\n0.000 > S 0:0(0)\nsilence until 2\n"),
        "file.tcp:3: segment: expected silence, actual > S 0:0(0) ",
    );
    begins(&message("connect\n"), "file.tcp:1: segment: expected nothing more, actual > S 0:0(0) ");
}

fn wrong_expectations_fail() {
    begins(&with(5, "0.010 state SYN-SENT"), "file.tcp:5: state: expected SYN-SENT, actual ESTABLISHED");
    begins(&with(6, "0.010 clause AckOpens"), "file.tcp:6: clause: expected AckOpens, actual SynSentOpened");
    begins(&with(7, "0.010 snd.wnd 1001"), "file.tcp:7: snd.wnd: expected 1001, actual 1000");
    begins(&with(7, "0.010 rcv.wnd 1"), "file.tcp:7: rcv.wnd: expected 1, actual 64240");
    begins(&with(7, "0.010 rcv.up 2"), "file.tcp:7: rcv.up: expected 2, actual 1");
    begins(&with(12, "0.110 delivered 6"), "file.tcp:12: delivered: expected 6, actual 5");
    begins(
        &with(13, "0.110 told nothing"),
        "file.tcp:13: told: expected nothing, actual received P.; sent .",
    );
    begins(
        &with(15, "0.120 told noted: ICMP"),
        "file.tcp:15: told: expected noted: ICMP, actual not ours: ICMP 3/1",
    );
    begins(
        &with(17, "0.200 verdict refused"),
        "file.tcp:17: verdict: expected refused, actual reset by the peer",
    );
    begins(&with(17, "0.200 remark TIME-WAIT"), "file.tcp:17: remark: expected TIME-WAIT, actual ");
    begins(&with(13, "0.110 verdict reset"), "file.tcp:13: verdict: expected reset, actual none yet");
}

fn what_cannot_be_read_is_an_error_with_its_place() {
    let wrong = [
        (1, "connects", "1:1: unknown word `connects`"),
        (1, "connect fast", "1:9: unknown word `fast`"),
        (1, "connect mss 0", "1:13: `0` is not a segment size"),
        (1, "connect mss", "1:12: octets is missing"),
        (2, "0.000 >> S 0:0(0)", "2:7: unknown word `>>`"),
        (2, "0.000 > X 0:0(0)", "2:9: unknown word `X`"),
        (2, "0.000 > .S 0:0(0) ack 1", "2:9: unknown word `.S`"),
        (2, "0.000 > S 0:1(0)", "2:11: `0:1(0)` is not a range such as 1:11(10)"),
        (2, "0.000 > S", "2:10: the sequence numbers, as in 1:11(10), is missing"),
        (2, "0.000 > S. 0:0(0)", "2:9: a segment with ACK needs `ack` and its number"),
        (2, "0.000 > S 0:0(0) badsum", "2:18: unknown word `badsum`"),
        (2, "0.000 > S 0:0(0) <mss 1,what>", "2:25: `what` is not an option"),
        (2, "0.000 > S 0:0(0) <mss 1", "2:18: options end with `>`"),
        (2, "zero > S 0:0(0)", "2:1: `zero` is not a time in seconds"),
        (2, "0.0000000001 > S 0:0(0)", "2:1: `0.0000000001` is not a time in seconds"),
        (3, "0.010 < S. 0:0(0) ack 1 win 70000", "3:29: `70000` is not a window"),
        (3, "0.010 < S. 0:0(0) ack 1 spoiled", "3:25: unknown word `spoiled`"),
        (3, "0.010 < icmp 3 quoting 0:0(0)", "3:14: `3` is not a type and a code, as in 3/1"),
        (5, "0.010 state OPEN", "5:13: `OPEN` is not a state"),
        (5, "0.009 state ESTABLISHED", "5:1: time runs backwards"),
        (6, "0.010 clause Whatever", "6:14: `Whatever` is not a clause"),
        (8, "0.100 send ten", "8:12: `ten` is not octets"),
        (8, "0.100 close now", "8:13: unknown word `now`"),
        (18, "silence for 9", "18:9: unknown word `for`"),
        (18, "repeat 3", "18:1: `repeat` without `end`"),
    ];
    for (line, other, place) in wrong {
        begins(&with(line, other), &format!("file.tcp:{place}"));
    }
    begins(
        &message("# nothing else\n"),
        "file.tcp:2:1: who our end is, `connect`, `serve` or `machine`, is missing",
    );
}

/// What has happened so far, with the beginning of the file in front of it, is a file.
fn the_transcript_can_be_pasted() {
    let message = with(17, "0.200 verdict refused");
    let transcript = message.split_once("so far:\n").unwrap().1;
    assert!(transcript.lines().count() == 15, "{transcript}");
    run(&format!("connect timestamps\n{transcript}"), "pasted.tcp").unwrap();
}

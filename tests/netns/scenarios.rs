//! The demo's scenarios in a private network: a real wire tells the same story as the simulator.

use tcpshake::lesson::Scenario;

use crate::{Named, run, transcript};

macro_rules! told_the_same {
    ($($test:ident = $scenario:ident;)*) => {
        pub(crate) const TESTS: &[Named] = &[
            $((stringify!($test), || is_told_the_same(Scenario::$scenario)),)*
            ("scenario_kernel_rst_shows_the_kernels_reset", kernel_rst_shows_the_kernels_reset),
            ("scenario_reset_is_ended_by_our_reset", reset_is_ended_by_our_reset),
            ("scenario_simultaneous_close_ends_in_order", simultaneous_close_ends_in_order),
        ];
    };
}

told_the_same! {
    scenario_refused_is_told_the_same = Refused;
    scenario_silent_is_told_the_same_at_length = Silent;
    scenario_lost_synack_is_told_the_same = LostSynAck;
    scenario_lost_ack_is_told_the_same = LostAck;
    scenario_lost_fin_is_told_the_same = LostFin;
    scenario_peer_closes_first_is_told_the_same = PeerClosesFirst;
    scenario_three_segment_close_is_told_the_same = ThreeSegmentClose;
    scenario_half_close_is_told_the_same = HalfClose;
    scenario_simultaneous_open_is_told_the_same = SimultaneousOpen;
    scenario_challenge_ack_is_told_the_same = ChallengeAck;
    scenario_time_wait_is_told_the_same_at_length = TimeWait;
    scenario_old_duplicate_syn_is_told_the_same = OldDuplicateSyn;
    scenario_half_open_is_told_the_same = HalfOpen;
    scenario_window_zero_is_told_the_same_at_length = WindowZero;
    scenario_wrap_around_is_told_the_same = WrapAround;
    scenario_options_is_told_the_same = Options;
    scenario_listen_is_told_the_same = Listen;
}

fn played(scenario: Scenario) -> String {
    let (code, report, error) = run::text(&["demo", scenario.name(), "--format", "json"]);
    assert_eq!(error, "", "{report}");
    transcript::of(&report, code.unwrap())
}

/// The lines without their times, and without what the scheduler decides: whether text is acknowledged with what came
/// behind it.
fn timeless(transcript: &str) -> Vec<&str> {
    const TIME: usize = 7;
    let mere = |line: &&str| line.contains("> ACK ") && line.ends_with("TextAccepted");
    let lines = transcript.lines().filter(|line| !mere(line));
    lines.map(|line| if line.starts_with(' ') { &line[TIME..] } else { line }).collect()
}

/// Step for step what is simulated, but for the times.
fn is_told_the_same(scenario: Scenario) {
    let (code, report, _) = run::text(&["demo", scenario.name(), "--simulate", "--format", "json"]);
    let simulated = transcript::of(&report, code.unwrap());
    let played = played(scenario);
    assert_eq!(timeless(&played), timeless(&simulated), "{played}");
}

/// This machine's kernel answers the SYN,ACK, and the server's then knows nothing of our ACK.
fn kernel_rst_shows_the_kernels_reset() {
    let played = played(Scenario::KernelRst);
    assert!(played.contains("kernel-reset"), "{played}");
    assert!(played.contains("RstResets\nreset\nexit 6"), "{played}");
}

/// The kernel's server answers in its own way; the end is ours.
fn reset_is_ended_by_our_reset() {
    let played = played(Scenario::Reset);
    assert!(
        played.contains("> RST,ACK") && played.ends_with("CLOSED Abort\ncompleted\nexit 0\n"),
        "{played}"
    );
}

/// Whether two FINs cross is the scheduler's to decide; both must be acknowledged.
fn simultaneous_close_ends_in_order() {
    let played = played(Scenario::SimultaneousClose);
    assert!(played.ends_with("completed\nexit 0\n"), "{played}");
}

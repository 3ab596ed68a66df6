//! Whatever can be expected is written as it is read.

use std::time::Duration;

use proptest::prelude::*;

use super::{Comparison, Expectation, Expectations, PeerOption};

fn one() -> impl Strategy<Value = Expectation> {
    use Comparison::{AtLeast, AtMost, Equal, Less, More};
    let time = || (1..86_400_000_000_000_u64).prop_map(Duration::from_nanos);
    let comparison = proptest::sample::select(vec![Less, AtMost, More, AtLeast]);
    let fixed = [
        Expectation::Open,
        Expectation::Refused,
        Expectation::Silent,
        Expectation::Unreachable,
        Expectation::ClosesCleanly,
    ];
    prop_oneof![
        proptest::sample::select(fixed.to_vec()),
        (comparison, time()).prop_map(|(comparison, time)| Expectation::Rtt(comparison, time)),
        (1..=1_000_000_u32).prop_map(|share| Expectation::Loss(Less, share)),
        (0..=1_000_000_u32).prop_map(|share| Expectation::Loss(AtMost, share)),
        (proptest::sample::select(vec![AtLeast, AtMost, Equal]), 1..=u16::MAX)
            .prop_map(|(comparison, octets)| Expectation::Mss(comparison, octets)),
        proptest::sample::select(PeerOption::ALL.to_vec()).prop_map(Expectation::Option),
        time().prop_map(Expectation::StaysOpen),
        "[a-z#,~ :<=]{0,20}[a-z]"
            .prop_filter_map("no pattern", |text| text.parse().ok().map(Expectation::Banner)),
    ]
}

proptest! {
    #[test]
    fn one_is_read_as_it_is_written(expectation in one()) {
        prop_assert_eq!(expectation.to_string().parse::<Expectation>(), Ok(expectation));
    }

    #[test]
    fn all_are_read_as_they_are_written(wanted in proptest::collection::vec(one(), 0..5)) {
        if let Ok(all) = Expectations::new(wanted) {
            prop_assert_eq!(Expectations::read_line(&all.to_string()), Ok(all.clone()));
            prop_assert_eq!(Expectations::read(all.names().iter().map(String::as_str)), Ok(all));
        }
    }

    #[test]
    fn any_text_is_read_or_refused_in_one_line(text in "\\PC*|(rtt|loss|mss|option|banner|stays-open)[<>=:~]{0,2}[0-9.]{0,5}(us|ms|s|%)?") {
        if let Err(why) = text.parse::<Expectation>() {
            prop_assert_eq!(why.lines().count(), 1);
        }
    }
}

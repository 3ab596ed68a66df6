//! Whether what happened is what was expected.

use super::notation::measured_time;
use super::number::trimmed;
use super::{Comparison, Expectation, Expectations, PeerOption};
use crate::record::check::{Announced, Totals};
use crate::record::{Ending, Outcome};

/// One exchange, as far as something can be expected of it.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'o> {
    /// How it ended.
    pub outcome: &'o Outcome,
    /// Whether what the peer said matched [`Expectations::banner`]; not read if there is none.
    pub has_banner: bool,
    /// Whether the peer kept it open for [`Expectations::stays_open`]; not read if there is none.
    pub stayed_open: bool,
}

impl Exchange<'_> {
    const fn was_open(&self) -> bool {
        match self.outcome {
            Outcome::Completed(_) | Outcome::ResetAfterOpening { .. } | Outcome::CloseIncomplete { .. } => {
                true
            }
            Outcome::Refused
            | Outcome::Silent { .. }
            | Outcome::Unreachable(_)
            | Outcome::NotOpened(_)
            | Outcome::Interrupted(_) => false,
        }
    }
}

impl Expectations {
    /// Whether one exchange is as expected; if not, why, in one line. One that the user ended is not: whether it
    /// counts is for the caller to say.
    pub fn judge_exchange(&self, exchange: &Exchange<'_>) -> Result<(), String> {
        let is_silent = matches!(exchange.outcome, Outcome::Silent { .. });
        if is_silent && self.iter().any(|one| matches!(one, Expectation::Loss(..))) {
            return Ok(()); // the share of all SYNs decides
        }
        self.iter().try_for_each(|one| {
            let why = if exchange.was_open() { missing(one) } else { "" };
            let outcome = exchange.outcome;
            if is_met(one, exchange) { Ok(()) } else { Err(format!("expected {one}: {why}{outcome}")) }
        })
    }

    /// Whether the target as a whole is as expected, as far as no single exchange can tell: what was measured, and
    /// what was announced. If not, why, in one line.
    pub fn judge(&self, totals: &Totals) -> Result<(), String> {
        if totals.exchanges == 0 {
            return Err(format!("expected {self}: there was no exchange"));
        }
        self.iter().try_for_each(|one| {
            let found = match one {
                Expectation::Open => opened(totals),
                Expectation::Rtt(comparison, time) => rtt(*comparison, time.as_nanos() as u64, totals),
                Expectation::Loss(comparison, share) => loss(*comparison, *share, totals),
                Expectation::Mss(comparison, octets) => mss(*comparison, *octets, totals),
                Expectation::Option(option) => announces(*option, totals),
                Expectation::Refused
                | Expectation::Silent
                | Expectation::Unreachable
                | Expectation::ClosesCleanly
                | Expectation::StaysOpen(_)
                | Expectation::Banner(_) => Ok(()),
            };
            found.map_err(|found| format!("expected {one}: {found}"))
        })
    }
}

/// What an exchange that was open can lack, if how it ended does not tell.
const fn missing(one: &Expectation) -> &'static str {
    match one {
        Expectation::StaysOpen(_) => "the peer did not keep it open: ",
        Expectation::Banner(_) => "nothing the peer said matches: ",
        Expectation::Open
        | Expectation::Refused
        | Expectation::Silent
        | Expectation::Unreachable
        | Expectation::ClosesCleanly
        | Expectation::Rtt(..)
        | Expectation::Loss(..)
        | Expectation::Mss(..)
        | Expectation::Option(_) => "",
    }
}

fn is_met(one: &Expectation, exchange: &Exchange<'_>) -> bool {
    let outcome = exchange.outcome;
    match one {
        Expectation::Refused => matches!(outcome, Outcome::Refused),
        Expectation::Silent => matches!(outcome, Outcome::Silent { .. }),
        Expectation::Unreachable => matches!(outcome, Outcome::Unreachable(_)),
        Expectation::ClosesCleanly => matches!(outcome, Outcome::Completed(Ending::Closed)),
        Expectation::StaysOpen(_) => exchange.was_open() && exchange.stayed_open,
        Expectation::Banner(_) => exchange.was_open() && exchange.has_banner,
        Expectation::Open
        | Expectation::Rtt(..)
        | Expectation::Loss(..)
        | Expectation::Mss(..)
        | Expectation::Option(_) => exchange.was_open(),
    }
}

/// A loss that is allowed for must not hide that nothing was ever open.
fn opened(totals: &Totals) -> Result<(), String> {
    if totals.ends.opened() > 0 { Ok(()) } else { Err("no exchange was open".to_owned()) }
}

fn rtt(comparison: Comparison, expected: u64, totals: &Totals) -> Result<(), String> {
    let spread = totals.rtt.filter(|spread| spread.count > 0).ok_or("no round trip was measured")?;
    if comparison.holds(spread.avg_ns, expected) {
        return Ok(());
    }
    Err(format!("the mean of {} is {}", spread.count, measured_time(spread.avg_ns)))
}

/// Compared as products: a share that is rounded first could pass by its rounding.
fn loss(comparison: Comparison, millionths: u32, totals: &Totals) -> Result<(), String> {
    let (lost, syns) = (u64::from(totals.syns_lost), u64::from(totals.syns));
    if syns == 0 {
        return Err("no syn was sent".to_owned());
    }
    if comparison.holds(lost * 1_000_000, u64::from(millionths) * syns) {
        return Ok(());
    }
    let percent = trimmed(lost * 1_000_000 / syns, 4);
    Err(format!("{lost} of {syns} syns were not answered, which is {percent}%"))
}

fn announced(totals: &Totals) -> Result<&Announced, String> {
    totals.announced.as_ref().ok_or_else(|| "the peer announced nothing".to_owned())
}

fn mss(comparison: Comparison, expected: u16, totals: &Totals) -> Result<(), String> {
    let found = announced(totals)?.mss.ok_or("the peer announced no mss")?;
    if comparison.holds(found, expected) { Ok(()) } else { Err(format!("the peer announced {found}")) }
}

fn announces(option: PeerOption, totals: &Totals) -> Result<(), String> {
    let options = &announced(totals)?.options;
    if options.iter().any(|name| name == option.name()) {
        return Ok(());
    }
    let all = if options.is_empty() { "none".to_owned() } else { options.join(", ") };
    Err(format!("the peer announced {all}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::check::{Ends, Spread};
    use crate::record::{Missing, Signal};
    use crate::tcp::State;

    const CLOSED: Outcome = Outcome::Completed(Ending::Closed);
    const SILENT: Outcome = Outcome::Silent { heard: false };
    const RESET: Outcome = Outcome::ResetAfterOpening { state: State::Established };
    const HALF: Outcome = Outcome::CloseIncomplete { state: State::FinWait2, missing: Missing::PeerFin };

    fn all(line: &str) -> Expectations {
        Expectations::read_line(line).unwrap()
    }

    fn verdict(line: &str, outcome: &Outcome) -> Result<(), String> {
        all(line).judge_exchange(&Exchange { outcome, has_banner: true, stayed_open: true })
    }

    #[test]
    fn each_end_meets_what_it_is() {
        for (line, met, unmet) in [
            (
                "open",
                &[CLOSED, RESET, HALF][..],
                &[Outcome::Refused, SILENT, Outcome::Interrupted(Signal::HangUp)][..],
            ),
            ("closes-cleanly", &[CLOSED], &[RESET, HALF, SILENT, Outcome::Completed(Ending::ResetByUs)]),
            ("refused", &[Outcome::Refused], &[CLOSED, SILENT]),
            ("silent", &[SILENT], &[CLOSED, Outcome::Refused]),
            ("unreachable", &[], &[CLOSED, SILENT]),
            ("rtt<1ms", &[CLOSED, RESET], &[SILENT]),
            ("loss<1%", &[CLOSED, SILENT], &[Outcome::Refused]),
            ("loss<1% closes-cleanly", &[CLOSED, SILENT], &[RESET]),
        ] {
            assert!(met.iter().all(|outcome| verdict(line, outcome).is_ok()), "{line}");
            assert!(unmet.iter().all(|outcome| verdict(line, outcome).is_err()), "{line}");
        }
    }

    #[test]
    fn the_reason_is_one_line() {
        assert_eq!(
            verdict("open", &Outcome::Refused).unwrap_err(),
            "expected open: refused: the peer answered our SYN with RST"
        );
        assert_eq!(
            verdict("closes-cleanly", &RESET).unwrap_err(),
            "expected closes-cleanly: reset by the peer in ESTABLISHED"
        );
    }

    #[test]
    fn what_is_said_and_how_long_it_stays_count_only_where_expected() {
        let judge = |line: &str, outcome: &Outcome| {
            all(line).judge_exchange(&Exchange { outcome, has_banner: false, stayed_open: false })
        };
        assert_eq!(judge("open", &RESET), Ok(()));
        assert_eq!(
            judge("stays-open:500ms", &RESET).unwrap_err(),
            "expected stays-open:500ms: the peer did not keep it open: reset by the peer in ESTABLISHED"
        );
        assert_eq!(
            judge("banner~^SSH", &CLOSED).unwrap_err(),
            "expected banner~^SSH: nothing the peer said matches: opened and closed, both FINs acknowledged"
        );
        assert!(judge("banner~^SSH", &Outcome::Refused).unwrap_err().starts_with("expected open: refused"));
    }

    fn totals() -> Totals {
        let options = ["mss", "sack"].map(str::to_owned).to_vec();
        Totals {
            exchanges: 3,
            ends: Ends { completed: 1, silent: 2, ..Ends::default() },
            syns: 3,
            syns_lost: 1,
            rtt: Some(Spread { count: 1, min_ns: 1, avg_ns: 20_000_000, max_ns: u64::MAX }),
            announced: Some(Announced { mss: Some(1400), options }),
            ..Totals::default()
        }
    }

    #[test]
    fn the_whole_is_measured() {
        for (line, why) in [
            ("open rtt<=20ms rtt>=20ms loss<33.3334% mss=1400 option:sack", ""),
            ("silent", ""),
            ("rtt<20ms", "expected rtt<20ms: the mean of 1 is 20ms"),
            ("rtt>20ms", "expected rtt>20ms: the mean of 1 is 20ms"),
            ("loss<=33.3333%", "expected loss<=33.3333%: 1 of 3 syns were not answered, which is 33.3333%"),
            ("mss>=1401", "expected mss>=1401: the peer announced 1400"),
            ("mss<=1399", "expected mss<=1399: the peer announced 1400"),
            ("option:ecn", "expected option:ecn: the peer announced mss, sack"),
        ] {
            assert_eq!(all(line).judge(&totals()).err().unwrap_or_default(), why);
        }
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let bare = Totals { syns: 0, rtt: None, announced: None, ..totals() };
        for (line, words) in [
            ("rtt<1s", "no round trip was measured"),
            ("loss<=100%", "no syn was sent"),
            ("mss>=1", "the peer announced nothing"),
            ("option:mss", "the peer announced nothing"),
        ] {
            assert!(all(line).judge(&bare).unwrap_err().ends_with(words), "{line}");
        }
        let nothing = Announced::default();
        let mute = Totals { announced: Some(nothing), ..totals() };
        assert!(all("mss>=1").judge(&mute).unwrap_err().ends_with("no mss"));
        assert!(all("option:mss").judge(&mute).unwrap_err().ends_with("announced none"));
        assert!(all("silent").judge(&Totals::default()).unwrap_err().ends_with("there was no exchange"));
    }

    #[test]
    fn a_loss_of_all_is_no_open() {
        let ends = Ends { silent: 3, ..Ends::default() };
        let dead = Totals { ends, syns_lost: 3, ..totals() };
        assert_eq!(all("loss<=100%").judge(&dead).unwrap_err(), "expected open: no exchange was open");
    }
}

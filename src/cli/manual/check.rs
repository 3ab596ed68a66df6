//! What the pages of `check` and `merge` say beyond their help: formats, numbers, and how parts become a whole.

use clap_mangen::roff::{Roff, roman};

/// A piece of a section.
enum Piece {
    /// A paragraph.
    Text(&'static str),
    /// A word, and what it means.
    Term(&'static str, &'static str),
    /// Lines as they are typed.
    Lines(&'static [&'static str]),
}

use Piece::{Lines, Term, Text};

type Section = (&'static str, &'static [Piece]);

/// The sections of a page, if it has some beyond those that all have.
pub(super) fn sections(name: &str) -> Option<Roff> {
    let sections = match name {
        "tcpshake-check" => CHECK,
        "tcpshake-merge" => MERGE,
        _ => return None,
    };
    let mut roff = Roff::new();
    for (title, pieces) in sections {
        roff.control("SH", [*title]);
        pieces.iter().for_each(|piece| write(&mut roff, piece));
    }
    Some(roff)
}

fn write(roff: &mut Roff, piece: &Piece) {
    match piece {
        Text(text) => {
            roff.control("PP", Vec::<&str>::new());
            roff.text([roman(*text)]);
        }
        Term(term, text) => {
            roff.control("TP", Vec::<&str>::new());
            roff.text([roman(*term)]);
            roff.text([roman(*text)]);
        }
        Lines(lines) => {
            roff.control("PP", Vec::<&str>::new());
            roff.control("nf", Vec::<&str>::new());
            for line in *lines {
                roff.text([roman(*line)]);
            }
            roff.control("fi", Vec::<&str>::new());
        }
    }
}

const CHECK: &[Section] = &[
    ("TARGETS", TARGETS),
    ("EXPECTATIONS", EXPECTATIONS),
    ("WHAT MAY BE CHECKED", MANNERS),
    ("REPORTS IN DETAIL", REPORTS),
    ("THE SUMMARY", SUMMARY),
    ("HOW TIMES ARE MEASURED", TIMES),
    ("PARTS, RESUMING, MERGING", PARTS),
    ("EXIT CODES OF CHECK", EXITS),
];

const MERGE: &[Section] = &[("WHAT IS MERGED", MERGED), ("EXIT CODES OF MERGE", MERGE_EXITS)];

const TARGETS: &[Piece] = &[
    Term("10.0.0.7:22", "An address and a port."),
    Term(
        "10.0.0.0/24:22,80,8000-8010",
        "A block of addresses and several ports: each address with each port is a target. Of a block of IPv4 with \
         more than two addresses the first and the last are left out.",
    ),
    Term("[fd99::1]:80, [fd99::/120]:80", "IPv6 stands in brackets; [fe80::1%eth0]:80 has a scope."),
    Term(
        "example.org:443",
        "A name. It is resolved while the check runs, and checked at the first of its addresses that has a route and \
         is not excluded.",
    ),
    Text(
        "A file has one target a line, and behind it, separated by spaces, what is expected of it. What a line expects \
         takes the place of what --expect says. A word that begins with # begins a comment, and banner~ takes the \
         rest of the line.",
    ),
    Lines(&[
        "10.0.0.7:22 rtt<20ms banner~^SSH-2",
        "10.0.0.0/24:23 refused # nobody uses telnet",
        "example.org:443",
    ]),
    Text(
        "A file whose name ends in .toml has tables; expect above them holds for those that say nothing. It may have 16 \
         MiB.",
    ),
    Lines(&[
        "expect = [\"open\"]",
        "",
        "[[target]]",
        "address = \"10.0.0.0/24:22\"",
        "expect = [\"rtt<20ms\", \"banner~^SSH-2\"]",
    ]),
    Text(
        "A target that is named twice is checked once, and everything is expected of it that any place expects. A run \
         has at most 16777216 targets. All that is wrong in files and on the command line is told, each with its line, \
         before anything is sent.",
    ),
    Text(
        "--exclude takes an address, a block or a name, without a port; a file of them has one a line. Blocks are held \
         against what names resolve to as well: a target all of whose addresses are excluded is not checked.",
    ),
];

const EXPECTATIONS: &[Piece] = &[
    Text(
        "All that is expected of a target must be so, in each of its exchanges. What needs an open connection implies \
         open. What cannot both be so, such as open and refused, is an error of the command line.",
    ),
    Term("open", "The SYN is answered with SYN,ACK, however the connection ends."),
    Term("refused", "The SYN is answered with RST."),
    Term("silent", "Nothing answers, --retries included, until --timeout is over."),
    Term("unreachable", "An ICMP error says so, or there is no route."),
    Term("closes-cleanly", "Both FINs are acknowledged."),
    Term(
        "rtt<20ms, rtt<=20ms, rtt>20ms, rtt>=20ms",
        "The mean of the round trips of the target's exchanges. One whose SYN was sent again has none.",
    ),
    Term(
        "loss<1%, loss<=0.5%",
        "The share of SYNs that nothing answered, those sent again included. An exchange in which nothing answered \
         is not as expected without this; with it, the share decides, and one exchange at least must be open.",
    ),
    Term("mss>=1400, mss<=1400, mss=1400", "The MSS that the peer's SYN announces."),
    Term(
        "option:mss, option:sack, option:window-scale, option:timestamps, option:ecn",
        "The peer's SYN has it. Timestamps and ECN are offered only to those of whom they are expected.",
    ),
    Term("stays-open:500ms", "The peer neither closes nor resets the connection for so long."),
    Term(
        "banner~REGEX",
        "What the peer says, unasked, matches within --timeout. The pattern is one of the crate regex.",
    ),
];

const MANNERS: &[Piece] = &[
    Text(
        "Hosts that are yours, or whose owners have agreed. A check is made of real connections: they appear in logs, \
         take a place in the queue of who listens, and may set off alarms.",
    ),
    Text(
        "Limits are on unless they are lifted: 1000 exchanges a second in all, 20 with one address, 1000 under way. They \
         are limits of a run: each of several parts has its own. Nothing is sent from an address that is not this \
         machine's. A connection that was opened is closed: with FIN, and where that comes to nothing with RST; an \
         answer that nobody waits for any more is met with RST while the check runs. A signal ends what is under way in \
         the same ways.",
    ),
    Text(
        "Packets to a next hop that is known go to it straight, past this machine's own firewall (OUTPUT) and traffic \
         rules; --routed sends all the way of other packets.",
    ),
];

const REPORTS: &[Piece] = &[
    Text("Only one report can go to standard output; progress and errors go to standard error."),
    Term(
        "summary",
        "For people: up to 100 targets that are not as expected, the first ten with their ladder, then numbers.",
    ),
    Term("ndjson", "A JSON object a line, written as findings come: check, target for each, summary."),
    Term("junit", "JUnit XML: a case a target, failures with their ladder."),
    Term("tap", "TAP 14, written as findings come."),
    Term(
        "prometheus",
        "Metrics for the textfile collector of node_exporter; all begin with tcpshake_check_.",
    ),
    Term("markdown", "For the summaries of CI jobs."),
    Term("html", "A page with a picture of the round trips, in one file."),
    Text(
        "Findings wait for the reports that are written at the end in a file without a name, in TMPDIR, once they are \
         more than 4 MiB.",
    ),
];

const SUMMARY: &[Piece] = &[
    Term("targets", "As expected, not as expected, and not checked, because the run ended before."),
    Term("left out", "Targets named more than once, excluded, and known from the report of --resume."),
    Term("exchanges", "How many were made, and how they ended:"),
    Term("completed", "Opened, and both FINs acknowledged."),
    Term("refused", "RST in answer to the SYN."),
    Term("silent", "No answer in time."),
    Term("unreachable", "An ICMP error, or no route."),
    Term("reset", "Opened, then reset by the peer."),
    Term("close-incomplete", "Opened, but the close did not come to its end."),
    Term("interrupted", "Ended by a signal."),
    Term("sent again", "Segments that were repeated because nothing acknowledged them."),
    Term(
        "duration",
        "From the first SYN to the last verdict; how many exchanges a second that were, and the limit.",
    ),
    Term(
        "round trips",
        "Of all opens that needed one SYN. p90 is the least that nine of ten do not exceed; three digits are exact.",
    ),
    Text(
        "A line that begins with ! tells what went wrong on this machine: packets that were lost because they were not \
         read fast enough (then fewer exchanges are begun, until nothing is lost any more), and RSTs of the kernel's \
         that no guard held back.",
    ),
];

const TIMES: &[Piece] = &[Text(
    "A round trip is the time at which the kernel took the SYN,ACK less the time at which the SYN left, both by the \
         kernel's clock as a capture shows them, where no more than 10000 exchanges a second may begin. Without a limit, or \
         with a higher one, the second is an estimate within the system call that sent the SYN, some microseconds off; it \
         is told as a microsecond at least. The time that a \
         packet waits in this program does not count. An open whose SYN was sent again has no round trip: nobody \
         knows which of them was answered.",
)];

const PARTS: &[Piece] = &[
    Text(
        "--shard I/N keeps the targets whose text, HOST:PORT, has a hash that is I - 1 modulo N. Each target is in \
         exactly one part, whatever else is in the list and in whatever order, on every machine and in every version.",
    ),
    Text(
        "--resume FILE reads an NDJSON report, also of a run that was killed, and checks what it lacks, or says was not \
         checked. Its findings are in the new reports. The file may be the new report's own.",
    ),
    Text("tcpshake-merge(1) makes one report of those of several parts."),
];

const EXITS: &[Piece] = &[
    Term(
        "0",
        "All targets were checked and are as expected. Those that the list excludes are not among them.",
    ),
    Term(
        "1",
        "Some target is not as expected: a name without an address is such, and a host without a route \
         where unreachable is not expected. Or it was not checked, as a name that leads to excluded addresses.",
    ),
    Term("2", "The command line, a target, or the report of --resume is wrong. Nothing was sent."),
    Term("8", "It is not possible here, or a report could not be written."),
    Term("129, 130, 143", "A signal ended it, whatever was found before."),
];

const MERGED: &[Piece] = &[
    Text(
        "Reports are read in the order in which they are given: of a target that is in several, the last finding counts. \
         One that ends in the middle of a line, as that of a killed run may, is read up to there. Round trips, lost \
         packets and the kernel's RSTs are added up; the duration is that of the longest part.",
    ),
    Text(
        "What is missing is told: a part of which no report was given, where others of as many were; and how many targets \
         a report announces and does not tell of, because its run ended before. They count as not checked.",
    ),
];

const MERGE_EXITS: &[Piece] = &[
    Term("0", "All targets were checked and are as expected."),
    Term("1", "Some target is not, or was not checked, or a part is missing."),
    Term("2", "A report cannot be read: it is not there, or is no NDJSON report of check."),
    Term("8", "A report could not be written."),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::expectation::Expectations;

    /// Each notation that the page shows is one.
    #[test]
    fn the_expectations_that_are_told_can_be_typed() {
        let mut told = 0;
        for piece in EXPECTATIONS {
            let Term(terms, _) = piece else { continue };
            for term in terms.split(", ") {
                Expectations::read([term]).unwrap();
                told += 1;
            }
        }
        assert!(told > 15, "{told}");
    }

    /// A section that nobody is shown would say nothing.
    #[test]
    fn a_page_has_its_sections() {
        let text = sections("tcpshake-check").unwrap().to_roff();
        for (title, _) in CHECK {
            assert!(text.contains(title), "{title}");
        }
        assert!(sections("tcpshake-merge").unwrap().to_roff().contains("WHAT IS MERGED"));
        assert!(sections("tcpshake-demo").is_none());
    }
}

//! Whole exchanges as files: one line a segment, in virtual time, with the endpoint that the program runs.
//!
//! Each file below this folder is a test of that name. Its first line names the scenarios it is, the next ones say in
//! a sentence what happens and why that is right. Then come who our end is, and the lines:
//!
//! ```text
//! # A-01
//! # An active open: SYN, SYN,ACK, ACK (RFC 9293 section 3.5, figure 6).
//!
//! connect mss 1460 window 64240
//!
//! 0.000 > S 0:0(0) win 64240 <mss 1460,sackOK,wscale 0>
//! 0.010 < S. 0:0(0) ack 1 win 65535 <mss 1460>
//! 0.010 > . 1:1(0) ack 1
//! 0.010 state ESTABLISHED
//! ```
//!
//! # Who our end is
//!
//! `connect` runs [`driver::converse`](tcpshake::driver::converse), as the command does, and sends its SYN at once;
//! `serve` runs [`driver::serve`](tcpshake::driver::serve()), and waits. `machine` is a
//! [`Stream`](tcpshake::tcp::Stream) alone, for calls that no command makes. Behind it, as needed:
//!
//! | words | |
//! |---|---|
//! | `ipv6` | instead of IPv4 |
//! | `mss N`, `window N`, `retries N`, `msl S` | parameters; 1460, 64240, 3, 120 |
//! | `no-sack`, `no-wscale`, `timestamps`, `ecn` | what our SYN offers: MSS, SACK and window scale if nothing is said |
//! | `no-nagle`, `on-syn N` | as the options of the command |
//! | `patience S`, `linger S` | how long a phase may take, for ever; what is kept of TIME-WAIT, all of it |
//! | `reads-on-call`, `closes-after-peer` | a user who does not read at once; who closes when the peer has |
//! | `clients N` | how many are served |
//!
//! # Lines
//!
//! ```text
//! line     = TIME what                     # a comment ends the line
//!          | "silence until" TIME          # until then nothing is sent
//!          | "repeat" N lines "end"
//! TIME     = 0.010                         seconds since the beginning, or +0.010 since the line before
//! what     = ">" segment                   our end sends exactly this, exactly then
//!          | "<" packet                    this arrives
//!          | "send" N | "read" [N] | "close" | "abort"       our user calls; of a machine alone, also
//!          | "open" | "listen" | "close-with-peer"
//!          | expectation
//! segment  = FLAGS FIRST:END(LENGTH) ["ack" N] ["win" N] ["urg" N] ["<" options ">"] ["to" A:P]
//! options  = "mss" N, "wscale" N, "sackOK", "TS val" N "ecr" N, "sack" A:B …, "nop", "eol", "kind" N [HEX], "hex" HEX
//! ```
//!
//! Flags are those of traces: `S.` is SYN,ACK; `P` PSH, `F` FIN, `R` RST, `U` URG, `E` ECE, `W` CWR, `A` AE, `none`
//! none; in this order: `SFRP.UEWA`. Numbers are counted from the initial one of whose they are; `=N` is a number as it
//! stands on the wire. Windows are not scaled. Our own clock, in timestamps, is counted from the beginning, the peer's
//! stands as it is. Of our segments, what a line does not state is not looked at, NOPs never are; of the peer's, the
//! window is 65535 if nothing is said.
//!
//! A packet is a segment, with more behind it if need be:
//!
//! | words | |
//! |---|---|
//! | `from A:P`, `to A:P` | somebody else's, or not for us |
//! | `ttl N`, `tos N` | time to live, type of service; 64 and 0 |
//! | `badsum`, `unsummed` | a wrong checksum, one that is left to a card |
//! | `reserved N`, `offset N`, `cut N` | the three reserved bits, the data offset, octets left of the segment |
//! | `padded N` | octets of padding behind the packet |
//! | `version N`, `ihl N`, `total N`, `bad-ip-sum`, `ip-options HEX` | in the IPv4 header |
//! | `fragment N`, `fragment-more N` | a piece that begins there, in units of eight octets |
//! | `extension KIND N` | so many IPv6 extension headers |
//!
//! or an error of a router's about a segment of ours:
//!
//! ```text
//! "icmp" TYPE/CODE "quoting" FIRST:END(LENGTH) ["about" A:P] ["mtu" N] ["quotes" OCTETS] ["quoted-options" HEX]
//! ```
//!
//! Expectations are `state S`; `delivered N`, the octets our user has taken so far, whose text is always compared;
//! `clause C`, among the rules that decided since the last thing happened; `told T`, how something begins that was
//! told since then, or `nothing`; `verdict T`, how the verdict begins; `remark T`, how something begins that is printed with
//! it; `snd.wnd N`, `rcv.wnd N`, `rcv.up N`.
//!
//! # What fails
//!
//! Whatever our end sends must be the next line; what does not come, what comes besides, and what is left when our
//! end has stopped, all fail. Where a deadline of our end and a line fall together, the deadline comes first. Each
//! file is played with both initial numbers at every edge of the sequence space (M-05), and must go the same way.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic"
)]

mod ends;
mod judge;
mod machine;
mod notation;
mod packets;
mod play;
mod scenarios;
mod segments;
mod selftest;
mod setup;
mod told;
mod user;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tcpshake::tcp::SeqNum;

use crate::notation::Dialogue;
use crate::segments::Placement;

/// M-05: both spaces at every edge there is; the sixth lets a window end at the wrap.
const EDGES: [u32; 8] =
    [0, 1, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, u32::MAX - 64_239, u32::MAX - 1, u32::MAX];

fn everywhere() -> impl Iterator<Item = Placement> {
    let pairs = EDGES.into_iter().flat_map(|iss| EDGES.into_iter().map(move |irs| (iss, irs)));
    pairs.map(|(iss, irs)| Placement { iss: SeqNum(iss), irs: SeqNum(irs) })
}

/// The message of the first failure, if there is one.
fn run(text: &str, file: &str) -> Result<(), String> {
    let dialogue = Dialogue::read(text)
        .map_err(|fault| format!("{file}:{}:{}: {}", fault.line, fault.column, fault.text))?;
    for place in everywhere() {
        ends::play(&dialogue, place).map_err(|failure| failure.message(file))?;
    }
    Ok(())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "tcp") {
            found.push(path);
        }
    }
    found.sort();
}

fn trial(path: &Path) -> Trial {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = path.strip_prefix(root).unwrap().display().to_string();
    let name = file.trim_start_matches("tests/dialogues/").trim_end_matches(".tcp").to_owned();
    let path = path.to_owned();
    Trial::test(name, move || {
        let text = fs::read_to_string(&path)?;
        if !scenarios::stand_in_title(&text, &path) {
            return Err(Failed::from(format!("{file}:1: the scenarios of its name do not stand here")));
        }
        run(&text, &file).map_err(Failed::from)
    })
}

fn main() -> ExitCode {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues"), &mut found);
    let mut trials: Vec<Trial> = found.iter().map(|path| trial(path)).collect();
    let first =
        |path: &PathBuf| fs::read_to_string(path).unwrap().lines().next().unwrap_or_default().to_owned();
    let titles = found.iter().map(first).collect::<Vec<_>>().join(" ");
    trials.push(Trial::test("every_scenario_is_told", move || scenarios::are_all_told(&titles)));
    trials.extend(selftest::TESTS.iter().map(|(name, test)| {
        let test = *test;
        Trial::test(format!("player::{name}"), move || {
            test();
            Ok(())
        })
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

//! What a check of many targets has found, as plain values.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Ending, Outcome};

/// What came of one target: all its exchanges together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The target as it was asked for: `HOST:PORT`, `[IPV6]:PORT`.
    pub target: String,
    /// Its address, if a name was asked for and resolved, or the target is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// What was expected of it, in the notation of the command line.
    pub expected: Vec<String>,
    /// Whether it is so.
    pub verdict: Verdict,
    /// Why it is not, or why it was not checked: one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What its exchanges came to.
    pub totals: Totals,
    /// The ladder of the first exchange that was not as expected: lines of text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ladder: Vec<String>,
}

/// Whether a target is as expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All that was expected is so.
    Met,
    /// Something is not.
    Unmet,
    /// Nobody knows: the run ended before.
    #[default]
    NotChecked,
}

impl Verdict {
    /// One word for machines, the same as in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Unmet => "unmet",
            Self::NotChecked => "not-checked",
        }
    }
}

/// What the exchanges with one target came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Exchanges made.
    pub exchanges: u32,
    /// How they ended.
    pub ends: Ends,
    /// SYNs sent, those sent again included.
    pub syns: u32,
    /// SYNs that nothing answered.
    pub syns_lost: u32,
    /// Segments sent again, SYNs included.
    pub retransmissions: u32,
    /// Round trips of the opens that needed one SYN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtt: Option<Spread>,
    /// What the peer's SYN announced, in the first exchange that had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Announced>,
    /// The first octets the peer said in the last exchange, escaped as in a byte string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banner: Option<String>,
}

/// How many exchanges ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// Opened, and both FINs acknowledged.
    pub completed: u32,
    /// RST in answer to the SYN.
    pub refused: u32,
    /// No answer in time.
    pub silent: u32,
    /// An ICMP error, or no route.
    pub unreachable: u32,
    /// Opened, then reset by the peer.
    pub reset: u32,
    /// Opened, but the close did not come to its end.
    pub close_incomplete: u32,
    /// Ended by the user.
    pub interrupted: u32,
}

impl Ends {
    /// The names and numbers, in the order in which they are told.
    pub const fn all(&self) -> [(&'static str, u32); 7] {
        [
            ("completed", self.completed),
            ("refused", self.refused),
            ("silent", self.silent),
            ("unreachable", self.unreachable),
            ("reset", self.reset),
            ("close-incomplete", self.close_incomplete),
            ("interrupted", self.interrupted),
        ]
    }

    /// Exchanges that were open, however they ended.
    pub const fn opened(&self) -> u32 {
        self.completed + self.reset + self.close_incomplete
    }

    /// Counts what another run has counted.
    pub const fn add_all(&mut self, other: &Self) {
        self.completed += other.completed;
        self.refused += other.refused;
        self.silent += other.silent;
        self.unreachable += other.unreachable;
        self.reset += other.reset;
        self.close_incomplete += other.close_incomplete;
        self.interrupted += other.interrupted;
    }

    /// Counts one more.
    pub const fn add(&mut self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Completed(Ending::Closed | Ending::ResetByUs | Ending::LeftOpen) => &mut self.completed,
            Outcome::Refused | Outcome::NotOpened(_) => &mut self.refused,
            Outcome::Silent { .. } => &mut self.silent,
            Outcome::Unreachable(_) => &mut self.unreachable,
            Outcome::ResetAfterOpening { .. } => &mut self.reset,
            Outcome::CloseIncomplete { .. } => &mut self.close_incomplete,
            Outcome::Interrupted(_) => &mut self.interrupted,
        };
        *counter += 1;
    }
}

/// Least, mean and most of several times, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// How many there are.
    pub count: u32,
    /// The least.
    pub min_ns: u64,
    /// The mean.
    pub avg_ns: u64,
    /// The most.
    pub max_ns: u64,
}

/// What a peer's SYN announced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announced {
    /// The MSS option; `None` if it has none.
    pub mss: Option<u16>,
    /// Its options by name: `mss`, `sack`, `window-scale`, `timestamps`, and `ecn` if it grants it.
    pub options: Vec<String>,
}

/// What a whole run is about: said before the first SYN.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Targets to check, duplicates and excluded ones left out.
    pub targets: u64,
    /// Targets that were named more than once, and are checked once.
    pub duplicates: u64,
    /// Targets left out because they are on the exclude list.
    pub excluded: u64,
    /// Targets whose verdict an earlier report has.
    pub resumed: u64,
    /// Exchanges with each.
    pub count: u32,
    /// Exchanges a second, at most; `None` is no limit.
    pub rate: Option<f64>,
    /// The same, with one address.
    pub per_host_rate: Option<f64>,
    /// Exchanges in flight, at most.
    pub max_in_flight: u32,
    /// What the order was made from, if it is not that of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Which part of the list it is: this one, of so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<(u32, u32)>,
    /// When it began, in whole seconds since 1970.
    pub unix_seconds: u64,
}

/// What a whole run came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Targets by verdict: as expected.
    pub met: u64,
    /// Not as expected.
    pub unmet: u64,
    /// Not checked: the run ended before.
    pub not_checked: u64,
    /// Exchanges made.
    pub exchanges: u64,
    /// Exchanges by end, by the names of [`Ends::all`].
    pub ends: BTreeMap<String, u64>,
    /// Segments sent again.
    pub retransmissions: u64,
    /// From the first SYN to the last verdict.
    pub duration: Duration,
    /// Round trips: microseconds, and how many exchanges had them; ascending.
    pub round_trips: Vec<(u64, u64)>,
    /// Packets lost on this machine because they were not read fast enough.
    pub packets_lost: u64,
    /// How often the rate was lowered because of that.
    pub backed_off: u32,
    /// RSTs of the kernel's that left all the same.
    pub kernel_resets: u64,
    /// The signal that ended it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
}

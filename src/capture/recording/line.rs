//! The lines as they are written, as far as a drawing needs them: mirrors of those in [`report::json`].
//!
//! [`report::json`]: crate::report::json

use serde::Deserialize;

use crate::record::connection::Source;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Line {
    Begin(Box<BeginLine>),
    Step(Box<StepLine>),
    Opened(OpenedLine),
    End(Box<EndLine>),
    /// Of no single exchange, or of a later version.
    #[serde(other)]
    Other,
}

impl Line {
    /// The number of its exchange, as it is written.
    pub(super) const fn exchange(&self) -> Option<u32> {
        match self {
            Self::Begin(line) => Some(line.exchange),
            Self::Step(line) => Some(line.exchange),
            Self::Opened(line) => Some(line.exchange),
            Self::End(line) => Some(line.exchange),
            Self::Other => None,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct BeginLine {
    pub(super) version: String,
    pub(super) exchange: u32,
    pub(super) role: String,
    pub(super) local: String,
    pub(super) remote: String,
    pub(super) host: Option<String>,
    pub(super) address_number: Option<u32>,
    pub(super) address_count: Option<u32>,
    #[serde(default)]
    pub(super) guard: String,
    pub(super) guard_variant: Option<String>,
    pub(super) guard_proven: Option<bool>,
    pub(super) guard_untested_because: Option<String>,
    #[serde(default)]
    pub(super) guard_passed_over: Vec<PassedOverLine>,
    #[serde(default)]
    pub(super) simulated: bool,
    #[serde(default)]
    pub(super) source: String,
    #[serde(default)]
    pub(super) unix_seconds: u64,
}

impl BeginLine {
    /// Recordings before version 1.4 are all of our own exchanges.
    pub(super) fn source(&self) -> Source {
        if self.source == Source::Capture.name() { Source::Capture } else { Source::Ourselves }
    }

    /// The first number changes when a field changes its meaning.
    pub(super) fn check_version(&self) -> Result<(), String> {
        const MAJOR: &str = "1";
        match self.version.split_once('.') {
            Some((MAJOR, _)) => Ok(()),
            _ => Err(format!("of a version that is not {MAJOR}, the only one that can be read")),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct PassedOverLine {
    pub(super) guard: String,
    pub(super) why: String,
}

#[derive(Deserialize)]
pub(super) struct StepLine {
    pub(super) exchange: u32,
    pub(super) n: u32,
    pub(super) at_us: u64,
    pub(super) event: String,
    pub(super) direction: Option<String>,
    pub(super) flags: Option<String>,
    pub(super) seq: Option<u32>,
    pub(super) ack: Option<u32>,
    pub(super) rel_seq: Option<u32>,
    pub(super) rel_ack: Option<u32>,
    pub(super) len: Option<u32>,
    pub(super) window: Option<u16>,
    pub(super) urgent: Option<u16>,
    pub(super) options: Option<Vec<OptionLine>>,
    pub(super) text: Option<String>,
    pub(super) ttl: Option<u8>,
    pub(super) retransmission: Option<u8>,
    pub(super) icmp: Option<IcmpLine>,
    pub(super) fault: Option<String>,
    #[serde(default)]
    pub(super) arrows: Vec<ArrowLine>,
    /// None on what `send` tells, where nothing has a state.
    pub(super) state: Option<String>,
    pub(super) clause: Option<ClauseLine>,
    #[serde(default)]
    pub(super) snd: SndLine,
    #[serde(default)]
    pub(super) rcv: RcvLine,
    pub(super) snd_scale: Option<u8>,
    pub(super) rto_us: Option<u64>,
    pub(super) before: Option<BeforeLine>,
    #[serde(default)]
    pub(super) late: bool,
    pub(super) remote_state: Option<String>,
    pub(super) remark: Option<String>,
    pub(super) remark_octets: Option<u32>,
    pub(super) packet: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ArrowLine {
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Deserialize)]
pub(super) struct ClauseLine {
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct BeforeLine {
    pub(super) state: String,
    pub(super) snd: SndLine,
    pub(super) rcv: RcvLine,
}

#[derive(Default, Deserialize)]
pub(super) struct SndLine {
    pub(super) una: u32,
    pub(super) nxt: u32,
    pub(super) wnd: u32,
    pub(super) wl1: u32,
    pub(super) wl2: u32,
    pub(super) iss: u32,
}

#[derive(Default, Deserialize)]
pub(super) struct RcvLine {
    pub(super) nxt: u32,
    pub(super) wnd: u32,
    pub(super) up: u32,
    pub(super) irs: u32,
}

#[derive(Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(super) enum OptionLine {
    Nop,
    Mss {
        value: u16,
    },
    WindowScale {
        value: u8,
    },
    SackPermitted,
    Timestamps {
        value: u32,
        echo: u32,
    },
    Sack {
        blocks: Vec<[u32; 2]>,
    },
    Unknown {
        kind: u8,
        data: String,
    },
    /// Its octets are not told.
    #[serde(other)]
    Malformed,
}

#[derive(Deserialize)]
pub(super) struct IcmpLine {
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) code: u8,
    pub(super) from: String,
    #[serde(default)]
    pub(super) mtu: Option<u32>,
    pub(super) effect: String,
}

#[derive(Deserialize)]
pub(super) struct OpenedLine {
    pub(super) exchange: u32,
    #[serde(default)]
    pub(super) agreed: Vec<String>,
    #[serde(default)]
    pub(super) refused: Vec<String>,
    pub(super) our_mss: u16,
    pub(super) peer_mss: Option<u16>,
    pub(super) our_scale: u8,
    pub(super) peer_scale: u8,
    pub(super) peer_window: u16,
    pub(super) ttl: u8,
}

#[derive(Deserialize)]
pub(super) struct EndLine {
    pub(super) exchange: u32,
    pub(super) outcome: String,
    pub(super) verdict: String,
    pub(super) state: Option<String>,
    pub(super) icmp: Option<IcmpLine>,
    pub(super) open_us: Option<u64>,
    pub(super) close_us: Option<u64>,
    pub(super) rtt_us: Option<u64>,
    #[serde(default)]
    pub(super) retransmissions: u32,
    pub(super) held_back: Option<u32>,
    #[serde(default)]
    pub(super) guard_lost: bool,
    #[serde(default)]
    pub(super) kernel_resets: u32,
    #[serde(default)]
    pub(super) packets_lost: u32,
    #[serde(default)]
    pub(super) text_sent: u64,
    #[serde(default)]
    pub(super) text_received: u64,
    pub(super) expected: Option<String>,
    pub(super) as_expected: Option<bool>,
    pub(super) trouble: Option<String>,
    pub(super) time_wait_full_ms: Option<u64>,
    pub(super) time_wait_kept_ms: Option<u64>,
}

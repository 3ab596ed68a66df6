//! The lines as the outside may rely on them.

use serde::Serialize;

/// A line of what connect, listen and demo write with --format json.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub(in crate::report) enum Line<'l> {
    Begin(Begin<'l>),
    Step(Box<StepLine>),
    Opened(OpenedLine),
    End(End),
    Statistics(StatisticsLine),
    Connection(ConnectionLine),
    Listening(ListeningLine<'l>),
    Served(ServedLine),
    Error { exchange: u32, message: &'l str },
}

/// An exchange begins.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct Begin<'l> {
    /// Of the format.
    pub(in crate::report) version: &'static str,
    /// Which exchange of the run it is, from 1.
    pub(in crate::report) exchange: u32,
    /// Whether we send the first SYN.
    pub(in crate::report) role: &'static str,
    /// The short name of a client's connection.
    pub(in crate::report) connection: Option<String>,
    /// Our address and port.
    pub(in crate::report) local: String,
    /// Those of the other end.
    pub(in crate::report) remote: String,
    /// The name the user gave for it, if it was no address.
    pub(in crate::report) host: Option<&'l str>,
    /// Which of that name's addresses it is, from 1.
    pub(in crate::report) address_number: Option<u32>,
    /// How many it has.
    pub(in crate::report) address_count: Option<u32>,
    #[serde(flatten)]
    pub(in crate::report) guard: GuardLine<'l>,
    /// Whether both ends run inside the process, in virtual time.
    pub(in crate::report) simulated: bool,
    /// Whether the states are our own, or inferred from a capture.
    pub(in crate::report) source: &'static str,
    pub(in crate::report) unix_seconds: u64,
}

/// What keeps the RST of the kernel in.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct GuardLine<'l> {
    #[serde(rename = "guard")]
    pub(in crate::report) name: &'static str,
    pub(in crate::report) guard_variant: Option<&'static str>,
    pub(in crate::report) guard_proven: Option<bool>,
    pub(in crate::report) guard_untested_because: Option<&'l str>,
    pub(in crate::report) guard_passed_over: Vec<PassedOverLine<'l>>,
}

/// A guard that was tried before, and why it did not do.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct PassedOverLine<'l> {
    pub(in crate::report) guard: &'static str,
    pub(in crate::report) why: &'l str,
}

/// Something happened. What a field is about is null where a step has none of it.
#[derive(Serialize, Default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct StepLine {
    /// Which exchange it belongs to.
    pub(in crate::report) exchange: u32,
    /// Its number, from 1.
    pub(in crate::report) n: u32,
    /// Microseconds since the exchange began.
    pub(in crate::report) at_us: u64,
    /// `segment`, `unsent`, `unreadable`, `icmp`, `kernel-reset`, `quiet`.
    pub(in crate::report) event: &'static str,
    /// `sent`, `received`, `unsent`.
    pub(in crate::report) direction: Option<&'static str>,
    /// The control bits by name.
    pub(in crate::report) flags: Option<String>,
    /// The sequence number.
    pub(in crate::report) seq: Option<u32>,
    /// The acknowledgment number, if the ACK bit is set.
    pub(in crate::report) ack: Option<u32>,
    /// The sequence number, counted from the sender's initial one.
    pub(in crate::report) rel_seq: Option<u32>,
    /// The acknowledgment number, counted from the receiver's initial one.
    pub(in crate::report) rel_ack: Option<u32>,
    /// Octets of text.
    pub(in crate::report) len: Option<u32>,
    /// The window field as it is on the wire.
    pub(in crate::report) window: Option<u16>,
    /// The urgent pointer, if the URG bit is set.
    pub(in crate::report) urgent: Option<u16>,
    pub(in crate::report) options: Option<Vec<OptionLine>>,
    /// The beginning of the text, with escapes.
    pub(in crate::report) text: Option<String>,
    /// Time to live, or hop limit, left.
    pub(in crate::report) ttl: Option<u8>,
    /// How often the segment was sent before.
    pub(in crate::report) retransmission: Option<u8>,
    pub(in crate::report) icmp: Option<IcmpLine>,
    /// Why it could not be sent, or read.
    pub(in crate::report) fault: Option<String>,
    /// The states it led through.
    pub(in crate::report) arrows: Vec<ArrowLine>,
    /// The state after it.
    pub(in crate::report) state: Option<&'static str>,
    pub(in crate::report) clause: Option<ClauseLine>,
    pub(in crate::report) snd: Option<SndLine>,
    pub(in crate::report) rcv: Option<RcvLine>,
    pub(in crate::report) snd_scale: Option<u8>,
    pub(in crate::report) rto_us: Option<u64>,
    pub(in crate::report) before: Option<BeforeLine>,
    pub(in crate::report) late: bool,
    /// Of a connection of others: the state of the remote end, and what is out of the ordinary.
    pub(in crate::report) remote_state: Option<&'static str>,
    pub(in crate::report) remark: Option<&'static str>,
    pub(in crate::report) remark_octets: Option<u32>,
    /// The packet as far as it was kept, in hexadecimal.
    pub(in crate::report) packet: Option<String>,
}

/// State and variables before the step.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct BeforeLine {
    pub(in crate::report) state: &'static str,
    pub(in crate::report) snd: SndLine,
    pub(in crate::report) rcv: RcvLine,
}

/// An option of a segment.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(in crate::report) enum OptionLine {
    Nop,
    Mss { value: u16 },
    WindowScale { value: u8 },
    SackPermitted,
    Timestamps { value: u32, echo: u32 },
    Sack { blocks: Vec<[u32; 2]> },
    Unknown { kind: u8, data: String },
    Malformed { fault: String },
}

/// An ICMP error that quotes a segment of ours.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct IcmpLine {
    #[serde(rename = "type")]
    pub(in crate::report) kind: u8,
    pub(in crate::report) code: u8,
    pub(in crate::report) meaning: &'static str,
    pub(in crate::report) from: String,
    /// Of a packet that was too large: what the next link has room for.
    pub(in crate::report) mtu: Option<u32>,
    pub(in crate::report) effect: &'static str,
}

/// From a state to the next.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct ArrowLine {
    pub(in crate::report) from: &'static str,
    pub(in crate::report) to: &'static str,
}

/// The rule that decided.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct ClauseLine {
    pub(in crate::report) name: &'static str,
    pub(in crate::report) section: &'static str,
    pub(in crate::report) text: &'static str,
}

/// The connection's send variables (RFC 9293 section 3.3.1).
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct SndLine {
    pub(in crate::report) una: u32,
    pub(in crate::report) nxt: u32,
    pub(in crate::report) wnd: u32,
    pub(in crate::report) wl1: u32,
    pub(in crate::report) wl2: u32,
    pub(in crate::report) iss: u32,
}

/// The connection's receive variables (RFC 9293 section 3.3.1).
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct RcvLine {
    pub(in crate::report) nxt: u32,
    pub(in crate::report) wnd: u32,
    pub(in crate::report) up: u32,
    pub(in crate::report) irs: u32,
}

/// The connection is open: what was agreed on.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct OpenedLine {
    pub(in crate::report) exchange: u32,
    /// What of what we offered is in force.
    pub(in crate::report) agreed: Vec<&'static str>,
    /// What is not.
    pub(in crate::report) refused: Vec<&'static str>,
    /// What we take in one segment.
    pub(in crate::report) our_mss: u16,
    /// What the peer takes.
    pub(in crate::report) peer_mss: Option<u16>,
    /// The shift of the windows we announce.
    pub(in crate::report) our_scale: u8,
    /// The shift of the windows the peer announces.
    pub(in crate::report) peer_scale: u8,
    /// The window in the peer's SYN.
    pub(in crate::report) peer_window: u16,
    /// Time to live, or hop limit, that was left of it.
    pub(in crate::report) ttl: u8,
    /// Routers that it has crossed, as far as that shows.
    pub(in crate::report) hops: u8,
}

/// How the exchange ended, and what it took.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct End {
    pub(in crate::report) exchange: u32,
    /// One word.
    pub(in crate::report) outcome: &'static str,
    /// A sentence.
    pub(in crate::report) verdict: String,
    /// The state it was reset or given up in.
    pub(in crate::report) state: Option<&'static str>,
    pub(in crate::report) icmp: Option<IcmpLine>,
    /// From our first SYN to ESTABLISHED.
    pub(in crate::report) open_us: Option<u64>,
    /// From the first FIN to the acknowledgment of the second.
    pub(in crate::report) close_us: Option<u64>,
    /// From a SYN sent once to its answer.
    pub(in crate::report) rtt_us: Option<u64>,
    /// Segments sent again.
    pub(in crate::report) retransmissions: u32,
    /// Answers of the kernel that the guard held back.
    pub(in crate::report) held_back: Option<u32>,
    /// Whether somebody took the guard away meanwhile.
    pub(in crate::report) guard_lost: bool,
    /// RSTs of the kernel's that left all the same.
    pub(in crate::report) kernel_resets: u32,
    /// Packets lost on this machine, not read fast enough.
    pub(in crate::report) packets_lost: u32,
    /// Octets of text acknowledged by the peer.
    pub(in crate::report) text_sent: u64,
    /// Octets of text taken from the peer.
    pub(in crate::report) text_received: u64,
    /// What was expected to come, as a pattern.
    pub(in crate::report) expected: Option<String>,
    /// Whether it came.
    pub(in crate::report) as_expected: Option<bool>,
    /// What went wrong on this machine.
    pub(in crate::report) trouble: Option<String>,
    pub(in crate::report) time_wait_full_ms: Option<u64>,
    pub(in crate::report) time_wait_kept_ms: Option<u64>,
}

/// A service waits for clients.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct ConnectionLine {
    pub(in crate::report) exchange: u32,
    pub(in crate::report) local: String,
    pub(in crate::report) remote: String,
    pub(in crate::report) unix_micros: u64,
    pub(in crate::report) lasted_us: u64,
    pub(in crate::report) segments_sent: u64,
    pub(in crate::report) segments_received: u64,
    pub(in crate::report) text_sent: u64,
    pub(in crate::report) text_received: u64,
    pub(in crate::report) beginning: &'static str,
    pub(in crate::report) finish: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct ListeningLine<'l> {
    pub(in crate::report) version: &'static str,
    pub(in crate::report) at: Vec<String>,
    #[serde(flatten)]
    pub(in crate::report) guard: GuardLine<'l>,
    pub(in crate::report) unix_seconds: u64,
}

/// A service is over.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct ServedLine {
    pub(in crate::report) begun: u32,
    pub(in crate::report) connections: u32,
    pub(in crate::report) completed: u32,
    pub(in crate::report) unopened: u32,
    pub(in crate::report) cookies_sent: u32,
    pub(in crate::report) cookies_returned: u32,
    pub(in crate::report) passed_over: u32,
    pub(in crate::report) retransmissions: u32,
    pub(in crate::report) kernel_resets: u32,
    pub(in crate::report) packets_lost: u32,
    pub(in crate::report) text_sent: u64,
    pub(in crate::report) text_received: u64,
}

/// A run of several exchanges is over.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(in crate::report) struct StatisticsLine {
    pub(in crate::report) exchanges: u32,
    pub(in crate::report) completed: u32,
    pub(in crate::report) failed_percent: f64,
    pub(in crate::report) retransmissions: u32,
    pub(in crate::report) rtt_min_us: Option<u64>,
    pub(in crate::report) rtt_avg_us: Option<u64>,
    pub(in crate::report) rtt_max_us: Option<u64>,
    pub(in crate::report) rtt_mdev_us: Option<u64>,
}

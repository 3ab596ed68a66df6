//! What each field of a header is for, in a sentence: shown where a header is looked into.

/// The version of IP.
pub const VERSION: &str = "Which layout follows: 4 or 6.";
/// The length of an IPv4 header.
pub const IPV4_LENGTH: &str = "Length of this header in words of 32 bits; 5 where there are no options.";
/// The total length.
pub const TOTAL_LENGTH: &str =
    "The whole packet: header, segment and text. What a network card pads it with is not counted.";
/// The identification.
pub const IDENTIFICATION: &str = "Tells which fragments belong together. Without meaning in a packet that may not be fragmented (RFC 6864).";
/// The fragment offset.
pub const FRAGMENT_OFFSET: &str = "Where this fragment belongs, in units of 8 octets.";
/// Time to live, and hop limit.
pub const TIME_TO_LIVE: &str =
    "Each router takes one away, and drops the packet at zero: no packet circles for ever.";
/// Protocol, and next header.
pub const PROTOCOL: &str = "What follows this header: 6 is TCP.";
/// The checksum of an IPv4 header.
pub const HEADER_CHECKSUM: &str =
    "Over this header only. Each router writes it anew, since it changes the time to live.";
/// The source address.
pub const SOURCE_ADDRESS: &str = "The host that sent the packet.";
/// The destination address.
pub const DESTINATION_ADDRESS: &str = "The host it is for.";
/// The flow label of IPv6.
pub const FLOW_LABEL: &str = "The same for all packets of a flow, so that routers keep them on one path.";
/// The payload length of IPv6.
pub const PAYLOAD_LENGTH: &str =
    "What follows this header of 40 octets. There is no checksum: TCP's own covers the addresses.";
/// The length of an extension header of IPv6.
pub const EXTENSION_LENGTH: &str = "Length of this extension beyond its first 8 octets, in units of 8.";
/// The first of the three flags of IPv4.
pub const RESERVED_FLAG: &str = "Must be zero.";
/// The flag DF.
pub const DF: &str = "Do not fragment: a router that cannot pass the packet on whole says so.";
/// The flag MF.
pub const MF: &str = "More fragments follow. Zero in a packet that is whole.";
/// The options of IPv4.
pub const IPV4_OPTIONS: &str = "Rarely seen, and often dropped on the way.";
/// What an extension header of IPv6 holds.
pub const EXTENSION_CONTENTS: &str = "What a router or the receiver is asked to do.";
/// Differentiated services.
pub const DSCP: &str = "Differentiated services (RFC 2474): which treatment is asked of routers.";
/// Explicit congestion notification.
pub const ECN: &str = "Explicit congestion notification (RFC 3168): whether a router may mark the packet instead of dropping it, and whether one has.";
/// SEG.SEQ.
pub const SEQUENCE_NUMBER: &str = "The number of the first octet of text. With SYN it is the initial number, and the text begins one later.";
/// SEG.ACK.
pub const ACKNOWLEDGMENT_NUMBER: &str = "The number the sender expects next: everything before it has arrived. Without the ACK bit it means nothing.";
/// The data offset.
pub const DATA_OFFSET: &str =
    "Where the text begins, in words of 32 bits: the length of this header with its options.";
/// SEG.WND.
pub const WINDOW: &str = "How many octets the sender is ready to take beyond those it acknowledges; shifted by the window scale, except on a SYN.";
/// The checksum of TCP.
pub const CHECKSUM: &str = "Over this header, the text, and the addresses of the IP header: what is damaged or misdelivered is dropped.";
/// The text behind the header.
pub const TEXT: &str = "What the program on the other end reads. Each octet takes one sequence number.";
/// The source port.
pub const SOURCE_PORT: &str = "The port it comes from; with the three others it names the connection.";
/// The destination port.
pub const DESTINATION_PORT: &str = "The port it is for.";
/// The reserved bits of TCP.
pub const RESERVED: &str = "Sent as zero, ignored when received.";
/// SEG.UP.
pub const URGENT_POINTER: &str = "Where urgent text ends, if URG is set. New programs should not use it.";
/// The control bits in the header's order, and what each says.
pub const CONTROL_BITS: [(&str, &str); 9] = [
    ("AE", "Accurate ECN (RFC 9768): tells more of congestion than a single bit can."),
    ("CWR", "Congestion window reduced (RFC 3168): the sender has heard of the congestion."),
    (
        "ECE",
        "ECN echo (RFC 3168): a packet came marked by a congested router. On a SYN, an offer to use this.",
    ),
    ("URG", "The urgent pointer means something."),
    (
        "ACK",
        "The acknowledgment number means something: set on every segment but the first SYN, and some RSTs.",
    ),
    ("PSH", "Push: the receiver should hand the text to its user without waiting for more."),
    ("RST", "Reset: there is no such connection, or no longer."),
    ("SYN", "Synchronize: the sequence number is the initial one. Takes one number itself."),
    ("FIN", "No more text from the sender. Takes one number itself, so that it can be acknowledged."),
];
/// What follows the end of the options.
pub const PADDING: &str = "Fills the header up to whole words of 32 bits.";
/// The length of an option.
pub const OPTION_LENGTH: &str = "The whole option, kind and length counted.";
/// TSval.
pub const TIMESTAMP_VALUE: &str = "The sender's clock, in ticks of its own.";
/// TSecr.
pub const TIMESTAMP_ECHO: &str = "The value last heard from the other end: it measures the round trip.";
/// The left edge of a block of SACK.
pub const LEFT_EDGE: &str = "The first number of a block that has arrived.";
/// The right edge of a block of SACK.
pub const RIGHT_EDGE: &str = "The number after that block's last.";
/// An option that cannot be.
pub const MALFORMED_OPTION: &str = "An option whose length cannot be: what follows it cannot be read.";
/// What no field is known for.
pub const REST: &str = "What no rule says how to read: another protocol's header, or one that was cut short.";
/// An option of TCP, by its kind as registered with IANA.
pub const fn option(kind: u32) -> &'static str {
    match kind {
        0 => "End of the options.",
        1 => "No operation: moves the next option to where its sender likes it.",
        2 => "Maximum segment size: octets of text the sender takes in one segment. Only on a SYN.",
        3 => {
            "Window scale (RFC 7323): the windows of later segments count in units of 2 to this power, if both ends offer it. Only on a SYN."
        }
        4 => "The sender understands selective acknowledgments (RFC 2018). Only on a SYN.",
        5 => "Selective acknowledgment (RFC 2018): blocks that have arrived behind a gap.",
        8 => "Timestamps (RFC 7323): for measuring the round trip, and for telling old segments from new.",
        34 => "A cookie (RFC 7413) that lets a SYN carry text.",
        _ => "An option this program does not decode.",
    }
}

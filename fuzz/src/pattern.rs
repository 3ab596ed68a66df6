//! The text that everybody sends: an octet is known from its place in the stream.

use tcpshake::tcp::SeqNum;

/// No more than this in one piece.
pub const MOST: usize = 1 << 17;
/// A prime: no power of two, and no segment size, is a multiple of it.
const PERIOD: usize = 251;

static TEXT: [u8; PERIOD + MOST] = {
    let mut text = [0; PERIOD + MOST];
    let mut at = 0;
    while at < text.len() {
        text[at] = (at % PERIOD) as u8;
        at += 1;
    }
    text
};

/// `len` octets from `seq` on, in a stream whose SYN stands at `initial`.
pub fn pattern(initial: SeqNum, seq: SeqNum, len: usize) -> &'static [u8] {
    let place = i64::from(seq - (initial + 1)).rem_euclid(PERIOD as i64) as usize;
    &TEXT[place..place + len]
}

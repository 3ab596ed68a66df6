//! The octets of an input, taken one after the other.

/// What is left of an input, and a tail behind it.
///
/// Coverage guides what comes first. Behind its end a machine stands where few have been, and the runtime has spent
/// its time on this input already: so the first octets of an input say, too, what random octets go on from there.
#[derive(Clone, Debug)]
pub struct Octets<'i> {
    rest: &'i [u8],
    tail: Tail,
}

#[derive(Clone, Debug)]
struct Tail {
    left: u32,
    state: u64,
    /// What of the latest number was not taken.
    ready: u64,
}

impl<'i> Octets<'i> {
    /// An input with `tail` octets more than it has.
    pub fn new(input: &'i [u8], tail: u32) -> Self {
        let mut octets = Self { rest: input, tail: Tail { left: 0, state: 0, ready: 0 } };
        octets.tail.state = u64::from(octets.u16());
        octets.tail.left = tail;
        octets
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.tail.left == 0
    }

    /// The next one; zero behind the end, so that no event is cut in half.
    pub fn u8(&mut self) -> u8 {
        if let Some((first, rest)) = self.rest.split_first() {
            self.rest = rest;
            return *first;
        }
        self.tail.next()
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    /// The high and the low half of the next octet.
    pub fn nibbles(&mut self) -> (u8, u8) {
        let octet = self.u8();
        (octet >> 4, octet & 0xf)
    }
}

impl Tail {
    fn next(&mut self) -> u8 {
        if self.left == 0 {
            return 0;
        }
        if self.left.is_multiple_of(8) {
            self.ready = self.splitmix();
        }
        self.left -= 1;
        let octet = self.ready as u8;
        self.ready >>= 8;
        octet
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): a counter, well stirred.
    fn splitmix(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut stirred = self.state;
        stirred = (stirred ^ (stirred >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        stirred = (stirred ^ (stirred >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        stirred ^ (stirred >> 31)
    }
}

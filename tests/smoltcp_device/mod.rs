//! A network interface of two queues, for smoltcp: a TCP that nobody here wrote.

use std::collections::VecDeque;

use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use tcpshake::time::Instant;

#[derive(Default)]
pub(crate) struct Queues {
    pub(crate) arriving: VecDeque<Vec<u8>>,
    pub(crate) leaving: Vec<Vec<u8>>,
}

pub(crate) struct Arriving(Vec<u8>);
pub(crate) struct Leaving<'q>(&'q mut Vec<Vec<u8>>);

impl RxToken for Arriving {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

impl TxToken for Leaving<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut packet = vec![0; len];
        let result = write(&mut packet);
        self.0.push(packet);
        result
    }
}

impl Device for Queues {
    type RxToken<'q> = Arriving;
    type TxToken<'q> = Leaving<'q>;

    fn receive(&mut self, _now: smoltcp::time::Instant) -> Option<(Arriving, Leaving<'_>)> {
        Some((Arriving(self.arriving.pop_front()?), Leaving(&mut self.leaving)))
    }

    fn transmit(&mut self, _now: smoltcp::time::Instant) -> Option<Leaving<'_>> {
        Some(Leaving(&mut self.leaving))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

/// The same moment by smoltcp's clock.
pub(crate) fn at(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros((now.as_nanos() / 1000) as i64)
}

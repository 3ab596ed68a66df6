//! What happens when too many are half-open: nothing is remembered, and a cookie brings it back.

use super::{Host, Key, Server};
use crate::driver::single::DriveError;
use crate::tcp::{Cookies, Flags, Mss, Offer, Opt, OptionsBuilder, Segment, UnscaledWindow};

impl<H: Host> Server<'_, H> {
    /// What cannot be remembered goes out with the SYN,ACK, and comes back with the client's ACK.
    pub(super) fn send_cookie(&mut self, key: Key, syn: &Segment) -> Result<(), DriveError> {
        let (local, remote) = key;
        let now = self.out.wire.now();
        let theirs = syn.options.syn().mss.unwrap_or(Mss::default_of(remote.ip()));
        let ours = self.host.mss(remote.ip()).min(self.service.plan.parameters.mss);
        let announces = self.service.plan.parameters.offer.has(Offer::MSS);
        let options = OptionsBuilder::default();
        let options = if announces { options.push(Opt::Mss(ours.get())) } else { Ok(options) };
        let window = self.service.plan.parameters.window.get();
        let syn_ack = Segment {
            seq: self.cookies.make(local, remote, syn.seq, theirs, now),
            ack: syn.seq + 1,
            flags: Flags::SYN | Flags::ACK,
            window: UnscaledWindow(u16::try_from(window).unwrap_or(u16::MAX)),
            options: options.map(OptionsBuilder::build).unwrap_or_default(),
            ..Segment::default()
        };
        self.last_cookie = Some(now);
        self.served.cookies_sent += 1;
        self.send(key, &syn_ack)
    }

    /// Takes up a connection whose cookie a client's segment brings back.
    pub(super) fn recall(&mut self, key: Key, segment: &Segment) -> Result<bool, DriveError> {
        let now = self.out.wire.now();
        let Some(ack) =
            segment.acknowledgment().filter(|_| !segment.has(Flags::SYN) && !segment.has(Flags::RST))
        else {
            return Ok(false);
        };
        let good_until = self.last_cookie.map(|at| at + Cookies::PERIOD * 2);
        let is_full = self.is_taken_up() || self.flows.len() >= self.service.most;
        if good_until.is_none_or(|until| now > until) || is_full {
            return Ok(false); // nobody has one to bring back, or nobody takes it
        }
        let (iss, irs) = (ack - 1, segment.seq - 1);
        let Some(remembered) = self.cookies.recall(key.0, key.1, irs, iss, now) else { return Ok(false) };
        self.begin(key, iss, self.service.plan.parameters.offer.and(Offer::MSS), now)?;
        let mss = OptionsBuilder::default().push(Opt::Mss(remembered.mss.get()));
        let syn = Segment {
            seq: irs,
            flags: Flags::SYN,
            window: segment.window,
            options: mss.map(OptionsBuilder::build).unwrap_or_default(),
            ..Segment::default()
        };
        if let Some(entry) = self.flows.get_mut(&key) {
            entry.flow.recall(&syn, &mut self.out);
        }
        self.served.cookies_returned += 1;
        Ok(true)
    }
}

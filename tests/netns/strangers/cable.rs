//! A cable in whatever weather: between the two hosts stand two others without addresses, and a thread that carries
//! frames from one to the other. Nothing else comes between them: what is sent here is received as it is.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io::PipeWriter;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Duration;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Socket, Type};
use tcpshake::lab::{self, Address, FAR_V4, FAR_V6, FarHost, LINK, NEAR_V4, NEAR_V6};
use tcpshake::net::interfaces::Interface;
use tcpshake::tcp::Flags;
use tcpshake::time::{Clock, Instant};
use tcpshake::wire::faulty::Toward;
use tcpshake::wire::sys::{self, Inbox, Switch};

use super::weather::{Fate, Fates, Weather};
use crate::capture::{Capture, Seen, Tape};
use crate::world::one_segment_a_packet;

/// The hosts at the two ends of a cable, ours being the calling thread's, and the cable itself.
pub(super) struct BadCable {
    pub(super) far: FarHost,
    tape: Tape,
    over: PipeWriter,
    carrier: JoinHandle<Tally>,
    _middle: [FarHost; 2],
}

/// How many segments met which fate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) late: u64,
    /// To the far end, and to ours.
    pub(super) spoiled: [u64; 2],
}

impl BadCable {
    /// Lays it through the weather. Of segments with `crossing` on them the first from either end waits for the first
    /// from the other.
    pub(super) fn lay(weather: Weather, crossing: Option<Flags>) -> Self {
        lab::unshare_network().unwrap();
        lab::loopback_up().unwrap();
        let [one, other, far] = [(); 3].map(|()| FarHost::start().unwrap());
        lab::cable(LINK, one.namespace()).unwrap();
        let beyond: OwnedFd = far.namespace().try_clone_to_owned().unwrap();
        other.run(move || lab::cable(LINK, beyond.as_fd())).unwrap();
        lab::configure(LINK, &addresses(NEAR_V4.into(), NEAR_V6.into())).unwrap();
        let tape = one.run(|| Ok(Capture::start(LINK).tape())).unwrap();
        let sockets = [&one, &other].map(|host| host.run(bare_end).unwrap());
        far.run(|| {
            lab::loopback_up()?;
            one_segment_a_packet();
            lab::configure(LINK, &addresses(FAR_V4.into(), FAR_V6.into()))
        })
        .unwrap();
        let (is_over, over) = std::io::pipe().unwrap();
        let carrier = std::thread::spawn(move || Carrier::new(sockets, weather, crossing).carry(&is_over));
        Self { far, tape, over, carrier, _middle: [one, other] }
    }

    /// Takes it away; yields the far end, what befell the segments, and those that were on our end of it.
    pub(super) fn end(self) -> (FarHost, Tally, Vec<Seen>) {
        drop(self.over);
        let tally = self.carrier.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let seen = self.tape.segments().into_iter().map(|(_, seen)| seen);
        (self.far, tally, seen.collect())
    }
}

impl Tally {
    /// Asserts that the weather was what it was said to be.
    #[track_caller]
    pub(super) fn assert_shows(&self, weather: Weather) {
        let Weather { lost, spoiled, doubled, late, .. } = weather;
        let met = [self.lost, self.spoiled[0], self.spoiled[1], self.doubled, self.late];
        assert_eq!(
            met.map(|met| met > 0),
            [lost, spoiled, spoiled, doubled, late].map(|chance| chance > 0),
            "{self:?}"
        );
    }
}

fn addresses(v4: IpAddr, v6: IpAddr) -> [Address; 2] {
    [Address { ip: v4, prefix_len: 24 }, Address { ip: v6, prefix_len: 64 }]
}

/// The end of a cable in the calling thread's namespace, without an address, and a socket for the frames on it.
fn bare_end() -> std::io::Result<Socket> {
    lab::configure(LINK, &[])?;
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    socket.set_recv_buffer_size(8 << 20)?;
    sys::switch_on(&socket, Switch::PacketAuxdata)?;
    sys::switch_on(&socket, Switch::PacketIgnoreOutgoing)?;
    socket.bind(&sys::packet_address(Interface::by_name(LINK)?.index, libc::ETH_P_ALL as u16))?;
    Ok(socket)
}

/// A frame on its way, and when it is due; of those due at a time the first goes first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at: Instant,
    number: u64,
    side: usize,
    frame: Vec<u8>,
}

/// By the index of a side goes what is toward it: 0 is the far end, 1 is ours.
const TOWARD: [Toward; 2] = [Toward::Remote, Toward::Us];

struct Carrier {
    /// Where what goes toward a side leaves.
    exits: [Socket; 2],
    weather: Weather,
    crossing: Option<Flags>,
    fates: HashMap<(IpAddr, usize), Fates>,
    /// The first segments that are to cross, as far as they have come.
    waiting: HashMap<IpAddr, [Option<Vec<u8>>; 2]>,
    under_way: BinaryHeap<Reverse<Due>>,
    clock: Clock,
    tally: Tally,
    carried: u64,
}

impl Carrier {
    fn new([near, far]: [Socket; 2], weather: Weather, crossing: Option<Flags>) -> Self {
        Self {
            exits: [far, near],
            weather,
            crossing,
            fates: HashMap::new(),
            waiting: HashMap::new(),
            under_way: BinaryHeap::new(),
            clock: Clock::new(),
            tally: Tally::default(),
            carried: 0,
        }
    }

    fn carry(mut self, is_over: &impl AsFd) -> Tally {
        const LONGEST: usize = 2048;
        let mut inbox = Inbox::new(LONGEST);
        loop {
            let next = self.under_way.peek();
            let timeout = next.map(|Reverse(due)| TimeSpec::from(due.at - self.clock.now()));
            let [far, near] = &self.exits;
            let mut ready = [near as &dyn AsFd, far, is_over]
                .map(|source| PollFd::new(source.as_fd(), PollFlags::POLLIN));
            ppoll(&mut ready, timeout, None).unwrap();
            let ready = ready.map(|source| source.any() == Some(true));
            if ready[2] {
                self.deliver(|_| true); // what is counted has arrived
                return self.tally;
            }
            for side in [0, 1].into_iter().filter(|side| ready[*side]) {
                let arrived = inbox.fill(&self.exits[1 - side]).unwrap();
                for arrived in (0..arrived).filter_map(|at| inbox.get(at)) {
                    assert!(arrived.octets.len() < LONGEST, "more than a segment in a packet");
                    let left_to_card = arrived.status & libc::TP_STATUS_CSUMNOTREADY != 0;
                    self.take(side, arrived.octets.to_vec(), left_to_card);
                }
            }
            let now = self.clock.now();
            self.deliver(|at| at <= now);
        }
    }

    /// Takes what goes toward a side.
    fn take(&mut self, side: usize, mut frame: Vec<u8>, left_to_card: bool) {
        let Some(Carried { hosts, at, checksum, flags }) = segment_in(&frame) else {
            return self.send_after(Duration::ZERO, side, frame);
        };
        if left_to_card {
            frame[at + 16..at + 18].copy_from_slice(&checksum.to_be_bytes());
        }
        let host = hosts[1 - side];
        match self.crossing {
            Some(crossing) if flags == crossing => self.let_cross(host, side, frame),
            _ => self.expose(host, side, at, frame),
        }
    }

    /// Keeps the first until there is one from the other side, and takes no second meanwhile.
    fn let_cross(&mut self, host: IpAddr, side: usize, frame: Vec<u8>) {
        let waiting = self.waiting.entry(host).or_default();
        let have_crossed = waiting.iter().all(Option::is_some);
        waiting[side].get_or_insert_with(|| frame.clone());
        if have_crossed {
            self.send_after(Duration::ZERO, side, frame);
        } else if let [Some(there), Some(here)] = waiting.clone() {
            self.send_after(Duration::ZERO, 0, there);
            self.send_after(Duration::ZERO, 1, here);
        }
    }

    /// Lets the weather have a segment, which begins at this octet of its frame.
    fn expose(&mut self, host: IpAddr, side: usize, at: usize, mut frame: Vec<u8>) {
        let weather = self.weather;
        let fates = self.fates.entry((host, side)).or_insert_with(|| Fates::new(weather, host, TOWARD[side]));
        let delay = weather.delay;
        match fates.next() {
            Fate::Arrives => self.send_after(delay, side, frame),
            Fate::Lost => self.tally.lost += 1,
            Fate::Spoiled(number) => {
                self.tally.spoiled[side] += 1;
                spoil(&mut frame[at..], number);
                self.send_after(delay, side, frame);
            }
            Fate::Doubled => {
                self.tally.doubled += 1;
                self.send_after(delay, side, frame.clone());
                self.send_after(delay, side, frame);
            }
            Fate::Late(by) => {
                self.tally.late += 1;
                self.send_after(delay + by, side, frame);
            }
        }
    }

    fn send_after(&mut self, delay: Duration, side: usize, frame: Vec<u8>) {
        self.carried += 1;
        let at = self.clock.now() + delay;
        self.under_way.push(Reverse(Due { at, number: self.carried, side, frame }));
    }

    fn deliver(&mut self, is_due: impl Fn(Instant) -> bool) {
        while self.under_way.peek().is_some_and(|Reverse(due)| is_due(due.at))
            && let Some(Reverse(due)) = self.under_way.pop()
        {
            let _ = self.exits[due.side].send(&due.frame); // whoever is gone hears no more
        }
    }
}

/// Changes one bit of a segment, but none of the data offset: that is looked at before the checksum.
fn spoil(segment: &mut [u8], number: u32) {
    const DATA_OFFSET: usize = 12;
    let at = number as usize / 8 % segment.len();
    let at = if at == DATA_OFFSET { at + 1 } else { at };
    segment[at] ^= 1 << (number % 8);
}

/// A segment in a frame, read by a parser that shares no code with ours.
struct Carried {
    hosts: [IpAddr; 2],
    /// Its first octet.
    at: usize,
    checksum: u16,
    flags: Flags,
}

fn segment_in(frame: &[u8]) -> Option<Carried> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let TransportSlice::Tcp(tcp) = packet.transport? else { return None };
    let (source, destination, checksum) = match packet.net? {
        NetSlice::Ipv4(ip) => {
            let ip = ip.header();
            let checksum = tcp.calc_checksum_ipv4(ip.source(), ip.destination());
            (ip.source_addr().into(), ip.destination_addr().into(), checksum)
        }
        NetSlice::Ipv6(ip) => {
            let ip = ip.header();
            let checksum = tcp.calc_checksum_ipv6(ip.source(), ip.destination());
            (ip.source_addr().into(), ip.destination_addr().into(), checksum)
        }
        NetSlice::Arp(_) => return None,
    };
    let at = frame.len() - tcp.slice().len(); // a veth pads nothing
    let bits = [(tcp.syn(), Flags::SYN), (tcp.fin(), Flags::FIN), (tcp.ack(), Flags::ACK)];
    let set = bits.into_iter().filter(|(set, _)| *set);
    let flags = set.fold(Flags::NONE, |flags, (_, flag)| flags | flag);
    Some(Carried { hosts: [source, destination], at, checksum: checksum.ok()?, flags })
}

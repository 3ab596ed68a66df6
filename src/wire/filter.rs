//! Socket filters in classic BPF: which packets reach us at all. Written with labels, so that no jump is
//! ever counted by hand.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::sock_filter;
use socket2::{SockFilter, Socket};

use crate::net::interfaces::LOOPBACK;

/// Which packets to let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Our address; the unspecified one of its family for any.
    pub local: IpAddr,
    /// Our port, or ports.
    pub local_ports: PortSpan,
    /// The other end's address; the unspecified one for any.
    pub remote: IpAddr,
    /// The other end's port; `None` for any.
    pub remote_port: Option<u16>,
    /// Index of the interface to listen on; [`ALL_INTERFACES`] for any. ICMP errors are also taken from loopback, where the kernel
    /// puts those it makes for a dead neighbour.
    pub interface: u32,
    /// Index of the interface by which the kernel would answer, where that is another: its RST leaves there.
    pub kernels_interface: Option<u32>,
}

/// Ports from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSpan {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PortSpan {
    /// This port and no other.
    pub const fn one(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

/// No interface has this index.
pub const ALL_INTERFACES: u32 = 0;

/// What lets through the RSTs that leave a port without our mark: the kernel's own. (Before Linux 5.17 ours may
/// have none, either.)
pub fn unmarked_resets(selection: &Selection, mark: u32) -> Vec<sock_filter> {
    let layout = Layout::of(selection.local);
    let mut code = Assembler::default();
    code.require(LD_H, AD_PROTOCOL, layout.ethertype);
    code.require(LD_B, AD_PKTTYPE, u32::from(libc::PACKET_OUTGOING));
    code.load(LD_W, AD_MARK);
    code.test(JEQ, mark, Label::Reject, Label::Next);
    code.require(LD_B, layout.protocol, TCP);
    code.load(layout.load_header_len.0, layout.load_header_len.1);
    code.load(LD_B_X, TCP_FLAGS_OFFSET);
    code.test(JSET, TCP_RST, Label::Next, Label::Reject);
    selection.require_address(&mut code, layout.source, selection.local);
    code.require_port(0, selection.local_ports);
    code.finish()
}

/// What lets through the SYNs that leave our ports: for when they leave.
pub fn leaving_syns(selection: &Selection) -> Vec<sock_filter> {
    let layout = Layout::of(selection.local);
    let mut code = Assembler::default();
    code.require(LD_H, AD_PROTOCOL, layout.ethertype);
    code.require(LD_B, AD_PKTTYPE, u32::from(libc::PACKET_OUTGOING));
    code.require(LD_B, layout.protocol, TCP);
    code.load(layout.load_header_len.0, layout.load_header_len.1);
    code.load(LD_B_X, TCP_FLAGS_OFFSET);
    code.test(JSET, TCP_ACK, Label::Reject, Label::Next);
    code.test(JSET, TCP_SYN, Label::Next, Label::Reject);
    code.require_port(0, selection.local_ports);
    code.finish()
}

/// What drops everything.
pub const DROP_ALL: [sock_filter; 1] = [statement(RET, 0)];

/// Puts a program in front of a socket.
pub fn attach(socket: &Socket, program: &[sock_filter]) -> io::Result<()> {
    let program: Vec<SockFilter> = program.iter().map(|i| SockFilter::new(i.code, i.jt, i.jf, i.k)).collect();
    socket.attach_filter(&program)
}

/// Lets through what a raw TCP socket is to see of segments to one port. Offset 0 is the IP header for IPv4
/// and the TCP header for IPv6, as such sockets have it.
pub fn tcp_to_port(family: IpAddr, port: u16) -> Vec<sock_filter> {
    const DESTINATION_PORT: u32 = 2;
    let mut code = Assembler::default();
    code.load(if family.is_ipv4() { LDX_IHL } else { LDX }, 0);
    code.require(LD_H_X, DESTINATION_PORT, u32::from(port));
    code.finish()
}

const LD_W: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const LD_H: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_ABS;
const LD_B: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
const LD_H_X: u32 = libc::BPF_LD | libc::BPF_H | libc::BPF_IND;
const LD_B_X: u32 = libc::BPF_LD | libc::BPF_B | libc::BPF_IND;
const LDX_IHL: u32 = libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH;
const LDX: u32 = libc::BPF_LDX | libc::BPF_W | libc::BPF_IMM;
const JEQ: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const JSET: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const JGT: u32 = libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K;
const JGE: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
const RET: u32 = libc::BPF_RET | libc::BPF_K;

const AD_PROTOCOL: u32 = ancillary(libc::SKF_AD_PROTOCOL);
const AD_PKTTYPE: u32 = ancillary(libc::SKF_AD_PKTTYPE);
const AD_MARK: u32 = ancillary(libc::SKF_AD_MARK);
const AD_IFINDEX: u32 = ancillary(libc::SKF_AD_IFINDEX);

const fn ancillary(offset: i32) -> u32 {
    (libc::SKF_AD_OFF + offset) as u32
}

const TCP: u32 = 6;
const ICMP: u32 = 1;
const ICMPV6: u32 = 58;
const TCP_FLAGS_OFFSET: u32 = 13;
const TCP_SYN: u32 = 0x02;
const TCP_RST: u32 = 0x04;
const TCP_ACK: u32 = 0x10;

const fn statement(code: u32, k: u32) -> sock_filter {
    sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

/// Where a test leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Label {
    Next,
    Ours,
    AnyProtocol,
    LeavingTcpOnly,
    IcmpOnly,
    Tcp,
    Icmp,
    Chained,
    Incoming,
    Outgoing,
    Accept,
    Reject,
}

/// Assembles a program: statements, tests with labels, and where the labels are.
#[derive(Default)]
struct Assembler {
    code: Vec<sock_filter>,
    jumps: Vec<(Label, Label)>,
    labels: Vec<(Label, usize)>,
}

impl Assembler {
    fn load(&mut self, code: u32, k: u32) {
        self.code.push(statement(code, k));
        self.jumps.push((Label::Next, Label::Next));
    }

    fn test(&mut self, code: u32, k: u32, yes: Label, no: Label) {
        self.code.push(statement(code, k));
        self.jumps.push((yes, no));
    }

    /// Goes there in any case.
    fn go(&mut self, to: Label) {
        self.test(JEQ, 0, to, to);
    }

    /// Loads and goes on only if the value is `k`.
    fn require(&mut self, load: u32, at: u32, k: u32) {
        self.load(load, at);
        self.test(JEQ, k, Label::Next, Label::Reject);
    }

    /// Goes on only if the port at this place of the TCP header is one of `ports`.
    fn require_port(&mut self, at: u32, ports: PortSpan) {
        if ports.first == ports.last {
            return self.require(LD_H_X, at, u32::from(ports.first));
        }
        self.load(LD_H_X, at);
        self.test(JGE, u32::from(ports.first), Label::Next, Label::Reject);
        self.test(JGT, u32::from(ports.last), Label::Reject, Label::Next);
    }

    /// Goes on only if the packet arrives.
    fn require_incoming(&mut self) {
        self.load(LD_B, AD_PKTTYPE);
        self.test(JEQ, u32::from(libc::PACKET_OUTGOING), Label::Reject, Label::Next);
    }

    fn label(&mut self, label: Label) {
        self.labels.push((label, self.code.len()));
    }

    fn finish(mut self) -> Vec<sock_filter> {
        const WHOLE_PACKET: u32 = u32::MAX;
        self.label(Label::Accept);
        self.load(RET, WHOLE_PACKET);
        self.label(Label::Reject);
        self.load(RET, 0);
        let labels = self.labels;
        let distance = |from: usize, label: Label| {
            let to = labels.iter().find(|(known, _)| *known == label).map_or(from + 1, |(_, at)| *at);
            debug_assert!(to > from && to - from <= 256, "a jump forward of at most 255");
            (to - from - 1) as u8
        };
        for (at, (instruction, (yes, no))) in self.code.iter_mut().zip(self.jumps).enumerate() {
            instruction.jt = distance(at, yes);
            instruction.jf = distance(at, no);
        }
        self.code
    }
}

impl Selection {
    /// What comes for these ports of ours, from anybody, by any interface.
    pub fn everywhere(local: IpAddr, local_ports: PortSpan) -> Self {
        let any = match local {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self {
            local,
            local_ports,
            remote: any,
            remote_port: None,
            interface: ALL_INTERFACES,
            kernels_interface: None,
        }
    }

    /// The program. Offset 0 is the IP header: the filter is for packet sockets without link header.
    pub fn program(&self) -> Vec<sock_filter> {
        let layout = Layout::of(self.local);
        let mut code = Assembler::default();
        code.require(LD_H, AD_PROTOCOL, layout.ethertype);

        if self.interface == ALL_INTERFACES {
            Self::only_for_us(&mut code, &layout);
        } else {
            self.choose_interface(&mut code, &layout);
        }
        code.label(Label::AnyProtocol);
        code.load(LD_B, layout.protocol);
        code.test(JEQ, TCP, Label::Tcp, Label::Next);
        for chained in layout.extension_headers {
            code.test(JEQ, *chained, Label::Chained, Label::Next);
        }
        code.label(Label::IcmpOnly);
        code.require(LD_B, layout.protocol, layout.icmp);

        code.label(Label::Icmp);
        code.require_incoming();
        self.require_address(&mut code, layout.destination, self.local);
        if layout.extension_headers.is_empty() {
            code.load(LDX_IHL, 0);
            code.load(LD_B_X, 0);
            for error in [3, 4, 11, 12] {
                code.test(JEQ, error, Label::Accept, Label::Next);
            }
            code.go(Label::Reject);
        } else {
            const FIRST_INFORMATIONAL: u32 = 128;
            code.load(LD_B, layout.fixed_header);
            code.test(JGE, FIRST_INFORMATIONAL, Label::Reject, Label::Accept);
        }

        code.label(Label::Chained); // rare: whatever the other end sends us so, our parser walks the chain
        code.require_incoming();
        self.require_address(&mut code, layout.source, self.remote);
        self.require_address(&mut code, layout.destination, self.local);
        code.go(Label::Accept);

        code.label(Label::Tcp);
        code.load(layout.load_header_len.0, layout.load_header_len.1);
        code.load(LD_B, AD_PKTTYPE);
        code.test(JEQ, u32::from(libc::PACKET_OUTGOING), Label::Outgoing, Label::Incoming);

        code.label(Label::Incoming);
        self.require_address(&mut code, layout.source, self.remote);
        self.require_address(&mut code, layout.destination, self.local);
        code.require_port(2, self.local_ports);
        if let Some(port) = self.remote_port {
            code.require(LD_H_X, 0, u32::from(port));
        }
        code.go(Label::Accept);

        code.label(Label::Outgoing); // only a RST from our port to the other end, the kernel's or our own
        code.load(LD_B_X, TCP_FLAGS_OFFSET);
        code.test(JSET, TCP_RST, Label::Next, Label::Reject);
        self.require_address(&mut code, layout.source, self.local);
        self.require_address(&mut code, layout.destination, self.remote);
        code.require_port(0, self.local_ports);
        if let Some(port) = self.remote_port {
            code.require(LD_H_X, 2, u32::from(port));
        }
        code.go(Label::Accept);
        code.finish()
    }

    /// On all interfaces there is also what is meant for other hosts, and what claims to come from, or go to, our
    /// loopback: the kernel drops both, and so do we.
    fn only_for_us(code: &mut Assembler, layout: &Layout) {
        code.load(LD_B, AD_PKTTYPE);
        code.test(JEQ, u32::from(libc::PACKET_HOST), Label::Ours, Label::Next);
        code.test(JEQ, u32::from(libc::PACKET_OUTGOING), Label::Ours, Label::Reject);
        code.label(Label::Ours);
        code.load(LD_W, AD_IFINDEX);
        code.test(JEQ, LOOPBACK, Label::AnyProtocol, Label::Next);
        // The first octet of 127.0.0.0/8; of ::1, and of nothing else in use, the first four are zero.
        let (load, loopback) = if layout.extension_headers.is_empty() { (LD_B, 127) } else { (LD_W, 0) };
        for address in [layout.source, layout.destination] {
            code.load(load, address);
            code.test(JEQ, loopback, Label::Reject, Label::Next);
        }
    }

    /// Goes on by what the interface is there for.
    fn choose_interface(&self, code: &mut Assembler, layout: &Layout) {
        code.load(LD_W, AD_IFINDEX);
        code.test(JEQ, self.interface, Label::AnyProtocol, Label::Next);
        if let Some(other) = self.kernels_interface {
            code.test(JEQ, other, Label::LeavingTcpOnly, Label::Next);
        }
        code.test(JEQ, LOOPBACK, Label::IcmpOnly, Label::Reject);

        code.label(Label::LeavingTcpOnly);
        code.load(LD_B, AD_PKTTYPE);
        code.test(JEQ, u32::from(libc::PACKET_OUTGOING), Label::Next, Label::Reject);
        code.load(LD_B, layout.protocol);
        code.test(JEQ, TCP, Label::Tcp, Label::Reject);
    }

    #[expect(clippy::unused_self, reason = "reads as one of the requirements of the selection")]
    fn require_address(&self, code: &mut Assembler, at: u32, address: IpAddr) {
        if address.is_unspecified() {
            return;
        }
        let mut words = |octets: &[u8]| {
            for (n, word) in octets.chunks_exact(4).enumerate() {
                let word = u32::from_be_bytes(word.try_into().unwrap_or_default());
                code.require(LD_W, at + 4 * n as u32, word);
            }
        };
        match address {
            IpAddr::V4(address) => words(&address.octets()),
            IpAddr::V6(address) => words(&address.octets()),
        }
    }
}

/// Where things stand in the IP header of a family.
struct Layout {
    ethertype: u32,
    protocol: u32,
    source: u32,
    destination: u32,
    icmp: u32,
    extension_headers: &'static [u32],
    fixed_header: u32,
    /// The instruction that puts the header's length into X.
    load_header_len: (u32, u32),
}

impl Layout {
    const V4: Self = Self {
        ethertype: libc::ETH_P_IP as u32,
        protocol: 9,
        source: 12,
        destination: 16,
        icmp: ICMP,
        extension_headers: &[],
        fixed_header: 20,
        load_header_len: (LDX_IHL, 0),
    };
    const V6: Self = Self {
        ethertype: libc::ETH_P_IPV6 as u32,
        protocol: 6,
        source: 8,
        destination: 24,
        icmp: ICMPV6,
        extension_headers: &[0, 43, 44, 60],
        fixed_header: 40,
        load_header_len: (LDX, 40),
    };

    const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

#[cfg(test)]
mod tests;

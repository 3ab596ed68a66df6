//! A private network around the thread of a test, and kernel servers on its far side.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use caps::Capability;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tcpshake::guard::{Proof, SelfTest};
use tcpshake::lab::{self, Lab};
use tcpshake::net::interfaces::{Interface, LOOPBACK};
use tcpshake::net::netlink::{Message, Netlink};
use tcpshake::packet::ip::IpFields;
use tcpshake::packet::{Addresses, Ports, emit};
use tcpshake::tcp::{Flags, Segment, SeqNum};
use tcpshake::time::Clock;

use crate::capture::Capture;
use crate::privileges;

/// The network of one test.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) capture: Capture,
}

/// Nothing in these tests takes longer, unless it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

impl World {
    pub(crate) fn new() -> Self {
        lab::unshare_network().expect("a network namespace");
        let lab = Lab::build().expect("a lab");
        let capture = lab.far.run(|| Ok(Capture::start(lab::LINK))).expect("a capture");
        Self { lab, capture }
    }

    /// Sets a per-namespace sysctl on the far host.
    pub(crate) fn far_sysctl(&self, name: &str, value: &str) {
        let (path, value) = (format!("/proc/sys/net/{name}"), value.to_owned());
        self.lab.far.run(move || std::fs::write(&path, value)).expect("a sysctl");
    }

    /// A kernel server on the far side that does `serve` with each connection.
    pub(crate) fn server(&self, serve: fn(TcpStream)) -> Server {
        Server::start(
            self.lab.far.run(|| TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))).expect("a server"),
            serve,
        )
    }
}

/// A network that has nothing but its loopback, for what needs no other host.
pub(crate) fn alone() {
    lab::unshare_network().expect("a network namespace");
    lab::loopback_up().expect("a loopback");
}

/// Keeps the calling thread, and those it starts from now on, on one processor. What leaves by two can arrive in
/// another order: each has a queue of its own behind a cable.
pub(crate) fn on_one_processor() {
    let ours = sched_getaffinity(Pid::from_raw(0)).unwrap();
    let first = (0..CpuSet::count()).find(|processor| ours.is_set(*processor).unwrap()).unwrap();
    let mut one = CpuSet::new();
    one.set(first).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}

/// Does `work` in a thread whose programs have no more than `kept`.
pub(crate) fn bound_to<T: Send>(kept: &[Capability], work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let bounded = scope.spawn(|| {
            privileges::bound_to(kept);
            work()
        });
        bounded.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

pub(crate) const SILENT: [Proof; 2] = [Proof::Silent, Proof::Silent];
pub(crate) const ANSWERED: [Proof; 2] = [Proof::Answered, Proof::Answered];

/// Whether the kernel would answer on this port, over IPv4 and IPv6.
pub(crate) fn kernel_answers_on(port: u16) -> [Proof; 2] {
    let mut test = SelfTest::new(Clock::new());
    LOOPBACKS.map(|ip| test.probe(SocketAddr::new(ip, port)))
}

/// Loopback, IPv4 and IPv6.
pub(crate) const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// Draws one answer of the kernel's from this port, over IPv4 and over IPv6.
pub(crate) fn draw_answers_from(port: u16) {
    for ip in LOOPBACKS {
        draw_answer_from(SocketAddr::new(ip, port));
    }
}

/// Draws one answer of the kernel's, or would. The self-test asks again if the answer is late; this does not,
/// so what a guard has held back is known to the segment.
pub(crate) fn draw_answer_from(at: SocketAddr) {
    const SOURCE: u16 = 2;
    const OPEN: u16 = 1; // the kernel takes segments in order: its answer from here comes after the other
    let ear = Capture::of_arrivals("lo");
    for destination in [at.port(), OPEN] {
        send_to_ourselves(at.ip(), Ports { source: SOURCE, destination }, Flags::ACK, 0).unwrap();
    }
    ear.until(|seen| seen.source == SocketAddr::new(at.ip(), OPEN) && seen.flags == "RST");
}

/// A segment without a connection, over loopback. A firewall that drops it makes this an error.
pub(crate) fn send_to_ourselves(ip: IpAddr, ports: Ports, flags: Flags, mark: u32) -> std::io::Result<()> {
    let to = SocketAddr::new(ip, 0);
    let with_ip_header = Some(Protocol::from(libc::IPPROTO_RAW));
    let sender = Socket::new(Domain::for_address(to), Type::RAW, with_ip_header)?;
    sender.set_mark(mark)?;
    let fields = IpFields::new(Addresses::new(ip, ip).unwrap());
    let segment = Segment { seq: SeqNum(1), ack: SeqNum(1), flags, ..Segment::default() };
    let mut packet = [0; 128];
    let len = emit(&fields, ports, &segment, b"", &mut packet).unwrap();
    sender.send_to(&packet[..len], &to.into()).map(drop)
}

/// A kernel server in a thread.
pub(crate) struct Server {
    pub(crate) port: u16,
    _thread: JoinHandle<()>,
}

impl Server {
    pub(crate) fn start(listener: TcpListener, serve: fn(TcpStream)) -> Self {
        let port = listener.local_addr().unwrap().port();
        let accept = move || {
            for client in listener.incoming().map_while(Result::ok) {
                client.set_read_timeout(Some(PATIENCE)).unwrap();
                serve(client);
            }
        };
        Self { port, _thread: std::thread::spawn(accept) }
    }

    pub(crate) fn v4(&self) -> String {
        SocketAddr::new(IpAddr::V4(lab::FAR_V4), self.port).to_string()
    }

    pub(crate) fn v6(&self) -> String {
        SocketAddr::new(IpAddr::V6(lab::FAR_V6), self.port).to_string()
    }
}

/// Reads to the client's FIN; the kernel acknowledges it at once and sends ours by itself: four segments.
pub(crate) fn close_after_client(mut client: TcpStream) {
    let _ = client.read_to_end(&mut Vec::new());
    let _ = SockRef::from(&client).set_tcp_quickack(true);
}

/// Reads to the client's FIN and closes: the kernel answers with FIN and ACK in one segment.
pub(crate) fn close_with_client(mut client: TcpStream) {
    let _ = client.read_to_end(&mut Vec::new());
}

/// Closes first, then waits for the client's FIN.
pub(crate) fn close_before_client(mut client: TcpStream) {
    let _ = client.shutdown(std::net::Shutdown::Write);
    let _ = client.read_to_end(&mut Vec::new());
}

/// Sends a greeting, as mail servers do, then reads to the client's FIN.
pub(crate) fn greet(mut client: TcpStream) {
    let _ = client.write_all(b"220 ready\x1b[2J\r\n");
    let _ = client.read_to_end(&mut Vec::new());
    let _ = SockRef::from(&client).set_tcp_quickack(true);
}

/// Sends a greeting that is no text, and stays until the client's FIN.
pub(crate) fn greet_in_binary(mut client: TcpStream) {
    let _ = client.write_all(&[0x80; 64]);
    let _ = client.read_to_end(&mut Vec::new());
}

/// Reads for ever and never closes its side.
pub(crate) fn keep_open(mut client: TcpStream) {
    let _ = client.read_to_end(&mut Vec::new());
    std::mem::forget(client);
}

/// Kinds of routes that lead nowhere.
#[derive(Clone, Copy)]
pub(crate) enum Route {
    Blackhole,
    Unreachable,
    Prohibit,
}

impl Route {
    fn kind(self) -> u8 {
        match self {
            Self::Blackhole => libc::RTN_BLACKHOLE,
            Self::Unreachable => libc::RTN_UNREACHABLE,
            Self::Prohibit => libc::RTN_PROHIBIT,
        }
    }
}

impl World {
    /// A route of the far host's that leads nowhere.
    pub(crate) fn far_route(&self, kind: Route, to: IpAddr, bits: u8) {
        self.lab.far.run(move || add_route(kind.kind(), to, bits, None)).expect("a route");
    }
}

impl World {
    /// A network behind the far host: each of its addresses is the far host's.
    pub(crate) fn far_is_all_of(&self, network: IpAddr, bits: u8) {
        let gateway = if network.is_ipv4() { lab::FAR_V4.into() } else { lab::FAR_V6.into() };
        near_route_via(network, bits, gateway);
        let request = route(libc::RTN_LOCAL, network, bits, libc::RT_SCOPE_HOST)
            .attribute(libc::RTA_OIF, &LOOPBACK.to_ne_bytes());
        self.lab.far.run(move || Netlink::route()?.request(request).map(drop)).expect("a route");
    }

    /// The far host's kernel sends nothing to `near` again before so much time has passed.
    pub(crate) fn far_sends_again_after(&self, near: IpAddr, time: Duration) {
        const RTAX_RTO_MIN: u16 = 13; // linux/rtnetlink.h
        let bits = if near.is_ipv4() { 32 } else { 128 };
        let set = move || {
            let link = Interface::by_name(lab::LINK)?.index;
            let request = route(libc::RTN_UNICAST, near, bits, libc::RT_SCOPE_LINK)
                .attribute(libc::RTA_OIF, &link.to_ne_bytes())
                .nested(libc::RTA_METRICS, |metrics| {
                    metrics.attribute(RTAX_RTO_MIN, &(time.as_millis() as u32).to_ne_bytes())
                });
            Netlink::route()?.request(request).map(drop)
        };
        self.lab.far.run(set).expect("a route");
    }

    /// A kernel server on the far side that does `serve` with each connection, all at a time, however many wait.
    pub(crate) fn crowd_server(&self, serve: fn(TcpStream)) -> u16 {
        let listener = self.far_listener();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    client.set_read_timeout(Some(PATIENCE)).unwrap();
                    serve(client);
                });
            }
        });
        port
    }

    /// A listening socket of the far host's at which very many may wait.
    pub(crate) fn far_listener(&self) -> TcpListener {
        const WAITING: i32 = 4096;
        let listen = || {
            std::fs::write("/proc/sys/net/core/somaxconn", WAITING.to_string())?;
            let listener = Socket::new(Domain::IPV6, Type::STREAM, None)?;
            listener.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)).into())?;
            listener.listen(WAITING)?;
            Ok(TcpListener::from(listener))
        };
        self.lab.far.run(listen).expect("a server")
    }

    /// States of the far host's connections, beside those that listen and those in TIME-WAIT, as in
    /// `/proc/net/tcp`.
    pub(crate) fn left_at_far(&self) -> Vec<String> {
        let read = |name: &str| std::fs::read_to_string(format!("/proc/thread-self/net/{name}"));
        let tables = self.lab.far.run(move || Ok(read("tcp")? + &read("tcp6")?)).expect("socket tables");
        let states = tables.lines().filter_map(|line| line.split_whitespace().nth(3));
        states.filter(|state| !["st", "06", "0A"].contains(state)).map(str::to_owned).collect()
    }

    /// Waits until the far host has no connection that is more than in TIME-WAIT.
    #[track_caller]
    pub(crate) fn nothing_is_left_at_far(&self, patience: Duration) {
        let clock = Clock::new();
        let deadline = clock.now() + patience;
        loop {
            let left = self.left_at_far();
            if left.is_empty() {
                return;
            }
            assert!(clock.now() < deadline, "states of connections that are left: {left:?}");
            const LOOK_AGAIN: u8 = 20; // milliseconds
            nix::poll::poll(&mut [], LOOK_AGAIN).unwrap();
        }
    }
}

/// A route of the near host's that leads nowhere.
pub(crate) fn near_route(kind: Route, to: IpAddr, bits: u8) {
    add_route(kind.kind(), to, bits, None).expect("a route");
}

/// A route of the near host's through `gateway`, which can be an IPv6 one for an IPv4 network.
pub(crate) fn near_route_via(to: IpAddr, bits: u8, gateway: IpAddr) {
    add_route(libc::RTN_UNICAST, to, bits, Some(gateway)).expect("a route");
}

/// A route of the near host's by an interface, which need not lead there.
pub(crate) fn near_route_by(to: IpAddr, bits: u8, interface: u32) {
    let request = route(libc::RTN_UNICAST, to, bits, libc::RT_SCOPE_LINK)
        .attribute(libc::RTA_OIF, &interface.to_ne_bytes());
    Netlink::route().unwrap().request(request).expect("a route");
}

/// Removes the IPv6 loopback address.
pub(crate) fn remove_v6_loopback() {
    let header = [&[libc::AF_INET6 as u8, 128, 0, 0][..], &LOOPBACK.to_ne_bytes()].concat(); // struct ifaddrmsg
    let request = Message::new(libc::RTM_DELADDR, 0, &header);
    let request = request.attribute(libc::IFA_LOCAL, &Ipv6Addr::LOCALHOST.octets());
    Netlink::route().unwrap().request(request).expect("an address to remove");
}

/// Removes the near host's interface, and with it the address.
pub(crate) fn pull_the_cable() {
    let mut header = [0; 16]; // struct ifinfomsg
    header[4..8].copy_from_slice(&Interface::by_name(lab::LINK).unwrap().index.to_ne_bytes());
    Netlink::route().unwrap().request(Message::new(libc::RTM_DELLINK, 0, &header)).unwrap();
}

/// Changes an attribute of the cable's end in the calling thread's namespace.
pub(crate) fn change_link(attribute: u16, value: &[u8]) {
    let mut header = [0; 16]; // struct ifinfomsg
    header[4..8].copy_from_slice(&Interface::by_name(lab::LINK).unwrap().index.to_ne_bytes());
    let request = Message::new(libc::RTM_NEWLINK, 0, &header).attribute(attribute, value);
    Netlink::route().unwrap().request(request).unwrap();
}

/// The kernel in the calling thread's namespace leaves no packet of several segments to the cable.
pub(crate) fn one_segment_a_packet() {
    const IFLA_GSO_MAX_SEGS: u16 = 40; // linux/if_link.h
    change_link(IFLA_GSO_MAX_SEGS, &1_u32.to_ne_bytes());
}

fn route(kind: u8, to: IpAddr, bits: u8, scope: u8) -> Message {
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u8;
    let (table, protocol) = (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC);
    let header = [family, bits, 0, 0, table, protocol, scope, kind, 0, 0, 0, 0];
    Message::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | libc::NLM_F_EXCL, &header)
        .address(libc::RTA_DST, to)
}

fn add_route(kind: u8, to: IpAddr, bits: u8, gateway: Option<IpAddr>) -> std::io::Result<()> {
    let mut request = route(kind, to, bits, libc::RT_SCOPE_UNIVERSE);
    request = match gateway {
        Some(IpAddr::V6(gateway)) if to.is_ipv4() => {
            let family = (libc::AF_INET6 as u16).to_ne_bytes();
            request.attribute(libc::RTA_VIA, &[&family[..], &gateway.octets()].concat()) // struct rtvia
        }
        Some(gateway) => request.address(libc::RTA_GATEWAY, gateway),
        None => request,
    };
    Netlink::route()?.request(request).map(drop)
}

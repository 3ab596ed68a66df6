//! How many full exchanges a second `check` makes, beside a client of the kernel's sockets: the same server, a veth
//! pair, fresh networks for each side of each round, in one run.
//!
//! The server, on the far host, accepts, reads to the end and closes. The rival is one thread with epoll and
//! non-blocking sockets, as many at a time. Both count from the first SYN to the last exchange that is over. The
//! server's thread has a processor of its own; whoever it serves may use all.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark runs programs, reads the clock and prints"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::Read;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::Pid;
use socket2::{Domain, SockAddr, Socket, Type};
use tcpshake::driver::fleet::wheel::{Tick, Wheel};
use tcpshake::lab::{self, Address, Lab};
use tcpshake::net::interfaces::LOOPBACK;
use tcpshake::net::netlink::{Message, Netlink};

const EXCHANGES: u32 = 50_000;
const IN_FLIGHT: u32 = 1_000;
/// Several, so that the kernel's client finds a free port at once.
const ADDRESSES: u32 = 8;
const PORT: u16 = 7;

/// Who makes the exchanges.
#[derive(Clone, Copy)]
enum Client {
    Kernel,
    Ours(&'static [&'static str]),
}

fn main() {
    lab::enter_private().expect("a private network");
    let rounds: usize = std::env::var("ROUNDS").map_or(5, |rounds| rounds.parse().expect("a number"));
    let clients = [
        ("the kernel's client", Client::Kernel),
        ("check", Client::Ours(&[])),
        ("check --routed", Client::Ours(&["--routed"])),
        ("check --threads 2", Client::Ours(&["--threads", "2"])),
    ];
    let only = std::env::var("ONLY").ok();
    let mut rates: [Vec<f64>; 4] = Default::default();
    for _ in 0..rounds {
        for ((name, client), rates) in clients.iter().zip(&mut rates) {
            if only.as_ref().is_none_or(|only| only == name) {
                rates.push(round(*client));
            }
        }
    }
    let medians = rates.map(median);
    if only.is_none() {
        print_timers();
        print_scale();
    }
    println!("{EXCHANGES} full exchanges, {IN_FLIGHT} in flight, median of {rounds} rounds");
    for ((name, _), rate) in clients.iter().zip(medians) {
        println!("{name:<20} {rate:>8.0} a second  {:.2} times the kernel's client", rate / medians[0]);
    }
}

/// What many targets cost beside few: processor time an exchange, all of them refused.
fn print_scale() {
    let cost = |prefix: u32| {
        let run = move || {
            lab::unshare_network().expect("a network");
            let lab = Lab::build().expect("a lab");
            let (ten, all) = (Ipv4Addr::new(10, 128, 0, 0), 9);
            lab.far.run(move || route(ten, all, libc::RTN_LOCAL, None)).expect("a route");
            route(ten, all, libc::RTN_UNICAST, Some(lab::FAR_V4)).expect("a route");
            let targets = 1_u64 << (32 - prefix);
            let mut command = Command::new(env!("CARGO_BIN_EXE_tcpshake"));
            command.args(["check", &format!("{ten}/{prefix}:7"), "--expect", "refused", "--quiet"]);
            command.args(["--rate", "0", "--per-host-rate", "0", "--max-in-flight", "1000"]);
            command.args(["--report", "summary=/dev/null"]);
            let before = times();
            let said = command.output().expect("the program");
            assert!(said.status.success(), "{said:?}");
            times().saturating_sub(before).as_secs_f64() * 1e6 / targets as f64
        };
        std::thread::spawn(run).join().expect("a run")
    };
    let (few, many) = (cost(22), cost(12));
    println!("processor time of check: {few:.1} us an exchange with 1,024 targets, {many:.1} with 1,048,576");
}

/// Processor time of the programs that were run.
fn times() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("times");
    let time =
        |time: nix::sys::time::TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000);
    time(usage.user_time()) + time(usage.system_time())
}

fn route(to: Ipv4Addr, bits: u8, kind: u8, gateway: Option<Ipv4Addr>) -> std::io::Result<()> {
    let local = kind == libc::RTN_LOCAL;
    let table = if local { libc::RT_TABLE_LOCAL } else { libc::RT_TABLE_MAIN };
    let scope = if local { libc::RT_SCOPE_HOST } else { libc::RT_SCOPE_UNIVERSE };
    let header = [libc::AF_INET as u8, bits, 0, 0, table, libc::RTPROT_STATIC, scope, kind, 0, 0, 0, 0];
    let message =
        Message::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE, &header).attribute(libc::RTA_DST, &to.octets());
    let message = match gateway {
        Some(gateway) => message.attribute(libc::RTA_GATEWAY, &gateway.octets()),
        None => message.attribute(libc::RTA_OIF, &LOOPBACK.to_ne_bytes()),
    };
    Netlink::route()?.request(message).map(drop)
}

/// The timers of 100,000 exchanges, each set anew four times before one fires: in the wheel, and in a heap that keeps
/// what was set anew until its time has come.
fn print_timers() {
    const TIMERS: u32 = 100_000;
    const ROUNDS: u64 = 20;
    let at =
        |round: u64, number: u32, set: u64| clock_at(round * 1_000 + u64::from(number) % 1_000 + set * 200);
    let origin = clock_at(0);
    let begun = Instant::now();
    let mut wheel = Wheel::new(TIMERS as usize);
    let mut fired = 0_u64;
    for round in 0..ROUNDS {
        for number in 0..TIMERS {
            (1..5).for_each(|set| wheel.set(number, Tick::reached_at(at(round, number, set), origin)));
        }
        let now = Tick::come(clock_at((round + 1) * 1_000), origin);
        while wheel.pop(now).is_some() {
            fired += 1;
        }
    }
    let by_wheel = begun.elapsed();
    let begun = Instant::now();
    let mut heap = BinaryHeap::new();
    let mut latest = vec![clock_at(0); TIMERS as usize];
    for round in 0..ROUNDS {
        for number in 0..TIMERS {
            for set in 1..5 {
                latest[number as usize] = at(round, number, set);
                heap.push(Reverse((latest[number as usize], number)));
            }
        }
        while heap.peek().is_some_and(|Reverse((at, _))| *at <= clock_at((round + 1) * 1_000)) {
            let Reverse((at, number)) = heap.pop().expect("it was peeked at");
            fired += u64::from(latest[number as usize] == at);
        }
    }
    let by_heap = begun.elapsed();
    println!(
        "timers of {TIMERS} exchanges: wheel {by_wheel:.0?}, heap {by_heap:.0?}, {:.1} times as long ({fired} fired)",
        by_heap.as_secs_f64() / by_wheel.as_secs_f64()
    );
}

fn clock_at(millis: u64) -> tcpshake::time::Instant {
    tcpshake::time::Instant::ORIGIN + Duration::from_millis(millis)
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Exchanges a second, in a network of their own.
fn round(client: Client) -> f64 {
    let round = move || {
        lab::unshare_network().expect("a network");
        let lab = Lab::build().expect("a lab");
        set("ipv4/ip_local_port_range", "1024 65535");
        let server = Server::start(&lab);
        let took = match client {
            Client::Kernel => kernel(&server.at),
            Client::Ours(arguments) => ours(&server.at, arguments),
        };
        server.end();
        f64::from(EXCHANGES) / took.as_secs_f64()
    };
    std::thread::spawn(round).join().expect("a round")
}

fn set(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{name}"), value).expect("a setting");
}

struct Server {
    at: Vec<SocketAddr>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(lab: &Lab) -> Self {
        const BACKLOG: i32 = 4096;
        let ips: Vec<Ipv4Addr> = (0..ADDRESSES).map(|n| Ipv4Addr::new(10, 99, 0, 10 + n as u8)).collect();
        let addresses = ips.iter().map(|ip| Address { ip: (*ip).into(), prefix_len: 24 }).collect::<Vec<_>>();
        let listen = move || {
            for (name, value) in [
                ("core/somaxconn", "4096"),
                ("ipv4/tcp_max_syn_backlog", "8192"),
                ("ipv4/tcp_syncookies", "0"),
            ] {
                set(name, value);
            }
            lab::configure(lab::LINK, &addresses)?;
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
            socket.bind(&SocketAddr::from(([0; 4], PORT)).into())?;
            socket.listen(BACKLOG)?;
            Ok(TcpListener::from(socket))
        };
        let listener = lab.far.run(listen).expect("a server");
        let stop = Arc::<AtomicBool>::default();
        let stopped = Arc::clone(&stop);
        let serve = move || {
            let mut last = CpuSet::new();
            let processors = std::thread::available_parallelism().map_or(1, usize::from);
            last.set(processors - 1).expect("a processor");
            let _ = sched_setaffinity(Pid::from_raw(0), &last);
            for mut client in listener.incoming().map_while(Result::ok) {
                while matches!(client.read(&mut [0; 64]), Ok(1..)) {}
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
            }
        };
        let at: Vec<SocketAddr> = ips.iter().map(|ip| (*ip, PORT).into()).collect();
        let thread = std::thread::spawn(serve);
        for at in &at {
            drop(TcpStream::connect(at).expect("the server")); // the neighbours are known
        }
        Self { at, stop, thread }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.at[0]));
        self.thread.join().expect("the server");
    }
}

/// As `check` counts it, so without its start and end: the rival has neither.
fn ours(at: &[SocketAddr], arguments: &[&str]) -> Duration {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcpshake"));
    command.arg("check").args(at.iter().map(ToString::to_string));
    command.args(["--count", &(EXCHANGES / ADDRESSES).to_string()]);
    command.args(["--max-in-flight", &IN_FLIGHT.to_string(), "--rate", "0", "--per-host-rate", "0"]);
    command.args(["--expect", "closes-cleanly", "--quiet", "--report", "ndjson=-"]).args(arguments);
    let said = command.output().expect("the program");
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stdout).expect("text");
    let summary: serde_json::Value =
        serde_json::from_str(said.lines().last().expect("a summary")).expect("json");
    assert_eq!(summary["ends"]["completed"], EXCHANGES, "{summary}");
    Duration::from_secs_f64(summary["duration_ms"].as_f64().expect("a duration") / 1e3)
}

/// One thread, epoll, non-blocking sockets.
fn kernel(at: &[SocketAddr]) -> Duration {
    let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
    let addresses: Vec<SockAddr> = at.iter().map(|at| (*at).into()).collect();
    let mut sockets: Vec<Option<Socket>> = (0..IN_FLIGHT).map(|_| None).collect();
    let mut events = vec![EpollEvent::empty(); 256];
    let (mut begun, mut done) = (0, 0);
    let mut open = |place: usize, sockets: &mut Vec<Option<Socket>>| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
        let _ = socket.connect(&addresses[begun % addresses.len()]); // it is under way
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLOUT, place as u64)).unwrap();
        sockets[place] = Some(socket);
        begun += 1;
        begun
    };
    let start = Instant::now();
    let mut under_way = (0..IN_FLIGHT as usize).map(|place| open(place, &mut sockets)).last().unwrap();
    while done < EXCHANGES {
        let count = epoll.wait(&mut events, 5_000_u16).unwrap();
        assert!(count > 0, "stuck after {done}");
        for event in &events[..count] {
            let place = event.data() as usize;
            let socket = sockets[place].as_ref().unwrap();
            if event.events().contains(EpollFlags::EPOLLOUT) {
                socket.shutdown(Shutdown::Write).unwrap();
                epoll.modify(socket, &mut EpollEvent::new(EpollFlags::EPOLLIN, place as u64)).unwrap();
                continue;
            }
            assert_eq!((&*socket).read(&mut [0; 64]).unwrap(), 0);
            sockets[place] = None;
            done += 1;
            if under_way < EXCHANGES as usize {
                under_way = open(place, &mut sockets);
            }
        }
    }
    start.elapsed()
}

//! Opens and closes TCP connections by hand, as the client or as the server: builds every segment itself,
//! exchanges them over raw sockets with any host, keeps the local kernel from answering with its own RST, and
//! tells each step. Sends single segments, too, right or wrong, and tells what the answers mean.
//!
//! This page is the architecture. The program is [`cli::run`]; everything it does can be had from here.
//!
//! # Rooms
//!
//! | room | what it is | may use |
//! |---|---|---|
//! | [`cause`] | what the system says went wrong, in the words of our errors | |
//! | [`time`] | an instant as a value; the only file that asks the system for the time | |
//! | [`tcp`] | RFC 9293 as code: pure, no sockets, clock, randomness, printing | `time` |
//! | [`packet`] | bytes from and to the values of `tcp`; strict, never panics on input | `tcp` |
//! | [`net`] | names, routes, neighbours, interfaces, who holds a port, privileges; a small netlink, nf_tables | `cause` |
//! | [`wire`] | what carries packets: raw sockets, memory, and what befalls packets on them; the only `unsafe` | `packet`, `tcp`, `net`, `cause`, `time` |
//! | [`guard`] | keeps the kernel's RST in: listener, nft, iptables, self-test; guards held for others | `wire`, `packet`, `tcp`, `net`, `cause`, `time` |
//! | [`record`] | what happened, as plain values | `tcp`, `packet` |
//! | [`infer`] | the states of ends that we are not: told by the segments alone | `record`, `packet`, `tcp`, `time` |
//! | [`capture`] | what others have recorded, pcap, pcapng, JSON: connections told apart, their steps | `infer`, `record`, `packet`, `tcp`, `cause` |
//! | [`driver`] | joins machine, packets, wire and time: one exchange, many on one port, very many at once, or one segment and its answers | `guard`, `wire`, `packet`, `tcp`, `record`, `infer`, `cause`, `time` |
//! | [`lab`] | private networks for demo and tests; far ends that play a part, simulated or real | `net`, `wire`, `packet`, `tcp`, `cause`, `time` |
//! | [`doctor`] | whether this machine can do it, and what mends it | `guard`, `driver`, `wire`, `net`, `lab`, `record`, `tcp`, `cause`, `time` |
//! | [`report`] | record to text, a format a file: ladder, JSON, verdict, pictures, the lesson page, captures; the reports of a check | `lesson`, `record`, `packet`, `tcp`, `cause` |
//! | [`lesson`] | the words: what each scenario, each step and each field of a header means | `record`, `tcp` |
//! | [`cli`] | arguments, exit codes, errors, a file a command | all |
//!
//! `tests/layers.rs` reads the `use` lines and holds them to this table.
//!
//! # One exchange
//!
//! ```text
//! cli::connect ─► PortLease ─► RawWire ─► Guard (self-tested) ─► privileges given up ─► driver::run
//!
//!    wire.receive ──► packet::parse ──► Tcb::on_segment ──► Reaction
//!        ▲                                                   │ segment: emit, wire.send
//!        │ until min(timer, patience)                        │ arrows, clause: a Step
//!        └────────────── plan: send, close, abort ◄──────────┘      │
//!                                                     Observer ◄────┘
//!                                                        │ a channel: output cannot delay a segment
//!                                            cli::output ▼ report::Format ─► stdout
//!                                                        ▼ cli::files ─► pictures at the end, packets as they come
//! ```
//!
//! The core is sans-I/O: time, randomness and bytes come in as arguments, effects go out as values. A
//! [`tcp::Tcb`] is one flat block with the RFC's names; its answer to any event is a
//! [`tcp::Reaction`]: at most one segment, the arrows walked, the [`tcp::Clause`] that decided, the next
//! deadline. It never sees an octet of text, only numbers; text stays with its owner.
//!
//! # Data
//!
//! ```text
//! tcp::Stream = Tcb + Transfer (numbers: congestion, what arrived behind gaps) + Outgoing, Incoming (octets)
//!
//!     driver::Talk ─ say ─► Stream::send ──► segments      what is said and heard can be a text, a file, a pipe:
//!                  ◄ hear ─ Stream::unread ◄─ segments     who does not take it closes the peer's window
//! ```
//!
//! A connection that carries no text needs the 128 octets of its [`tcp::Tcb`] and nothing else; what a transfer
//! needs stands beside it, in the [`tcp::Stream`].
//!
//! # Many connections
//!
//! ```text
//! cli::listen ─► RawWire::open_service (IPv4 and IPv6, all interfaces) ─► Standing guard ─► driver::serve
//!
//!    packet ─► known? ── its Flow: stream, story, plan          each flow has one deadline in an ordered set
//!              a SYN? ── few half-open: a Flow in LISTEN
//!                        many: a SYN,ACK whose number is a cookie; nothing is kept
//!              a cookie? a Flow, taken up where the cookie says
//!              else: the RST of CLOSED
//! ```
//!
//! A flow is one connection without a wire: [`driver::run`] drives one, [`driver::serve()`] many.
//!
//! # Very many exchanges
//!
//! ```text
//! cli::check ─► targets ─► LeasedPorts, guarded ─► BulkWire ─► driver::fleet::run, in each of its threads
//!
//!    Dispatcher: names, routes, neighbours ─► Errand ─► Exchange: a Tcb and 64 octets more, in a slab
//!                                                          │ a keyed table, a timer wheel, a pool of packets
//!    wire: batches in, batches out, the time once a batch ─┘
//!                                                     Ended ─► news ─► findings ─► report::check
//! ```
//!
//! It is the machine of a single exchange; what is told of one that failed is told by leading a new
//! [`tcp::Tcb`] through its packets once more ([`driver::fleet::replay`]). Packets go to a known neighbour straight,
//! by [`wire::bulk`], and as the kernel routes them until there is one.
//!
//! # A scenario
//!
//! ```text
//! cli::demo ─► Scene: our plans, the far end's Part, the Weather
//!
//!    driver::run ── FaultyWire ──┬── MemoryWire ── Actor                   simulated; PacedWire slows it down
//!                                └── RawWire ═══ RawWire ── stage ── Actor   in a private network
//!                                           ╚═══ the kernel's own server
//! ```
//!
//! An [`lab::actor::Actor`] is a [`tcp::Stream`] with a script, so both ends of a scenario keep to the same RFC.
//!
//! # One segment
//!
//! ```text
//! cli::send ─► cli::path (the same way to the wire) ─► driver::sending::send ─► report::sending
//!
//!    packet::emit_with (true, then spoiled) ─► wire.send
//!    wire.receive ─► packet::parse ─► tcp::Meaning::of (ours, theirs): the rule the peer followed
//! ```
//!
//! There is no [`tcp::Tcb`]: nothing is opened, so nothing has a state. Whatever comes is told, and nothing is
//! answered.
//!
//! # Captures
//!
//! ```text
//! cli::draw ─► capture::survey: the connections of a file ─► one of them ─► capture::trace ─► report::Format
//!
//!    packet ─► link layer off ─► packet::captured ─► Table: which connection, who sends
//!                                                       └─► infer::Watch ─► a Step of the local end
//!                                                             two tcp::Watched: who sends shows what it has
//!                                                             heard, who hears moves on as a Tcb does
//! ```
//!
//! A file is read twice and never held. What was missed is caught up with at the next segment: SEG.ACK is its
//! sender's RCV.NXT. A recording of ours needs no inference: its lines are what was told.
//!
//! # The guard
//!
//! ```text
//! Choice::Auto ─► listener ─► nft ─► iptables      each put up, then asked by SelfTest: would the kernel answer?
//!                 │           │      └ scripts/rst-guard hold: a process that keeps the privilege, and the
//!                 │           │        rules until its input ends
//!                 │           └ a table owned by a netlink socket of ours; a log group tells what it drops
//!                 └ the leased port itself, listening and deaf; SO_MEMINFO tells what it discards
//! ```
//!
//! What stands is a [`guard::Guard`] for one exchange after the other, or a [`guard::Standing`] for other
//! programs. After that nothing needs a capability, so there is none: each thread gives up its own
//! ([`net::privileges::give_up`]).
//!
//! # Invariants
//!
//! 1. No segment leaves before the guard stands, none after it is gone: [`driver::run`] borrows a
//!    [`guard::Guard`].
//! 2. Nothing read from the network can panic, loop, allocate without bound, or reach the terminal
//!    unescaped.
//! 3. After any end, SIGKILL included, the machine is as it was: sockets, and what hangs on them, are all
//!    there ever is. (The kernel takes some ten milliseconds to let go of a packet socket.) Rules of iptables
//!    are the exception: a process of their own takes them away, and if that is killed, the next run.
//! 4. Every step printed happened, and every number printed equals the one on the wire. What is inferred, of a
//!    capture or of the remote end, says so.
//! 5. The same seed gives the same exchange in the simulator, byte for byte.
//!
//! # Example
//!
//! A whole exchange without a network, in virtual time:
//!
//! ```
//! use std::time::Duration;
//! use tcpshake::driver::{self, Plan, observe::Kept};
//! use tcpshake::guard::Guard;
//! use tcpshake::lab::simulated::{SimulatedServer, server_address};
//! use tcpshake::record::{Ending, Outcome};
//! use tcpshake::tcp::SeqNum;
//! use tcpshake::wire::memory::MemoryWire;
//!
//! let remote = server_address(7);
//! let plan = Plan { simulated: true, ..Plan::new(remote, SeqNum(4321)) };
//! let server = SimulatedServer::new(remote, SeqNum(9000), plan.parameters);
//! let mut wire = MemoryWire::new(server, Duration::from_millis(10));
//! let guard = Guard::not_needed("10.99.0.1:40000".parse()?);
//!
//! let mut kept = Kept::default();
//! let summary = driver::run(&guard, &mut wire, &plan, &mut kept, &mut || None)?.summary;
//! assert_eq!(summary.outcome, Outcome::Completed(Ending::Closed));
//! assert_eq!(summary.open_time, Some(Duration::from_millis(20)));
//! assert_eq!(kept.steps.len(), 7); // three to open, four to close
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod capture;
pub mod cause;
pub mod cli;
pub mod doctor;
pub mod driver;
pub mod guard;
pub mod infer;
pub mod lab;
pub mod lesson;
pub mod net;
pub mod packet;
pub mod record;
pub mod report;
pub mod tcp;
pub mod time;
pub mod wire;

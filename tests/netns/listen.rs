//! `listen` with clients of the kernel's, and segments by hand where a kernel would not send them.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde_json::Value;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use tcpshake::lab::{FAR_V4, LINK, NEAR_V4, NEAR_V6};
use tcpshake::tcp::{Flags, Segment, SeqNum};
use tcpshake::time::Clock;

use crate::Named;
use crate::capture::{Capture, Seen, assert_told_as_captured, resets_from};
use crate::near::Way;
use crate::run::{Dialogue, Folder, Run, Said, TCPSHAKE, command, text};
use crate::scripted::{packet, segment};
use crate::world::{PATIENCE, Route, World, alone, near_route_via};

pub(crate) const TESTS: &[Named] = &[
    ("listen_echoes_on_every_way", echoes_on_every_way),
    ("listen_responds_to_a_word_and_to_silence", responds_to_a_word_and_to_silence),
    ("listen_discards", discards),
    ("listen_closes_first", closes_first),
    ("listen_closes_while_the_client_does", closes_while_the_client_does),
    ("listen_resets", resets),
    ("listen_on_one_address", on_one_address),
    ("listen_count_refuses_who_comes_after", count_refuses_who_comes_after),
    ("listen_initial_number", initial_number),
    ("listen_delays_its_syn_ack", delays_its_syn_ack),
    ("listen_passes_over_the_first_syn", passes_over_the_first_syn),
    ("listen_splits_its_syn_ack", splits_its_syn_ack),
    ("listen_serves_by_a_cookie_when_the_table_is_full", serves_by_a_cookie),
    ("listen_to_a_client_that_resets", client_that_resets),
    ("listen_half_closed_by_the_client", half_closed_by_the_client),
    ("listen_half_closed_by_us", half_closed_by_us),
    ("listen_never_writes_a_clients_escapes", never_writes_a_clients_escapes),
    ("listen_interrupted_resets_what_is_open", interrupted_resets_what_is_open),
    ("listen_on_a_port_that_is_taken", on_a_port_that_is_taken),
    ("listen_with_a_bad_answer", with_a_bad_answer),
    ("listen_letters_and_eighty_columns", letters_and_eighty_columns),
    ("listen_d01_d03_answers_what_belongs_to_no_connection", d01_d03_answers),
    ("listen_d04_d05_is_silent", d04_d05_is_silent),
    ("listen_must_57_must_63_no_host_is_answered", must_57_must_63),
    ("listen_challenges_a_reset_in_the_window", challenges_a_reset_in_the_window),
    ("listen_under_the_listener", || under("listener")),
    ("listen_under_nft", || under("nft")),
    ("listen_held_by_iptables_rules", || under("iptables")),
];

pub(crate) const PORT: u16 = 8000;
pub(crate) const SERVICE: SocketAddr = SocketAddr::new(IpAddr::V4(NEAR_V4), PORT);

/// `tcpshake listen` that is ready to serve.
pub(crate) struct Service {
    dialogue: Dialogue,
    pub(crate) lines: Vec<Value>,
}

impl Service {
    /// `tcpshake listen --format json PORT ...`, which is up when this returns.
    #[track_caller]
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::on(PORT, arguments)
    }

    /// The same on another port.
    #[track_caller]
    pub(crate) fn on(port: u16, arguments: &[&str]) -> Self {
        let common = ["listen", &port.to_string(), "--format", "json", "--linger", "10"];
        let dialogue = Dialogue::with_input(&mut command(TCPSHAKE, &[&common, arguments].concat()));
        let mut service = Self { dialogue, lines: Vec::new() };
        service.until(|line| line["type"] == "listening");
        service
    }

    pub(crate) fn pid(&self) -> Pid {
        self.dialogue.pid()
    }

    /// Reads up to the first line that is `wanted`.
    #[track_caller]
    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) {
        loop {
            let line = self.dialogue.line();
            assert!(!line.is_empty(), "the output ended: {:#?} {}", self.lines, self.dialogue.complaints());
            self.lines.push(serde_json::from_str(&line).expect("JSON"));
            if self.lines.last().is_some_and(&wanted) {
                return;
            }
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(self) -> Run {
        let said = self.dialogue.wait();
        Run { code: said.code, lines: [self.lines, said.json()].concat(), stderr: said.stderr }
    }

    #[track_caller]
    pub(crate) fn end_by(self, signal: Signal) -> Run {
        self.dialogue.signal(signal);
        self.finish()
    }
}

/// The last line of a service.
#[track_caller]
pub(crate) fn served(run: &Run) -> &Value {
    let last = run.lines.last().unwrap_or_else(|| panic!("{run:#?}"));
    assert_eq!(last["type"], "served", "{run:#?}");
    last
}

/// A connection of the far kernel's.
#[track_caller]
pub(crate) fn client(world: &World, to: SocketAddr) -> TcpStream {
    let connect = move || TcpStream::connect_timeout(&to, PATIENCE);
    patient(world.lab.far.run(connect).expect("a connection"))
}

pub(crate) fn patient(client: TcpStream) -> TcpStream {
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client
}

/// How the far kernel fails to connect.
#[track_caller]
fn refusal(world: &World, to: SocketAddr) -> ErrorKind {
    let connect = move || TcpStream::connect_timeout(&to, PATIENCE);
    world.lab.far.run(connect).expect_err("no connection").kind()
}

/// Says this, hears all there is, and closes.
#[track_caller]
pub(crate) fn talk(mut client: TcpStream, text: &[u8]) -> Vec<u8> {
    client.write_all(text).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    hear_all(&mut client)
}

#[track_caller]
fn hear_all(client: &mut TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    heard
}

#[track_caller]
fn hear(client: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut heard = vec![0; len];
    client.read_exact(&mut heard).unwrap();
    heard
}

/// All was told as it was captured, so no RST of the kernel's was among it.
#[track_caller]
pub(crate) fn assert_true(run: &Run, captured: &[Seen]) {
    assert_told_as_captured(run, captured);
    let served = served(run);
    assert_eq!((&served["kernel_resets"], &served["packets_lost"]), (&0.into(), &0.into()));
}

#[track_caller]
fn assert_served(run: &Run, connections: u32) {
    let served = served(run);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{run:#?}");
    assert_eq!((&served["connections"], &served["completed"]), (&connections.into(), &connections.into()));
}

fn echoes_on_every_way() {
    let world = World::new();
    for way in Way::ALL {
        let service = Service::start(&["--echo", "--count", "1"]);
        let to = SocketAddr::new(way.near, PORT);
        let capture = ear(&world, way);
        let client = way.at_far(&world, move || TcpStream::connect_timeout(&to, PATIENCE));
        assert_eq!(talk(patient(client), b"hello\n"), b"hello\n", "{way:?}");
        let run = service.finish();
        assert_served(&run, 1);
        assert_eq!(
            run.states(),
            ["SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "LAST-ACK", "CLOSED"],
            "{way:?}"
        );
        assert_eq!((&run.end()["text_sent"], &run.end()["text_received"]), (&6.into(), &6.into()));
        assert_true(&run, &capture.segments());
    }
}

/// Sees both directions once.
fn ear(world: &World, way: Way) -> Capture {
    if way.near == way.far {
        return Capture::of_arrivals("lo");
    }
    world.lab.far.run(|| Ok(Capture::start(LINK))).unwrap()
}

/// Ours is the first FIN then.
fn responds_to_a_word_and_to_silence() {
    let world = World::new();
    let folder = Folder::new();
    let file = folder.file("answer");
    std::fs::write(&file, b"\x00\xff\x80 as it is \\n").unwrap();
    for (typed, response) in [
        ("HTTP/1.0 200 OK\\r\\n\\r\\n\\x41", &b"HTTP/1.0 200 OK\r\n\r\nA"[..]),
        (&format!("@{file}"), b"\x00\xff\x80 as it is \\n"),
    ] {
        let service = Service::start(&["--respond", typed, "--count", "2"]);
        let mut first = client(&world, SERVICE);
        first.write_all(b"GET").unwrap();
        assert_eq!(hear_all(&mut first), response);
        drop(first);
        assert_eq!(talk(client(&world, SERVICE), b""), response);
        let run = service.finish();
        assert_served(&run, 2);
        let first: Vec<&str> = run
            .steps()
            .filter(|step| step["exchange"] == 1)
            .flat_map(|step| step["arrows"].as_array().unwrap())
            .map(|arrow| arrow["to"].as_str().unwrap())
            .collect();
        assert_eq!(first[..3], ["SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1"]);
        assert!(first.contains(&"TIME-WAIT"), "{first:?}");
        assert_true(&run, &world.capture.segments());
    }
}

fn discards() {
    const LEN: usize = 100_000;
    let world = World::new();
    for arguments in [&["--count", "1"][..], &["--discard", "--count", "1"]] {
        let service = Service::start(arguments);
        assert_eq!(talk(client(&world, SERVICE), &vec![b'x'; LEN]), b"");
        let run = service.finish();
        assert_served(&run, 1);
        assert_eq!((&run.end()["text_sent"], &run.end()["text_received"]), (&0.into(), &LEN.into()));
    }
}

fn closes_first() {
    let world = World::new();
    let service = Service::start(&["--close", "active", "--count", "1"]);
    let mut client = client(&world, SERVICE);
    assert_eq!(hear_all(&mut client), b"");
    drop(client);
    let run = service.finish();
    assert_served(&run, 1);
    let states = run.states();
    assert_eq!(states[..3], ["SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1"]);
    assert!(states.contains(&"TIME-WAIT"), "{states:?}");
    assert_true(&run, &world.capture.segments());
}

fn resets() {
    let world = World::new();
    let service = Service::start(&["--close", "reset", "--count", "1"]);
    // It may come before the client knows that it is open.
    let connect = || TcpStream::connect_timeout(&SERVICE, PATIENCE);
    let read = |client| patient(client).read_to_end(&mut Vec::new());
    let error = world.lab.far.run(connect).and_then(read).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let run = service.finish();
    assert_served(&run, 1);
    let captured = world.capture.segments();
    assert_eq!(resets_from(&captured, NEAR_V4.into()), 1);
    assert_true(&run, &captured);
}

fn on_one_address() {
    let world = World::new();
    let service = Service::start(&["--bind", "10.99.0.1", "--count", "1"]);
    assert_eq!(service.lines[0]["at"], serde_json::json!(["10.99.0.1:8000"]));
    assert_eq!(refusal(&world, (NEAR_V6, PORT).into()), ErrorKind::ConnectionRefused);
    let elsewhere = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT)).unwrap_err();
    assert_eq!(elsewhere.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(talk(client(&world, SERVICE), b""), b"");
    assert_served(&service.finish(), 1);
    let service = Service::start(&["--bind", "fd99::1", "--count", "1"]);
    assert_eq!(refusal(&world, SERVICE), ErrorKind::ConnectionRefused);
    assert_eq!(talk(client(&world, (NEAR_V6, PORT).into()), b""), b"");
    assert_served(&service.finish(), 1);
    said(&["--bind", "10.99.0.2"]).assert_complaint(8, "10.99.0.2");
}

/// `tcpshake listen 8000 ...`, to its end.
fn said(arguments: &[&str]) -> Said {
    Said::by(&mut command(TCPSHAKE, &[&["listen", "8000"], arguments].concat()))
}

fn count_refuses_who_comes_after() {
    let world = World::new();
    let mut service = Service::start(&["--count", "1", "--echo"]);
    let first = client(&world, SERVICE);
    service.until(|line| line["type"] == "opened");
    assert_eq!(refusal(&world, SERVICE), ErrorKind::ConnectionRefused);
    assert_eq!(talk(first, b"still here"), b"still here");
    let run = service.finish();
    assert_served(&run, 1);
    assert_eq!(served(&run)["kernel_resets"], 0);
}

/// It wraps at once.
fn initial_number() {
    let world = World::new();
    let service = Service::start(&["--isn", "4294967295", "--count", "2", "--echo"]);
    for _ in 0..2 {
        assert_eq!(talk(client(&world, SERVICE), b"x"), b"x");
        let syn_ack = world.capture.until(|seen| seen.flags == "SYN,ACK");
        assert_eq!(syn_ack.seq, u32::MAX);
        let echo = world.capture.until(|seen| seen.source == SERVICE && seen.len > 0);
        assert_eq!(echo.seq, 0);
    }
    assert_served(&service.finish(), 2);
}

fn delays_its_syn_ack() {
    let world = World::new();
    let service = Service::start(&["--delay-synack", "150", "--count", "1"]);
    let clock = Clock::new();
    let begun = clock.now();
    let client = client(&world, SERVICE);
    assert!(clock.now() - begun >= Duration::from_millis(150));
    assert_eq!(talk(client, b"hello"), b"");
    let run = service.finish();
    assert_served(&run, 1);
    let at =
        |flags: &str| run.steps().find(|step| step["flags"] == flags).unwrap()["at_us"].as_u64().unwrap();
    assert!(at("SYN,ACK") - at("SYN") >= 150_000, "{run:#?}");
    assert_true(&run, &world.capture.segments());
}

/// The client's kernel says it again after a second.
fn passes_over_the_first_syn() {
    let world = World::new();
    let service = Service::start(&["--drop-first-syn", "1", "--count", "1", "--echo"]);
    assert_eq!(talk(client(&world, SERVICE), b"hello"), b"hello");
    let run = service.finish();
    assert_served(&run, 1);
    assert_eq!(served(&run)["passed_over"], 1);
    let captured = world.capture.segments();
    let flags: Vec<&str> = captured.iter().map(|seen| &*seen.flags).take(4).collect();
    assert_eq!(flags, ["SYN", "SYN", "SYN,ACK", "ACK"]);
    assert_told_as_captured(&run, &captured[1..]);
}

fn splits_its_syn_ack() {
    let world = World::new();
    let service = Service::start(&["--split", "--count", "1", "--echo"]);
    assert_eq!(talk(client(&world, SERVICE), b"hello"), b"hello");
    let run = service.finish();
    assert_served(&run, 1);
    let captured = world.capture.segments();
    let flags: Vec<&str> = captured.iter().map(|seen| &*seen.flags).take(4).collect();
    assert_eq!(flags, ["SYN", "ACK", "SYN", "SYN,ACK"]);
    assert_eq!(captured[1].ack, Some(captured[0].seq.wrapping_add(1)));
    assert_eq!(run.steps().filter(|step| step["clause"]["name"] == "ListenSplits").count(), 2);
    assert_true(&run, &captured);
}

/// A host behind the far one that sends what a test wants, and says nothing of its own.
pub(crate) struct Hand {
    pub(crate) address: SocketAddr,
    v4: Socket,
}

impl Hand {
    pub(crate) fn at(world: &World) -> Self {
        let nets: [IpAddr; 1] = [Ipv4Addr::new(10, 98, 0, 0).into()];
        for net in nets {
            near_route_via(net, 16, FAR_V4.into());
            world.far_route(Route::Blackhole, net, 16);
        }
        let make = || {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))?;
            socket.set_broadcast(true)?;
            socket.set_multicast_if_v4(&FAR_V4)?;
            socket.bind_device(Some(LINK.as_bytes()))?;
            Ok(socket)
        };
        let v4 = world.lab.far.run(make).expect("a raw socket");
        Self { address: (Ipv4Addr::new(10, 98, 0, 7), 4000).into(), v4 }
    }

    pub(crate) fn say(&self, segment: &Segment) {
        self.say_as(self.address, SERVICE, segment);
    }

    pub(crate) fn say_as(&self, from: SocketAddr, to: SocketAddr, segment: &Segment) {
        self.v4.send_to(&packet(from, to, segment), &to.into()).unwrap();
    }

    /// Opens a connection; yields our number and what the service's next is.
    fn open(&self, world: &World) -> (SeqNum, SeqNum) {
        self.say(&Segment { seq: SeqNum(1000), flags: Flags::SYN, ..segment() });
        let syn_ack = self.hear(world);
        assert_eq!((&*syn_ack.flags, syn_ack.ack), ("SYN,ACK", Some(1001)));
        let ack = SeqNum(syn_ack.seq) + 1;
        self.say(&Segment { seq: SeqNum(1001), ack, flags: Flags::ACK, ..segment() });
        (SeqNum(1001), ack)
    }

    /// What comes to us next.
    #[track_caller]
    fn hear(&self, world: &World) -> Seen {
        world.capture.until(|seen| seen.destination.ip() == self.address.ip())
    }
}

/// MUST-42: a SYN,ACK that nobody answers fills the table, and still the port listens: the next client has to remember
/// itself.
fn serves_by_a_cookie() {
    let world = World::new();
    let hand = Hand::at(&world);
    let service = Service::start(&["--half-open", "1", "--count", "1", "--echo"]);
    hand.say(&Segment { seq: SeqNum(1), flags: Flags::SYN, ..segment() });
    assert_eq!(hand.hear(&world).flags, "SYN,ACK");
    assert_eq!(talk(client(&world, SERVICE), b"hello"), b"hello");
    let run = service.finish();
    assert_served(&run, 1);
    let told = served(&run);
    assert_eq!(
        (&told["begun"], &told["unopened"], &told["cookies_sent"], &told["cookies_returned"]),
        (&2.into(), &1.into(), &1.into(), &1.into())
    );
    let by_cookie: Vec<_> = run.steps().filter(|step| step["clause"]["name"] == "SynCookie").collect();
    assert_eq!(by_cookie.len(), 1);
    assert_eq!(by_cookie[0]["exchange"], 2);
    assert_eq!(told["kernel_resets"], 0);
}

fn client_that_resets() {
    let world = World::new();
    let mut service = Service::start(&["--count", "1"]);
    let client = client(&world, SERVICE);
    service.until(|line| line["type"] == "opened");
    SockRef::from(&client).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let run = service.finish();
    run.assert_ended(6, "reset");
    let told = served(&run);
    assert_eq!((&told["connections"], &told["completed"]), (&1.into(), &0.into()));
    assert_true(&run, &world.capture.segments());
}

/// It hears all of the echo after its own FIN.
fn half_closed_by_the_client() {
    let world = World::new();
    let service = Service::start(&["--count", "1", "--echo"]);
    let text: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let mut client = client(&world, SERVICE);
    let mut ear = client.try_clone().unwrap();
    let said = text.clone();
    let speaker = std::thread::spawn(move || {
        client.write_all(&said).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    });
    assert_eq!(hear_all(&mut ear), text);
    speaker.join().unwrap();
    let run = service.finish();
    assert_served(&run, 1);
    assert_eq!(run.end()["text_sent"], text.len());
}

/// What the client says after our FIN is taken.
fn half_closed_by_us() {
    let world = World::new();
    let service = Service::start(&["--count", "1", "--close", "active"]);
    let mut client = client(&world, SERVICE);
    assert_eq!(hear_all(&mut client), b"");
    client.write_all(b"one more word").unwrap();
    assert_eq!(talk(client, b", and another"), b"");
    let run = service.finish();
    assert_served(&run, 1);
    assert_eq!(run.end()["text_received"], 26);
    assert!(run.states().contains(&"FIN-WAIT-2"), "{:?}", run.states());
    assert_true(&run, &world.capture.segments());
}

/// The ladder of a service with these arguments, while `work` is done.
#[track_caller]
fn ladder(arguments: &[&str], work: impl FnOnce(&mut Dialogue)) -> Said {
    let mut service =
        Dialogue::with_input(&mut command(TCPSHAKE, &[&["listen", "8000"], arguments].concat()));
    let first = service.line();
    assert!(first.starts_with("listening on "), "{first}");
    work(&mut service);
    service.wait()
}

fn never_writes_a_clients_escapes() {
    let world = World::new();
    let evil = b"\x1b[2J\x1b]0;x\x07\x9b31m\r\n\x08";
    for arguments in [&["--echo"][..], &["--respond", "\\x1b[2J\\x9b\\x07"], &["--echo", "-v"]] {
        let said = ladder(&[&["--count", "1", "--linger", "10"], arguments].concat(), |_| {
            talk(client(&world, SERVICE), evil);
        });
        assert_eq!((said.code, &*said.stderr), (Some(0), ""), "{said:?}");
        assert!(said.stdout.contains("\\x1b[2J"), "{}", said.stdout);
        let raw = |letter: char| letter.is_control() && letter != '\n';
        assert!(!said.stdout.contains(raw), "{:?}", said.stdout);
    }
}

fn interrupted_resets_what_is_open() {
    let world = World::new();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut service = Service::start(&["--echo"]);
        let mut clients = [client(&world, SERVICE), client(&world, SERVICE)];
        for client in &mut clients {
            client.write_all(b"x").unwrap();
            assert_eq!(hear(client, 1), b"x");
            service.until(|line| line["direction"] == "received" && line["rel_ack"] == 2);
        }
        let run = service.end_by(signal);
        assert_eq!((run.code, &*run.stderr), (Some(code), ""), "{run:#?}");
        for client in &mut clients {
            assert_eq!(client.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
        let ends = run.lines.iter().filter(|line| line["type"] == "end");
        assert_eq!(ends.map(|end| &end["outcome"]).collect::<Vec<_>>(), ["interrupted", "interrupted"]);
        assert_eq!(served(&run)["connections"], 2);
        let captured = world.capture.segments();
        assert_eq!(resets_from(&captured, NEAR_V4.into()), 2);
        assert_true(&run, &captured);
    }
}

/// MUST-41: an open where somebody listens already is an error, and takes nothing from him.
fn on_a_port_that_is_taken() {
    alone();
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    for address in ["127.0.0.1", "::1", "::"] {
        let holder = TcpListener::bind((address, PORT)).unwrap();
        for guard in ["auto", "listener", "nft"] {
            let said = said(&["--guard", guard]);
            said.assert_complaint(8, &format!("port 8000 is taken by {} (pid ", name.trim_end()));
            assert!(!said.stderr.contains("--source-port"), "listen has none: {}", said.stderr);
        }
        drop(holder);
    }
}

fn with_a_bad_answer() {
    alone();
    for (typed, words) in [
        ("a\\q", "'\\q' is no escape"),
        ("@/nonexistent", "no such file"),
        ("@/", "is a directory"),
        ("@/dev/zero", "longer than"),
    ] {
        said(&["--respond", typed]).assert_complaint(2, words);
    }
    for arguments in [
        &["listen", "0"][..],
        &["listen", "65536"],
        &["listen", "8000", "--count", "0"],
        &["listen", "8000", "--echo", "--discard"],
        &["listen", "8000", "--echo", "--respond", "x"],
        &["listen", "8000", "--bind", "host.test"],
    ] {
        assert_eq!(text(arguments).0, Some(2), "{arguments:?}");
    }
}

fn letters_and_eighty_columns() {
    let world = World::new();
    let said = ladder(&["--count", "2", "--echo", "--linger", "10"], |_| {
        let mut clients = [client(&world, SERVICE), client(&world, (NEAR_V6, PORT).into())];
        for n in 0..4 {
            let client = &mut clients[n % 2];
            client.write_all(&[b"ab"[n % 2]; 40]).unwrap();
            hear(client, 40);
        }
        let [first, second] = clients;
        talk(first, b"");
        SockRef::from(&second).set_linger(Some(Duration::ZERO)).unwrap();
    });
    assert_eq!(said.code, Some(6), "{said:?}");
    for line in said.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let rungs: Vec<&str> = said.stdout.lines().filter(|line| line.contains("──")).collect();
    assert!(rungs.len() > 20, "{}", said.stdout);
    for rung in &rungs {
        assert!(rung.starts_with("  a ") || rung.starts_with("  b "), "{rung}");
    }
    // What is said, by its letters, stands below the rungs of the connection that said it.
    let mut letter = ' ';
    for line in said.stdout.lines() {
        letter = line.chars().nth(2).filter(|letter| *letter != ' ').unwrap_or(letter);
        assert!(!line.contains("\"aaa") || letter == 'a', "{}", said.stdout);
        assert!(!line.contains("\"bbb") || letter == 'b', "{}", said.stdout);
    }
}

/// What belongs to no connection draws a RST with the number that it acknowledges.
fn d01_d03_answers() {
    let world = World::new();
    let hand = Hand::at(&world);
    let service = Service::start(&[]);
    let (ack, fin, syn) = (Flags::ACK, Flags::FIN, Flags::SYN);
    for (flags, text_len) in [(ack, 0), (ack | Flags::PSH, 5), (fin | ack, 0), (syn | ack, 0)] {
        hand.say(&Segment { seq: SeqNum(100), ack: SeqNum(5000), flags, text_len, ..segment() });
        let reset = hand.hear(&world);
        assert_eq!((&*reset.flags, reset.seq, reset.ack), ("RST", 5000, None), "{flags:?}");
        assert_eq!((reset.source, reset.destination), (SERVICE, hand.address));
        assert_eq!(reset.window, 0);
    }
    let run = service.end_by(Signal::SIGINT);
    assert_eq!((&served(&run)["begun"], &served(&run)["kernel_resets"]), (&0.into(), &0.into()));
}

/// That all is read before the last, which is answered, shows that nothing else was.
fn d04_d05_is_silent() {
    let world = World::new();
    let hand = Hand::at(&world);
    let service = Service::start(&[]);
    let xmas = Flags::FIN | Flags::PSH | Flags::URG;
    for flags in [Flags::RST, Flags::RST | Flags::ACK, Flags::RST | Flags::SYN, Flags::NONE, xmas, Flags::FIN]
    {
        hand.say(&Segment { seq: SeqNum(100), ack: SeqNum(5000), flags, ..segment() });
    }
    assert_only_the_last_is_answered(&world, &hand);
    assert_eq!(served(&service.end_by(Signal::SIGINT))["begun"], 0);
}

#[track_caller]
fn assert_only_the_last_is_answered(world: &World, hand: &Hand) {
    hand.say(&Segment { seq: SeqNum(1), ack: SeqNum(77), flags: Flags::ACK, ..segment() });
    let is_answer = |seen: &Seen| seen.source.port() == PORT && seen.destination.port() != PORT;
    let answer = world.capture.until(is_answer);
    assert_eq!((&*answer.flags, answer.seq), ("RST", 77));
    assert!(!world.capture.segments().iter().any(is_answer));
}

fn must_57_must_63() {
    let world = World::new();
    let hand = Hand::at(&world);
    let service = Service::start(&[]);
    let syn = Segment { seq: SeqNum(100), flags: Flags::SYN, ..segment() };
    for to in [[255, 255, 255, 255], [10, 99, 0, 255], [224, 0, 0, 1]] {
        hand.say_as(hand.address, (to, PORT).into(), &syn);
    }
    for from in [[224, 0, 0, 1], [255, 255, 255, 255], [0, 0, 0, 0]] {
        hand.say_as((from, 4000).into(), SERVICE, &syn);
    }
    hand.say_as((hand.address.ip(), 0).into(), SERVICE, &syn);
    hand.say_as(SERVICE, SERVICE, &syn);
    assert_only_the_last_is_answered(&world, &hand);
    assert_eq!(served(&service.end_by(Signal::SIGINT))["begun"], 0);
    // Addresses that are hosts elsewhere, but none that could be on this cable.
    let service = Service::start(&[]);
    for from in [[10, 99, 0, 255], [127, 0, 0, 1], [10, 99, 0, 1]] {
        hand.say_as((from, 4000).into(), SERVICE, &syn);
    }
    assert_only_the_last_is_answered(&world, &hand);
    service.end_by(Signal::SIGINT);
}

/// RFC 5961: only the exact number resets.
fn challenges_a_reset_in_the_window() {
    let world = World::new();
    let hand = Hand::at(&world);
    let service = Service::start(&["--count", "1", "--echo"]);
    let (next, ack) = hand.open(&world);
    hand.say(&Segment { seq: next + 10, flags: Flags::RST, ..segment() });
    let challenge = hand.hear(&world);
    assert_eq!(
        (&*challenge.flags, challenge.seq, challenge.ack),
        ("ACK", ack.0, Some(next.0)),
        "{challenge:?}"
    );
    hand.say(&Segment { seq: next, ack, flags: Flags::ACK, text_len: 5, ..segment() });
    world.capture.until(|seen| seen.source == SERVICE && seen.len == 5);
    hand.say(&Segment { seq: next + 5, flags: Flags::RST, ..segment() });
    let run = service.finish();
    run.assert_ended(6, "reset");
    assert!(run.steps().any(|step| step["clause"]["name"] == "RstChallenged"));
    assert_eq!(run.end()["text_received"], 5);
}

/// Both FINs are under way at a time: simultaneous close.
fn closes_while_the_client_does() {
    let world = World::new();
    let hand = Hand::at(&world);
    let service = Service::start(&["--count", "1", "--close", "active"]);
    let (next, ack) = hand.open(&world);
    let fin = hand.hear(&world);
    assert_eq!((&*fin.flags, fin.seq), ("FIN,ACK", ack.0));
    hand.say(&Segment { seq: next, ack, flags: Flags::FIN | Flags::ACK, ..segment() });
    let answer = hand.hear(&world);
    assert_eq!((&*answer.flags, answer.seq, answer.ack), ("ACK", (ack + 1).0, Some(next.0 + 1)));
    hand.say(&Segment { seq: next + 1, ack: ack + 1, flags: Flags::ACK, ..segment() });
    let run = service.finish();
    assert_served(&run, 1);
    assert_eq!(run.states(), ["SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "CLOSING", "TIME-WAIT"]);
}

/// With each guard every way is served, and the kernel stays out of it.
fn under(guard: &str) {
    let world = World::new();
    for way in Way::ALL {
        let service = Service::start(&["--guard", guard, "--echo", "--count", "2"]);
        assert_eq!(
            (&service.lines[0]["guard"], &service.lines[0]["guard_proven"]),
            (&guard.into(), &true.into())
        );
        let to = SocketAddr::new(way.near, PORT);
        let capture = ear(&world, way);
        for _ in 0..2 {
            let client = way.at_far(&world, move || TcpStream::connect_timeout(&to, PATIENCE));
            assert_eq!(talk(patient(client), b"hello"), b"hello", "{way:?}");
        }
        let run = service.finish();
        assert_served(&run, 2);
        assert_true(&run, &capture.segments());
    }
}

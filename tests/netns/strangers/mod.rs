//! Strangers as peers: a TCP that nobody here wrote at the far end of a cable, in all four roles of open and close, with
//! text both ways at once, over IPv4 and IPv6, in calm weather and in bad.
//!
//! | who opens, who closes first | the Linux kernel | smoltcp | lwIP |
//! |---|---|---|---|
//! | we, we | here | here | here |
//! | we, it | here | here | here |
//! | it, we | here | here | here |
//! | it, it | here | here | here |
//! | both at once | here | here | here: it passes over our SYN, and takes our SYN,ACK |
//! | closed by both at once | here | here | here |
//!
//! Beside these the kernel is the peer of nearly every test of the program: without text and step by step in `opens`
//! and `closes`, with much text in `data` and `bulk`, of very many connections in `thousand` and `crowd`. In the
//! simulator smoltcp meets every fault in virtual time.
//!
//! The weather is drawn from one seed: see `weather`. Whatever it does, both ends must end well, each octet must
//! arrive once and in its place, what is told must be what was on the wire, and nobody may reset what is open.

mod cable;
mod kernel;
mod lwip;
mod smoltcp;
mod weather;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::Value;
use tcpshake::lab::{self, Address, FAR_V4, FAR_V6, FarHost, LINK, NEAR_V4, NEAR_V6};
use tcpshake::tcp::Flags;

use self::cable::{BadCable, Tally};
use self::weather::Weather;
use crate::Named;
use crate::capture::{Seen, assert_told_as_captured};
use crate::counters::Counters;
use crate::data::noise;
use crate::listen::Service;
use crate::run::{Folder, Run, Running};

pub(crate) const TESTS: &[Named] = &[
    ("stranger_kernel_in_calm_weather", || kernel_in(Weather::CALM)),
    ("stranger_kernel_far_away", || kernel_in(Weather::FAR)),
    ("stranger_kernel_where_segments_are_lost", || kernel_in(Weather::LOSING)),
    ("stranger_kernel_where_segments_are_spoiled", || kernel_in(Weather::SPOILING)),
    ("stranger_kernel_where_segments_are_doubled", || kernel_in(Weather::DOUBLING)),
    ("stranger_kernel_where_segments_overtake", || kernel_in(Weather::SHUFFLING)),
    ("stranger_kernel_in_a_storm", || kernel_in(Weather::STORMY)),
    ("stranger_kernel_opens_at_once_with_us", || crossing_opens(kernel::take, Weather::CALM)),
    ("stranger_kernel_opens_at_once_with_us_in_a_storm", || crossing_opens(kernel::take, Weather::STORMY)),
    ("stranger_kernel_closes_at_once_with_us", || crossing_closes(kernel::take)),
    ("stranger_smoltcp_in_calm_weather", || smoltcp_in(Weather::CALM)),
    ("stranger_smoltcp_far_away", || smoltcp_in(Weather::FAR)),
    ("stranger_smoltcp_where_segments_are_lost", || smoltcp_in(Weather::LOSING)),
    ("stranger_smoltcp_where_segments_are_spoiled", || smoltcp_in(Weather::SPOILING)),
    ("stranger_smoltcp_where_segments_are_doubled", || smoltcp_in(Weather::DOUBLING)),
    ("stranger_smoltcp_where_segments_overtake", || smoltcp_in(Weather::SHUFFLING)),
    ("stranger_smoltcp_in_a_storm", || smoltcp_in(Weather::STORMY)),
    ("stranger_smoltcp_opens_at_once_with_us", || crossing_opens(smoltcp::take, Weather::CALM)),
    ("stranger_smoltcp_opens_at_once_with_us_in_a_storm", || crossing_opens(smoltcp::take, Weather::STORMY)),
    ("stranger_smoltcp_closes_at_once_with_us", || crossing_closes(smoltcp::take)),
    ("stranger_by_lwip_in_calm_weather", || lwip_in(Weather::CALM)),
    ("stranger_by_lwip_far_away", || lwip_in(Weather::FAR)),
    ("stranger_by_lwip_where_segments_are_lost", || lwip_in(Weather::LOSING)),
    ("stranger_by_lwip_where_segments_are_spoiled", || lwip_in(Weather::SPOILING)),
    ("stranger_by_lwip_where_segments_are_doubled", || lwip_in(Weather::DOUBLING)),
    ("stranger_by_lwip_where_segments_overtake", || lwip_in(Weather::SHUFFLING)),
    ("stranger_by_lwip_in_a_storm", || lwip_in(Weather::STORMY)),
    ("stranger_by_lwip_opens_at_once_with_us", || crossing_opens(lwip::take, Weather::CALM)),
    ("stranger_by_lwip_opens_at_once_with_us_in_a_storm", || crossing_opens(lwip::take, Weather::STORMY)),
    ("stranger_by_lwip_closes_at_once_with_us", || crossing_closes(lwip::take)),
];

/// What the far end has to do with its one connection: it says its text and hears ours.
#[derive(Clone, Copy, Debug)]
struct Part {
    local: SocketAddr,
    remote: SocketAddr,
    opens: bool,
    /// Its FIN stands behind its text; otherwise it closes when we have.
    closes_first: bool,
    text_len: usize,
}

impl Part {
    /// What either end says.
    fn text(&self) -> Vec<u8> {
        noise(self.text_len)
    }
}

/// A far end that plays its part. It stays, for what may have to be said again, until this is dropped.
trait Stranger {
    /// All that it has heard up to our FIN.
    fn heard(self: Box<Self>) -> Vec<u8>;
}

/// How a far end is brought to play a part. If it is to wait it does so when this returns.
type Take = fn(&FarHost, Part) -> Box<dyn Stranger>;

/// More than any end sends without an answer, less than our window.
const MUCH: usize = 60_000;
/// Less than any window: the ACK on a FIN that waits to cross another must not be out of range when it arrives.
const LITTLE: usize = 10_000;

/// Who does something, or does it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    We,
    It,
    Both,
}

/// One connection with a far host of its own.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    opens: End,
    closes: End,
    near: SocketAddr,
    far: SocketAddr,
}

impl Exchange {
    /// The nth of its network, over IPv4 and over IPv6.
    fn both(opens: End, closes: End, nth: u8) -> [Self; 2] {
        const PORT: u16 = 8000;
        let host = 10 + nth;
        let [mut v4, mut v6] = [FAR_V4.octets().to_vec(), FAR_V6.octets().to_vec()];
        (v4[3], v6[15]) = (host, host);
        let v4 = Ipv4Addr::from(*v4.first_chunk().unwrap());
        let v6 = Ipv6Addr::from(*v6.first_chunk().unwrap());
        [(IpAddr::from(NEAR_V4), IpAddr::from(v4)), (NEAR_V6.into(), v6.into())].map(|(near, far)| {
            let port = PORT + u16::from(nth);
            Self { opens, closes, near: (near, port).into(), far: (far, port).into() }
        })
    }

    fn part(&self) -> Part {
        Part {
            local: self.far,
            remote: self.near,
            opens: self.opens != End::We,
            closes_first: self.closes != End::We,
            text_len: if self.closes == End::Both { LITTLE } else { MUCH },
        }
    }

    /// The states that we walk through.
    fn states(&self) -> Vec<&'static str> {
        let opening: &[_] = match self.opens {
            End::We => &["SYN-SENT", "ESTABLISHED"],
            End::It => &["SYN-RECEIVED", "ESTABLISHED"],
            End::Both => &["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"],
        };
        let closing = match self.closes {
            End::We => ["FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"],
            End::It => ["CLOSE-WAIT", "LAST-ACK", "CLOSED"],
            End::Both => ["FIN-WAIT-1", "CLOSING", "TIME-WAIT"],
        };
        [opening, &closing].concat()
    }

    /// Holds it to its end: all was heard on both sides, and the states are those of the roles.
    #[track_caller]
    fn hold(&self, far: &FarHost, take: Take, weather: Weather) -> Run {
        let folder = Folder::new();
        let [said, heard] = ["said", "heard"].map(|name| folder.file(name));
        let part = self.part();
        let text = part.text();
        std::fs::write(&said, &text).unwrap();
        let said = format!("@{said}");
        let (run, stranger) = if self.opens == End::It {
            let service = self.service(&said, weather.linger());
            let stranger = take(far, part);
            (service.finish(), stranger)
        } else {
            let stranger = take(far, part);
            (self.client(&said, &heard, weather.linger()).finish(), stranger)
        };
        let end = run.end();
        assert_eq!((run.code, &end["outcome"]), (Some(0), &"completed".into()), "{}{end:#}", story(&run));
        assert_eq!((&end["text_sent"], &end["text_received"]), (&text.len().into(), &text.len().into()));
        assert_eq!(
            (&end["verdict"], &end["kernel_resets"]),
            (&"opened and closed, both FINs acknowledged".into(), &0.into())
        );
        if self.opens != End::It {
            assert_same(&std::fs::read(&heard).unwrap(), &text, "here");
        }
        assert_same(&stranger.heard(), &text, "there");
        let (states, expected) = (run.states(), self.states());
        assert!(states.starts_with(&expected), "{states:?}, not {expected:?}:\n{}", story(&run));
        run
    }

    fn client(&self, said: &str, heard: &str, linger: &str) -> Running {
        let [target, port] = [self.far.to_string(), self.near.port().to_string()];
        let mut arguments = vec![&*target, "--source-port", &port, "--send", said, "--output", heard];
        arguments.extend(["--linger", linger]);
        arguments.extend(PATIENT);
        arguments.extend(match self.closes {
            End::We | End::Both => &["--half-close"][..],
            End::It => &["--close", "passive"],
        });
        if self.opens == End::Both {
            arguments.push("--simultaneous");
        }
        Running::connect(&arguments)
    }

    /// What a service hears it keeps only where it sends it back.
    fn service(&self, said: &str, linger: &str) -> Service {
        let address = self.near.ip().to_string();
        let mut arguments = vec!["--count", "1", "--bind", &address, "--linger", linger];
        arguments.extend(PATIENT);
        let answer = match self.closes {
            End::We | End::Both => &["--respond", said][..],
            End::It => &["--echo"],
        };
        arguments.extend(answer);
        Service::on(self.near.port(), &arguments)
    }
}

/// Who has lost something waits long for it.
const PATIENT: [&str; 4] = ["--timeout", "60", "--retries", "8"];

/// A line for each segment that was told.
fn story(run: &Run) -> String {
    let told = run.steps().filter(|step| step["flags"].is_string());
    let line = |step: &Value| {
        let fields = ["at_us", "direction", "flags", "rel_seq", "len", "rel_ack", "window", "state"];
        let fields = fields.map(|field| step[field].to_string().replace('"', ""));
        format!("{} {}\n", fields.join("\t"), step["clause"]["name"])
    };
    told.map(line).collect()
}

/// Says where it differs, not all that it holds.
#[track_caller]
fn assert_same(heard: &[u8], said: &[u8], place: &str) {
    let differ = heard.iter().zip(said).position(|(heard, said)| heard != said);
    assert_eq!((heard.len(), differ), (said.len(), None), "heard {place}");
}

/// Gives the far kernel another address.
fn own_address(far: &FarHost, ip: IpAddr) {
    let prefix_len = if ip.is_ipv4() { 24 } else { 64 };
    far.run(move || lab::configure(LINK, &[Address { ip, prefix_len }])).expect("an address");
}

/// The kernel in all four roles; of what it was sent it has counted nothing as wrong that the cable has not spoiled.
fn kernel_in(weather: Weather) {
    let Held { far, tally, .. } = four_roles(kernel::take, weather);
    let [far, near] = [far.run(Counters::read), Counters::read()].map(Result::unwrap);
    kernel::assert_clean(&far, tally.spoiled[0]);
    assert!(
        near.of("TcpInCsumErrors") <= tally.spoiled[1],
        "our kernel has seen what we have, as long as we were there"
    );
}

fn smoltcp_in(weather: Weather) {
    four_roles(smoltcp::take, weather);
}

fn lwip_in(weather: Weather) {
    four_roles(lwip::take, weather);
}

/// one of us opens.: one of us closes first, and the other still says much: H-09, H-10. MUST-3:
/// what is spoiled is nothing to either.
fn four_roles(take: Take, weather: Weather) -> Held {
    use End::{It, We};
    hold_all(&[(We, We), (We, It), (It, We), (It, It)], take, weather, None)
}

/// F-01, MUST-10: the first SYNs cross on the cable. F-03: in a storm a SYN,ACK may be lost.
fn crossing_opens(take: Take, weather: Weather) {
    let roles = [(End::Both, End::We), (End::Both, End::It)];
    let Held { runs, .. } = hold_all(&roles, take, weather, Some(Flags::SYN));
    for run in runs {
        assert!(run.flags().contains(&"> SYN,ACK".to_owned()), "not all strangers need it:\n{}", story(&run));
        let opening = run.steps().take_while(|step| step["len"] == 0);
        let bare = opening.filter(|step| step["direction"] == "sent" && step["flags"] == "ACK").count();
        assert!(bare <= 2 || weather != Weather::CALM, "more ACKs than it takes:\n{}", story(&run));
    }
}

/// H-06: the first FINs cross on the cable.
fn crossing_closes(take: Take) {
    let crossing = Some(Flags::FIN | Flags::ACK);
    hold_all(&[(End::We, End::Both), (End::It, End::Both)], take, Weather::CALM, crossing);
}

/// What is left when all have ended well.
struct Held {
    far: FarHost,
    tally: Tally,
    runs: Vec<Run>,
}

/// In these roles, by who opens and who closes, over IPv4 and IPv6: all at a time, each with a far host of its own.
fn hold_all(roles: &[(End, End)], take: Take, weather: Weather, crossing: Option<Flags>) -> Held {
    let numbered = roles.iter().zip(0..);
    let exchanges = numbered.flat_map(|((opens, closes), nth)| Exchange::both(*opens, *closes, nth));
    let cable = BadCable::lay(weather, crossing);
    let far = &cable.far;
    let (exchanges, runs): (Vec<Exchange>, Vec<Run>) = std::thread::scope(|scope| {
        let held =
            exchanges.map(|exchange| (exchange, scope.spawn(move || exchange.hold(far, take, weather))));
        let held: Vec<_> = held.collect();
        let ended = held.into_iter().map(|(exchange, held)| {
            let run = held.join().unwrap_or_else(|panic| {
                eprintln!("in {exchange:?}, {weather:?} by seed {:#x}", weather::SEED);
                std::panic::resume_unwind(panic)
            });
            (exchange, run)
        });
        ended.unzip()
    });
    let (far, tally, captured) = cable.end();
    for (run, exchange) in runs.iter().zip(&exchanges) {
        assert_true(run, exchange, &captured);
    }
    tally.assert_shows(weather);
    Held { far, tally, runs }
}

/// All that was told is what was on our end of the cable. There was no RST while we were there, but one that answers
/// what we say in TIME-WAIT to an ACK that its FIN has overtaken: the far end is closed by then. That can happen in any
/// weather, for what two processors send at a time goes by two queues.
#[track_caller]
fn assert_true(run: &Run, exchange: &Exchange, captured: &[Seen]) {
    let told = |direction| {
        let segments = run.steps().filter(|step| step["flags"].is_string());
        segments.filter(|step| step["direction"] == direction).count()
    };
    let between = |from: SocketAddr, to: SocketAddr| {
        captured.iter().filter(move |seen| seen.source == from && seen.destination == to)
    };
    let sent = between(exchange.near, exchange.far).take(told("sent"));
    let readable = between(exchange.far, exchange.near).filter(|seen| seen.checksum_verifies);
    let until_the_end: Vec<Seen> = sent.chain(readable.take(told("received"))).cloned().collect();
    assert_told_as_captured(run, &until_the_end);
    for reset in run.steps().filter(|step| step["flags"].as_str().is_some_and(|flags| flags.contains("RST")))
    {
        let to_old =
            (&reset["direction"], &reset["before"]["state"]) == (&"received".into(), &"TIME-WAIT".into());
        assert!(to_old, "{reset:#}");
    }
}

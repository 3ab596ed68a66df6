//! Who our end is, and what it was told before anything happened.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tcpshake::driver::{Close, Linger, Plan, Service};
use tcpshake::lab::{FAR_V4, FAR_V6, NEAR_V4, NEAR_V6};
use tcpshake::record;
use tcpshake::tcp::{Mss, Nagle, Offer, Parameters, Retries, Stream, WindowSize};

use crate::notation::Call;
use crate::packets::Ends;
use crate::segments::Placement;
use crate::words::{Fault, Word, Words};

/// Which endpoint it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// `tcpshake connect`.
    #[default]
    Connect,
    /// `tcpshake listen`.
    Serve,
    /// The stream alone, for calls that no command makes.
    Machine,
}

impl Role {
    /// Whether its user can make this call.
    pub(crate) fn is_called(self, call: Call) -> bool {
        match call {
            Call::Send(_) | Call::Close | Call::Abort => true,
            Call::Read(_) => self != Self::Machine,
            Call::CloseWithPeer | Call::Open | Call::Listen => self == Self::Machine,
        }
    }
}

/// The line in front of all others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) role: Role,
    parameters: Parameters,
    family: Family,
    /// How long each phase may take.
    patience: Option<Duration>,
    linger: Option<Duration>,
    nagle: Nagle,
    /// Octets on our SYN.
    pub(crate) on_syn: u64,
    /// Whether our user reads only when told to.
    pub(crate) reads_on_call: bool,
    /// Whether our user closes when the peer has.
    pub(crate) closes_after_peer: bool,
    /// After so many clients nobody listens any more.
    clients: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Family {
    #[default]
    V4,
    V6,
}

const LOCAL_PORT: u16 = 40_000;
const REMOTE_PORT: u16 = 80;

impl Setup {
    pub(crate) fn read(words: &mut Words<'_>, first: Word<'_>) -> Result<Self, Fault> {
        let role = match first.text {
            "connect" => Role::Connect,
            "serve" => Role::Serve,
            "machine" => Role::Machine,
            _ => return Err(words.unknown(first)),
        };
        let mss = Mss::new(1460).unwrap_or(Mss::DEFAULT_IPV4);
        let parameters = Parameters { mss, ..Parameters::default() };
        let mut setup = Self { role, parameters, ..Self::default() };
        while let Some(word) = words.next() {
            setup.word(words, word)?;
        }
        Ok(setup)
    }

    fn word(&mut self, words: &mut Words<'_>, word: Word<'_>) -> Result<(), Fault> {
        let parameters = &mut self.parameters;
        match word.text {
            "ipv6" => {
                self.family = Family::V6;
                parameters.default_peer_mss = Mss::DEFAULT_IPV6;
            }
            "mss" => {
                let octets = words.need("octets")?;
                let mss = words.parse(octets, "octets").map(Mss::new)?;
                parameters.mss = mss.ok_or_else(|| words.no(octets, "a segment size"))?;
            }
            "window" => parameters.window = WindowSize::new(words.number("octets")?),
            "retries" => parameters.retries = Retries::AtMost(words.number("a number")?),
            "msl" => {
                let time = words.need("seconds")?;
                parameters.msl = words.seconds(time)?;
            }
            "no-sack" => parameters.offer = parameters.offer.without(Offer::SACK),
            "no-wscale" => parameters.offer = parameters.offer.without(Offer::WINDOW_SCALE),
            "timestamps" => parameters.offer = parameters.offer | Offer::TIMESTAMPS,
            "ecn" => parameters.offer = parameters.offer | Offer::ECN,
            _ => return self.user(words, word),
        }
        Ok(())
    }

    /// What our user wants.
    fn user(&mut self, words: &mut Words<'_>, word: Word<'_>) -> Result<(), Fault> {
        match word.text {
            "patience" => {
                let time = words.need("seconds")?;
                self.patience = Some(words.seconds(time)?);
            }
            "linger" => {
                let time = words.need("seconds")?;
                self.linger = Some(words.seconds(time)?);
            }
            "no-nagle" => self.nagle = Nagle::Off,
            "on-syn" => self.on_syn = words.number("octets")?,
            "reads-on-call" => self.reads_on_call = true,
            "closes-after-peer" => self.closes_after_peer = true,
            "clients" => self.clients = Some(words.number("how many")?),
            _ => return Err(words.unknown(word)),
        }
        Ok(())
    }

    pub(crate) fn ends(&self) -> Ends {
        let (near, far) = match self.family {
            Family::V4 => (IpAddr::from(NEAR_V4), IpAddr::from(FAR_V4)),
            Family::V6 => (NEAR_V6.into(), FAR_V6.into()),
        };
        // Whoever serves has the well-known port.
        let (local, remote) = match self.role {
            Role::Connect | Role::Machine => (LOCAL_PORT, REMOTE_PORT),
            Role::Serve => (REMOTE_PORT, LOCAL_PORT),
        };
        Ends { local: SocketAddr::new(near, local), remote: SocketAddr::new(far, remote) }
    }

    pub(crate) fn plan(&self, place: Placement) -> Plan {
        const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);
        Plan {
            role: if self.role == Role::Serve { record::Role::Passive } else { record::Role::Active },
            parameters: self.parameters,
            close: Close::Active,
            half_close: true, // the user closes by a call, whatever the peer has still to say
            timeout: self.patience.unwrap_or(FOR_EVER),
            linger: Linger::For(self.linger.unwrap_or(self.parameters.msl * 2)),
            nagle: self.nagle,
            text_on_syn: self.on_syn > 0,
            simulated: true,
            ..Plan::new(self.ends().remote, place.iss)
        }
    }

    pub(crate) fn service(&self, place: Placement) -> Service {
        let ends = self.ends();
        Service {
            iss: Some(place.iss),
            count: self.clients,
            ..Service::new(vec![ends.local], self.plan(place), [7; 16])
        }
    }

    /// The stream of a machine.
    pub(crate) fn stream(&self) -> Stream {
        Stream::new(&self.parameters, self.nagle)
    }
}

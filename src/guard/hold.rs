//! The ways to hold the kernel back, tried one after the other until one stands and is proven.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use super::iptables::{IptablesError, Rules};
use super::lease::{LeaseError, PortLease};
use super::listener::{self, Discard};
use super::nft::{NftError, Table};
use super::selftest::{Proof, SelfTest};
use super::{GuardError, Scope};
use crate::cause::cause;

/// What can hold the kernel's RST back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A listening socket on our port that discards all it is sent.
    Listener,
    /// A private nf_tables table that drops the RST on its way out.
    Nft,
    /// Rules of iptables that do the same.
    Iptables,
}

impl Kind {
    /// All of them, in the order in which they are tried: the less they touch, the earlier.
    pub const ALL: [Self; 3] = [Self::Listener, Self::Nft, Self::Iptables];

    /// As it is written on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Nft => "nft",
            Self::Iptables => "iptables",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which guard is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The first of all kinds that stands and is proven.
    Auto,
    /// This one, or none.
    Only(Kind),
}

/// A kind that was tried and did not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// Which.
    pub kind: Kind,
    /// Why it did not.
    pub why: String,
}

/// Why a kind of guard does not do.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The port to listen on could not be had.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// Neither way of making a listener deaf works here.
    #[error("socket filter: {}; tcp-md5: {}", cause(.filter), cause(.md5))]
    Deafness {
        /// Why not by socket filter.
        filter: io::Error,
        /// Why not by TCP-MD5.
        md5: io::Error,
    },
    /// The port is ours, but cannot be listened on.
    #[error("cannot listen: {}", cause(.0))]
    Listen(#[source] io::Error),
    /// The table could not be made.
    #[error(transparent)]
    Nft(#[from] NftError),
    /// The rules could not be made.
    #[error(transparent)]
    Iptables(#[from] IptablesError),
    /// It stands, and the kernel answers all the same.
    #[error("it stands, but the kernel still answers on {0} with RST")]
    StillAnswers(SocketAddr),
}

/// What holds the kernel back, for as long as the value and its leases live.
#[derive(Debug)]
pub(super) enum Hold {
    Listener(Discard),
    Nft(Table),
    Iptables(Rules),
}

/// A hold that was proven, or could not be tested.
#[derive(Debug)]
pub(super) struct Stood {
    pub(super) hold: Hold,
    pub(super) proof: Proof,
    pub(super) passed_over: Vec<PassedOver>,
}

/// The kind that was chosen; with `Auto` the first for which `attempt` succeeds. A kind asked for by name is
/// never replaced by another.
pub(super) fn stand(
    choice: Choice,
    mut attempt: impl FnMut(Kind) -> Result<(Hold, Proof), Cause>,
) -> Result<Stood, GuardError> {
    let mut passed_over = Vec::new();
    let kinds = match choice {
        Choice::Only(kind) => {
            let (hold, proof) = attempt(kind).map_err(|cause| GuardError::DoesNotWork { kind, cause })?;
            return Ok(Stood { hold, proof, passed_over });
        }
        Choice::Auto => Kind::ALL,
    };
    for kind in kinds {
        match attempt(kind) {
            Ok((hold, proof)) => return Ok(Stood { hold, proof, passed_over }),
            Err(cause) => passed_over.push(PassedOver { kind, why: cause.to_string() }),
        }
    }
    Err(GuardError::NoneWorks(passed_over))
}

impl Hold {
    /// Makes one and tests it at each of `targets`.
    pub(super) fn make(
        kind: Kind,
        scope: &Scope,
        leases: &[PortLease],
        targets: &[SocketAddr],
        test: &mut SelfTest,
    ) -> Result<(Self, Proof), Cause> {
        let hold = match kind {
            Kind::Listener => {
                let mut discard = Discard::Filter;
                for lease in leases {
                    discard = listener::listen(lease)?;
                }
                Self::Listener(discard)
            }
            Kind::Nft => Self::Nft(Table::make(scope)?),
            Kind::Iptables => Self::Iptables(Rules::set(scope)?),
        };
        let mut whole = Proof::Silent;
        for target in targets {
            match test.probe_one_of(*target, &scope.ports) {
                Proof::Answered => return Err(Cause::StillAnswers(*target)),
                Proof::Untestable(why) => whole = Proof::Untestable(why),
                Proof::Silent | Proof::NotAsked => {}
            }
        }
        Ok((hold, whole))
    }

    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::Listener(_) => Kind::Listener,
            Self::Nft(_) => Kind::Nft,
            Self::Iptables(_) => Kind::Iptables,
        }
    }

    /// By what a listener discards.
    pub(super) const fn discard(&self) -> Option<Discard> {
        match self {
            Self::Listener(discard) => Some(*discard),
            Self::Nft(_) | Self::Iptables(_) => None,
        }
    }

    /// Nobody will ask for a count that costs something.
    pub(super) fn stop_counting(&mut self) {
        if let Self::Nft(table) = self {
            table.stop_counting();
        }
    }

    /// What it has counted since it stands.
    pub(super) fn count(&self, leases: &[PortLease]) -> Count {
        match self {
            Self::Listener(_) => Count::Segments(leases.iter().map(listener::discarded).sum()),
            Self::Nft(table) => table.dropped().map_or(Count::Unknown, Count::Answers),
            Self::Iptables(rules) => rules.count(),
        }
    }
}

/// What a hold has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// Segments that were kept from the kernel: each but a RST would have drawn an answer.
    Segments(u32),
    /// Answers of the kernel that were dropped.
    Answers(u32),
    /// Nothing: the guard was taken away.
    Lost,
    /// Nothing: it cannot count here.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: fn() -> Cause = || Cause::Iptables(IptablesError::Silent);

    #[test]
    fn auto_takes_the_first_that_works_and_says_why_not_the_others() {
        let mut tried = Vec::new();
        let stood = stand(Choice::Auto, |kind| {
            tried.push(kind);
            if kind == Kind::Iptables {
                Ok((Hold::Listener(Discard::Md5), Proof::Silent))
            } else {
                Err(REFUSED())
            }
        })
        .unwrap();
        assert_eq!(tried, Kind::ALL);
        let passed_over: Vec<_> = stood.passed_over.iter().map(|passed| passed.kind).collect();
        assert_eq!(passed_over, [Kind::Listener, Kind::Nft]);
        assert_eq!(stood.passed_over[0].why, REFUSED().to_string());
    }

    #[test]
    fn a_kind_asked_for_is_never_replaced() {
        for wanted in Kind::ALL {
            let mut tried = Vec::new();
            let refused = stand(Choice::Only(wanted), |kind| {
                tried.push(kind);
                Err(REFUSED())
            });
            assert_eq!(tried, [wanted]);
            let said = refused.unwrap_err().to_string();
            assert!(said.starts_with(&format!("the {wanted} guard does not work here: ")), "{said}");
        }
    }

    #[test]
    fn where_none_works_each_is_named() {
        let said = stand(Choice::Auto, |_| Err(REFUSED())).unwrap_err().to_string();
        for kind in Kind::ALL {
            assert!(said.contains(kind.name()), "{said}");
        }
    }
}

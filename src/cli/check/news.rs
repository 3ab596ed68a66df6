//! What a thread that makes exchanges tells the one that writes reports.

use std::net::SocketAddr;
use std::time::Duration;

use crate::driver::fleet::Ended;
use crate::driver::fleet::replay::Recorded;
use crate::record::{GuardSummary, Outcome};
use crate::tcp::{Mss, Offer};

/// Something that became known of a target.
pub(super) enum News {
    Exchange(Exchanged),
    Unreached { target: u32, why: Unreached },
}

/// Why nothing was sent to a target.
pub(super) enum Unreached {
    /// Its name has no address.
    Unresolved(String),
    /// All addresses of its name are on the exclude list.
    Excluded,
    /// There is no route.
    NoWay(String),
}

/// One exchange.
pub(super) struct Exchanged {
    pub(super) target: u32,
    pub(super) remote: SocketAddr,
    pub(super) outcome: Outcome,
    pub(super) rtt: Option<Duration>,
    pub(super) syns: u32,
    pub(super) syns_lost: u32,
    pub(super) retransmissions: u32,
    pub(super) announced: Option<(Option<Mss>, Offer)>,
    /// The beginning of what the peer said.
    pub(super) text: Vec<u8>,
    /// Why it is not as expected, and its packets.
    pub(super) failed: Option<Box<(String, Recorded)>>,
}

impl News {
    pub(super) const fn target(&self) -> u32 {
        match self {
            Self::Exchange(exchanged) => exchanged.target,
            Self::Unreached { target, .. } => *target,
        }
    }

    /// Of an exchange; its packets only if it is not as expected, for this reason.
    pub(super) fn of(ended: Ended<'_>, failed: Option<String>, guard: &GuardSummary) -> Self {
        const EXCERPT: usize = 128;
        let recorded = || Recorded {
            local: ended.local,
            remote: ended.errand.remote,
            host: None,
            parameters: ended.parameters,
            outcome: ended.outcome.clone(),
            ended: ended.at,
            kept: ended.packets.copy(),
            guard: guard.clone(),
        };
        let failed = failed.filter(|_| !matches!(ended.outcome, Outcome::Interrupted(_)));
        let failed = failed.map(|why| Box::new((why, recorded())));
        Self::Exchange(Exchanged {
            target: ended.errand.target,
            remote: ended.errand.remote,
            rtt: ended.rtt,
            syns: ended.syns,
            syns_lost: ended.syns_lost,
            retransmissions: ended.retransmissions,
            announced: ended.announced,
            text: ended.text.get(..EXCERPT.min(ended.text.len())).unwrap_or_default().to_vec(),
            failed,
            outcome: ended.outcome,
        })
    }
}

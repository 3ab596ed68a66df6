//! Each kind of guard: put up, tested, taken away. And what others left.

use std::net::SocketAddr;

use super::{Finding, as_root};
use crate::guard::survey::{self, Owner, Survey};
use crate::guard::{
    Cause, Choice, Discard, Guard, GuardError, IptablesError, Kind, NftError, PortLease, Proof, SelfTest,
};
use crate::net::interfaces::loopback_addresses;
use crate::net::privileges::{self, Privilege};
use crate::time::Clock;

/// And whether any kind works.
pub(super) fn check() -> (Vec<Finding>, bool) {
    let mut test = SelfTest::new(Clock::new());
    let tried: Vec<Result<Finding, Finding>> =
        Kind::ALL.into_iter().map(|kind| try_out(kind, &mut test)).collect();
    let works = tried.iter().any(Result::is_ok);
    let demote = |failed| if works { failed } else { Finding { level: super::Level::Bad, ..failed } };
    let findings = tried.into_iter().map(|tried| tried.unwrap_or_else(demote));
    (findings.chain([left_behind()]).collect(), works)
}

const fn topic(kind: Kind) -> &'static str {
    match kind {
        Kind::Listener => "listener guard",
        Kind::Nft => "nft guard",
        Kind::Iptables => "iptables guard",
    }
}

/// On a free port of loopback, for each family there is.
fn try_out(kind: Kind, test: &mut SelfTest) -> Result<Finding, Finding> {
    let mut proofs = Vec::new();
    for ip in loopback_addresses() {
        let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
        let lease = PortLease::take(SocketAddr::new(ip, 0));
        let lease = lease.map_err(|error| Finding::note(topic(kind), format!("{family}: {error}")))?;
        let guard = Guard::stand(Choice::Only(kind), lease, test)
            .map_err(|error| does_not_work(kind, family, &error))?;
        let by =
            guard.discard().map_or_else(String::new, |discard: Discard| format!(" by {}", discard.name()));
        proofs.push(match guard.proof() {
            Proof::Silent => format!("{family}: stands{by}, proven"),
            Proof::Untestable(why) => format!("{family}: stands{by}, not tested: {why}"),
            Proof::Answered | Proof::NotAsked => format!("{family}: stands{by}"),
        });
    }
    Ok(Finding::good(topic(kind), proofs.join("; ")))
}

fn does_not_work(kind: Kind, family: &str, error: &GuardError) -> Finding {
    let GuardError::DoesNotWork { cause, .. } = error else {
        return Finding::note(topic(kind), format!("{family}: {error}"));
    };
    let finding = Finding::note(topic(kind), format!("{family}: {cause}"));
    match cause {
        Cause::Nft(NftError::NoNfTables(_)) => finding.mended_by("sudo modprobe nf_tables"),
        Cause::Nft(_) | Cause::Iptables(_) if !privileges::has(Privilege::CAP_NET_ADMIN) => {
            finding.mended_by(as_root("doctor"))
        }
        Cause::Iptables(IptablesError::Refused(why)) if why.contains("install iptables") => {
            finding.mended_by("sudo apt-get install iptables")
        }
        Cause::Lease(_)
        | Cause::Deafness { .. }
        | Cause::Listen(_)
        | Cause::Nft(_)
        | Cause::Iptables(_)
        | Cause::StillAnswers(_) => finding,
    }
}

fn left_behind() -> Finding {
    const TOPIC: &str = "left behind";
    let Survey { found, unseen } = survey::survey();
    let dead: Vec<String> = found
        .into_iter()
        .filter(|found| matches!(found.owner, Owner::Dead(_)))
        .map(|found| format!("{} ({})", found.covers(), found.owner))
        .collect();
    if let (true, Some((_, why))) = (dead.is_empty(), unseen.iter().find(|(kind, _)| *kind == Kind::Iptables))
    {
        return Finding::note(TOPIC, format!("guards of dead owners cannot be looked for: {why}"))
            .mended_by(as_root("guard status"));
    }
    if dead.is_empty() {
        return Finding::good(TOPIC, "no guard of a dead owner lies around");
    }
    Finding::note(TOPIC, format!("iptables rules of dead owners: {}", dead.join("; ")))
        .mended_by(as_root("guard clean"))
}

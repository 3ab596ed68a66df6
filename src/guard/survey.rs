//! Which guards stand on this machine, as far as one may look: in this network namespace, of all processes.

use std::fmt;
use std::net::SocketAddr;

use super::hold::Kind;
use super::iptables::{self, IptablesError, Said};
use super::nft;
use crate::cause::cause;
use crate::net::holder::{self, Holder};

/// A guard that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What kind it is.
    pub kind: Kind,
    /// The ports it covers, as they are typed.
    pub ports: String,
    /// `ipv4` or `ipv6`, if not both.
    pub family: Option<&'static str>,
    /// The one address of ours that it covers, if not all.
    pub address: Option<String>,
    /// The one peer that it covers, if not all.
    pub peer: Option<String>,
    /// Whose it is.
    pub owner: Owner,
    /// RSTs that were dropped, where everybody may know.
    pub held_back: Option<u64>,
}

impl Found {
    /// What it covers, in words: `port 40000 of 10.0.0.1`.
    pub fn covers(&self) -> String {
        let Self { ports, family, address, peer, .. } = self;
        let of = match (address, family) {
            (Some(address), _) => format!(" of {address}"),
            (None, Some(family)) => format!(", {family}"),
            (None, None) => String::new(),
        };
        let peer = peer.as_ref().map_or_else(String::new, |peer| format!(", to {peer}"));
        format!("port {ports}{of}{peer}")
    }
}

/// Whose a guard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A process, which lives.
    Lives(Holder),
    /// A process that has ended; what it left lies around.
    Dead(u32),
    /// A process of another pid namespace: nobody here can say whether it lives.
    Elsewhere(u32),
    /// Somebody put it there by hand, until it is taken down.
    Kept,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lives(holder) => write!(f, "{holder}, lives"),
            Self::Dead(pid) => write!(f, "pid {pid}, dead"),
            Self::Elsewhere(pid) => write!(f, "pid {pid} of another pid namespace"),
            Self::Kept => f.write_str("nobody: put up by hand"),
        }
    }
}

/// All that was found, and what could not be looked at.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The guards.
    pub found: Vec<Found>,
    /// Kinds that could not be looked for, and why.
    pub unseen: Vec<(Kind, String)>,
}

/// Looks for guards of all kinds.
pub fn survey() -> Survey {
    let mut survey = Survey { found: listeners(), unseen: Vec::new() };
    match nft::found() {
        Ok(tables) => survey.found.extend(tables.into_iter().map(of_table)),
        Err(error) => survey.unseen.push((Kind::Nft, cause(&error))),
    }
    match iptables::run("status") {
        Ok(Said { output, complaint }) => {
            survey.found.extend(output.lines().filter_map(of_rule));
            survey.unseen.extend(complaint.map(|why| (Kind::Iptables, why)));
        }
        Err(error) => survey.unseen.push((Kind::Iptables, error.to_string())),
    }
    survey
}

/// Removes what dead owners have left, and says how many rules that were. Only iptables can leave any.
pub fn clean() -> Result<u32, IptablesError> {
    let Said { output, complaint } = iptables::run("clean")?;
    let removed = output.trim().strip_prefix("removed ").and_then(|count| count.parse().ok());
    removed.ok_or_else(|| IptablesError::Refused(complaint.unwrap_or(output)))
}

/// A listening socket of this program is a guard: it listens to nothing else.
fn listeners() -> Vec<Found> {
    let ours = |(local, holder): (SocketAddr, Option<Holder>)| {
        let owner = holder.filter(|holder| holder::runs(holder.pid, env!("CARGO_PKG_NAME")))?;
        Some(Found {
            kind: Kind::Listener,
            ports: local.port().to_string(),
            family: Some(if local.is_ipv4() { IPV4 } else { IPV6 }),
            address: (!local.ip().is_unspecified()).then(|| local.ip().to_string()),
            peer: None,
            owner: Owner::Lives(owner),
            held_back: None,
        })
    };
    holder::listeners().into_iter().filter_map(ours).collect()
}

const IPV4: &str = "ipv4";
const IPV6: &str = "ipv6";

/// A process of this pid namespace that lives.
fn living(pid: u32) -> Owner {
    Owner::Lives(Holder { pid, name: holder::name(pid).unwrap_or_default() })
}

/// An nft table lives no longer than its owner.
fn of_table(table: nft::Found) -> Found {
    let is_here = holder::pid_namespace() == Some(table.pid_namespace);
    Found {
        kind: Kind::Nft,
        ports: table.ports,
        family: None,
        address: table.address,
        peer: None,
        owner: if is_here { living(table.process) } else { Owner::Elsewhere(table.process) },
        held_back: table.dropped,
    }
}

/// A line of the script's: words of the form `key=value`.
fn of_rule(line: &str) -> Option<Found> {
    let value = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let given = |key| value(key).filter(|value| *value != "any").map(str::to_owned);
    let owner = || value("owner")?.split('.').next()?.parse().ok();
    Some(Found {
        kind: Kind::Iptables,
        ports: value("port")?.to_owned(),
        family: [IPV4, IPV6].into_iter().find(|family| value("family") == Some(family)),
        address: given("local"),
        peer: given("peer"),
        owner: match value("lives")? {
            "yes" => living(owner()?),
            "no" => Owner::Dead(owner()?),
            "kept" => Owner::Kept,
            _ => Owner::Elsewhere(owner()?),
        },
        held_back: value("dropped").and_then(|count| count.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_script_is_read() {
        let line = "family=ipv4 port=7 local=any peer=10.0.0.1/32 mark=0x53 owner=kept lives=kept dropped=3";
        let found = of_rule(line).unwrap();
        assert_eq!((&*found.covers(), found.held_back), ("port 7, ipv4, to 10.0.0.1/32", Some(3)));
        assert_eq!(found.owner, Owner::Kept);
        let dead = of_rule(&line.replace("owner=kept lives=kept", "owner=4711 lives=no")).unwrap();
        assert_eq!(dead.owner, Owner::Dead(4711));
        assert_eq!(of_rule("removed 3"), None);
    }
}

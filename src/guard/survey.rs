//! Which guards stand on this machine, as far as one may look: in this network namespace, of all processes.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

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
    /// What it covers, in words: `port 40000`.
    pub covers: String,
    /// Whose it is.
    pub owner: Owner,
    /// RSTs that were dropped, where everybody may know.
    pub held_back: Option<u64>,
}

/// Whose a guard is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A process, which lives.
    Lives(Holder),
    /// A process that has ended; what it left lies around.
    Dead(u32),
    /// A process of another pid namespace: nobody here can say whether it lives.
    Elsewhere(String),
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
    match iptables::run("status", &[]) {
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
    let Said { output, complaint } = iptables::run("clean", &[])?;
    let removed = output.trim().strip_prefix("removed ").and_then(|count| count.parse().ok());
    removed.ok_or_else(|| IptablesError::Refused(complaint.unwrap_or(output)))
}

/// A listening socket of this program is a guard: it listens to nothing else.
fn listeners() -> Vec<Found> {
    let ours = |(local, holder): (SocketAddr, Option<Holder>)| {
        let owner = holder.filter(|holder| holder.name.starts_with(env!("CARGO_PKG_NAME")))?;
        let address = (!local.ip().is_unspecified()).then(|| local.ip());
        let covers = covers(&local.port().to_string(), family(local.ip()), address.map(|ip| ip.to_string()));
        Some(Found { kind: Kind::Listener, covers, owner: Owner::Lives(owner), held_back: None })
    };
    holder::listeners().into_iter().filter_map(ours).collect()
}

const fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "ipv4" } else { "ipv6" }
}

/// `port 40000, ipv4` or `port 40000 of 10.0.0.1`.
fn covers(ports: &str, family: &str, address: Option<String>) -> String {
    match address {
        Some(address) => format!("port {ports} of {address}"),
        None => format!("port {ports}, {family}"),
    }
}

/// An nft table lives no longer than its owner.
fn of_table(table: nft::Found) -> Found {
    let name = holder::name(table.process).unwrap_or_default();
    let owner = Owner::Lives(Holder { pid: table.process, name });
    Found { kind: Kind::Nft, covers: table.covers, owner, held_back: table.dropped }
}

/// A line of the script's: words of the form `key=value`.
fn of_rule(line: &str) -> Option<Found> {
    let value = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
    let pid = value("owner")?;
    let number = || pid.parse().ok();
    let owner = match value("lives")? {
        "yes" => Owner::Lives(Holder { pid: number()?, name: holder::name(number()?).unwrap_or_default() }),
        "no" => Owner::Dead(number()?),
        "kept" => Owner::Kept,
        _ => Owner::Elsewhere(pid.to_owned()),
    };
    let given = |key| value(key).filter(|value| *value != "any").map(str::to_owned);
    let peer = given("peer").map_or_else(String::new, |peer| format!(", to {peer}"));
    let covers = covers(value("port")?, value("family")?, given("local")) + &peer;
    let held_back = value("dropped").and_then(|count| count.parse().ok());
    Some(Found { kind: Kind::Iptables, covers, owner, held_back })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_script_is_read() {
        let line = "family=ipv4 port=7 local=any peer=10.0.0.1/32 mark=0x53 owner=kept lives=kept dropped=3";
        let found = of_rule(line).unwrap();
        assert_eq!((found.covers.as_str(), found.held_back), ("port 7, ipv4, to 10.0.0.1/32", Some(3)));
        assert_eq!(found.owner, Owner::Kept);
        let dead = of_rule(&line.replace("owner=kept lives=kept", "owner=4711 lives=no")).unwrap();
        assert_eq!(dead.owner, Owner::Dead(4711));
        assert_eq!(of_rule("removed 3"), None);
    }
}

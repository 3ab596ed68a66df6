//! Rules of this machine's own firewall that would keep our segments from leaving.
//!
//! What arrives is seen before any of them. What leaves passes the output and postrouting hooks, and a raw
//! segment may count as invalid where connection tracking has not seen the whole connection.

use std::fs;

use super::Finding;
use crate::cause::cause;
use crate::net::nf_tables::{self, Chain, Policy};

const TOPIC: &str = "firewall";

pub(super) fn check() -> Vec<Finding> {
    let mut findings = match nf_tables::hooked_chains() {
        Ok(chains) => chains.iter().filter(|chain| is_outward(chain)).flat_map(look_at).collect(),
        Err(error) => vec![cannot_look("nf_tables", &cause(&error))],
    };
    findings.extend(legacy());
    if findings.is_empty() {
        findings.push(Finding::good(TOPIC, "no rule found that would drop what we send"));
    }
    findings.push(table_of_connections());
    findings
}

fn cannot_look(what: &str, why: &str) -> Finding {
    Finding::note(TOPIC, format!("the rules of {what} cannot be looked at: {why}"))
        .mended_by("sudo tcpshake doctor")
}

fn is_outward(chain: &Chain) -> bool {
    [libc::NF_INET_LOCAL_OUT, libc::NF_INET_POST_ROUTING].contains(&(chain.hook as i32))
}

fn look_at(chain: &Chain) -> Vec<Finding> {
    let Chain { family, table, name, .. } = chain;
    let mut findings = Vec::new();
    if chain.policy == Policy::Drop {
        let text = format!("chain {name} of table {family} {table} drops what no rule accepts (policy drop)");
        findings.push(let_through(chain, text));
    }
    let rules = nf_tables::rules_of(chain).unwrap_or_default();
    if rules.iter().any(|rule| rule.by_connection && rule.drops) {
        let text = format!(
            "chain {name} of table {family} {table} drops by connection state: a raw segment may count as invalid"
        );
        findings.push(let_through(chain, text));
    }
    findings
}

/// Our segments carry a mark: a rule can tell them.
fn let_through(chain: &Chain, text: String) -> Finding {
    let Chain { family, table, name, .. } = chain;
    let mark = crate::wire::raw::MARK;
    Finding::note(TOPIC, text)
        .mended_by(format!("sudo nft insert rule {family} {table} {name} meta mark {mark:#x} accept"))
}

/// The older iptables has tables of its own, which nf_tables does not show, and only its own program lists.
fn legacy() -> Vec<Finding> {
    let in_use = |file: &str| {
        let tables = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
        !tables.trim().is_empty()
    };
    let programs = [("ip_tables_names", "iptables-legacy"), ("ip6_tables_names", "ip6tables-legacy")];
    let used = programs.into_iter().filter(|(file, _)| in_use(file));
    used.map(|(_, program)| {
        Finding::note(TOPIC, format!("{program} has tables here, which may drop what we send"))
            .mended_by(format!("sudo {program} -S OUTPUT"))
    })
    .collect()
}

/// A full table of connections drops whatever begins a new one.
fn table_of_connections() -> Finding {
    const TOPIC: &str = "conntrack";
    const NEARLY_FULL: u64 = 90; // percent
    let number = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/sys/net/netfilter/nf_conntrack_{name}"));
        text.ok()?.trim().parse().ok()
    };
    let (Some(count), Some(most)) = (number("count"), number("max")) else {
        return Finding::good(TOPIC, "connections are not tracked");
    };
    let text = format!("{count} connections tracked, of at most {most}");
    if most > 0 && count * 100 >= most * NEARLY_FULL {
        return Finding::note(TOPIC, format!("{text}: the table is nearly full, and then drops new ones"))
            .mended_by(format!("sudo sysctl net.netfilter.nf_conntrack_max={}", most * 2));
    }
    Finding::good(TOPIC, text)
}

//! Rules of this machine's own firewall that would keep our segments from leaving.
//!
//! What arrives is seen before any of them. What leaves passes the output and postrouting hooks, and a raw
//! segment may count as invalid where connection tracking has not seen the whole connection.

use std::fs;
use std::io;

use super::{Finding, as_root};
use crate::cause::cause;
use crate::net::nf_tables::{self, Chain, Policy, Rule};
use crate::wire::raw::MARK;

const TOPIC: &str = "firewall";

pub(super) fn check() -> Vec<Finding> {
    let mut findings = nf_tables();
    findings.extend(legacy());
    if findings.is_empty() {
        findings.push(Finding::good(TOPIC, "nothing drops what we send by policy or by connection state"));
    }
    findings.push(table_of_connections());
    findings
}

fn nf_tables() -> Vec<Finding> {
    let look = || Ok((nf_tables::hooked_chains()?, nf_tables::rules()?));
    let looked: io::Result<(Vec<Chain>, Vec<Rule>)> = look();
    match looked {
        Ok((chains, rules)) => {
            chains.iter().filter(|chain| is_outward(chain)).flat_map(|chain| look_at(chain, &rules)).collect()
        }
        Err(error) => {
            let text = format!("the rules of nf_tables cannot be looked at: {}", cause(&error));
            vec![Finding::note(TOPIC, text).mended_by(as_root("doctor"))]
        }
    }
}

fn is_outward(chain: &Chain) -> bool {
    [libc::NF_INET_LOCAL_OUT, libc::NF_INET_POST_ROUTING].contains(&(chain.hook as i32))
}

/// A chain and whatever it may jump to, which is in its table.
fn look_at(chain: &Chain, rules: &[Rule]) -> Vec<Finding> {
    let Chain { family, table, name, policy, .. } = chain;
    let mut findings = Vec::new();
    if *policy == Policy::Drop {
        let text = format!("chain {name} of table {family} {table} drops what no rule accepts (policy drop)");
        findings.push(let_through(chain, text));
    }
    let of_table = |rule: &&Rule| rule.family == *family && rule.table == *table;
    if rules.iter().filter(of_table).any(|rule| rule.by_connection && rule.decides) {
        let text = format!(
            "table {family} {table} decides by connection state: in chain {name} a raw segment may count as invalid"
        );
        findings.push(let_through(chain, text));
    }
    findings
}

/// Our segments carry a mark: a rule can tell them.
fn let_through(chain: &Chain, text: String) -> Finding {
    let Chain { family, table, name, .. } = chain;
    Finding::note(TOPIC, text)
        .mended_by(format!("sudo nft insert rule {family} {table} {name} meta mark {MARK:#x} accept"))
}

/// The older iptables has tables of its own, which nf_tables does not show. Our own rules are in `raw`.
fn legacy() -> Vec<Finding> {
    let filters = |file: &str| {
        let tables = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap_or_default();
        tables.lines().any(|table| table == "filter")
    };
    let programs = [("ip_tables_names", "iptables-legacy"), ("ip6_tables_names", "ip6tables-legacy")];
    let used = programs.into_iter().filter(|(file, _)| filters(file));
    used.map(|(_, program)| {
        let text = format!("{program} has a filter table here, which may drop what we send");
        let command = format!("sudo {program} -I OUTPUT -m mark --mark {MARK:#x} -j ACCEPT");
        Finding::note(TOPIC, text).mended_by(command)
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

//! The nft guard: a private table that drops the kernel's RST on its way out, made over netlink without any
//! program. The kernel removes it with the socket it was made through, so with this process, however that
//! ends; nobody else can change it meanwhile, and a firewall reload passes over it.
//!
//! ```text
//! table inet tcpshake-4026531836-4711-9e3779b9 {
//!   flags owner
//!   comment "port 40000"
//!   chain out { type filter hook output priority raw; policy accept;
//!     tcp flags & rst == rst tcp sport 40000 meta mark != 0x53 counter log group 31337 drop } }
//! ```
//!
//! Before connection tracking (-200), or that would believe the connection over ten seconds after the RST
//! it saw. The log is how the guard counts: reading the rule's counter needs CAP_NET_ADMIN, which the
//! process has given up by then, while word of each packet comes to a socket that is open.

use std::io;
use std::net::IpAddr;
use std::sync::Mutex;

use super::Scope;
use crate::cause::cause;
use crate::net::holder;
use crate::net::netlink::{Message, Netlink};
use crate::net::nf_tables::{self, Expression, PRIORITY_RAW, Policy, TABLE_OWNED};

/// A table that holds the kernel's RST back for as long as the value lives.
#[derive(Debug)]
pub(super) struct Table {
    /// The owner: closing it removes the table.
    _owner: Netlink,
    log: Option<Log>,
}

/// Why there is no such table.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// CAP_NET_ADMIN is missing.
    #[error("operation not permitted (needs CAP_NET_ADMIN: run it with sudo)")]
    Permission,
    /// The kernel cannot tie a table to a process.
    #[error("this kernel's nf_tables has no owner flag (it came with Linux 5.12)")]
    NoOwnerFlag,
    /// The kernel was built without nf_tables, or its module is not there.
    #[error("this kernel has no nf_tables, or lacks a part of it: {} (try: modprobe nf_tables)", cause(.0))]
    NoNfTables(#[source] io::Error),
    /// Anything else.
    #[error("the kernel refused the table: {}", cause(.0))]
    Refused(#[source] io::Error),
}

/// All our tables begin so, then come the pid namespace and the process.
const PREFIX: &str = "tcpshake-";
const CHAIN: &str = "out";
const SET: &str = "ports";
/// Elements in one message; a netlink attribute holds less than 64 KiB.
const PORTS_AT_ONCE: usize = 2000;

impl Table {
    /// Makes the table, in the network namespace of the calling thread.
    pub(super) fn make(scope: &Scope) -> Result<Self, NftError> {
        // A process may have several, and two in different containers the same id.
        let (process, by_chance) = (std::process::id(), rand::random::<u32>());
        let name =
            format!("{PREFIX}{}-{process}-{by_chance:08x}", holder::pid_namespace().unwrap_or_default());
        let mut owner = Netlink::open(libc::NETLINK_NETFILTER).map_err(NftError::NoNfTables)?;
        let mut commit = |changes| owner.transaction(libc::NFNL_SUBSYS_NFTABLES, changes);

        commit(vec![nf_tables::new_table(&name, TABLE_OWNED, &comment(scope))]).map_err(explain_table)?;
        let in_set = scope.ports.as_range().is_none();
        let frame = |log: Option<&Log>| {
            let set = in_set.then(|| nf_tables::new_port_set(&name, SET));
            let chain = nf_tables::new_output_chain(&name, CHAIN, PRIORITY_RAW, Policy::Accept);
            [chain].into_iter().chain(set).chain([rule(&name, scope, log)]).collect()
        };
        // A kernel without netlink logging guards as well; it just cannot count.
        let log = Log::open().ok().filter(|log| commit(frame(Some(log))).is_ok());
        if log.is_none() {
            commit(frame(None)).map_err(explain)?;
        }
        if in_set {
            let ports: Vec<u16> = scope.ports.iter().collect();
            for some in ports.chunks(PORTS_AT_ONCE) {
                commit(vec![nf_tables::new_ports(&name, SET, some.iter().copied())]).map_err(explain)?;
            }
        }
        Ok(Self { _owner: owner, log })
    }

    /// Nobody will ask how many were dropped: no word of them is to wait for that.
    pub(super) fn stop_counting(&mut self) {
        self.log = None;
    }

    /// RSTs of the kernel's that were dropped; `None` if that cannot be known.
    pub(super) fn dropped(&self) -> Option<u32> {
        self.log.as_ref()?.total()
    }
}

/// What the table says of itself: `port 40000 of 10.0.0.1`.
fn comment(scope: &Scope) -> String {
    let address = scope.address.map_or_else(String::new, |address| format!("{OF}{address}"));
    let whole = format!("{PORT}{}{address}", scope.ports);
    if whole.len() <= nf_tables::LONGEST_COMMENT {
        return whole;
    }
    let (lowest, highest) = scope.ports.ends();
    format!("{PORT}{lowest}..{highest} ({} of them){address}", scope.ports.count())
}

const PORT: &str = "port ";
const OF: &str = " of ";

fn explain_table(error: io::Error) -> NftError {
    match error.raw_os_error() {
        // The table is all that was asked for, so it is its flag that is not known: EINVAL before Linux
        // 5.12, where there was no flag to take, EOPNOTSUPP where others were.
        Some(libc::EINVAL) => NftError::NoOwnerFlag,
        Some(libc::EOPNOTSUPP) if owner_flag_is_all_that_lacks() => NftError::NoOwnerFlag,
        _ => explain(error),
    }
}

/// Whether tables as such are known here.
fn owner_flag_is_all_that_lacks() -> bool {
    nf_tables::tables().is_ok()
}

fn explain(error: io::Error) -> NftError {
    match error.raw_os_error() {
        Some(libc::EPERM) => NftError::Permission,
        Some(libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::ENOENT) => NftError::NoNfTables(error),
        _ => NftError::Refused(error),
    }
}

/// The rule: ours, a RST, from these ports, without the mark.
fn rule(table: &str, scope: &Scope, log: Option<&Log>) -> Message {
    use Expression::{And, Compare, Counter, Drop, InSet, Log as Tell, Meta, Payload};
    const EQUAL: i32 = libc::NFT_CMP_EQ;
    const NETWORK: i32 = libc::NFT_PAYLOAD_NETWORK_HEADER;
    const TRANSPORT: i32 = libc::NFT_PAYLOAD_TRANSPORT_HEADER;
    const FLAGS_OFFSET: u32 = 13;
    const RST: &[u8] = &[0x04];

    let mut rule = Vec::new();
    let (ipv4, ipv6) = ([libc::NFPROTO_IPV4 as u8], [libc::NFPROTO_IPV6 as u8]);
    let (v4_octets, v6_octets);
    match scope.address {
        Some(IpAddr::V4(address)) => {
            v4_octets = address.octets();
            rule.extend([Meta(libc::NFT_META_NFPROTO), Compare(EQUAL, &ipv4)]);
            rule.extend([Payload(NETWORK, 12, 4), Compare(EQUAL, &v4_octets)]);
        }
        Some(IpAddr::V6(address)) => {
            v6_octets = address.octets();
            rule.extend([Meta(libc::NFT_META_NFPROTO), Compare(EQUAL, &ipv6)]);
            rule.extend([Payload(NETWORK, 8, 16), Compare(EQUAL, &v6_octets)]);
        }
        None => {}
    }
    rule.extend([Meta(libc::NFT_META_L4PROTO), Compare(EQUAL, &[libc::IPPROTO_TCP as u8])]);
    rule.extend([Payload(TRANSPORT, FLAGS_OFFSET, 1), And(RST), Compare(EQUAL, RST)]);

    let (lowest, highest) = scope.ports.ends();
    let (lowest_octets, highest_octets) = (lowest.to_be_bytes(), highest.to_be_bytes());
    rule.push(Payload(TRANSPORT, 0, 2));
    match scope.ports.as_range() {
        Some(_) if lowest == highest => rule.push(Compare(EQUAL, &lowest_octets)),
        Some(_) => rule.extend([
            Compare(libc::NFT_CMP_GTE, &lowest_octets),
            Compare(libc::NFT_CMP_LTE, &highest_octets),
        ]),
        None => rule.push(InSet(SET)),
    }
    let mark = scope.mark.to_ne_bytes(); // a mark is a number of this machine's, not the network's
    rule.extend([Meta(libc::NFT_META_MARK), Compare(libc::NFT_CMP_NEQ, &mark), Counter]);
    rule.extend(log.map(|log| Tell(log.group)));
    rule.push(Drop);
    nf_tables::new_rule(table, CHAIN, &rule)
}

/// A netlink log group of our own: the kernel sends word of each packet that the rule drops.
#[derive(Debug)]
struct Log {
    group: u16,
    heard: Mutex<Heard>,
}

#[derive(Debug)]
struct Heard {
    socket: Netlink,
    /// `None` once the kernel has lost some of its words: from there on the number would be wrong.
    total: Option<u32>,
}

impl Log {
    /// Takes a group that nobody has.
    fn open() -> io::Result<Self> {
        const ATTEMPTS: usize = 16;
        let mut result = Err(io::ErrorKind::AddrInUse.into());
        for _ in 0..ATTEMPTS {
            let group = rand::random::<u16>() | 0x8000; // people choose low ones
            result = Self::bind(group);
            if !matches!(&result, Err(error) if error.raw_os_error() == Some(libc::EBUSY)) {
                break;
            }
        }
        result
    }

    /// Packets themselves are not wanted, only that there was one.
    fn bind(group: u16) -> io::Result<Self> {
        let message = |attribute: i32, value: &[u8]| {
            let kind = (libc::NFNL_SUBSYS_ULOG << 8 | libc::NFULNL_MSG_CONFIG) as u16;
            let [high, low] = group.to_be_bytes();
            Message::new(kind, 0, &[libc::AF_UNSPEC as u8, libc::NFNETLINK_V0 as u8, high, low])
                .attribute(attribute as u16, value)
        };
        let nothing_of_it = [0, 0, 0, 0, libc::NFULNL_COPY_NONE as u8, 0]; // struct nfulnl_msg_config_mode
        const ROOM: usize = 16 << 20; // for the words on some twenty thousand packets
        let mut socket = Netlink::open(libc::NETLINK_NETFILTER)?;
        socket.make_room(ROOM);
        socket.request(message(libc::NFULA_CFG_CMD, &[libc::NFULNL_CFG_CMD_BIND as u8]))?;
        socket.request(message(libc::NFULA_CFG_MODE, &nothing_of_it))?;
        Ok(Self { group, heard: Mutex::new(Heard { socket, total: Some(0) }) })
    }

    fn total(&self) -> Option<u32> {
        const PACKET: u16 = (libc::NFNL_SUBSYS_ULOG << 8 | libc::NFULNL_MSG_PACKET) as u16;
        let mut heard = self.heard.lock().ok()?;
        let new = heard.socket.count_unasked(PACKET);
        heard.total = heard.total.zip(new.ok()).map(|(total, new)| total.wrapping_add(new));
        heard.total
    }
}

/// A guard's table that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) pid_namespace: u64,
    pub(super) process: u32,
    pub(super) ports: String,
    pub(super) address: Option<String>,
    /// What its rule has counted, the self-test's RST among it.
    pub(super) dropped: Option<u64>,
}

/// All tables of ours in this network namespace, whoever made them.
pub(super) fn found() -> io::Result<Vec<Found>> {
    let rules = nf_tables::rules()?;
    let ours = |table: nf_tables::Table| {
        let mut numbers = table.name.strip_prefix(PREFIX)?.split('-');
        let covers = table.comment.unwrap_or_default();
        let covers = covers.strip_prefix(PORT).unwrap_or(&covers);
        let (ports, address) = match covers.rsplit_once(OF) {
            Some((ports, address)) if address.parse::<IpAddr>().is_ok() => (ports, Some(address.to_owned())),
            _ => (covers, None), // perhaps "(100 of them)"
        };
        Some(Found {
            pid_namespace: numbers.next()?.parse().ok()?,
            process: numbers.next()?.parse().ok()?,
            ports: ports.to_owned(),
            address,
            dropped: rules.iter().find(|rule| rule.table == table.name)?.packets,
        })
    };
    Ok(nf_tables::tables()?.into_iter().filter_map(ours).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kernels before 5.12 answer.
    #[test]
    fn a_kernel_without_owner_flag_is_told_from_one_that_refuses() {
        let said = |error| explain_table(io::Error::from_raw_os_error(error)).to_string();
        assert!(said(libc::EINVAL).contains("Linux 5.12"), "{}", said(libc::EINVAL));
        assert!(said(libc::EPERM).contains("needs CAP_NET_ADMIN"));
        assert!(said(libc::EPROTONOSUPPORT).contains("modprobe nf_tables"));
    }
}

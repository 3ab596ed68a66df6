//! nf_tables by netlink: the messages that make tables, chains, sets and rules, and those that list them.
//!
//! No `nft` program and no library. The names are those of linux/netfilter/nf_tables.h; numbers in
//! attributes are big-endian, unlike elsewhere in netlink.

use std::io;

use super::netlink::{self, Message, Netlink, as_text, attributes};

/// The table ends with the socket it was made through, and nobody else can change it (Linux 5.12).
pub const TABLE_OWNED: u32 = 2;

/// One step of a rule. Each loads into, tests or uses the same register, so they are to be read in pairs.
#[derive(Clone, Copy, Debug)]
pub enum Expression<'e> {
    /// Loads what is known of the packet (`NFT_META_*`).
    Meta(i32),
    /// Loads octets of a header (`NFT_PAYLOAD_*`): which, from where, how many.
    Payload(i32, u32, u32),
    /// Keeps only these bits of what was loaded.
    And(&'e [u8]),
    /// Goes on if what was loaded compares so (`NFT_CMP_*`) to a value.
    Compare(i32, &'e [u8]),
    /// Goes on if what was loaded is in the set.
    InSet(&'e str),
    /// Counts.
    Counter,
    /// Sends word to a netlink log group, of each packet by itself.
    Log(u16),
    /// Drops the packet.
    Drop,
}

/// An output chain before connection tracking (`raw`), which runs at -200.
pub const PRIORITY_RAW: i32 = -300;

mod attribute {
    pub(super) const TABLE_NAME: u16 = 1;
    pub(super) const TABLE_FLAGS: u16 = 2;
    pub(super) const TABLE_USERDATA: u16 = 6;
    pub(super) const CHAIN_TABLE: u16 = 1;
    pub(super) const CHAIN_NAME: u16 = 3;
    pub(super) const CHAIN_HOOK: u16 = 4;
    pub(super) const CHAIN_POLICY: u16 = 5;
    pub(super) const CHAIN_TYPE: u16 = 7;
    pub(super) const HOOK_NUMBER: u16 = 1;
    pub(super) const HOOK_PRIORITY: u16 = 2;
    pub(super) const RULE_TABLE: u16 = 1;
    pub(super) const RULE_CHAIN: u16 = 2;
    pub(super) const RULE_EXPRESSIONS: u16 = 4;
    pub(super) const SET_TABLE: u16 = 1;
    pub(super) const SET_NAME: u16 = 2;
    pub(super) const SET_FLAGS: u16 = 3;
    pub(super) const SET_KEY_TYPE: u16 = 4;
    pub(super) const SET_KEY_LEN: u16 = 5;
    pub(super) const SET_ID: u16 = 10;
    pub(super) const ELEMENTS_TABLE: u16 = 1;
    pub(super) const ELEMENTS_SET: u16 = 2;
    pub(super) const ELEMENTS: u16 = 3;
    pub(super) const ELEMENT_KEY: u16 = 1;
    pub(super) const LIST_ITEM: u16 = 1;
    pub(super) const EXPRESSION_NAME: u16 = 1;
    pub(super) const EXPRESSION_DATA: u16 = 2;
    pub(super) const DATA_VALUE: u16 = 1;
    pub(super) const DATA_VERDICT: u16 = 2;
    pub(super) const VERDICT_CODE: u16 = 1;
}

/// A message of nf_tables about something of `family` (`NFPROTO_*`).
fn message(kind: i32, flags: i32, family: i32) -> Message {
    let kind = (libc::NFNL_SUBSYS_NFTABLES << 8 | kind) as u16;
    Message::new(kind, flags, &[family as u8, libc::NFNETLINK_V0 as u8, 0, 0])
}

fn create(kind: i32) -> Message {
    message(kind, libc::NLM_F_CREATE | libc::NLM_F_EXCL, libc::NFPROTO_INET)
}

trait Attributes: Sized {
    fn text(self, kind: u16, text: &str) -> Self;
    fn number(self, kind: u16, number: u32) -> Self;
}

impl Attributes for Message {
    fn text(self, kind: u16, text: &str) -> Self {
        self.attribute(kind, format!("{text}\0").as_bytes())
    }

    fn number(self, kind: u16, number: u32) -> Self {
        self.attribute(kind, &number.to_be_bytes())
    }
}

/// Octets of a table's comment; libnftnl takes up to 128 with the zero behind it.
pub const LONGEST_COMMENT: usize = 127;

/// A table for IPv4 and IPv6. The comment is shown by `nft list`, as far as it is not too long.
pub fn new_table(name: &str, flags: u32, comment: &str) -> Message {
    create(libc::NFT_MSG_NEWTABLE)
        .text(attribute::TABLE_NAME, name)
        .number(attribute::TABLE_FLAGS, flags)
        .attribute(attribute::TABLE_USERDATA, &comment_of(comment))
}

/// User data as libnftnl writes a comment: type, length, text.
fn comment_of(text: &str) -> Vec<u8> {
    const COMMENT: u8 = 0;
    let text: String = text.chars().filter(char::is_ascii).take(LONGEST_COMMENT).collect();
    [&[COMMENT, text.len() as u8 + 1], text.as_bytes(), &[0]].concat()
}

/// What becomes of a packet that no rule of a chain decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// It goes on.
    Accept,
    /// It is dropped.
    Drop,
}

impl Policy {
    const fn verdict(self) -> u32 {
        match self {
            Self::Accept => libc::NF_ACCEPT as u32,
            Self::Drop => libc::NF_DROP as u32,
        }
    }
}

/// A chain that sees what this machine sends, at this priority.
pub fn new_output_chain(table: &str, name: &str, priority: i32, policy: Policy) -> Message {
    create(libc::NFT_MSG_NEWCHAIN)
        .text(attribute::CHAIN_TABLE, table)
        .text(attribute::CHAIN_NAME, name)
        .nested(attribute::CHAIN_HOOK, |hook| {
            hook.number(attribute::HOOK_NUMBER, libc::NF_INET_LOCAL_OUT as u32)
                .number(attribute::HOOK_PRIORITY, priority as u32)
        })
        .number(attribute::CHAIN_POLICY, policy.verdict())
        .text(attribute::CHAIN_TYPE, "filter")
}

/// A set of port numbers, which the kernel keeps as a hash: with the timeout flag it has no other choice.
/// Left to itself it takes a bitmap, whose filling is quadratic (28,000 ports in 3.5 s).
pub fn new_port_set(table: &str, name: &str) -> Message {
    const INET_SERVICE: u32 = 13; // what nft calls a port
    create(libc::NFT_MSG_NEWSET)
        .text(attribute::SET_TABLE, table)
        .text(attribute::SET_NAME, name)
        .number(attribute::SET_FLAGS, libc::NFT_SET_TIMEOUT as u32)
        .number(attribute::SET_KEY_TYPE, INET_SERVICE)
        .number(attribute::SET_KEY_LEN, size_of::<u16>() as u32)
        .number(attribute::SET_ID, 1)
}

/// Ports for a set: no more than some thousands in one message.
pub fn new_ports(table: &str, set: &str, ports: impl IntoIterator<Item = u16>) -> Message {
    let elements = |list: Message| {
        ports.into_iter().fold(list, |list, port| {
            list.nested(attribute::LIST_ITEM, |element| {
                element.nested(attribute::ELEMENT_KEY, |key| {
                    key.attribute(attribute::DATA_VALUE, &port.to_be_bytes())
                })
            })
        })
    };
    message(libc::NFT_MSG_NEWSETELEM, libc::NLM_F_CREATE, libc::NFPROTO_INET)
        .text(attribute::ELEMENTS_TABLE, table)
        .text(attribute::ELEMENTS_SET, set)
        .nested(attribute::ELEMENTS, elements)
}

/// A rule at the end of a chain.
pub fn new_rule(table: &str, chain: &str, expressions: &[Expression<'_>]) -> Message {
    message(libc::NFT_MSG_NEWRULE, libc::NLM_F_CREATE | libc::NLM_F_APPEND, libc::NFPROTO_INET)
        .text(attribute::RULE_TABLE, table)
        .text(attribute::RULE_CHAIN, chain)
        .nested(attribute::RULE_EXPRESSIONS, |list| {
            expressions.iter().fold(list, |list, expression| {
                list.nested(attribute::LIST_ITEM, |item| {
                    item.text(attribute::EXPRESSION_NAME, expression.name())
                        .nested(attribute::EXPRESSION_DATA, |data| expression.write(data))
                })
            })
        })
}

impl Expression<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Meta(_) => "meta",
            Self::Payload(..) => "payload",
            Self::And(_) => "bitwise",
            Self::Compare(..) => "cmp",
            Self::InSet(_) => "lookup",
            Self::Counter => "counter",
            Self::Log(_) => "log",
            Self::Drop => "immediate",
        }
    }

    /// The attributes of each, by their numbers in the header.
    fn write(&self, data: Message) -> Message {
        const REGISTER: u32 = libc::NFT_REG_1 as u32;
        const VERDICT: u32 = libc::NFT_REG_VERDICT as u32;
        let value = |octets: &[u8]| {
            let octets = octets.to_vec();
            move |value: Message| value.attribute(attribute::DATA_VALUE, &octets)
        };
        match *self {
            Self::Meta(key) => data.number(1, REGISTER).number(2, key as u32),
            Self::Payload(base, offset, len) => {
                data.number(1, REGISTER).number(2, base as u32).number(3, offset).number(4, len)
            }
            Self::And(mask) => data
                .number(1, REGISTER)
                .number(2, REGISTER)
                .number(3, mask.len() as u32)
                .nested(4, value(mask))
                .nested(5, value(&vec![0; mask.len()])),
            Self::Compare(how, than) => data.number(1, REGISTER).number(2, how as u32).nested(3, value(than)),
            Self::InSet(name) => data.text(1, name).number(2, REGISTER).number(4, 1),
            Self::Counter => data,
            Self::Log(group) => {
                const AT_ONCE: u16 = 1;
                data.attribute(1, &group.to_be_bytes()).attribute(4, &AT_ONCE.to_be_bytes())
            }
            Self::Drop => data.number(1, VERDICT).nested(2, |verdict| {
                verdict.nested(attribute::DATA_VERDICT, |code| {
                    code.number(attribute::VERDICT_CODE, libc::NF_DROP as u32)
                })
            }),
        }
    }
}

/// A table that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its comment, if it has one.
    pub comment: Option<String>,
}

/// A chain that packets pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its family, as nft writes it.
    pub family: &'static str,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where it stands in the packet's way (`NF_INET_*`).
    pub hook: u32,
    /// What becomes of packets that no rule decides about.
    pub policy: Policy,
}

/// All tables; needs CAP_NET_ADMIN, like everything here.
pub fn tables() -> io::Result<Vec<Table>> {
    let read = |answer: &Vec<u8>| {
        let fields = fields(answer)?;
        let userdata = fields.get(attribute::TABLE_USERDATA);
        Some(Table { name: fields.text(attribute::TABLE_NAME)?, comment: userdata.and_then(comment_in) })
    };
    Ok(list(libc::NFT_MSG_GETTABLE)?.iter().filter_map(read).collect())
}

fn comment_in(userdata: &[u8]) -> Option<String> {
    let &[0, len, ref text @ ..] = userdata else { return None };
    let text = text.get(..usize::from(len))?;
    Some(as_text(text))
}

/// All chains that stand at a hook.
pub fn hooked_chains() -> io::Result<Vec<Chain>> {
    let read = |answer: &Vec<u8>| {
        let family = family_name(*answer.first()?);
        let fields = fields(answer)?;
        let hook = Fields(fields.get(attribute::CHAIN_HOOK)?);
        Some(Chain {
            family,
            table: fields.text(attribute::CHAIN_TABLE)?,
            name: fields.text(attribute::CHAIN_NAME)?,
            hook: hook.number(attribute::HOOK_NUMBER)?,
            policy: match fields.number(attribute::CHAIN_POLICY) {
                Some(verdict) if verdict == Policy::Drop.verdict() => Policy::Drop,
                _ => Policy::Accept,
            },
        })
    };
    Ok(list(libc::NFT_MSG_GETCHAIN)?.iter().filter_map(read).collect())
}

fn family_name(number: u8) -> &'static str {
    match i32::from(number) {
        libc::NFPROTO_INET => "inet",
        libc::NFPROTO_IPV6 => "ip6",
        libc::NFPROTO_ARP => "arp",
        libc::NFPROTO_BRIDGE => "bridge",
        libc::NFPROTO_NETDEV => "netdev",
        _ => "ip",
    }
}

/// A rule that is there, as far as it matters to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The family of its table, as nft writes it.
    pub family: &'static str,
    /// Its table.
    pub table: String,
    /// Whether it looks at what connection tracking says.
    pub by_connection: bool,
    /// Whether it drops, rejects, or looks a verdict up.
    pub decides: bool,
    /// Packets it has counted, if it counts.
    pub packets: Option<u64>,
}

/// All rules.
pub fn rules() -> io::Result<Vec<Rule>> {
    let read = |answer: &Vec<u8>| {
        let family = family_name(*answer.first()?);
        let fields = fields(answer)?;
        let table = fields.text(attribute::RULE_TABLE)?;
        let rule = Rule { family, table, by_connection: false, decides: false, packets: None };
        let expressions = attributes(fields.get(attribute::RULE_EXPRESSIONS)?);
        Some(expressions.fold(rule, |rule, (_, item)| rule.with(&Fields(item))))
    };
    Ok(list(libc::NFT_MSG_GETRULE)?.iter().filter_map(read).collect())
}

impl Rule {
    fn with(self, expression: &Fields<'_>) -> Self {
        const EXTENSION_NAME: u16 = 1; // of a match or target of iptables
        const LOOKUP_INTO: u16 = 3;
        let data = Fields(expression.get(attribute::EXPRESSION_DATA).unwrap_or_default());
        let extension = || data.text(EXTENSION_NAME).unwrap_or_default();
        match expression.text(attribute::EXPRESSION_NAME).as_deref() {
            Some("ct") => Self { by_connection: true, ..self },
            Some("match") if ["conntrack", "state"].contains(&&*extension()) => {
                Self { by_connection: true, ..self }
            }
            Some("lookup") if data.number(LOOKUP_INTO) == Some(libc::NFT_REG_VERDICT as u32) => {
                Self { decides: true, ..self }
            }
            Some("counter") => Self { packets: data.packets(), ..self },
            Some("reject") => Self { decides: true, ..self },
            Some("target") if extension() == "REJECT" => Self { decides: true, ..self },
            Some("immediate") if data.is_drop().unwrap_or(false) => Self { decides: true, ..self },
            _ => self,
        }
    }
}

fn list(kind: i32) -> io::Result<Vec<Vec<u8>>> {
    let request = message(kind, libc::NLM_F_DUMP, libc::NFPROTO_UNSPEC);
    Netlink::open(libc::NETLINK_NETFILTER)?.request(request)
}

/// The attributes of an answer or of a nested attribute.
struct Fields<'f>(&'f [u8]);

/// Those behind `struct nfgenmsg`.
fn fields(answer: &[u8]) -> Option<Fields<'_>> {
    answer.get(4..).map(Fields)
}

impl<'f> Fields<'f> {
    fn get(&self, kind: u16) -> Option<&'f [u8]> {
        netlink::attribute(self.0, kind)
    }

    fn text(&self, kind: u16) -> Option<String> {
        self.get(kind).map(as_text)
    }

    fn number(&self, kind: u16) -> Option<u32> {
        self.get(kind)?.first_chunk().map(|octets| u32::from_be_bytes(*octets))
    }

    /// What the data of a `counter` say.
    fn packets(&self) -> Option<u64> {
        const PACKETS: u16 = 2;
        self.get(PACKETS)?.first_chunk().map(|octets| u64::from_be_bytes(*octets))
    }

    /// Whether the data of an `immediate` are the verdict to drop.
    fn is_drop(&self) -> Option<bool> {
        const DATA: u16 = 2;
        let verdict = Fields(Fields(self.get(DATA)?).get(attribute::DATA_VERDICT)?);
        Some(verdict.number(attribute::VERDICT_CODE)? == libc::NF_DROP as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_reads_back() {
        assert_eq!(comment_in(&comment_of("port 7 \u{e9}")), Some("port 7 ".into()));
        assert_eq!(comment_in(&comment_of(&"x".repeat(300))).map(|text| text.len()), Some(127));
        assert_eq!(comment_in(&[0, 9, b'x']), None, "cut");
        assert_eq!(comment_in(&[1, 1, 0]), None, "something else");
    }
}

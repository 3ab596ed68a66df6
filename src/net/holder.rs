//! Who holds a TCP port of this machine.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A process, as far as we are allowed to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its command's name.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// The process that has a socket bound to the port of `local`, if `/proc` tells: without root it does
/// only for one's own processes.
pub fn of(local: SocketAddr) -> Option<Holder> {
    let in_the_way = |socket: &Bound| {
        let (theirs, wanted) = (socket.local.ip(), local.ip());
        let all_of_theirs = wanted.is_unspecified() && wanted.is_ipv4() == theirs.is_ipv4();
        let here = theirs == wanted || theirs.is_unspecified() || all_of_theirs;
        here && socket.local.port() == local.port()
    };
    let sockets = bound().filter(in_the_way).map(|socket| socket.inode).collect::<Vec<_>>();
    holders(&sockets).into_values().next()
}

/// All listening sockets, with the process that holds each, if `/proc` tells.
pub fn listeners() -> Vec<(SocketAddr, Option<Holder>)> {
    let listening: Vec<Bound> = bound().filter(|socket| socket.listens).collect();
    let inodes: Vec<u64> = listening.iter().map(|socket| socket.inode).collect();
    let holders = holders(&inodes);
    listening.into_iter().map(|socket| (socket.local, holders.get(&socket.inode).cloned())).collect()
}

/// The name of a process's command.
pub fn name(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim_end().to_owned())
}

/// The number of the namespace that our process ids count in.
pub fn pid_namespace() -> Option<u64> {
    let link = fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

/// Whether a process runs a program of this name, or whoever it is cannot be looked at and is called so.
pub fn runs(pid: u32, program: &str) -> bool {
    match fs::read_link(format!("/proc/{pid}/exe")) {
        Ok(path) => {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(program.as_bytes()))
        }
        Err(_) => name(pid).is_some_and(|name| name.starts_with(program)),
    }
}

/// Which process has a socket with one of these inodes among its files.
fn holders(inodes: &[u64]) -> HashMap<u64, Holder> {
    let mut holders = HashMap::new();
    if inodes.is_empty() {
        return holders;
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in pids {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        for target in files.filter_map(|file| fs::read_link(file.path()).ok()) {
            let inode = target.to_str().and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']'));
            let Some(inode) = inode.and_then(|inode| inode.parse().ok()) else { continue };
            if inodes.contains(&inode) {
                holders.insert(inode, Holder { pid, name: name(pid).unwrap_or_default() });
            }
        }
    }
    holders
}

/// A socket of this network namespace.
struct Bound {
    local: SocketAddr,
    listens: bool,
    inode: u64,
}

fn bound() -> impl Iterator<Item = Bound> {
    let table = |table| fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
    let lines = ["tcp", "tcp6"].map(table).join("");
    lines.lines().filter_map(read).collect::<Vec<_>>().into_iter()
}

/// A line of `/proc/net/tcp` or `tcp6`; the heading is none. What belongs to no process has inode 0.
fn read(line: &str) -> Option<Bound> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.rsplit_once(':')?;
    let local = SocketAddr::new(address_of(address)?, u16::from_str_radix(port, 16).ok()?);
    let inode = fields.get(9)?.parse().ok().filter(|inode| *inode != 0)?;
    Some(Bound { local, listens: *fields.get(3)? == LISTEN, inode })
}

/// An address as the kernel prints it there: words of this machine's byte order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let words = hex.as_bytes().chunks_exact(8).map(|digits| {
        let word = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        Some(word.to_ne_bytes())
    });
    let octets = words.collect::<Option<Vec<_>>>()?.concat();
    match octets.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_this_process_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = std::net::TcpListener::bind(address).unwrap();
            let local = listener.local_addr().unwrap();
            let holder = of(local).unwrap();
            assert_eq!(holder.pid, std::process::id());
            assert!(holder.to_string().contains("tcpshake"), "{holder}");
            let any = if local.is_ipv4() { "0.0.0.0" } else { "::" }.parse().unwrap();
            assert_eq!(of(SocketAddr::new(any, local.port())).as_ref(), Some(&holder));
            assert!(listeners().contains(&(local, Some(holder))));
        }
    }
}

//! Who holds a TCP port of this machine.

use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr};

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
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/thread-self/net/{table}")));
    let sockets: Vec<String> = tables
        .iter()
        .flatten()
        .flat_map(|table| table.lines().skip(1))
        .filter_map(|line| inode_in_the_way(line, local))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let mut files = fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        files.find(|file| {
            fs::read_link(file.path())
                .is_ok_and(|target| sockets.iter().any(|socket| target.as_os_str() == &**socket))
        })?;
        let name = fs::read_to_string(entry.path().join("comm")).ok()?.trim_end().to_owned();
        Some(Holder { pid, name })
    })
}

/// The inode of the socket in a line of `/proc/net/tcp` or `tcp6`, if it keeps `local` from being bound: it
/// has the port, on the same address or on all.
fn inode_in_the_way(line: &str, local: SocketAddr) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let (address, port) = fields.nth(1)?.rsplit_once(':')?;
    let inode = fields.nth(7)?;
    let everywhere = address.chars().all(|digit| digit == '0');
    let here = address == kernel_hex(local.ip());
    let in_the_way = (here || everywhere) && u16::from_str_radix(port, 16) == Ok(local.port());
    (in_the_way && inode != "0").then_some(inode)
}

/// An address as the kernel prints it there: words of this machine's byte order.
fn kernel_hex(address: IpAddr) -> String {
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let word = |octets: &[u8]| u32::from_ne_bytes(octets.try_into().unwrap_or_default());
    octets.chunks_exact(4).map(|octets| format!("{:08X}", word(octets))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let holder = of(listener.local_addr().unwrap()).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.to_string().contains("tcpshake"), "{holder}");
    }
}

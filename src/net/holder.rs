//! Who holds a TCP port of this machine.

use std::fmt;
use std::fs;
use std::net::SocketAddr;

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
    let table = if local.is_ipv4() { "/proc/thread-self/net/tcp" } else { "/proc/thread-self/net/tcp6" };
    let sockets: Vec<String> = fs::read_to_string(table)
        .ok()?
        .lines()
        .skip(1)
        .filter_map(|line| inode_on_port(line, local.port()))
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

/// The inode of the socket in a line of `/proc/net/tcp`, if its local port is `port`.
fn inode_on_port(line: &str, port: u16) -> Option<&str> {
    let mut fields = line.split_whitespace();
    let (_, local_port) = fields.nth(1)?.rsplit_once(':')?;
    let inode = fields.nth(7)?;
    (u16::from_str_radix(local_port, 16) == Ok(port) && inode != "0").then_some(inode)
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

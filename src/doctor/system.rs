//! The kernel, and what we may do here.

use nix::sys::utsname::uname;
use nix::unistd::geteuid;

use super::{Finding, as_root, program};
use crate::lab;
use crate::net::privileges::{self, Privilege};

pub(super) fn check(demo: Result<(), String>) -> Vec<Finding> {
    vec![kernel(), raw_sockets(), administration(), namespaces(demo)]
}

/// Major and minor.
type Version = (u32, u32);

/// Tables that end with their owner came with it: what the nft guard is made of.
const OWNED_TABLES: Version = (5, 12);

fn kernel() -> Finding {
    const TOPIC: &str = "kernel";
    let release = uname().map(|names| names.release().to_string_lossy().into_owned()).unwrap_or_default();
    match version(&release) {
        Some(version) if version < OWNED_TABLES => Finding::note(
            TOPIC,
            format!(
                "Linux {release} has no nft tables that end with their owner, so no nft guard (5.12 has)"
            ),
        ),
        Some(_) => Finding::good(TOPIC, format!("Linux {release}")),
        None => Finding::note(TOPIC, format!("of unknown version: {release}")),
    }
}

fn version(release: &str) -> Option<Version> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) fn may_open_raw_sockets() -> bool {
    privileges::has(Privilege::CAP_NET_RAW)
}

fn raw_sockets() -> Finding {
    const TOPIC: &str = "cap_net_raw";
    if may_open_raw_sockets() {
        return Finding::good(TOPIC, "there: all that connect needs");
    }
    Finding::bad(TOPIC, "missing: no raw socket can be opened")
        .mended_by(format!("sudo setcap cap_net_raw=ep {}", program()))
}

fn administration() -> Finding {
    const TOPIC: &str = "cap_net_admin";
    if privileges::has(Privilege::CAP_NET_ADMIN) {
        Finding::good(TOPIC, "there: nft and iptables guards can be made")
    } else {
        Finding::note(TOPIC, "missing: no nft or iptables guard (the listener guard does without)")
            .mended_by(as_root("connect HOST:PORT --guard nft"))
    }
}

/// Whether private networks can be made, by us and by ordinary users.
fn namespaces(demo: Result<(), String>) -> Finding {
    const TOPIC: &str = "namespaces";
    match (demo, lab::restriction()) {
        (Ok(()), None) => Finding::good(TOPIC, "a private network can be made: the demo works"),
        (Ok(()), Some((reason, _))) => {
            Finding::note(TOPIC, format!("the demo works for you, but not for every user: {reason}"))
        }
        (Err(why), _) => {
            let instead = if geteuid().is_root() { program() + " demo --simulate" } else { as_root("demo") };
            Finding::note(TOPIC, format!("the demo does not work: {why}")).mended_by(instead)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(version("5.4.0"), Some((5, 4)));
        assert_eq!(version("odd"), None);
    }
}

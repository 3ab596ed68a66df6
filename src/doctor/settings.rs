//! Settings of this machine that change what one sees.

use std::fs;

use super::Finding;
use crate::net::interfaces::{Interface, LOOPBACK};
use crate::net::offloads;

pub(super) fn check() -> Vec<Finding> {
    let interfaces: Vec<Interface> = Interface::all()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| interface.up && interface.index != LOOPBACK)
        .collect();
    let mut findings = vec![ports(), reverse_path(&interfaces)];
    findings.extend(interfaces.iter().filter_map(merging));
    findings
}

fn setting(name: &str) -> Option<String> {
    let path = format!("/proc/sys/net/{}", name.replace('.', "/"));
    fs::read_to_string(path).ok().map(|value| value.trim().to_owned())
}

/// Ports that the kernel gives away, to us too.
fn ports() -> Finding {
    const TOPIC: &str = "ports";
    const FEW: u32 = 1000;
    let range = setting("ipv4.ip_local_port_range").unwrap_or_default();
    let ends: Vec<u32> = range.split_whitespace().filter_map(|end| end.parse().ok()).collect();
    let &[lowest, highest] = &*ends else {
        return Finding::note(TOPIC, "the range of local ports is not known");
    };
    let text = format!("local ports are taken from {lowest} to {highest}");
    if highest.saturating_sub(lowest) < FEW {
        return Finding::note(TOPIC, format!("{text}: few, should many exchanges follow each other"))
            .mended_by("sudo sysctl net.ipv4.ip_local_port_range='32768 60999'");
    }
    Finding::good(TOPIC, text)
}

/// With the strict filter the kernel drops what comes by another interface than an answer would leave by. We
/// see it all the same, but neither a listener nor connection tracking does.
fn reverse_path(interfaces: &[Interface]) -> Finding {
    const TOPIC: &str = "rp_filter";
    const STRICT: &str = "1";
    // The larger of the two values counts, and 2, the loose one, is the larger.
    let of = |name: &str| setting(&format!("ipv4.conf.{name}.rp_filter")).unwrap_or_default();
    let all = of("all");
    let is_strict = |interface: &&Interface| of(&interface.name).max(all.clone()) == STRICT;
    let strict: Vec<&str> = interfaces.iter().filter(is_strict).map(|interface| &*interface.name).collect();
    if strict.is_empty() {
        return Finding::good(TOPIC, "answers may come by another way than the route's");
    }
    Finding::note(
        TOPIC,
        format!("answers by another way than the route's are dropped on {}", strict.join(", ")),
    )
    .mended_by("sudo sysctl net.ipv4.conf.all.rp_filter=2")
}

/// What an interface merges is shown merged: longer than any segment on the wire.
fn merging(interface: &Interface) -> Option<Finding> {
    const MERGING: [(&str, &str); 3] = [("rx-gro", "gro"), ("rx-gro-hw", "rx-gro-hw"), ("rx-lro", "lro")];
    let active = offloads::active(interface.index).ok()?;
    let merging = MERGING.iter().filter(|(name, _)| active.iter().any(|feature| feature == name));
    let (names, options): (Vec<&str>, Vec<String>) =
        merging.map(|(name, option)| (*name, format!("{option} off"))).unzip();
    let Interface { name, .. } = interface;
    let text = format!("{name} merges segments that arrive ({}): they are shown merged", names.join(", "));
    (!names.is_empty()).then(|| {
        Finding::note("offloads", text).mended_by(format!("sudo ethtool -K {name} {}", options.join(" ")))
    })
}

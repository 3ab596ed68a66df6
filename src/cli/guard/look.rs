//! A look at the guards that stand, and removing what dead owners left.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::{json, own, print};
use crate::cli::args::{ListFormat, StatusArgs, TestArgs};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::guard::survey::{self, Owner, Survey};
use crate::guard::{Proof, SelfTest};
use crate::net::interfaces::loopback_addresses;
use crate::report::text::clean;
use crate::time::Clock;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'l> {
    Guard {
        guard: &'static str,
        ports: &'l str,
        family: Option<&'static str>,
        address: Option<&'l str>,
        peer: Option<&'l str>,
        pid: Option<u32>,
        command: Option<&'l str>,
        owner: &'static str,
        held_back: Option<u64>,
    },
    Unseen {
        guard: &'static str,
        why: &'l str,
    },
    Test {
        address: IpAddr,
        port: u16,
        kernel: &'static str,
        why: Option<&'l str>,
    },
}

pub(super) fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    let survey = survey::survey();
    print(&match args.format {
        ListFormat::Json => survey_as_json(&survey),
        ListFormat::Text => survey_as_text(&survey),
    })?;
    Ok(Exit::Success)
}

fn survey_as_text(survey: &Survey) -> String {
    let mut text = String::new();
    for found in &survey.found {
        let covers = clean(&found.covers());
        let _ = write!(text, "{:8}  {covers}  ({})", found.kind.name(), clean(&found.owner.to_string()));
        let _ = match found.held_back {
            Some(count) => writeln!(text, "  {count} held back"),
            None => writeln!(text),
        };
    }
    if survey.found.is_empty() {
        text += "no guard found\n";
    }
    if survey.found.iter().any(|found| matches!(found.owner, Owner::Dead(_))) {
        text += "remove what dead owners left: sudo tcpshake guard clean\n";
    }
    for (kind, why) in &survey.unseen {
        let _ = writeln!(text, "cannot look for {kind} guards: {}", clean(why));
    }
    text
}

fn survey_as_json(survey: &Survey) -> String {
    let guards = survey.found.iter().map(|found| {
        let (owner, pid, command) = match &found.owner {
            Owner::Lives(holder) => ("lives", Some(holder.pid), Some(&*holder.name)),
            Owner::Dead(pid) => ("dead", Some(*pid), None),
            Owner::Elsewhere(pid) => ("elsewhere", Some(*pid), None),
            Owner::Kept => ("nobody", None, None),
        };
        json(&Line::Guard {
            guard: found.kind.name(),
            ports: &found.ports,
            family: found.family,
            address: found.address.as_deref(),
            peer: found.peer.as_deref(),
            pid,
            command,
            owner,
            held_back: found.held_back,
        })
    });
    let unseen = survey.unseen.iter().map(|(kind, why)| json(&Line::Unseen { guard: kind.name(), why }));
    guards.chain(unseen).collect()
}

pub(super) fn test(args: &TestArgs) -> Result<Exit, Failure> {
    let address = args.address.map(own).transpose()?;
    let addresses = address.map_or_else(loopback_addresses, |address| vec![address]);
    let mut test = SelfTest::new(Clock::new());
    let mut exit = Exit::Success;
    for address in addresses {
        let proof = test.probe(SocketAddr::new(address, args.port));
        exit = match (&proof, exit) {
            (Proof::Answered, _) | (_, Exit::ExpectationFailed) => Exit::ExpectationFailed,
            (Proof::Untestable(_), _) => Exit::NotPossible,
            (Proof::Silent | Proof::NotAsked, exit) => exit,
        };
        print(&match args.format {
            ListFormat::Json => finding_as_json(address, args.port, &proof),
            ListFormat::Text => format!("port {} of {address}: {}\n", args.port, in_words(&proof)),
        })?;
    }
    Ok(exit)
}

fn in_words(proof: &Proof) -> String {
    match proof {
        Proof::Silent => "the kernel keeps silent: it is guarded".to_owned(),
        Proof::Answered => "the kernel answers with RST: nothing holds it back here".to_owned(),
        Proof::Untestable(why) => format!("the kernel cannot be asked: {}", clean(why)),
        Proof::NotAsked => "the kernel was not asked".to_owned(),
    }
}

fn finding_as_json(address: IpAddr, port: u16, proof: &Proof) -> String {
    let (kernel, why) = match proof {
        Proof::Silent => ("silent", None),
        Proof::Answered => ("answers", None),
        Proof::Untestable(why) => ("unknown", Some(&**why)),
        Proof::NotAsked => ("unknown", None),
    };
    json(&Line::Test { address, port, kernel, why })
}

pub(super) fn clean_up() -> Result<Exit, Failure> {
    let removed = survey::clean()
        .map_err(|error| Failure::not_possible(format_args!("cannot remove rules: {error}")))?;
    print(&format!("rules of dead owners removed: {removed}\n"))?;
    Ok(Exit::Success)
}

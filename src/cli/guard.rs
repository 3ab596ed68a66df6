//! `tcpshake guard`: guards held for other programs, and a look at those that stand.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Serialize;

use super::args::{GuardCommand, HoldArgs, ListFormat, StatusArgs, TestArgs};
use super::error::{Failure, written};
use super::exit::Exit;
use super::holder;
use crate::guard::survey::{self, Found, Owner, Survey};
use crate::guard::{LeaseError, PortLease, Proof, Scope, SelfTest, Standing};
use crate::net::route;
use crate::report::text::clean;
use crate::time::Clock;

pub(super) fn run(command: &GuardCommand) -> Result<u8, Failure> {
    let exit = match command {
        GuardCommand::Run(args) => return holder::run(args),
        GuardCommand::Up(args) => holder::up(args),
        GuardCommand::Down(args) => holder::down(&args.port),
        GuardCommand::Hold(args) => holder::hold(args),
        GuardCommand::Status(args) => status(args),
        GuardCommand::Test(args) => test(args),
        GuardCommand::Clean => clean_up(),
    };
    exit.map(Exit::code)
}

/// The guard that the arguments ask for.
pub(super) fn stand(args: &HoldArgs) -> Result<Standing, Failure> {
    let address = args.address.map(|address| address.to_canonical());
    if let Some(address) = address.filter(|address| !route::is_own(*address)) {
        return Err(Failure::not_possible(LeaseError::not_ours(address)));
    }
    let scope = Scope { address, ports: args.port.clone(), mark: args.mark };
    Ok(Standing::stand(args.guard.into(), &scope, &mut SelfTest::new(Clock::new()))?)
}

/// `guard on port 40000: listener (tcp-md5), proven`.
pub(super) fn describe(args: &HoldArgs, standing: &Standing) -> String {
    let mut text = format!("guard on port {}: {}", args.port, standing.kind());
    if let Some(discard) = standing.discard() {
        let _ = write!(text, " ({})", discard.name());
    }
    let _ = match standing.proof() {
        Proof::Silent => write!(text, ", proven"),
        Proof::Untestable(why) => write!(text, ", not tested: {why}"),
        Proof::Answered | Proof::NotAsked => Ok(()),
    };
    for passed in standing.passed_over() {
        let _ = write!(text, "; not {}: {}", passed.kind, passed.why);
    }
    text
}

pub(super) fn print(text: &str) -> Result<(), Failure> {
    written(io::stdout().write_all(text.as_bytes()))
}

pub(super) fn json(line: &impl Serialize) -> String {
    // Plain structs of strings and numbers: there is nothing in them that could fail to serialize.
    serde_json::to_string(line).unwrap_or_default() + "\n"
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Line<'l> {
    Guard {
        guard: &'static str,
        covers: &'l str,
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

fn status(args: &StatusArgs) -> Result<Exit, Failure> {
    let survey = survey::survey();
    print(&match args.format {
        ListFormat::Json => survey_as_json(&survey),
        ListFormat::Text => survey_as_text(&survey),
    })?;
    Ok(Exit::Success)
}

fn survey_as_text(survey: &Survey) -> String {
    let mut text = String::new();
    for Found { kind, covers, owner, held_back } in &survey.found {
        let _ = write!(text, "{:8}  {}  ({})", kind.name(), clean(covers), clean(&owner.to_string()));
        let _ = match held_back {
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
            Owner::Elsewhere(_) => ("elsewhere", None, None),
            Owner::Kept => ("nobody", None, None),
        };
        let (guard, held_back) = (found.kind.name(), found.held_back);
        json(&Line::Guard { guard, covers: &found.covers, pid, command, owner, held_back })
    });
    let unseen = survey.unseen.iter().map(|(kind, why)| json(&Line::Unseen { guard: kind.name(), why }));
    guards.chain(unseen).collect()
}

fn test(args: &TestArgs) -> Result<Exit, Failure> {
    let addresses: Vec<IpAddr> = match args.address {
        Some(address) if route::is_own(address) => vec![address],
        Some(address) => return Err(Failure::not_possible(LeaseError::not_ours(address))),
        None => both_loopbacks(),
    };
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

/// Those of them that this machine has.
fn both_loopbacks() -> Vec<IpAddr> {
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let v6 = PortLease::take(SocketAddr::new(v6, 0)).is_ok().then_some(v6);
    [Ipv4Addr::LOCALHOST.into()].into_iter().chain(v6).collect()
}

fn in_words(proof: &Proof) -> String {
    match proof {
        Proof::Silent => "the kernel keeps silent: it is guarded".to_owned(),
        Proof::Answered => "the kernel answers with RST: nothing holds it back".to_owned(),
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

fn clean_up() -> Result<Exit, Failure> {
    let removed = survey::clean()
        .map_err(|error| Failure::not_possible(format_args!("cannot remove rules: {error}")))?;
    print(&format!("{removed} rules of dead owners removed\n"))?;
    Ok(Exit::Success)
}

//! The manual pages, made from the definitions that the command line is parsed by.

mod check;

use std::io::{self, Write};
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::args::{Args, ManArgs};
use super::error::{Failure, written};
use super::exit::Exit;
use crate::lesson::Scenario;

/// A page: its file's name and its text.
#[derive(Clone, Debug)]
pub struct Page {
    /// Such as `tcpshake-connect.1`.
    pub name: String,
    /// Its source, in roff.
    pub roff: Vec<u8>,
}

/// All pages: the program's, and one for each command and for each of its own.
pub fn pages() -> io::Result<Vec<Page>> {
    let mut program = Args::command().disable_help_subcommand(true);
    program.build();
    let mut pages = Vec::new();
    append(&program, &["tcpshake"], &mut pages)?;
    Ok(pages)
}

/// The page of the command that `words` call, and those of the commands below it.
fn append(command: &Command, words: &[&str], pages: &mut Vec<Page>) -> io::Result<()> {
    pages.push(page(command, words)?);
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        append(below, &[words, &[below.get_name()]].concat(), pages)?;
    }
    Ok(())
}

fn page(command: &Command, words: &[&str]) -> io::Result<Page> {
    // The exit codes have a section of their own, where manual readers look for them.
    let name = words.join("-");
    let (title, bin_name) = (name.clone(), words.join(" "));
    let command = command.clone().name(title).bin_name(bin_name).after_help("").after_long_help("");
    let has_commands = command.has_subcommands();
    let man = Man::new(command)
        .date("")
        .manual("tcpshake manual")
        .source(concat!("tcpshake ", env!("CARGO_PKG_VERSION")));
    let mut roff = Vec::new();
    man.render_title(&mut roff)?;
    man.render_name_section(&mut roff)?;
    man.render_synopsis_section(&mut roff)?;
    man.render_description_section(&mut roff)?;
    man.render_options_section(&mut roff)?;
    if has_commands {
        man.render_subcommands_section(&mut roff)?;
    }
    if words.len() == 1 {
        files_and_privileges().to_writer(&mut roff)?;
    }
    if let Some(sections) = check::sections(&name) {
        sections.to_writer(&mut roff)?;
    }
    if name == "tcpshake-demo" {
        scenarios().to_writer(&mut roff)?;
    }
    exit_status().to_writer(&mut roff)?;
    Ok(Page { name: format!("{name}.1"), roff })
}

fn exit_status() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for exit in Exit::ALL {
        roff.control("TP", ["6"]);
        roff.text([roman(exit.code().to_string())]);
        roff.text([roman(exit.text())]);
    }
    roff
}

/// What `demo --list` tells.
fn scenarios() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SCENARIOS"]);
    for scenario in Scenario::ALL {
        roff.control("TP", Vec::<&str>::new());
        roff.text([roman(scenario.name())]);
        roff.text([roman(scenario.title())]);
    }
    roff
}

fn files_and_privileges() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["PRIVILEGES"]);
    roff.text([roman(
        "Commands that open raw sockets need CAP_NET_RAW and nothing else: run them with sudo, or once \
         \"setcap cap_net_raw=ep\" on the program. The nft guard needs CAP_NET_ADMIN besides, the iptables guard \
         root. The demo needs no privilege where ordinary users may make user namespaces. Once sockets and guard \
         stand, every capability is given up.",
    )]);
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, text) in [
        ("NO_COLOR", "If set and not empty, --color auto means never."),
        ("IPTABLES, IP6TABLES", "The programs that the iptables guard uses, such as iptables-legacy."),
    ] {
        roff.control("TP", Vec::<&str>::new());
        roff.text([roman(name)]);
        roff.text([roman(text)]);
    }
    roff.control("SH", ["FILES"]);
    roff.control("TP", Vec::<&str>::new());
    roff.text([roman("rst-guard")]);
    roff.text([roman(
        "The script that makes the rules of the iptables guard: the one beside the program, or in \
         ../share/tcpshake, if none but root and the user can have put it there; else one that the program \
         carries.",
    )]);
    roff
}

pub(super) fn run(args: &ManArgs) -> Result<Exit, Failure> {
    let pages = pages().map_err(|error| Failure::cannot("make the manual pages", &error))?;
    match &args.dir {
        Some(folder) => write(folder, &pages)?,
        None => written(pages.first().map_or(Ok(()), |page| io::stdout().write_all(&page.roff)))?,
    }
    Ok(Exit::Success)
}

fn write(folder: &Path, pages: &[Page]) -> Result<(), Failure> {
    for page in pages {
        let path = folder.join(&page.name);
        std::fs::write(&path, &page.roff)
            .map_err(|error| Failure::cannot(format_args!("write {}", path.display()), &error))?;
    }
    Ok(())
}

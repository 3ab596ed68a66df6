//! Can connections be made by hand on this machine? And if not: why, and which command mends it?
//!
//! Each check is a function that looks at one thing and tells what it found; what matters most is tried, not
//! inferred: every guard is put up and tested, and a whole exchange is made over loopback.

mod exchange;
mod firewall;
mod guards;
mod settings;
mod system;

use exchange::Trial;

/// How good a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Good,
    /// Good to know: something does not work, or works otherwise, that can be done without.
    Note,
    /// It has to be mended before anything works.
    Bad,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word.
    pub topic: &'static str,
    /// How good it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// The command that mends it.
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn good(topic: &'static str, text: impl Into<String>) -> Self {
        Self { topic, level: Level::Good, text: text.into(), remedy: None }
    }

    /// Good to know.
    pub fn note(topic: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Note, ..Self::good(topic, text) }
    }

    /// To be mended.
    pub fn bad(topic: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Bad, ..Self::good(topic, text) }
    }

    /// With the command that mends it.
    pub fn mended_by(self, command: impl Into<String>) -> Self {
        Self { remedy: Some(command.into()), ..self }
    }
}

/// This program, as it is typed.
fn program() -> String {
    let path = std::env::current_exe().map_or_else(|_| "tcpshake".into(), |path| path.display().to_string());
    let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/._+-".contains(c));
    if plain { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// This program as root: what is typed for that. Root may not find it by its name.
fn as_root(arguments: &str) -> String {
    format!("sudo {} {arguments}", program())
}

/// All findings, and what they come to.
#[derive(Clone, Debug)]
pub struct Examination {
    /// In the order in which they are best read.
    pub findings: Vec<Finding>,
    /// Whether `connect` can work here.
    pub connect_works: bool,
}

/// Looks at everything. Rules of iptables are put up and taken away, nothing else is touched.
///
/// `demo` is what became of making a private network: another process has to try it, for a namespace once
/// entered is not left again.
pub fn examine(demo: Result<(), String>) -> Examination {
    let firewall = firewall::check(); // before the guards are tried, which make tables of their own
    let (guards, some_guard) = guards::check();
    let trials = exchange::check();
    let tried = trials.iter().any(|trial| matches!(trial, Trial::Made(_)));
    let untried = trials.iter().all(|trial| matches!(trial, Trial::NotPossibleToTry(_)));
    let connect_works = tried || (untried && some_guard && system::may_open_raw_sockets());
    let findings = [
        system::check(demo),
        guards,
        trials.into_iter().map(Trial::finding).collect(),
        firewall,
        settings::check(),
    ];
    Examination { findings: findings.concat(), connect_works }
}

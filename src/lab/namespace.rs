//! Entering network namespaces, with or without root.

use std::fs;
use std::io;

use crate::cause::cause;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::unistd::{getegid, geteuid};

/// A private network that cannot be had, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}: {reason}{remedy}")]
pub struct LabError {
    doing: &'static str,
    reason: String,
    remedy: &'static str,
}

impl LabError {
    pub(super) fn new(doing: &'static str, error: impl Into<io::Error>) -> Self {
        let error: io::Error = error.into();
        match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES | libc::ENOSPC | libc::EINVAL) => {
                let (reason, remedy) = forbidden(&error);
                Self { doing, reason, remedy }
            }
            _ => Self {
                doing,
                reason: cause(&error),
                remedy: " (--simulate runs both ends inside this process)",
            },
        }
    }
}

fn forbidden(error: &io::Error) -> (String, &'static str) {
    restriction().unwrap_or_else(|| {
        (
            format!("{} (a chroot, or a security module, may forbid it)", cause(error)),
            " (allow it there, or use --simulate: both ends inside this process)",
        )
    })
}

/// Who forbids ordinary users to make user namespaces, and what to do about it in parentheses, as far as the
/// system tells: each setting by its file below `/proc/sys`.
pub fn restriction() -> Option<(String, &'static str)> {
    let setting =
        |name: &str| fs::read_to_string(format!("/proc/sys/{name}")).map(|value| value.trim().to_owned());
    let is = |name: &str, value: &str| setting(name).is_ok_and(|found| found == value);
    if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        return Some((
            "AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1)"
                .to_owned(),
            " (run it with sudo, or with --simulate: both ends inside this process)",
        ));
    }
    for limit in ["user/max_user_namespaces", "user/max_net_namespaces"] {
        if is(limit, "0") {
            return Some((
                format!("the limit on namespaces is 0 ({})", limit.replace('/', ".")),
                " (raise it with sysctl as root, or use --simulate: both ends inside this process)",
            ));
        }
    }
    if is("kernel/unprivileged_userns_clone", "0") {
        return Some((
            "user namespaces are for root only (kernel.unprivileged_userns_clone = 0)".to_owned(),
            " (run it with sudo, or with --simulate: both ends inside this process)",
        ));
    }
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let filtered = status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"]));
    filtered.then(|| {
        (
            "a seccomp filter is in force here, as containers have, and may forbid it".to_owned(),
            " (allow it there, or use --simulate: both ends inside this process)",
        )
    })
}

/// Moves the process into a network namespace of its own; without the privilege for that, into a user
/// namespace first. The latter works only before a second thread is started.
pub fn enter_private() -> Result<(), LabError> {
    const DOING: &str = "make a private network for the demo";
    if unshare(CloneFlags::CLONE_NEWNET).is_ok() {
        return Ok(());
    }
    // A binary with file capabilities is not dumpable, and its /proc/self not its own.
    prctl::set_dumpable(true).map_err(|error| LabError::new(DOING, error))?;
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
        .map_err(|error| LabError::new(DOING, error))?;
    // Kernels want setgroups denied before an ordinary user may map a group.
    for (file, line) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ] {
        fs::write(format!("/proc/self/{file}"), line).map_err(|error| LabError::new(DOING, error))?;
    }
    Ok(())
}

/// Moves the calling thread into a network namespace of its own; needs CAP_SYS_ADMIN, which
/// [`enter_private`] gives.
pub fn unshare_network() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWNET)?)
}

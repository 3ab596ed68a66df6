//! `tcpshake doctor`.

use super::args::DoctorArgs;
use super::error::Failure;
use super::exit::Exit;

pub(super) fn run(_args: &DoctorArgs) -> Result<Exit, Failure> {
    Err(Failure::not_possible("not yet"))
}

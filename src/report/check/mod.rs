//! Reports of a check: a kind a file.
//!
//! A [`Stream`] is written while the check runs; a [`Closing`] one at its end, for it tells failures first, or
//! begins with how many there are. Both are pure: from [`record::check`](crate::record::check) to octets.

#[cfg(test)]
mod fixture;
pub mod html;
pub mod junit;
pub mod markdown;
pub mod ndjson;
pub mod percentiles;
pub mod prometheus;
pub mod summary;
pub mod tap;
mod words;

use std::io::{self, Write};

use crate::record::check::{Finding, Plan, Summary};

/// A report that is written as findings come.
pub trait Stream: Send {
    /// The check begins.
    fn begin(&mut self, plan: &Plan, out: &mut dyn Write) -> io::Result<()>;
    /// One target is done.
    fn finding(&mut self, finding: &Finding, out: &mut dyn Write) -> io::Result<()>;
    /// The check is over.
    fn end(&mut self, summary: &Summary, out: &mut dyn Write) -> io::Result<()>;
}

/// A report that is written when all is known.
pub trait Closing: Send {
    /// Writes it.
    fn write(
        &self,
        plan: &Plan,
        summary: &Summary,
        findings: &dyn Findings,
        out: &mut dyn Write,
    ) -> io::Result<()>;
}

/// All findings, in the order in which they came; too many to be held in memory, perhaps.
pub trait Findings {
    /// Goes through them from the first on, as often as it is called.
    fn each(&self, visit: &mut dyn FnMut(&Finding) -> io::Result<()>) -> io::Result<()>;
}

impl Findings for [Finding] {
    fn each(&self, visit: &mut dyn FnMut(&Finding) -> io::Result<()>) -> io::Result<()> {
        self.iter().try_for_each(visit)
    }
}

/// A slice has no size of its own, but a reference to one has, and so can stand for `dyn Findings`.
impl<F: Findings + ?Sized> Findings for &F {
    fn each(&self, visit: &mut dyn FnMut(&Finding) -> io::Result<()>) -> io::Result<()> {
        (**self).each(visit)
    }
}

//! What an earlier run has found: read before its file may be written again.

use std::collections::HashSet;
use std::fs::File;
use std::hash::Hasher;
use std::io::BufReader;
use std::path::Path;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::reports::Spool;
use crate::cli::error::Failure;
use crate::record::check::{Finding, Verdict};
use crate::report::check::ndjson::{self, Line};

/// The findings of an earlier run.
pub(in crate::cli) struct Earlier {
    findings: Spool,
    /// Of the targets that were checked; 128 bits of hash do not collide.
    labels: HashSet<u128>,
}

impl Earlier {
    /// Reads an NDJSON report. Targets that it says were not checked are left for this run.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::usage(format_args!("cannot read the report {}: {error}", path.display()))
        };
        let file = File::open(path).map_err(|error| cannot(&crate::cause::cause(&error)))?;
        let mut earlier = Self { findings: Spool::new(), labels: HashSet::new() };
        for line in ndjson::read(BufReader::new(file)) {
            match line.map_err(|error| cannot(&error))? {
                Line::Target(finding) if finding.verdict != Verdict::NotChecked => {
                    if earlier.labels.insert(hash(&finding.target)) {
                        earlier.findings.put(&finding)?;
                    }
                }
                Line::Target(_) | Line::Check(_) | Line::Summary(_) => {}
            }
        }
        Ok(earlier)
    }

    /// Whether a target was checked.
    pub(in crate::cli) fn has(&self, label: &str) -> bool {
        self.labels.contains(&hash(label))
    }

    /// Tells each finding.
    pub(in crate::cli) fn each(
        &self,
        tell: impl FnMut(Finding) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.findings.tell(tell)
    }
}

/// Of a target's label.
pub(in crate::cli) fn hash(label: &str) -> u128 {
    let mut hasher = SipHasher13::new();
    hasher.write(label.as_bytes());
    hasher.finish128().as_u128()
}

//! The ways that exchanges take, by number: an exchange has room for no more.

use std::collections::HashMap;
use std::net::IpAddr;

use super::plan::Path;

/// Paths by number.
#[derive(Default)]
pub(super) struct Paths {
    pub(super) all: Vec<Path>,
    numbers: HashMap<Path, u32>,
    /// Our addresses among them: one or two, as a rule.
    pub(super) locals: Vec<IpAddr>,
    /// Most errands have the path of the one before.
    last: Option<(Path, u32)>,
}

impl Paths {
    pub(super) fn number(&mut self, path: &Path) -> u32 {
        if let Some((last, number)) = &self.last
            && last == path
        {
            return *number;
        }
        let Self { all, locals, .. } = self;
        if !locals.contains(&path.local) {
            locals.push(path.local);
        }
        let number = *self.numbers.entry(*path).or_insert_with(|| {
            all.push(*path);
            all.len() as u32 - 1
        });
        self.last = Some((*path, number));
        number
    }
}

//! `tcpshake guard`.

use crate::Named;

pub(crate) const TESTS: &[Named] = &[];

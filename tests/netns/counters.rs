//! What a kernel counts, as it tells it in `/proc/net`.

use std::collections::HashMap;

/// What a kernel has counted, by the names of `nstat`, as `TcpInCsumErrors` and `TcpExtPAWSEstab`.
pub(crate) struct Counters(HashMap<String, u64>);

impl Counters {
    /// Those of the calling thread's network namespace.
    pub(crate) fn read() -> std::io::Result<Self> {
        let mut counters = HashMap::new();
        for table in ["snmp", "netstat"] {
            let text = std::fs::read_to_string(format!("/proc/thread-self/net/{table}"))?;
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.chunks(2) {
                let (group, names) = pair[0].split_once(": ").unwrap();
                let (_, values) = pair[1].split_once(": ").unwrap();
                for (name, value) in names.split(' ').zip(values.split(' ')) {
                    counters.insert(format!("{group}{name}"), value.parse().unwrap_or(0)); // one can be -1
                }
            }
        }
        Ok(Self(counters))
    }

    pub(crate) fn of(&self, name: &str) -> u64 {
        *self.0.get(name).unwrap_or_else(|| panic!("this kernel does not count {name}"))
    }

    /// All whose names begin with one of these and that counted anything.
    pub(crate) fn above_zero(&self, beginnings: &[&str]) -> Vec<(&String, &u64)> {
        let named = |name: &str| beginnings.iter().any(|beginning| name.starts_with(beginning));
        self.0.iter().filter(|(name, count)| named(name) && **count > 0).collect()
    }
}

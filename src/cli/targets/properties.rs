//! What holds for every list.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::gather::Gathering;
use super::{Asked, Gathered, gather};

fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        (1..224_u32, any::<u32>())
            .prop_filter("a host", |(first, _)| *first != 127)
            .prop_map(|(first, rest)| Ipv4Addr::from_bits((first << 24) | (rest >> 8)).to_string()),
        any::<u64>().prop_map(|low| format!("[fd99::{:x}:{:x}]", (low >> 16) & 0xffff, low & 0xffff)),
        "[a-zA-Z]{1,8}(\\.[a-z]{1,5}){0,2}",
        (1..224_u8, 24..=32_u8).prop_map(|(first, len)| format!("{first}.0.0.0/{len}")),
    ]
}

fn targets() -> impl Strategy<Value = Vec<String>> {
    let target = (host(), 1..200_u16, 0..3_u16)
        .prop_map(|(host, port, more)| format!("{host}:{port}-{}", port + more));
    proptest::collection::vec(target, 0..12)
}

fn labels(targets: &[String], shard: Option<String>) -> Vec<String> {
    let shard = shard.map(|shard| shard.parse().unwrap());
    let Gathered { list, .. } =
        gather(&Asked { targets: targets.to_vec(), shard, ..Asked::default() }).unwrap();
    list.iter().map(|entry| entry.to_string()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each target is in exactly one part, and the order of the list decides nothing but the order.
    #[test]
    fn shards_are_complete_disjoint_and_stable((list, shuffled) in targets().prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())), of in 1..8_u32) {
        let whole = labels(&list, None);
        let mut parts = Vec::new();
        for number in 1..=of {
            let part = labels(&list, Some(format!("{number}/{of}")));
            let again: BTreeSet<String> = labels(&shuffled, Some(format!("{number}/{of}"))).into_iter().collect();
            prop_assert_eq!(&part.iter().cloned().collect::<BTreeSet<_>>(), &again);
            prop_assert_eq!(&part, &whole.iter().filter(|label| again.contains(*label)).cloned().collect::<Vec<_>>());
            parts.extend(part);
        }
        parts.sort();
        let mut sorted = whole;
        sorted.sort();
        prop_assert_eq!(parts, sorted);
    }

    /// A label is a target that stands for itself.
    #[test]
    fn labels_are_read_as_they_are_written(list in targets()) {
        let once = labels(&list, None);
        prop_assert_eq!(labels(&once, None), once);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever stands in a line, it is a target or one line of trouble.
    #[test]
    fn any_line_is_a_target_or_one_error(octets in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        "[0-9a-f.:%\\[\\]/,x#~< -]{0,40}".prop_map(String::into_bytes),
        "(10\\.0\\.0\\.[0-9]{1,3}|h)(/3[0-9])?:[0-9]{1,5}(,[0-9]{1,3})? ?(open|rtt<1ms|banner~.{0,5})?".prop_map(String::into_bytes),
    ]) {
        let octets: Vec<u8> = octets.into_iter().filter(|octet| *octet != b'\n').collect();
        let text = std::str::from_utf8(&octets).map(|text| text.strip_prefix('\u{feff}').unwrap_or(text).trim());
        let says_nothing = text.is_ok_and(|text| text.is_empty() || (text.starts_with('#') && !text.contains('\0')));
        let mut gathering = Gathering::default();
        gathering.lines("f", &mut octets.as_slice()).unwrap();
        let is_target = !gathering.list.is_empty();
        prop_assert_eq!(u64::from(is_target) + gathering.trouble.count(), u64::from(!says_nothing));
        let mut lines = gathering.trouble.lines();
        prop_assert!(lines.all(|line| line.lines().count() == 1 && !line.contains('\x1b')));
    }
}

//! The path of a segment, from the octets in to the octets of the reaction, does not allocate.
//!
//! What is counted is what `cargo bench --bench reaction` times.

#![allow(missing_docs, unreachable_pub, reason = "a test crate has no public interface")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use allocation_counter::measure;
use tcpshake::tcp::SeqNum;

#[path = "../benches/reaction/cases.rs"]
mod cases;
#[path = "../benches/reaction/ours.rs"]
mod ours;

use cases::cases;
use ours::Ours;

#[test]
fn no_segment_allocates() {
    for case in cases(SeqNum(77)) {
        // The queue for our user, once in a connection.
        let queues = u64::from(case.name == "a whole exchange");
        case.check::<Ours>();
        let mut server = case.begin::<Ours>();
        let counted = measure(|| {
            case.run(&mut server);
        });
        assert!(counted.count_total <= queues, "{}: {counted:?}", case.name);
    }
}

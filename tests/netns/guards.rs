//! The guard by itself: what the self-test finds, and that the guard is what it finds.

use std::net::{IpAddr, SocketAddr};

use tcpshake::guard::{Choice, Guard, Kind, PortLease, Proof, SelfTest, Tally};
use tcpshake::lab::{NEAR_V4, NEAR_V6, unshare_network};
use tcpshake::time::Clock;

use crate::Named;
use crate::world::{World, draw_answer_from};

pub(crate) const TESTS: &[Named] = &[
    (
        "the_self_test_tells_a_guarded_port_from_an_open_one",
        the_self_test_tells_a_guarded_port_from_an_open_one,
    ),
    ("p08_self_tests_do_not_believe_each_others_answers", p08_self_tests_do_not_believe_each_others_answers),
    ("the_self_test_says_when_it_cannot_tell", the_self_test_says_when_it_cannot_tell),
    ("a_guard_counts_what_it_keeps_from_the_kernel", a_guard_counts_what_it_keeps_from_the_kernel),
    ("a_lease_keeps_the_port", a_lease_keeps_the_port),
];

fn near() -> [IpAddr; 4] {
    [NEAR_V4.into(), NEAR_V6.into(), [127, 0, 0, 1].into(), "::1".parse().unwrap()]
}

fn lease(ip: IpAddr) -> PortLease {
    PortLease::take(SocketAddr::new(ip, 0)).unwrap()
}

/// Bound alone, and even listening, the kernel answers; deaf, it does not; and when the guard has gone it
/// answers again.
fn the_self_test_tells_a_guarded_port_from_an_open_one() {
    let _world = World::new();
    let clock = Clock::new();
    for ip in near() {
        let bound = lease(ip);
        let port = bound.local();
        assert_eq!(SelfTest::new(clock).probe(port), Proof::Answered, "bound: {port}");
        let guard = Guard::stand(Choice::Auto, bound, &mut SelfTest::new(clock)).unwrap();
        assert_eq!(guard.proof(), &Proof::Silent);
        assert_eq!(SelfTest::new(clock).probe(port), Proof::Silent, "guarded: {port}");
        drop(guard);
        assert_eq!(SelfTest::new(clock).probe(port), Proof::Answered, "unguarded again: {port}");
        let listening = std::net::TcpListener::bind(port).unwrap();
        assert_eq!(SelfTest::new(clock).probe(port), Proof::Answered, "listening: {port}");
        drop(listening);
    }
}

/// P-08: many at once, on guarded and on open ports: each hears the answer to its own probe.
fn p08_self_tests_do_not_believe_each_others_answers() {
    const THREADS: usize = 4;
    const PROBES: usize = 100;
    let _world = World::new();
    let clock = Clock::new();
    let test = move |n: usize| {
        let open = lease(NEAR_V4.into());
        let mut test = SelfTest::new(clock);
        let guard = Guard::stand(Choice::Auto, lease(NEAR_V4.into()), &mut test).unwrap();
        for _ in 0..PROBES {
            assert_eq!(test.probe(open.local()), Proof::Answered, "thread {n}");
            assert_eq!(test.probe(guard.local()), Proof::Silent, "thread {n}");
        }
    };
    let threads: Vec<_> = (0..THREADS).map(|n| std::thread::spawn(move || test(n))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Loopback is down in a new namespace: the kernel cannot be asked, and that is no proof of anything.
fn the_self_test_says_when_it_cannot_tell() {
    unshare_network().unwrap();
    let proof = SelfTest::new(Clock::new()).probe(SocketAddr::from(([127, 0, 0, 1], 4000)));
    assert!(matches!(proof, Proof::Untestable(_)), "{proof:?}");
}

/// The self-test's own probe is not counted; what comes after is.
fn a_guard_counts_what_it_keeps_from_the_kernel() {
    let _world = World::new();
    for (kind, ip) in [Kind::Listener, Kind::Nft].into_iter().flat_map(|kind| near().map(|ip| (kind, ip))) {
        let mut test = SelfTest::new(Clock::new());
        let mut guard = Guard::stand(Choice::Only(kind), lease(ip), &mut test).unwrap();
        assert_eq!((guard.kind(), guard.name(), guard.proof()), (Some(kind), kind.name(), &Proof::Silent));
        assert_eq!(guard.tally(0), Tally { held_back: Some(0), lost: false });
        for count in 1..=3 {
            draw_answer_from(guard.local());
            assert_eq!(guard.tally(0).held_back, Some(count), "{kind} {ip}");
        }
        guard.begin();
        assert_eq!(guard.tally(0).held_back, Some(0), "another exchange begins");
    }
}

fn a_lease_keeps_the_port() {
    let _world = World::new();
    for ip in near() {
        let lease = lease(ip);
        let again = PortLease::take(lease.local()).unwrap_err().to_string();
        assert!(again.starts_with(&format!("port {} is taken", lease.local().port())), "{again}");
        assert!(std::net::TcpListener::bind(lease.local()).is_err());
        let port = lease.local();
        drop(lease);
        PortLease::take(port).unwrap();
    }
}

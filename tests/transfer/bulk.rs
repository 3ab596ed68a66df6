//! Much text both ways over links that lose, double and reorder: all of it arrives, once and in order.

use std::time::Duration;

use tcpshake::tcp::{Offer, Origin};

use crate::world::*;

pub const ACTIVE: [Origin; 2] = [Origin::Active, Origin::Passive];

/// 16 MiB each way, numbers wrapping on the way; with and without SACK, with and without timestamps. What is sent
/// again is what was lost, and little more.
#[track_caller]
fn sixteen_mebibytes(lost: u64, limit: Duration) {
    for (seed, sack, timestamps) in [(1, false, false), (2, true, false), (3, false, true), (4, true, true)] {
        let offer = Offer::SACK.only_if(sack) | Offer::TIMESTAMPS.only_if(timestamps);
        let link = Link { lost, ..Link::new(5) };
        let mut world = World::new(&parameters(8960, offer), &link, seed, [16 << 20; 2]);
        world.open(ACTIVE);
        world.run(limit);
        for (end, link) in world.ends.iter().zip(&world.links) {
            let again = end.octets - end.total;
            assert!(again <= link.gone + link.gone / 2, "{again} octets sent again, {} lost", link.gone);
        }
    }
}

#[test]
fn sixteen_mebibytes_each_way() {
    sixteen_mebibytes(0, Duration::from_secs(1)); // a window of 1 MiB fills a link of 10 ms sixteen times
}
#[test]
fn sixteen_mebibytes_each_way_one_percent_lost() {
    sixteen_mebibytes(10, Duration::from_secs(10));
}
#[test]
fn sixteen_mebibytes_each_way_five_percent_lost() {
    sixteen_mebibytes(50, Duration::from_secs(60));
}

/// The same in everyday segments.
#[test]
fn sixteen_mebibytes_in_segments_of_1460() {
    let link = Link { lost: 10, ..Link::new(5) };
    let mut world = World::new(&parameters(1460, Offer::SACK), &link, 5, [16 << 20; 2]);
    world.open(ACTIVE);
    world.run(Duration::from_secs(60));
}

/// B-14: 30 % lost, 10 % doubled, some overtaken, the open and the close among them; with every offer, and by
/// every kind of open.
#[test]
fn b14_many_seeds_of_losses_doubles_and_reordering() {
    let opens = [ACTIVE, [Origin::Active; 2], [Origin::Active, Origin::Split]];
    for seed in 0..300 {
        let offer = Offer::SACK.only_if(seed % 2 == 0) | Offer::TIMESTAMPS.only_if(seed % 4 < 2);
        let link = Link { lost: 300, doubled: 100, late: 200, ..Link::new(10) };
        let total = [20_000 + seed, 20_000 * (seed % 3)];
        let mut world = World::new(&parameters(1000, offer), &link, seed, total);
        world.open(opens[(seed % 3) as usize]);
        world.run(Duration::from_secs(3600));
    }
}

/// RFC 6675 section 2: a duplicate of a segment tells nothing new, and nothing is sent again. Without SACK, two
/// copies of a segment and two of each of its acknowledgments look like a loss; one of them alone does not.
#[test]
fn doubles_alone_draw_no_retransmission() {
    for (sack, acks_doubled) in [(true, 300), (false, 0)] {
        let link = Link { doubled: 300, ..Link::new(10) };
        let mut world = World::new(&parameters(1000, Offer::SACK.only_if(sack)), &link, 9, [500_000, 0]);
        world.links[1].doubled = acks_doubled;
        world.open(ACTIVE);
        world.run(Duration::from_secs(60));
        assert_eq!(world.ends[0].octets, 500_000, "sack {sack}");
    }
}

/// The link is used: at least 90 % of 10 Mbit/s at a round trip of 50 ms, headers not counted, once the window
/// has grown; with an adequate queue, and one too short for what slow start sends at the last (RFC 5681).
#[test]
fn full_use_of_ten_megabits_at_fifty_milliseconds() {
    const RATE: u64 = 10_000_000 / 8;
    for (sack, queue) in [(true, 1 << 20), (false, 1 << 20), (true, 64_000), (false, 64_000)] {
        let link = Link { rate: Some(RATE), queue, ..Link::new(25) };
        let total = [32 << 20, 0];
        let mut world = World::new(&parameters(1460, Offer::SACK.only_if(sack)), &link, 6, total);
        world.ends[0].closes = false;
        world.ends[1].closes = false;
        world.open(ACTIVE);
        world.run_for(Duration::from_secs(8)); // slow start and its end; without SACK, a loss takes a round trip
        let before = world.ends[1].taken;
        let took = world.run(Duration::from_secs(60));
        let goodput = (total[0] - before) as f64 / took.as_secs_f64();
        let most = RATE as f64 * 1460.0 / 1500.0;
        assert!(goodput >= 0.9 * most, "sack {sack}, queue {queue}: {:.1} %", 100.0 * goodput / most);
    }
}

/// MUST-34, MUST-37, MUST-39: a user that takes little at a time, and none for minutes: the peer is held up by the
/// window, not by losses, and all arrives.
#[test]
fn slow_reader_holds_up_the_peer() {
    for lost in [0, 100] {
        let link = Link { lost, ..Link::new(10) };
        let total = [3 << 20, 0];
        let mut world = World::new(&parameters(1000, Offer::SACK), &link, 7, total);
        world.ends[1].reads = 0;
        world.open(ACTIVE);
        world.run_for(Duration::from_secs(600));
        let unread = world.ends[1].stream.unread().len();
        assert!((1 << 20..2 << 20).contains(&unread), "{unread} unread, a window of 1 MiB");
        if lost == 0 {
            let probes = world.ends[0].octets - unread as u64;
            assert!(probes < 30, "{probes} octets for nothing");
        }
        world.ends[1].reads = 700;
        world.turn(1);
        world.run_for(Duration::from_secs(60));
        world.ends[1].reads = usize::MAX;
        world.turn(1);
        world.run(Duration::from_secs(3600));
    }
}

/// Random losses of many segments in a window, then none: with SACK each is sent again once, as a rule. When
/// retransmissions are lost, too, some text is sent more often; over many seeds that is little.
#[test]
fn losses_of_one_window_are_sent_again_once() {
    let (mut exact, mut again, mut gone) = (0, 0, 0);
    for seed in 0..100 {
        let mut world = World::new(&parameters(1000, Offer::SACK), &Link::new(20), seed, [400_000, 0]);
        world.open(ACTIVE);
        world.run_for(Duration::from_millis(150));
        world.links[0].lost = 200;
        world.run_for(Duration::from_millis(45));
        world.links[0].lost = 0;
        world.run(Duration::from_secs(60));
        let resent = world.ends[0].octets - 400_000;
        exact += u64::from(resent == world.links[0].gone);
        again += resent;
        gone += world.links[0].gone;
    }
    assert!(exact >= 80, "{exact} of 100");
    assert!(again >= gone && again < gone + gone / 60, "{gone} lost, {again} sent again");
}

/// N-07, SHLD-6: the path narrows in the midst of a transfer, twice, and takes losses besides: all arrives, and what was
/// too large alone is sent again.
#[test]
fn n07_path_narrows_on_the_way() {
    for (seed, lost) in [(1, 0), (2, 0), (3, 10), (4, 50)] {
        let offer = Offer::SACK.only_if(seed % 2 == 0) | Offer::TIMESTAMPS.only_if(seed > 2);
        let link = Link { lost, ..Link::new(10) };
        let mut world = World::new(&parameters(1460, offer), &link, seed, [8 << 20, 1 << 20]);
        world.open(ACTIVE);
        for room in [1360, 512] {
            world.run_for(Duration::from_millis(100));
            assert!(!world.is_done(), "there is more to send");
            world.links[0].room = room;
        }
        world.run(Duration::from_secs(120));
        let end = &world.ends[0];
        let (again, gone) = (end.octets - end.total, world.links[0].gone);
        assert!(again <= 2 * gone, "seed {seed}: {again} octets sent again, {gone} lost");
    }
}

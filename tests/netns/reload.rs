//! Somebody reloads the firewall while an exchange runs.

use std::net::SocketAddr;

use tcpshake::lab::NEAR_V4;

use crate::Named;
use crate::capture::{assert_told_as_captured, resets_from};
use crate::run::{sh, text, unwrapped};
use crate::scripted::{Scripted, start};
use crate::world::World;

pub(crate) const TESTS: &[Named] = &[
    ("a_flush_of_all_tables_by_nft_passes_over_our_guard", a_flush_passes_over_our_guard),
    ("a_reload_by_iptables_is_told_in_json", a_reload_is_told_in_json),
    ("a_reload_by_iptables_is_told_in_the_verdict", a_reload_is_told_in_the_verdict),
];

/// Nobody else can change a table that has an owner.
fn a_flush_passes_over_our_guard() {
    let (world, mut peer, running) = start(&["--guard", "nft", "--close", "passive"]);
    let ack = peer.open();
    sh("nft add table inet somebodys");
    assert_eq!(sh("nft list tables").lines().count(), 2);
    sh("nft flush ruleset");
    let tables = sh("nft list tables");
    assert!(tables.starts_with("table inet tcpshake-") && tables.lines().count() == 1, "{tables}");

    peer.talk_and_close(&ack);
    let run = running.finish();
    run.assert_ended(0, "completed");
    assert_told_as_captured(&run, &world.capture.segments());
    let end = run.end();
    assert_eq!((&end["kernel_resets"], &end["guard_lost"]), (&0.into(), &false.into()));
    assert!(end["held_back"].as_u64() >= Some(2), "one before the flush, the others after it: {end}");
}

/// Rules in iptables' tables are anybody's, and gone; each a reload of its kind.
const RELOADS: [&str; 2] = ["iptables -t raw -F", "printf '*raw\\nCOMMIT\\n' | iptables-restore"];

fn a_reload_is_told_in_json() {
    for reload in RELOADS {
        let (world, mut peer, running) = start(&["--guard", "iptables", "--close", "passive"]);
        let ack = peer.open();
        assert_eq!(resets_from(&world.capture.segments(), NEAR_V4.into()), 0, "until then it stood");
        sh(reload);
        peer.talk_and_close(&ack);
        let run = running.finish();
        run.assert_ended(0, "completed");
        let told = run.steps().filter(|step| step["event"] == "kernel-reset").count();
        let captured = resets_from(&world.capture.segments(), NEAR_V4.into());
        assert!(
            told > 0 && (told..=told + 1).contains(&captured),
            "the last may come after the end: {run:#?}"
        );
        let end = run.end();
        assert_eq!((&end["guard_lost"], end["held_back"].is_null()), (&true.into(), true), "{end}");
        assert_eq!(end["kernel_resets"], told, "{end}");
    }
}

fn a_reload_is_told_in_the_verdict() {
    let world = World::new();
    let mut peer = Scripted::start(&world, SocketAddr::from((NEAR_V4, 40_000)));
    let target = peer.address.to_string();
    let program = std::thread::spawn(move || {
        text(&["connect", &target, "--source-port", "40000", "--guard", "iptables", "--close", "passive"])
    });
    let ack = peer.open();
    sh(RELOADS[0]);
    peer.talk_and_close(&ack);
    let (code, shown, _) = program.join().unwrap();
    assert_eq!(code, Some(0));
    for words in
        ["RST by the kernel", "RST of its own: no guard held it back", "the guard was taken away meanwhile"]
    {
        assert!(unwrapped(&shown).contains(words), "{shown}");
    }
    assert!(shown.contains("kernel answers not counted"), "nobody has: {shown}");
}

//! `guard status`, `test` and `clean`.

use std::net::TcpListener;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use tcpshake::lab::unshare_network;

use super::{BY_IPTABLES, LISTENER, NFT, PORT};
use crate::Named;
use crate::run::{Said, TCPSHAKE, children, command, sees_all_processes};
use crate::world::{LOOPBACKS, SILENT, World, alone, bound_to, draw_answers_from, kernel_answers_on};

pub(crate) const TESTS: &[Named] = &[
    ("guards_by_iptables_of_dead_owners_are_found_and_removed", dead_owners),
    ("guard_status_lists_guards", status),
    ("guard_status_by_iptables_tells_whose_rules_they_are", status_of_rules),
    ("guard_status_says_what_it_could_not_look_at", status_without_privileges),
    ("guard_test_asks_the_kernel", guard_test),
    ("guard_test_says_when_it_cannot_tell", guard_test_in_the_dark),
    ("guard_clean_needs_iptables", clean_without_iptables),
];

fn dead_owners() {
    for case in &BY_IPTABLES {
        alone();
        let leave = || {
            let holder = case.up("--port 40000");
            for script in children(holder.pid()) {
                kill(script, Signal::SIGKILL).unwrap();
            }
            holder.killed();
            assert_eq!(kernel_answers_on(PORT), SILENT, "the rules stand yet");
        };
        leave();
        for found in case.found() {
            assert_eq!((&found["owner"], &found["command"]), (&"dead".into(), &Value::Null), "{found}");
        }
        let said = case.guard("status").assert_well().stdout;
        assert!(said.contains(", dead)") && said.contains("sudo tcpshake guard clean\n"), "{said}");
        assert_eq!(case.guard("clean").assert_well().stdout, "rules of dead owners removed: 2\n");
        case.assert_nothing_is_left();
        assert_eq!(case.guard("clean").assert_well().stdout, "rules of dead owners removed: 0\n");
        leave();
        case.guard("run -q --port 50000 --guard iptables true").assert_silent(0);
        case.assert_nothing_is_left();
    }
}

fn status() {
    const NO_IPTABLES: &str = "cannot look for iptables guards: there is no /nonexistent here\n";
    alone();
    let text = || LISTENER.guard("status").assert_well().stdout;
    assert_eq!(text(), format!("no guard found\n{NO_IPTABLES}"));
    let others = LOOPBACKS.map(|ip| TcpListener::bind((ip, 50_000)).unwrap());
    assert_eq!(LISTENER.found(), [] as [Value; 0], "a listener of another program is no guard");
    drop(others);

    let holder = LISTENER.up("--port 40000");
    let pid = holder.pid();
    let line = |covers: &str| format!("listener  {covers}  (tcpshake (pid {pid}), lives)\n");
    assert_eq!(text(), line("port 40000, ipv4") + &line("port 40000, ipv6") + NO_IPTABLES);
    let found = |family: &str| {
        json!({"type": "guard", "guard": "listener", "ports": "40000", "family": family, "address": null,
               "peer": null, "pid": pid.as_raw(), "command": "tcpshake", "owner": "lives", "held_back": null})
    };
    let unseen = json!({"type": "unseen", "guard": "iptables", "why": "there is no /nonexistent here"});
    let lines = LISTENER.guard("status --format json").assert_well().json();
    assert_eq!(lines, [found("ipv4"), found("ipv6"), unseen]);
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();

    let holder = NFT.up("--port 40000-40009,7 --address 127.0.0.1");
    let expected = format!(
        "nft       port 7,40000-40009 of 127.0.0.1  (tcpshake (pid {}), lives)  2 held back\n",
        holder.pid()
    );
    assert_eq!(text(), expected + NO_IPTABLES, "the self-test's own, at the lowest and the highest port");
    NFT.guard("down --port 7,40000-40009 --address 127.0.0.1").assert_well();
    holder.ended();
}

fn status_of_rules() {
    for case in &BY_IPTABLES {
        alone();
        let holder = case.up("--port 40000 --address 127.0.0.1");
        let (pid, program) = (holder.pid(), case.tables.v4);
        let by_hand = ["-t", "raw", "-A", "OUTPUT", "-p", "tcp", "--sport", "8:9", "-d", "10.1.2.3"];
        for tag in ["tcpshake:kept", "tcpshake:7.8@9"] {
            let rest = ["-m", "comment", "--comment", tag, "-j", "DROP"];
            Said::by(&mut command(program, &[&by_hand[..], &rest].concat())).assert_well();
        }
        let before = case.found()[0]["held_back"].as_i64().unwrap(); // the self-test's own
        draw_answers_from(PORT);
        let held = before + 1;
        // Root of the first namespaces knows that nobody is in another.
        let (elsewhere, owner) = if sees_all_processes() {
            (", dead", "dead")
        } else {
            (" of another pid namespace", "elsewhere")
        };
        let expected = format!(
            "iptables  port 40000 of 127.0.0.1/32  (tcpshake (pid {pid}), lives)  {held} held back\n\
             iptables  port 8-9, ipv4, to 10.1.2.3/32  (nobody: put up by hand)  0 held back\n\
             iptables  port 8-9, ipv4, to 10.1.2.3/32  (pid 7{elsewhere})  0 held back\n"
        );
        let status = case.guard("status").assert_well().stdout;
        assert!(status.starts_with(&expected), "{expected}{status}");
        let told: Vec<Value> = case
            .found()
            .iter()
            .map(|found| json!([found["owner"], found["pid"], found["held_back"]]))
            .collect();
        assert_eq!(
            told,
            [json!(["lives", pid.as_raw(), held]), json!(["nobody", null, 0]), json!([owner, 7, 0])]
        );
        let said = bound_to(&[], || case.guard("status")).assert_well().stdout;
        assert!(said.contains("cannot look for iptables guards: iptables-"), "{said}");
        assert!(said.ends_with("(run it as root)\n"), "{said}");
        case.guard("down --port 40000 --address 127.0.0.1").assert_well();
        holder.ended();
    }
}

fn status_without_privileges() {
    alone();
    let holder = LISTENER.up("--port 40000");
    let [text, json] =
        ["status", "status --format json"].map(|status| bound_to(&[], || LISTENER.guard(status)));
    let text = text.assert_well().stdout;
    assert!(
        text.contains(&format!("listener  port 40000, ipv4  (tcpshake (pid {}), lives)\n", holder.pid())),
        "{text}"
    );
    assert!(text.contains("cannot look for nft guards: operation not permitted"), "{text}");
    let unseen: Vec<Value> =
        json.assert_well().json().into_iter().filter(|line| line["type"] == "unseen").collect();
    assert_eq!((&unseen[0]["guard"], &unseen[1]["guard"]), (&"nft".into(), &"iptables".into()));
    LISTENER.guard("down --port 40000").assert_well();
    holder.ended();
}

fn guard_test() {
    let _world = World::new();
    let test = |arguments: &str| LISTENER.guard(&format!("test {arguments}"));
    let answers =
        |ip| format!("port 40000 of {ip}: the kernel answers with RST: nothing holds it back here\n");
    let said = test("40000");
    assert_eq!(
        (said.code, said.stdout, &*said.stderr),
        (Some(1), answers("127.0.0.1") + &answers("::1"), "")
    );
    let said = test("40000 --address fd99::1");
    assert_eq!((said.code, said.stdout), (Some(1), answers("fd99::1")));

    let holder = LISTENER.up("--port 40000 --address 127.0.0.1");
    assert_eq!(test("40000 --address 127.0.0.1").code, Some(0));
    let said = test("40000 --format json");
    let line = |address: &str, kernel: &str| json!({"type": "test", "address": address, "port": 40000, "kernel": kernel, "why": null});
    assert_eq!(
        (said.code, said.json()),
        (Some(1), vec![line("127.0.0.1", "silent"), line("::1", "answers")])
    );
    LISTENER.guard("down --port 40000 --address 127.0.0.1").assert_well();
    holder.ended();
    // One that cannot be asked does not hide another that answers.
    let mut around = NFT.command("run -q --port 1-65535 --address ::1 --guard nft", &[TCPSHAKE]);
    let said = Said::by(around.args(["guard", "test", "40000"]));
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.contains("of ::1: the kernel cannot be asked"), "{said:?}");
    test("40000 --address 192.0.2.1").assert_complaint(8, "192.0.2.1 is not one of this machine's");
    for wrong in ["0", "65536", "40000-40001", "http", ""] {
        assert_eq!(test(wrong).code, Some(2), "{wrong}");
    }
}

fn guard_test_in_the_dark() {
    unshare_network().unwrap(); // its loopback is down
    let said = NFT.guard("test 40000");
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.stdout.starts_with("port 40000 of 127.0.0.1: the kernel cannot be asked: "), "{said:?}");
    let said = NFT.guard("test 40000 --format json");
    let line = &said.json()[0];
    assert_eq!((said.code, &line["kernel"], line["why"].is_string()), (Some(8), &"unknown".into(), true));
    // A guard stands all the same, and says that it is not proven.
    let said = NFT.guard("run --port 40000 --guard nft true");
    assert_eq!(said.code, Some(0));
    assert!(said.stderr.starts_with("tcpshake: guard on port 40000: nft, not tested: "), "{said:?}");
    alone();
    let said = bound_to(&[], || NFT.guard("test 40000"));
    assert_eq!(said.code, Some(8), "{said:?}");
    assert!(said.stdout.contains("needs CAP_NET_RAW"), "{said:?}");
}

fn clean_without_iptables() {
    alone();
    NFT.guard("clean").assert_complaint(8, "cannot remove rules: there is no /nonexistent here");
}

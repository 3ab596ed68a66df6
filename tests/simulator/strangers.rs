//! smoltcp as the peer, in all four roles of open and close and with crossing FINs, text both ways: in fair weather
//! and with default settings, and in bad weather as long as it takes.

use std::net::SocketAddr;
use std::time::Duration;

use tcpshake::driver::{Close, Plan};
use tcpshake::lab::simulated::server_address;
use tcpshake::lab::{FAR_V6, NEAR_V6};
use tcpshake::record::{Ending, Missing, Outcome, Role as Opener};
use tcpshake::tcp::{Mss, Parameters, Retries, SeqNum, State};
use tcpshake::wire::faulty::Climate;

use crate::exchange::{Exchange, Setup, run};
use crate::figures::Figures;
use crate::judge::run_and_judge;
use crate::pattern::{Chance, pattern};
use crate::seed::{Seed, asked_for};
use crate::stranger::{Closes, Role, Smoltcp};
use crate::weather::{LOCAL, PORT, fair, rough};

/// Who opens.
#[derive(Clone, Copy, Debug)]
enum Opens {
    We,
    It,
}

/// Who closes.
#[derive(Clone, Copy, Debug)]
enum Ends {
    WeFirst,
    ItFirst,
    Both,
}

const ROLES: [(Opens, Ends); 6] = [
    (Opens::We, Ends::WeFirst),
    (Opens::We, Ends::ItFirst),
    (Opens::We, Ends::Both),
    (Opens::It, Ends::WeFirst),
    (Opens::It, Ends::ItFirst),
    (Opens::It, Ends::Both),
];

/// An exchange in these roles, with the program's settings.
fn usual(seed: u64, (opens, ends): (Opens, Ends), climate: Climate) -> (Setup, Role) {
    let chance = &mut Chance::new(seed);
    let texts = [text(chance), text(chance)];
    let mut plan =
        Plan::new(server_address(PORT), SeqNum((chance.next() as u32 % 100_000).wrapping_sub(70_000)));
    plan.parameters.mss = Mss::new(1460).unwrap();
    plan.begun = Some(tcpshake::time::Instant::ORIGIN);
    plan.simulated = true;
    let mut role =
        Role { opens: None, closes: Closes::AfterPeer, text: texts[1], buffer: 65_535, seed: chance.next() };
    if matches!(opens, Opens::It) {
        plan.role = Opener::Passive;
        role.opens = Some(LOCAL.into());
    }
    match ends {
        Ends::WeFirst => plan.await_text = texts[1].len() as u64,
        Ends::ItFirst => plan.close = Close::Passive,
        Ends::Both => plan.half_close = true,
    }
    if !matches!(ends, Ends::WeFirst) {
        role.closes = Closes::First;
    }
    let delay = Duration::from_millis(1 + chance.next() % 100);
    let setup = Setup {
        local: LOCAL.into(),
        plan,
        texts,
        piece: usize::MAX,
        irs: None,
        delay,
        climates: [climate; 2],
        seed,
    };
    (setup, role)
}

/// 1 KiB to 64 KiB.
fn text(chance: &mut Chance) -> &'static [u8] {
    pattern(chance.next(), 1024 + chance.next() as usize % (64 * 1024 - 1023))
}

fn assert_closed(exchange: &Exchange) {
    assert_eq!(exchange.summary.outcome, Outcome::Completed(Ending::Closed));
}

#[test]
fn in_fair_weather_all_roles_need_no_retransmission() {
    for role in ROLES {
        for seed in 0..5 {
            let _seed = Seed::under_way(seed, "in_fair_weather");
            let (setup, role) = usual(seed, role, fair());
            let exchange = run_and_judge(&setup, Smoltcp::new(setup.plan.remote, role));
            assert_closed(&exchange);
            assert_eq!(exchange.summary.retransmissions, 0, "{role:?}");
        }
    }
}

/// The same over IPv6.
#[test]
fn in_fair_weather_over_ipv6() {
    for role in ROLES {
        let (mut setup, mut role) = usual(6, role, fair());
        setup.local = SocketAddr::from((NEAR_V6, LOCAL.1));
        setup.plan.remote = SocketAddr::from((FAR_V6, PORT));
        setup.plan.parameters.mss = Mss::new(1440).unwrap();
        role.opens = role.opens.map(|_| setup.local);
        assert_closed(&run_and_judge(&setup, Smoltcp::new(setup.plan.remote, role)));
    }
}

/// Completed; or all was said and heard on both sides, and then smoltcp has left TIME-WAIT after ten seconds instead of
/// 2 MSL, and resets who still repeats its FIN.
fn is_closed_for_smoltcp(setup: &Setup, exchange: &Exchange) -> bool {
    let [heard_by_us, heard_by_it] = exchange.heard.each_ref().map(Vec::as_slice);
    match exchange.summary.outcome {
        Outcome::Completed(Ending::Closed) => true,
        Outcome::CloseIncomplete { missing: Missing::FinAcknowledgmentReset, .. } => {
            exchange.peer_is_over && heard_by_us == setup.texts[1] && heard_by_it == setup.texts[0]
        }
        _ => false,
    }
}

#[test]
fn in_bad_weather_all_roles_come_to_their_end() {
    let one = |n: u64| {
        let (seed, role) = (n, ROLES[n as usize % ROLES.len()]);
        let _seed = Seed::under_way(seed, "in_bad_weather");
        let (mut setup, mut role) = usual(seed, role, rough());
        setup.plan.timeout = Duration::from_secs(3600);
        let chance = &mut Chance::new(!seed);
        setup.piece = 1 + chance.next() as usize % 10_000;
        let mut one_of = |all: &[u32]| all[chance.next() as usize % all.len()];
        setup.plan.parameters = Parameters {
            mss: Mss::new(one_of(&[536, 1220, 1460]) as u16).unwrap(),
            retries: Retries::Unlimited,
            ..setup.plan.parameters
        };
        role.buffer = one_of(&[2000, 20_000, 65_535, 200_000]) as usize;
        let exchange = run_and_judge(&setup, Smoltcp::new(setup.plan.remote, role));
        assert!(is_closed_for_smoltcp(&setup, &exchange), "{}", exchange.summary.outcome);
        exchange
    };
    let figures = Figures::of(asked_for().map_or(0..180, |seed| seed..seed + 1), one);
    println!("smoltcp: {figures}");
}

/// H-06: FINs that cross.
#[test]
fn h06_smoltcp_agrees_on_a_simultaneous_close() {
    let (setup, role) = usual(7, (Opens::We, Ends::Both), fair());
    let setup = Setup { texts: [&[]; 2], ..setup };
    let exchange = run_and_judge(&setup, Smoltcp::new(setup.plan.remote, Role { text: &[], ..role }));
    assert_closed(&exchange);
    assert!(exchange.visited.contains(&State::Closing));
}

#[test]
fn smoltcp_agrees_on_a_reset() {
    let (mut setup, role) = usual(8, (Opens::We, Ends::WeFirst), fair());
    setup.plan.close = Close::Reset;
    let exchange = run(&setup, Smoltcp::new(setup.plan.remote, role));
    assert_eq!(exchange.summary.outcome, Outcome::Completed(Ending::ResetByUs));
    assert!(exchange.peer_is_over);
}

/// M-01, M-03: our numbers wrap wherever they can, in a SYN, within the text, in the FIN.
#[test]
fn m01_m03_smoltcp_agrees_at_the_wrap() {
    for before in [0, 1, 2, 500, 1460, 20_000] {
        let (mut setup, role) = usual(9, (Opens::We, Ends::WeFirst), fair());
        setup.plan.iss = SeqNum(u32::MAX - before);
        assert_closed(&run_and_judge(&setup, Smoltcp::new(setup.plan.remote, role)));
    }
}

//! The programs run here on an interpreter of the few instructions they use, with the ancillary values a
//! test chooses. That the kernel agrees is what the tests in network namespaces show.

use super::*;
use crate::packet::ip::IpFields;
use crate::packet::{Addresses, Ports, emit};
use crate::tcp::{Flags, Segment};

const OURS: u32 = 4;

struct Context {
    interface: u32,
    outgoing: bool,
}

const ARRIVES: Context = Context { interface: OURS, outgoing: false };
const LEAVES: Context = Context { interface: OURS, outgoing: true };

fn accepts(program: &[sock_filter], packet: &[u8], context: &Context) -> bool {
    let (mut a, mut x, mut pc) = (0_u32, 0_u32, 0);
    let read = |at: usize, len: usize| -> Option<u32> {
        Some(packet.get(at..at + len)?.iter().fold(0, |value, octet| value << 8 | u32::from(*octet)))
    };
    loop {
        let i = program[pc];
        pc += 1;
        let loaded = match u32::from(i.code) {
            LD_H if i.k == AD_PROTOCOL => Some(if packet[0] >> 4 == 4 { 0x800 } else { 0x86dd }),
            LD_W if i.k == AD_IFINDEX => Some(context.interface),
            LD_W if i.k == AD_MARK => Some(0),
            LD_B if i.k == AD_PKTTYPE => Some(if context.outgoing { 4 } else { 0 }),
            LD_W => read(i.k as usize, 4),
            LD_B => read(i.k as usize, 1),
            LD_H_X => read((x + i.k) as usize, 2),
            LD_B_X => read((x + i.k) as usize, 1),
            LDX_IHL => {
                let Some(first) = packet.get(i.k as usize) else {
                    return false;
                };
                x = u32::from(first & 0xf) * 4;
                continue;
            }
            LDX => {
                x = i.k;
                continue;
            }
            RET => return i.k != 0,
            code => {
                let yes = match code {
                    JEQ => a == i.k,
                    JGE => a >= i.k,
                    JGT => a > i.k,
                    JSET => a & i.k != 0,
                    other => panic!("instruction {other:#x}"),
                };
                pc += usize::from(if yes { i.jt } else { i.jf });
                continue;
            }
        };
        match loaded {
            Some(value) => a = value,
            None => return false, // the kernel drops a packet too short for a load
        }
    }
}

fn selection(v6: bool) -> Selection {
    let [local, remote] = if v6 { ["fd99::1", "fd99::2"] } else { ["10.99.0.1", "10.99.0.2"] };
    Selection {
        local: local.parse().unwrap(),
        local_ports: PortSpan::one(40_000),
        remote: remote.parse().unwrap(),
        remote_port: Some(80),
        interface: OURS,
        kernels_interface: None,
    }
}

fn packet(from: (IpAddr, u16), to: (IpAddr, u16), flags: Flags) -> Vec<u8> {
    let ip = IpFields::new(Addresses::new(from.0, to.0).unwrap());
    let mut buffer = [0; 200];
    let ports = Ports { source: from.1, destination: to.1 };
    let len = emit(&ip, ports, &Segment { flags, ..Segment::default() }, b"", &mut buffer).unwrap();
    buffer[..len].to_vec()
}

#[test]
fn only_the_other_ends_segments_arrive() {
    for v6 in [false, true] {
        let s = selection(v6);
        let program = s.program();
        let (local, remote) = ((s.local, 40_000), (s.remote, 80));
        let good = packet(remote, local, Flags::SYN | Flags::ACK);
        assert!(accepts(&program, &good, &ARRIVES));
        assert!(!accepts(&program, &good, &LEAVES));
        assert!(!accepts(&program, &good, &Context { interface: 9, ..ARRIVES }));
        assert!(!accepts(&program, &good, &Context { interface: LOOPBACK, ..ARRIVES }));
        for len in 0..good.len().min(if v6 { 44 } else { 24 }) {
            assert!(len == 0 || !accepts(&program, &good[..len], &ARRIVES), "cut to {len}");
        }
        for (from, to) in [
            ((s.remote, 81), local),
            (remote, (s.local, 40_001)),
            ((s.local, 80), local),
            (remote, (s.remote, 40_000)),
        ] {
            assert!(!accepts(&program, &packet(from, to, Flags::ACK), &ARRIVES));
        }
        let any_port = Selection { remote_port: None, ..s }.program();
        assert!(accepts(&any_port, &packet((s.remote, 81), local, Flags::ACK), &ARRIVES));
    }
}

#[test]
fn a_span_of_ports_ends_at_both_ends() {
    for v6 in [false, true] {
        let local_ports = PortSpan { first: 40_000, last: 40_010 };
        let s = Selection { local_ports, interface: ALL_INTERFACES, remote_port: None, ..selection(v6) };
        let (resets, syns) = (unmarked_resets(&s, 0x53), leaving_syns(&s));
        for (port, ours) in [(39_999, false), (40_000, true), (40_005, true), (40_010, true), (40_011, false)]
        {
            let (local, remote) = ((s.local, port), (s.remote, 80));
            let arrives = packet(remote, local, Flags::ACK);
            assert_eq!(accepts(&s.program(), &arrives, &ARRIVES), ours, "{port}");
            assert_eq!(accepts(&resets, &packet(local, remote, Flags::RST), &LEAVES), ours, "{port}");
            assert_eq!(accepts(&syns, &packet(local, remote, Flags::SYN), &LEAVES), ours, "{port}");
            assert!(!accepts(&syns, &packet(local, remote, Flags::SYN), &ARRIVES));
            for others in [Flags::ACK, Flags::SYN | Flags::ACK, Flags::RST, Flags::FIN | Flags::ACK] {
                assert!(!accepts(&syns, &packet(local, remote, others), &LEAVES), "{others}");
            }
        }
    }
}

#[test]
fn a_rst_is_seen_leaving_and_nothing_else_is() {
    for v6 in [false, true] {
        let s = selection(v6);
        let program = s.program();
        let (local, remote) = ((s.local, 40_000), (s.remote, 80));
        let rst = packet(local, remote, Flags::RST);
        assert!(accepts(&program, &rst, &LEAVES));
        assert!(!accepts(&program, &packet(local, remote, Flags::SYN), &LEAVES));
        assert!(!accepts(&program, &packet((s.local, 40_001), remote, Flags::RST), &LEAVES));
        assert!(!accepts(&program, &packet(local, (s.remote, 81), Flags::RST), &LEAVES));
        let any_port = Selection { remote_port: None, ..s }.program();
        assert!(accepts(&any_port, &packet(local, (s.remote, 81), Flags::RST), &LEAVES));
    }
}

/// What arrives by the interface that the kernel would answer by is not for us; only its RST is looked for.
#[test]
fn the_kernels_own_interface_shows_what_leaves() {
    const OTHER: u32 = 9;
    for v6 in [false, true] {
        let s = Selection { kernels_interface: Some(OTHER), ..selection(v6) };
        let program = s.program();
        let (local, remote) = ((s.local, 40_000), (s.remote, 80));
        let rst = packet(local, remote, Flags::RST);
        assert!(accepts(&program, &rst, &LEAVES));
        assert!(accepts(&program, &rst, &Context { interface: OTHER, ..LEAVES }));
        assert!(!accepts(&program, &rst, &Context { interface: OTHER + 1, ..LEAVES }));
        assert!(!accepts(
            &program,
            &packet(local, remote, Flags::SYN),
            &Context { interface: OTHER, ..LEAVES }
        ));
        let arrives = packet(remote, local, Flags::ACK);
        assert!(accepts(&program, &arrives, &ARRIVES));
        assert!(!accepts(&program, &arrives, &Context { interface: OTHER, ..ARRIVES }));
    }
}

#[test]
fn icmp_errors_to_us_arrive_from_our_interface_and_from_loopback() {
    for v6 in [false, true] {
        let s = selection(v6);
        let program = s.program();
        let mut icmp = packet((s.remote, 0), (s.local, 0), Flags::NONE);
        let (protocol, number, kind) = if v6 { (6, 58, 40) } else { (9, 1, 20) };
        icmp[protocol] = number;
        let errors: &[u8] = if v6 { &[1, 2, 3, 4] } else { &[3, 4, 11, 12] };
        for error in 0..=255 {
            icmp[kind] = error;
            let expected = if v6 { error < 128 } else { errors.contains(&error) };
            assert_eq!(accepts(&program, &icmp, &ARRIVES), expected, "type {error}");
            let on_loopback = Context { interface: LOOPBACK, ..ARRIVES };
            assert_eq!(accepts(&program, &icmp, &on_loopback), expected, "type {error}");
            assert!(!accepts(&program, &icmp, &LEAVES));
        }
    }
}

#[test]
fn ipv4_options_and_ipv6_extension_headers_do_not_hide_a_segment() {
    let s = selection(false);
    let plain = packet((s.remote, 80), (s.local, 40_000), Flags::ACK);
    let mut with_options = plain[..20].to_vec();
    with_options[0] = 0x46;
    with_options.extend([148, 4, 0, 0]);
    with_options.extend(&plain[20..]);
    assert!(accepts(&s.program(), &with_options, &ARRIVES));

    let s = selection(true);
    let plain = packet((s.remote, 80), (s.local, 40_000), Flags::ACK);
    let mut chained = plain[..40].to_vec();
    chained[6] = 60;
    chained.extend([6, 0, 1, 4, 0, 0, 0, 0]);
    chained.extend(&plain[40..]);
    assert!(accepts(&s.program(), &chained, &ARRIVES));
}

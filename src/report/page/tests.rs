use std::time::Duration;

use super::*;
use crate::packet::icmp::IcmpVersion;
use crate::packet::{DecodeError, IcmpError};
use crate::record::{Event, Excerpt, IcmpEffect, Opening, Relative, Role, Step};
use crate::tcp::{Arrows, Flags, Segment, SeqNum, State};

const HOSTILE: &str = "</script><script>alert(1)</script>\" onload=\"x\u{2028}\u{202e}";

fn opening() -> Opening {
    Opening {
        number: 1,
        role: Role::Active,
        local: "192.0.2.1:40000".parse().unwrap(),
        remote: "192.0.2.2:80".parse().unwrap(),
        host: None,
        among: None,
        guard: crate::record::GuardSummary::default(),
        at: Duration::ZERO,
        simulated: true,
        source: crate::record::connection::Source::Ourselves,
        unix_seconds: 0,
    }
}

fn step(n: u32, event: Event) -> Step {
    Step {
        exchange: 1,
        n,
        at: Duration::from_millis(u64::from(n)),
        since_1970: Duration::ZERO,
        event,
        arrows: Arrows::default(),
        state: State::SynSent,
        clause: None,
        view: crate::record::View::default(),
        before: crate::record::Standing::default(),
        packet: Box::default(),
        late: false,
        seen: None,
    }
}

fn exchange(events: impl IntoIterator<Item = Event>) -> Exchange {
    let steps: Vec<Step> = events.into_iter().zip(1..).map(|(event, n)| step(n, event)).collect();
    let remote = vec![None; steps.len()];
    Exchange { opening: opening(), steps, remote, negotiation: None, summary: None, left_out: 0 }
}

fn page(exchange: &Exchange, sentences: &[Option<String>]) -> String {
    let shown = [Shown { exchange, sentences }];
    render(&Page { title: "A lesson", introduction: &[], shown: &shown, course: None })
}

fn sent(segment: Segment) -> Event {
    Event::Sent { segment, relative: Relative::default(), text: Excerpt::default(), retransmission: 0 }
}

fn syn() -> Segment {
    Segment { seq: SeqNum(4321), flags: Flags::SYN, ..Segment::default() }
}

#[test]
fn everything_that_can_happen_is_a_rung() {
    let relative = Relative::default();
    let error = IcmpError {
        version: IcmpVersion::V4,
        kind: 3,
        code: 1,
        from: "192.0.2.9".parse().unwrap(),
        local: opening().local,
        remote: opening().remote,
        seq: SeqNum(4321),
        mtu: None,
    };
    let events = [
        sent(syn()),
        Event::Received { segment: syn(), relative, text: Excerpt::default(), ttl: 64 },
        Event::Unsent { segment: syn(), relative, why: HOSTILE.to_owned() },
        Event::Unreadable(DecodeError::Fragment),
        Event::Icmp { error, effect: IcmpEffect::Noted },
        Event::KernelReset(Segment { flags: Flags::RST, ..syn() }, relative),
        Event::Quiet,
    ];
    let count = events.len();
    let page = page(&exchange(events), &[]);
    assert_eq!(page.matches("<li class=\"rung").count(), count);
    for words in
        ["SYN not sent", "unreadable", "ICMP 3/1", "RST by the kernel", "no guard held it back", "no segment"]
    {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn no_text_from_outside_is_markup() {
    let mut exchange = exchange([
        sent(syn()),
        Event::Unsent { segment: syn(), relative: Relative::default(), why: HOSTILE.to_owned() },
    ]);
    exchange.opening.host = Some(HOSTILE.to_owned());
    let sentences = [Some(HOSTILE.to_owned())];
    let shown = [Shown { exchange: &exchange, sentences: &sentences }];
    let link = Link { href: "\"><script>", title: HOSTILE };
    let course = Course { index: "index.html", previous: Some(link), next: Some(link) };
    let lesson = render(&Page {
        title: HOSTILE,
        introduction: &[HOSTILE.to_owned()],
        shown: &shown,
        course: Some(course),
    });
    let list = index(HOSTILE, &[Entry { href: link.href, title: HOSTILE, summary: HOSTILE }]);
    for (page, scripts) in [(&lesson, 3), (&list, 1)] {
        assert_eq!(page.matches("<script").count(), scripts);
        assert_eq!(page.matches("</script").count(), scripts);
        assert!(!page.contains("\" onload") && !page.contains('\u{202e}'), "{page}");
    }
}

#[test]
fn nothing_is_fetched() {
    let page = page(&exchange([sent(syn())]), &[]);
    for fetched in ["http:", "https:", "src=", "url(", "@import", "<link", "<base"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn a_step_without_a_sentence_has_its_rule() {
    let mut exchange = exchange([sent(syn()), sent(syn())]);
    exchange.steps[1].clause = Some(crate::tcp::Clause::ActiveOpen);
    let page = page(&exchange, &[Some("We ask to open.".to_owned()), None]);
    assert!(page.contains("We ask to open."));
    assert!(page.contains("An active open sends a SYN"));
}

#[test]
fn what_is_too_long_for_a_page_is_counted() {
    let page = page(&exchange(vec![sent(syn()); 512]), &[]);
    assert_eq!(page.matches("<li class=\"rung").count(), 500);
    assert!(page.contains("and 12 more steps"));
}

#[test]
fn a_page_without_exchanges_or_steps_is_a_page() {
    let empty = exchange([]);
    for shown in [&[][..], &[Shown { exchange: &empty, sentences: &[] }]] {
        let page = render(&Page { title: "Nothing", introduction: &[], shown, course: None });
        assert!(page.ends_with("</html>") && !page.contains("<li class=\"rung"));
    }
}

#[test]
fn a_course_leads_from_page_to_page() {
    let course = Course {
        index: "index.html",
        previous: None,
        next: Some(Link { href: "02-refused.html", title: "Refused" }),
    };
    let page = render(&Page { title: "Open", introduction: &[], shown: &[], course: Some(course) });
    assert_eq!(page.matches("href=\"02-refused.html\"").count(), 2);
    assert!(!page.contains("rel=\"prev\""));
    let list = index("A course", &[Entry { href: "01-open.html", title: "Open", summary: "How it begins." }]);
    assert!(list.contains("<a href=\"01-open.html\">Open</a>") && list.contains("How it begins."));
}

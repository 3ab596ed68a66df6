//! The lesson page in a browser: pages of simulated exchanges, and what `tests/page/page.test.mjs` finds out about
//! them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic, and run a program")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::slice;
use std::time::Duration;

use tcpshake::driver::{self, Plan, observe::Kept};
use tcpshake::guard::Guard;
use tcpshake::lab::simulated::{SimulatedServer, server_address};
use tcpshake::lesson;
use tcpshake::record::exchange::Exchange;
use tcpshake::report::Format;
use tcpshake::report::json::Json;
use tcpshake::report::page::{self, Course, Entry, Link, Page, Shown};
use tcpshake::tcp::SeqNum;
use tcpshake::wire::memory::MemoryWire;

/// The simulated server listens here.
const PORT: u16 = 7;
/// Whatever it is put into, it must stay text.
const HOSTILE: &str = "</script><img src=x onerror=\"document.title='taken'\">{{x}}\u{2028}\u{202e}";

fn plan(port: u16) -> Plan {
    Plan { simulated: true, timeout: Duration::from_secs(2), ..Plan::new(server_address(port), SeqNum(4321)) }
}

fn exchange(plan: &Plan) -> Exchange {
    let server = SimulatedServer::new(server_address(PORT), SeqNum(9000), plan.parameters);
    let mut wire = MemoryWire::new(server, Duration::from_millis(10));
    let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
    let mut kept = Kept::default();
    driver::run(&guard, &mut wire, plan, &mut kept, &mut || None).unwrap();
    kept.into_exchange().unwrap()
}

fn talk(text: &[u8]) -> Exchange {
    exchange(&Plan { text: text.to_vec(), await_text: text.len() as u64, ..plan(PORT) })
}

/// An exchange as the JSON report tells it.
fn json(exchange: &Exchange) -> String {
    let mut out = String::new();
    let mut json = Json::default();
    json.begin(&exchange.opening, &mut out);
    exchange.steps.iter().for_each(|step| json.step(step, &mut out));
    out
}

/// Writes `NAME.html`, and beside it `NAME.json`, what the page must agree with.
fn write(
    folder: &Path,
    name: &str,
    title: &str,
    exchanges: &[Exchange],
    said: fn(&Exchange) -> Vec<Option<String>>,
) {
    let sentences: Vec<_> = exchanges.iter().map(said).collect();
    let shown: Vec<_> =
        exchanges.iter().zip(&sentences).map(|(exchange, sentences)| Shown { exchange, sentences }).collect();
    let introduction =
        ["Two programs, one connection: how it is opened, used and closed.".to_owned(), title.to_owned()];
    let course = Course {
        index: "index.html",
        previous: None,
        next: Some(Link { href: "refused.html", title: "A port where nobody listens" }),
    };
    let page = Page { title, introduction: &introduction[..1], shown: &shown, course: Some(course) };
    fs::write(folder.join(format!("{name}.html")), page::render(&page)).unwrap();
    fs::write(folder.join(format!("{name}.json")), exchanges.iter().map(json).collect::<String>()).unwrap();
}

fn lessons(exchange: &Exchange) -> Vec<Option<String>> {
    {
        let role = exchange.opening.role;
        exchange.steps.iter().map(|step| Some(lesson::sentence(role, step))).collect()
    }
}

fn write_pages(folder: &Path) {
    let hello = talk(b"hello");
    let refused = exchange(&plan(PORT + 1));
    let at_the_wrap =
        Plan { iss: SeqNum(u32::MAX - 4000), text: vec![b'x'; 9000], await_text: 9000, ..plan(PORT) };
    let long = exchange(&at_the_wrap);
    let silent = exchange(&Plan { remote: "10.99.0.3:7".parse().unwrap(), ..plan(PORT) });
    let mut hostile = talk(HOSTILE.as_bytes());
    hostile.opening.host = Some(HOSTILE.to_owned());
    write(folder, "hello", "Open, talk, close", slice::from_ref(&hello), lessons);
    write(folder, "long", "Nine thousand octets", slice::from_ref(&long), lessons);
    write(folder, "refused", "A port where nobody listens", slice::from_ref(&refused), lessons);
    write(folder, "silent", "A host that is not there", slice::from_ref(&silent), lessons);
    write(folder, "several", "Two exchanges", &[hello, refused], lessons);
    write(folder, "hostile", HOSTILE, &[hostile], |exchange| {
        vec![Some(HOSTILE.to_owned()); exchange.steps.len()]
    });
    let entries = [
        Entry {
            href: "hello.html",
            title: "Open, talk, close",
            summary: "Three segments to open, four to close.",
        },
        Entry { href: "refused.html", title: HOSTILE, summary: HOSTILE },
    ];
    fs::write(folder.join("index.html"), page::index("A course in TCP", &entries)).unwrap();
}

/// Everything a reader does, in Chromium. With `PICTURES`, a folder, in the environment, pages are photographed there.
#[test]
#[ignore = "needs node, chromium and playwright-core"]
fn the_page_holds_in_a_browser() {
    let scratch = tempfile::tempdir().unwrap();
    write_pages(scratch.path());
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    let run = Command::new("node")
        .args(["--test", "page.test.mjs"])
        .current_dir(tests)
        .env("PAGES", scratch.path())
        .output()
        .unwrap();
    let said = [run.stdout, run.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(run.status.success(), "{said}");
}

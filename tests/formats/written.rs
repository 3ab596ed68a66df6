//! One exchange, written down in every format.

use std::time::Duration;

use tcpshake::driver::observe::{Kept, Observer};
use tcpshake::driver::{self, Plan};
use tcpshake::guard::Guard;
use tcpshake::lab::simulated::{SimulatedServer, server_address};
use tcpshake::lesson;
use tcpshake::record::exchange::Exchange;
use tcpshake::record::{Keep, Negotiation, Opening, Role, Step, Summary};
use tcpshake::report::Format;
use tcpshake::report::json::Json;
use tcpshake::report::ladder::{Ladder, Style};
use tcpshake::report::page::{self, Page, Shown};
use tcpshake::report::pcapng::Capture;
use tcpshake::tcp::SeqNum;
use tcpshake::wire::memory::MemoryWire;

/// The lines of the formats that write as they go, and the exchange for those that draw at its end.
pub(crate) struct Written {
    pub(crate) ladder: String,
    pub(crate) json: String,
    pub(crate) exchange: Exchange,
}

struct Writer {
    kept: Kept,
    formats: [(Box<dyn Format>, String); 2],
}

impl Writer {
    fn each(&mut self, write: impl Fn(&mut dyn Format, &mut String)) {
        for (format, out) in &mut self.formats {
            write(format.as_mut(), out);
        }
    }
}

impl Observer for Writer {
    fn begin(&mut self, opening: &Opening) {
        self.kept.begin(opening);
        self.each(|format, out| format.begin(opening, out));
    }

    fn step(&mut self, step: &Step) {
        self.kept.step(step);
        self.each(|format, out| format.step(step, out));
    }

    fn opened(&mut self, negotiation: &Negotiation) {
        self.kept.opened(negotiation);
        self.each(|format, out| format.opened(negotiation, out));
    }

    fn end(&mut self, summary: &Summary) {
        self.kept.end(summary);
        self.each(|format, out| format.end(summary, out));
    }
}

/// The textbook's exchange: it opens, says hello, hears it, and closes.
pub(crate) fn written() -> Written {
    const TEXT: &[u8] = b"hello";
    let remote = server_address(7);
    let plan = Plan {
        text: TEXT.to_vec(),
        await_text: TEXT.len() as u64,
        keep: Keep::Whole,
        simulated: true,
        ..Plan::new(remote, SeqNum(4321))
    };
    let server = SimulatedServer::new(remote, SeqNum(9000), plan.parameters);
    let mut wire = MemoryWire::new(server, Duration::from_millis(10));
    let guard = Guard::not_needed("10.99.0.1:40000".parse().unwrap());
    let formats: [Box<dyn Format>; 2] = [Box::new(Ladder::new(Style::default())), Box::new(Json::default())];
    let mut writer = Writer { kept: Kept::default(), formats: formats.map(|format| (format, String::new())) };
    driver::run(&guard, &mut wire, &plan, &mut writer, &mut || None).unwrap();
    let [ladder, json] = writer.formats.map(|(_, out)| out);
    Written { ladder, json, exchange: writer.kept.into_exchange().unwrap() }
}

/// The exchange as a lesson page.
pub(crate) fn page(exchange: &Exchange) -> String {
    let sentences: Vec<Option<String>> =
        exchange.steps.iter().map(|step| Some(lesson::sentence(Role::Active, step))).collect();
    let shown = [Shown { exchange, sentences: &sentences }];
    page::render(&Page { title: "an exchange", introduction: &[], shown: &shown, course: None })
}

/// The exchange as a recording.
pub(crate) fn recorded(exchange: &Exchange) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut capture = Capture::begin(&mut octets, Some("tcpshake demo --simulate")).unwrap();
    for step in &exchange.steps {
        capture.step(Role::Active, step, Some(&lesson::sentence(Role::Active, step))).unwrap();
    }
    octets
}

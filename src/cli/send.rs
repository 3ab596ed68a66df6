//! `tcpshake send`: one hand-built segment, and every answer.

use super::args::{RawOption, SendArgs};
use super::data::{self, Purpose};
use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use super::path::Path;
use super::signals::Signals;
use crate::driver::sending::{self, Order, Packets};
use crate::net::privileges;
use crate::packet::Addresses;
use crate::record::sending::News;
use crate::tcp::{Segment, SeqNum, UnscaledWindow};

pub(super) fn run(args: &SendArgs) -> Result<Exit, Failure> {
    let prepared = prepare(args);
    // From here a signal means to end properly. Before, nothing was done that would need an end.
    let signals = Signals::watch()?;
    let mut output = Output::of_segments(&args.output)?;
    let result = prepared.and_then(|(path, order)| send(&path, &order, &signals, &mut output));
    if let Err(failure) = &result {
        output.tell(News::Failed(failure.to_string()));
    }
    output.conclude(result, &signals)
}

/// What was typed is read before anybody is asked for: a name, a route, a socket.
fn prepare(args: &SendArgs) -> Result<(Path<'_>, Order), Failure> {
    let text = args
        .fields
        .data
        .as_deref()
        .map(|typed| data::read(typed, Purpose::Segment))
        .transpose()?
        .unwrap_or_default();
    let segment = segment(args, &text)?;
    let path = Path::find(&args.path)?;
    fits(&path, &segment)?;
    let order = Order {
        remote: path.remote,
        host: path.host.clone(),
        segment,
        text,
        ttl: args.fields.ttl,
        tos: args.fields.tos,
        defects: args.fields.defects(),
        count: args.pace.count,
        interval: args.pace.interval,
        timeout: args.pace.timeout,
        packets: if args.hex { Packets::Kept } else { Packets::Read },
    };
    Ok((path, order))
}

fn segment(args: &SendArgs, text: &[u8]) -> Result<Segment, Failure> {
    let fields = &args.fields;
    let options = RawOption::list(&fields.options);
    let options =
        options.map_err(|error| Failure::usage(format_args!("{error} (leave out some --option)")))?;
    Ok(Segment {
        seq: SeqNum(fields.seq.unwrap_or_else(rand::random)),
        ack: SeqNum(fields.ack_number),
        flags: args.flags.chosen(),
        window: UnscaledWindow(fields.window),
        urgent: fields.urgent,
        options,
        text_len: text.len() as u32,
    })
}

/// Our packets are never cut into fragments.
fn fits(path: &Path<'_>, segment: &Segment) -> Result<(), Failure> {
    const TCP_HEADER: usize = 20;
    let addresses = Addresses::new(path.remote.ip(), path.remote.ip());
    let ip_header = addresses.map_or(0, |addresses| addresses.header_len());
    let len = ip_header + TCP_HEADER + segment.options.as_bytes().len() + segment.text_len as usize;
    if len > path.mtu as usize {
        return Err(Failure::usage(format_args!(
            "the packet would be {len} octets long, and the way to {} takes {} (send less --data)",
            path.remote.ip(),
            path.mtu
        )));
    }
    Ok(())
}

fn send(
    path: &Path<'_>,
    order: &Order,
    signals: &Signals,
    output: &mut Output<News>,
) -> Result<Exit, Failure> {
    let mut equipment = path.equipment();
    let (guard, wire) = path.equip(&mut equipment, signals)?;
    privileges::give_up().map_err(|error| Failure::cannot("give up privileges", &error))?;
    let verdict =
        sending::send(&guard, wire, order, &mut |news| output.tell(news), &mut || signals.pending())?;
    Ok(Exit::from(&verdict))
}

//! One of the ways of a run: a path, and the connection that fits it.

use super::args::{ConnectArgs, OpeningArgs, RawOption};
use super::error::Failure;
use super::path::Path;
use crate::tcp::options::OptionsBuilder;
use crate::tcp::{Mss, Nagle, Offer, Options, Origin, Parameters, SeqNum, Stream, WindowScale, WindowSize};
use crate::time::Instant;

/// The same for each exchange with one address.
pub(super) struct Way<'a> {
    pub(super) path: Path<'a>,
    pub(super) parameters: Parameters,
    /// Options of our SYN behind those of the parameters.
    pub(super) syn_options: Options,
}

impl<'a> Way<'a> {
    /// All that were asked for, at least one.
    pub(super) fn all(args: &'a ConnectArgs) -> Result<Vec<Self>, Failure> {
        let paths = if args.opening.all_addresses {
            Path::find_all(&args.path)?
        } else {
            vec![Path::find(&args.path)?]
        };
        paths.into_iter().map(|path| Self::by(path, args)).collect()
    }

    fn by(path: Path<'a>, args: &ConnectArgs) -> Result<Self, Failure> {
        let parameters = parameters(args, &path);
        Ok(Self { syn_options: syn_options(&args.opening, &parameters)?, parameters, path })
    }
}

/// What we announce follows from the interface (MUST-67) and the options.
fn parameters(args: &ConnectArgs, path: &Path<'_>) -> Parameters {
    let peer = path.remote.ip();
    Parameters {
        mss: args.segments.mss.and_then(Mss::new).unwrap_or_else(|| Mss::fitting(path.mtu, peer)),
        default_peer_mss: Mss::default_of(peer),
        window: WindowSize::new(args.segments.window),
        offer: offer(&args.opening),
        window_scale: args.opening.wscale.map(WindowScale::new),
        retries: args.pace.retries,
        ..Parameters::default()
    }
}

fn offer(args: &OpeningArgs) -> Offer {
    let options = if args.no_options { Offer::NOTHING } else { Offer::USUAL };
    options.without(Offer::SACK.only_if(args.no_sack))
        | Offer::TIMESTAMPS.only_if(args.timestamps)
        | Offer::ECN.only_if(args.ecn)
}

/// What stands on our SYN behind the options of the connection's own, if there is room for all of them.
fn syn_options(args: &OpeningArgs, parameters: &Parameters) -> Result<Options, Failure> {
    const FAST_OPEN_REQUEST: &str = "34"; // no cookie yet (RFC 7413 section 4.1.1)
    let fast_open = args.tfo_request.then_some(FAST_OPEN_REQUEST).into_iter().map(str::parse);
    let asked: Vec<RawOption> = fast_open.flatten().chain(args.option.iter().cloned()).collect();
    let too_long =
        |error| Failure::usage(format_args!("{error} (leave out one of --option, or --timestamps)"));
    let options = RawOption::list(&asked).map_err(too_long)?;
    // The SYN as the connection will make it.
    let syn = Stream::new(parameters, Nagle::On).open(Origin::Active, SeqNum(0), &[], Instant::ORIGIN);
    let own = syn.ok().and_then(|reaction| reaction.segment).map_or(Options::NONE, |syn| syn.options);
    OptionsBuilder::joining(&own, &options).map_err(too_long)?;
    Ok(options)
}

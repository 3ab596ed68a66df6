//! What both sides have agreed on, in words.

use crate::record::Negotiation;
use crate::record::connection::Source;
use crate::tcp::Offer;

/// An extension, its name for machines, and for people.
const EXTENSIONS: [(Offer, &str, &str); 4] = [
    (Offer::SACK, "sack", "SACK"),
    (Offer::WINDOW_SCALE, "window-scale", "window scale"),
    (Offer::TIMESTAMPS, "timestamps", "timestamps"),
    (Offer::ECN, "ecn", "ECN"),
];

/// The names of what is in `offer`, for machines.
pub fn names(offer: Offer) -> Vec<&'static str> {
    contained(offer).map(|(_, name, _)| *name).collect()
}

fn contained(offer: Offer) -> impl Iterator<Item = &'static (Offer, &'static str, &'static str)> {
    EXTENSIONS.iter().filter(move |(extension, ..)| offer.has(*extension))
}

fn words(offer: Offer) -> impl Iterator<Item = &'static str> {
    contained(offer).map(|(.., words)| *words)
}

/// What there is to say, a sentence each: first what is in force, last how far the peer is.
pub fn sentences(negotiation: &Negotiation, source: Source) -> Vec<String> {
    let Negotiation { our_mss, peer_mss, peer_window, peer_scale, ttl, .. } = *negotiation;
    let mut sentences = Vec::new();
    let segments = peer_mss.map(|peer| format!("segments to {} octets", our_mss.min(peer).get()));
    let agreed: Vec<String> =
        segments.into_iter().chain(words(negotiation.granted).map(str::to_owned)).collect();
    sentences.push(match agreed.as_slice() {
        [] => "open, with no options agreed on".to_owned(),
        agreed => format!("open: {}", agreed.join(", ")),
    });
    let refused: Vec<&str> = words(negotiation.refused()).collect();
    if !refused.is_empty() {
        sentences.push(format!("not granted, or taken out on the way: {}", refused.join(", ")));
    }
    match peer_mss {
        None => sentences.push("no MSS came back: the least is assumed".to_owned()),
        Some(peer) if peer < our_mss => {
            sentences.push(format!(
                "its MSS {} is below our {}: its link's, or the path's",
                peer.get(),
                our_mss.get()
            ));
        }
        Some(_) => {}
    }
    sentences.push(match peer_scale {
        0 => format!("its window came as {peer_window}"),
        shift => format!("its window came as {peer_window}, then in units of {}", 1_u32 << shift),
    });
    if source == Source::Capture {
        return sentences; // it was seen somewhere on the way
    }
    sentences.push(match negotiation.hops() {
        0 => format!("its TTL came as {ttl}: no router between us"),
        1 => format!("its TTL came as {ttl}: one router between us"),
        hops => format!("its TTL came as {ttl}: {hops} routers between us"),
    });
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::Mss;

    fn negotiation(granted: Offer, peer_mss: Option<u16>, ttl: u8) -> Negotiation {
        Negotiation {
            exchange: 1,
            offered: Offer::USUAL | Offer::ECN,
            granted,
            our_mss: Mss::new(1460).unwrap(),
            peer_mss: peer_mss.and_then(Mss::new),
            our_scale: 0,
            peer_scale: if granted.has(Offer::WINDOW_SCALE) { 10 } else { 0 },
            peer_window: 64_240,
            ttl,
        }
    }

    #[test]
    fn what_was_granted_refused_and_changed() {
        let usual = Offer::USUAL | Offer::ECN;
        assert_eq!(
            sentences(&negotiation(usual, Some(1460), 64), Source::Ourselves),
            [
                "open: segments to 1460 octets, SACK, window scale, ECN",
                "its window came as 64240, then in units of 1024",
                "its TTL came as 64: no router between us"
            ]
        );
        assert_eq!(
            sentences(&negotiation(Offer::SACK, Some(1200), 127), Source::Ourselves),
            [
                "open: segments to 1200 octets, SACK",
                "not granted, or taken out on the way: window scale, ECN",
                "its MSS 1200 is below our 1460: its link's, or the path's",
                "its window came as 64240",
                "its TTL came as 127: one router between us"
            ]
        );
        assert_eq!(
            sentences(&negotiation(Offer::NOTHING, None, 240), Source::Ourselves)[..3],
            [
                "open, with no options agreed on",
                "not granted, or taken out on the way: SACK, window scale, ECN",
                "no MSS came back: the least is assumed"
            ]
        );
        assert_eq!(names(usual), ["sack", "window-scale", "ecn"]);
    }
}

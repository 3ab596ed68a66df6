//! lwIP as the stranger: a program of its own, `lwip/peer.c`, that is made here of the system's library. Each host of
//! its is on the cable by itself, past the far kernel.
//!
//! It needs liblwip-dev and a C compiler.

use std::sync::LazyLock;

use tcpshake::lab::{FarHost, LINK};

use super::{Part, Stranger};
use crate::run::{Dialogue, Folder, Said, command};

/// The program, made once.
static PEER: LazyLock<String> = LazyLock::new(|| {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/netns/strangers/lwip/peer.c");
    let peer = concat!(env!("CARGO_TARGET_TMPDIR"), "/lwip-peer");
    let warnings = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"];
    let library = ["-I/usr/include/lwip", "-llwip"];
    Said::by(&mut command("cc", &[&warnings[..], &["-O1", "-o", peer, source], &library].concat()))
        .assert_well();
    peer.to_owned()
});

struct Lwip {
    dialogue: Dialogue,
    folder: Folder,
}

pub(super) fn take(far: &FarHost, part: Part) -> Box<dyn Stranger> {
    let folder = Folder::new();
    let [said, heard] = ["said", "heard"].map(|name| folder.file(name));
    std::fs::write(&said, part.text()).unwrap();
    let start = move || {
        let [local, remote] = [part.local, part.remote].map(|end| end.ip().to_string());
        let port = part.local.port().to_string();
        let opens = if part.opens { "opens" } else { "waits" };
        let closes = if part.closes_first { "closes-first" } else { "closes-second" };
        let arguments = [LINK, &local, &remote, &port, opens, closes, &said, &heard];
        Ok(Dialogue::start(&mut command(&*PEER, &arguments)))
    };
    let mut dialogue = far.run(start).expect("a program");
    assert_eq!(dialogue.line(), "up");
    Box::new(Lwip { dialogue, folder })
}

impl Stranger for Lwip {
    fn heard(mut self: Box<Self>) -> Vec<u8> {
        let word = self.dialogue.line();
        let said = self.dialogue.end().assert_well();
        assert_eq!(word, "heard", "{said:?}");
        std::fs::read(self.folder.file("heard")).unwrap()
    }
}

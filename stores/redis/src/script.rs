//! The scripts that run on the server, for format 2 of what is stored.
//!
//! In: which one. Out: its text, and how it is called. Must not change what is stored: another format
//! gets another prefix of keys (`spec/versioning.md`).

use std::sync::LazyLock;

use crate::wire::push_bulk;

/// What a script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Decides a batch.
    Decide,
    /// Makes charges what calls really cost.
    Settle,
    /// Lists counters.
    List,
    /// Reads a counter's declaration.
    Declared,
    /// Empties a counter.
    Reset,
    /// Tries which commands may be run.
    Permissions,
    /// Files a call that waits for approval.
    File,
    /// Answers it.
    Answer,
    /// Shows filed calls.
    FiledCalls,
}

/// A script's text. The shared functions come first in each, because a server has no modules.
macro_rules! text {
    ($($file:literal),*) => {
        concat!($(include_str!(concat!("lua/", $file, ".lua"))),*)
    };
}

/// What begins each command that calls a script, computed once.
static HEADS: LazyLock<[Vec<u8>; 9]> = LazyLock::new(|| {
    let all = [
        Script::Decide,
        Script::Settle,
        Script::List,
        Script::Declared,
        Script::Reset,
        Script::Permissions,
        Script::File,
        Script::Answer,
        Script::FiledCalls,
    ];
    all.map(|script| {
        let mut head = Vec::new();
        push_bulk(&mut head, &[b"EVALSHA"]);
        push_bulk(&mut head, &[redis::Script::new(script.text()).get_hash().as_bytes()]);
        head
    })
});

impl Script {
    /// The text.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Decide => text!("quick", "amount", "counter", "slot", "decide"),
            Self::Settle => text!("amount", "counter", "slot", "settle"),
            Self::List => text!("amount", "counter", "list"),
            Self::Declared => text!("amount", "counter", "declared"),
            Self::Reset => text!("amount", "counter", "reset"),
            Self::Permissions => text!("permissions"),
            Self::File => text!("amount", "counter", "filed", "file"),
            Self::Answer => text!("amount", "counter", "filed", "answer"),
            Self::FiledCalls => text!("amount", "counter", "filed", "filed_calls"),
        }
    }

    /// The first two parts of each command that calls it, as they go over the wire: its digest is how a server knows it.
    pub(crate) fn head(self) -> &'static [u8] {
        let [decide, settle, list, declared, reset, permissions, file, answer, filed_calls] = &*HEADS;
        match self {
            Self::Decide => decide,
            Self::Settle => settle,
            Self::List => list,
            Self::Declared => declared,
            Self::Reset => reset,
            Self::Permissions => permissions,
            Self::File => file,
            Self::Answer => answer,
            Self::FiledCalls => filed_calls,
        }
    }

    /// The command that loads it.
    pub(crate) fn load(self) -> redis::Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(self.text());
        command
    }
}

//! The scripts that run on the server, for format 2 of what is stored.
//!
//! In: which one. Out: its text, and the digest by which a server knows it. Must not change what is stored: another format
//! gets another prefix of keys (`spec/versioning.md`).

use std::sync::LazyLock;

/// What a script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Decides a batch.
    Decide,
    /// Takes charges back.
    Refund,
    /// Shows counters.
    List,
    /// Tells what declares a counter.
    Declared,
    /// Makes a counter hold nothing.
    Reset,
}

/// A script's text. Each has what all share before it: a server knows no modules.
macro_rules! text {
    ($($file:literal),*) => {
        concat!($(include_str!(concat!("lua/", $file, ".lua"))),*)
    };
}

/// Digests are computed once.
static DIGESTS: LazyLock<[redis::Script; 5]> = LazyLock::new(|| {
    [Script::Decide, Script::Refund, Script::List, Script::Declared, Script::Reset]
        .map(|script| redis::Script::new(script.text()))
});

impl Script {
    /// The text.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Decide => text!("quick", "amount", "counter", "decide"),
            Self::Refund => text!("amount", "counter", "refund"),
            Self::List => text!("amount", "counter", "list"),
            Self::Declared => text!("amount", "counter", "declared"),
            Self::Reset => text!("amount", "counter", "reset"),
        }
    }

    /// The digest by which a server knows it.
    pub(crate) fn digest(self) -> &'static str {
        let [decide, refund, list, declared, reset] = &*DIGESTS;
        match self {
            Self::Decide => decide.get_hash(),
            Self::Refund => refund.get_hash(),
            Self::List => list.get_hash(),
            Self::Declared => declared.get_hash(),
            Self::Reset => reset.get_hash(),
        }
    }

    /// The command that makes a server know it.
    pub(crate) fn load(self) -> redis::Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(self.text());
        command
    }
}

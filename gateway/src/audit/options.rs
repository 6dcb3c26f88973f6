//! How records are written.
//!
//! In: what the user asks for. Out: options of a [`Log`](super::Log). Must not print a key.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use callgate::value::RawJson;
use callgate::{ArgsHash, AuditedCall, Call};
use sha2::{Digest as _, Sha256};

use super::Args;

/// Bytes after which a file is put aside: a day of a busy server, and still read in a moment.
const ROTATE: u64 = 64 << 20;
/// Old files that are kept.
const KEEP: usize = 8;

/// Bytes of a key's file that are read.
const KEY_FILE: u64 = 4 << 10;
/// The fewest bytes of a key.
const LEAST_KEY: usize = 16;

/// What records show of arguments.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ShownArgs {
    /// Nothing.
    None,
    /// Their names.
    #[default]
    Keys,
    /// Their names, and a digest. Anybody who can guess the arguments can confirm the guess.
    Hash,
    /// Their names, and a digest under this key.
    Hmac(Vec<u8>),
}

impl fmt::Debug for ShownArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Keys => "Keys",
            Self::Hash => "Hash",
            Self::Hmac(_) => "Hmac(..)",
        })
    }
}

/// Names of arguments that a record shows: whoever calls chooses them, and must not choose how long a record is.
const KEYS: usize = 64;
/// Bytes of a name that a record shows.
const KEY_BYTES: usize = 128;

impl ShownArgs {
    /// A digest under the key in a file. A line feed at the key's end is left out.
    ///
    /// # Errors
    /// The file cannot be read, or its key has fewer than 16 bytes: such a key can be guessed as the arguments can.
    pub fn hmac_of_file(file: &Path) -> io::Result<Self> {
        let mut key = Vec::new();
        File::open(file)?.take(KEY_FILE).read_to_end(&mut key)?;
        while matches!(key.last(), Some(b'\n' | b'\r')) {
            key.pop();
        }
        if key.len() < LEAST_KEY {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the key has fewer than 16 bytes"));
        }
        Ok(Self::Hmac(key))
    }

    /// What to show of arguments, by their text.
    pub(super) fn of(&self, text: Option<&str>) -> Args {
        let hash = match self {
            Self::None => return Args::default(),
            Self::Keys => ArgsHash::None,
            Self::Hash => ArgsHash::Sha256,
            Self::Hmac(key) => ArgsHash::HmacSha256(key),
        };
        let raw = match text.map(RawJson::parse) {
            None => return shown(&AuditedCall::new(&Call::without_args(""), hash)),
            Some(Ok(raw)) => raw,
            Some(Err(_)) => return Args { keys: Some(Vec::new()), hash: None },
        };
        shown(&AuditedCall::new(&Call::new("", raw.root()), hash))
    }
}

fn shown(call: &AuditedCall) -> Args {
    let keys = call.keys().iter().take(KEYS).map(|key| cut(key, KEY_BYTES).to_owned()).collect();
    Args { keys: Some(keys), hash: call.hash().map(str::to_owned) }
}

/// The beginning of a text, at most so many bytes.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// Where and how records are written.
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) file: PathBuf,
    pub(super) server: String,
    pub(super) chain: bool,
    pub(super) required: bool,
    pub(super) rotate: u64,
    pub(super) keep: usize,
    pub(super) args: ShownArgs,
}

impl Options {
    /// Records of the server of this name, in this file.
    pub fn new(file: impl Into<PathBuf>, server: &str) -> Self {
        Self {
            file: file.into(),
            server: server.to_owned(),
            chain: false,
            required: false,
            rotate: ROTATE,
            keep: KEEP,
            args: ShownArgs::default(),
        }
    }

    /// Records of the server of this name, in its file in the directory, where `callgate status` finds it.
    pub fn in_directory(directory: &Path, server: &str) -> Self {
        Self::new(directory.join(format!("{}.jsonl", file_name(server))), server)
    }

    /// Whether each record holds the digest of the one before.
    pub fn chain(mut self, chain: bool) -> Self {
        self.chain = chain;
        self
    }

    /// Whether calls are to be refused while records cannot be written: [`Log::ready`](super::Log::ready) says so then.
    pub fn required(mut self, required: bool) -> Self {
        self.required = required;
        self
    }

    /// Bytes after which the file is put aside, and another begun.
    pub fn rotate_at(mut self, bytes: u64) -> Self {
        self.rotate = bytes;
        self
    }

    /// How many files that were put aside are kept.
    pub fn keep(mut self, files: usize) -> Self {
        self.keep = files;
        self
    }

    /// What records show of arguments.
    pub fn args(mut self, args: ShownArgs) -> Self {
        self.args = args;
        self
    }
}

/// The most bytes of a server's name in its file's name, which systems bound.
const LONGEST_NAME: usize = 150;

/// A file's name for a server, whatever the server is called: a name leads into no other directory, and two names are two files.
fn file_name(server: &str) -> String {
    let mut out = String::new();
    for byte in server.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => out.push(byte.into()),
            _ => out.push_str(&format!("%{byte:02x}")),
        }
    }
    if out.len() > LONGEST_NAME {
        let digest: String =
            Sha256::digest(server).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        out = format!("{}-{digest}", cut(&out, LONGEST_NAME));
    }
    if out.is_empty() { "%".to_owned() } else { out }
}

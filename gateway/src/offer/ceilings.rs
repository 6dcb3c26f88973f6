//! The most that is taken from one server. Together they keep a hostile server below 256 MiB of memory.

/// Bytes of a message. The proxy passes on as much.
pub const MESSAGE_BYTES: usize = 16 << 20;
/// Bytes of everything that it says.
pub const BYTES: usize = 64 << 20;
/// Tools of one server. The largest in use have some hundreds.
pub const TOOLS: usize = 10_000;
/// Pages of its list.
pub const PAGES: usize = 1_000;
/// Bytes that all definitions may take in memory, beside their texts, by a bound that is never too low.
pub const MEMORY: usize = 96 << 20;
/// Bytes of its last words on standard error that are kept.
pub(super) const LAST_WORDS: usize = 2 << 10;
/// Characters of a server's own text in a message of ours.
pub(super) const QUOTED: usize = 200;

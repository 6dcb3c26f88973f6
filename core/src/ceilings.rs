//! Every ceiling of the language, with its unit and its reason (spec 11). Nothing else in core bounds an input.

/// Bytes of a policy document. 100,000 tools with three rules each are about 20 MiB.
pub const DOCUMENT_BYTES: usize = 32 << 20;
/// Levels of nesting in a policy document. A combinator takes two, so this is 25 combinators deep; recursion over a
/// document or condition stays far from the end of any stack.
pub const DOCUMENT_DEPTH: usize = 64;
/// Nodes that YAML aliases may add to a document by repeating what they name, in total, and 64 bytes of text count as one:
/// bounds an alias bomb.
pub const ALIAS_NODES: usize = 100_000;
/// Nodes of a document. A document of one-letter tokens has as many as a third of its bytes, and each takes 100 bytes.
pub const DOCUMENT_NODES: usize = 4_000_000;
/// Diagnostics reported for one document; the rest is counted only. Bounds memory, and nobody reads more.
pub const DIAGNOSTICS: usize = 1_000;
/// Policies of one stack.
pub const LAYERS: usize = 16;
/// Bytes of one condition path.
pub const PATH_BYTES: usize = 1_024;
/// Segments of one condition path. Arguments are at most [`ARGUMENT_DEPTH`] deep, so a longer path can match nothing.
pub const PATH_SEGMENTS: usize = 64;
/// Bytes of the compiled form of one regular expression, as the `regex` crate's `size_limit` counts them. `^.{1,256}$`
/// takes half of it, because `.` is any character of Unicode.
pub const REGEX_BYTES: usize = 1 << 20;
/// Levels of nesting in one regular expression.
pub const REGEX_DEPTH: u32 = 64;
/// Bytes of one regular expression's text.
pub const REGEX_TEXT_BYTES: usize = 16 << 10;
/// Bytes of one tool or glob pattern: matching one costs at most the product of both lengths.
pub const NAME_BYTES: usize = 1_024;
/// Patterns that the braces of one glob may expand to.
pub const GLOB_ALTERNATIVES: usize = 256;
/// Steps of looking the globs up that match one name (spec 11.2). A step is at most some 8 ns, as measured, so one call takes 1 ms.
pub const GLOB_STEPS: u64 = 120_000;
/// Steps of comparing all exact entries of a policy with all globs.
pub const GLOB_STEPS_OF_A_POLICY: u64 = 128_000_000;
/// Pairs of an exact tool entry and a glob entry that matches it, over a whole policy: bounds the merge at compile time.
pub const MERGED_ENTRIES: usize = 4_000_000;

/// Bytes of raw JSON arguments, and of the canonical form of any. The MCP SDKs stop at about 4 MB themselves.
pub const ARGUMENT_BYTES: usize = 4 << 20;
/// Levels of nesting in arguments, wherever core walks them whole; the arguments themselves are the first. Parsers of
/// other languages stop near here too.
pub const ARGUMENT_DEPTH: usize = 128;
/// Steps that the checks of one call may take (spec 11.1). A step is some 10 ns, so one evaluation takes 8 ms or so at most,
/// whatever the arguments are.
pub const CALL_STEPS: u64 = 800_000;
/// Bytes of a scope value. It becomes part of a counter's key.
pub const SCOPE_BYTES: usize = 1_024;

/// Subschemas of a tool's input schema that are looked at; the others admit everything. The largest in use have some thousands.
pub const SCHEMA_NODES: usize = 10_000;
/// Levels of nesting of a tool's input schema that are looked at, counted anew behind each `$ref`; what lies deeper admits
/// everything.
pub const SCHEMA_DEPTH: usize = 64;
/// Members and elements of a tool's input schema that are looked at, each as often as a `$ref` leads to it; beyond them, what was not
/// looked at to its end admits everything. Bounds time and memory: a server chooses its schemas.
pub const SCHEMA_PARTS: usize = 1_000_000;

/// Bytes of a lock. It holds definitions, and `callgate scan` takes at most 64 MiB of them from a server.
pub const LOCK_BYTES: usize = 128 << 20;

/// Live charges that one sliding window keeps, in one counter for one scope value. Beyond it the counter refuses.
pub const SLIDING_CHARGES: usize = 10_000;
/// Seconds of the longest window that is given in seconds, minutes, hours or days: one year.
pub const WINDOW_SECONDS: i64 = 366 * 86_400;
/// Seconds of the longest sliding window: 31 days.
pub const SLIDING_SECONDS: i64 = 31 * 86_400;
/// Seconds of the longest sliding window that keeps every charge with its own time. In a longer one, those of one quarter of an hour
/// are one charge, made at its end: at most 2,977 are live.
pub const SLIDING_EXACT_SECONDS: i64 = 86_400;
/// Seconds of such a quarter.
pub const SLIDING_QUARTER_SECONDS: i64 = 900;
/// Paths that one rule lets an approval ignore. Each is compared with each path that the call's entries read.
pub const IGNORED_PATHS: usize = 64;
/// Names of who may approve what one rule asks about.
pub const APPROVERS: usize = 256;
/// Days for which the id of a spent approval is remembered. Hosts must not keep an approval for longer.
pub const APPROVAL_DAYS: i64 = 366;

/// Calls that one approval lets through. A rule that asks for more than that once does not ask.
pub const APPROVAL_USES: u32 = 1_000_000;

/// Calls of one namespace that may wait for a person's approval at once (spec 7.11). More than that nobody reads; an agent can make
/// as many as it likes.
pub const PENDING_APPROVALS: usize = 256;
/// Records of calls that a namespace keeps, answered ones included. A store reads all of them to file another.
pub const FILED_APPROVALS: usize = 1_024;
/// Hours for which a call waits for an answer. After a day its caller has long given up.
pub const APPROVAL_PENDING_HOURS: i64 = 24;
/// Bytes of arguments that are kept with a call that waits for approval. A person reads no more; with those of all that may wait it
/// is 16 MiB.
pub const FILED_ARGUMENT_BYTES: usize = 64 << 10;

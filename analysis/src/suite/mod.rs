//! Test files: policies, calls, and what must be decided.
//!
//! In: the text of a test file. Out: a [`Suite`], or every error at its place. Reads no other file and decides nothing.

mod calls;
mod expect;
mod file;
mod matrix;
mod step;
mod value;

use callgate::time::Timestamp;
use callgate::{ArgsCheck, Code, Diagnostic, Effect, Outcome};

pub use file::read;

/// What a test file says.
#[derive(Debug)]
pub struct Suite {
    /// Policies. Every test runs on each.
    pub policies: Vec<Located<PolicyFiles>>,
    /// The file of the server's tools, with which arguments are checked first.
    pub tools: Option<Located<String>>,
    /// The time at which each run starts.
    pub at: Timestamp,
    /// The tests, in the order of the file.
    pub tests: Vec<Test>,
    /// What may not mean what its author thinks.
    pub warnings: Vec<Diagnostic>,
}

/// A policy, as a test file names it: a file, or several that are one stack (spec 6.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFiles {
    name: String,
    files: Vec<String>,
}

impl PolicyFiles {
    pub(super) fn new(files: Vec<String>) -> Self {
        Self { name: files.join(", "), files }
    }

    /// What reports call it: its file, or the files of the stack with commas between them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The files, in the order of the stack.
    pub fn files(&self) -> &[String] {
        &self.files
    }
}

/// Something with its place in the test file.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// What stands there.
    pub value: T,
    /// Where: bytes of the text.
    pub place: Place,
}

/// A place in the text of a test file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// First byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
    /// JSON Pointer.
    pub pointer: String,
}

/// A test: one or several runs, each with counters of its own.
#[derive(Debug)]
pub struct Test {
    /// Unique in the file.
    pub name: String,
    /// Where the test stands.
    pub place: Place,
    /// Whether it runs, and what is expected of it as a whole.
    pub mode: Mode,
    /// `steps` make one run, `each` and `matrix` one for each of their items.
    pub runs: Vec<Run>,
}

/// Whether a test runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// It runs, and has to pass.
    Runs,
    /// It does not run, for this reason.
    Skip(String),
    /// It runs, and is known to fail, for this reason. It fails once it passes, so that the mark goes away.
    Todo(String),
}

/// Calls that share counters, a clock, and the policy in force.
#[derive(Debug)]
pub struct Run {
    /// What tells it from the other runs of the test: empty where it is the only one.
    pub label: String,
    /// The calls, in order.
    pub steps: Vec<Step>,
}

/// A call and what must be decided.
#[derive(Debug)]
pub struct Step {
    /// Where it stands.
    pub place: Place,
    /// Its name, for later steps to refer to.
    pub name: Option<String>,
    /// The time that the clock is set to first.
    pub at: Option<Timestamp>,
    /// Milliseconds by which the clock goes forward first.
    pub after: Option<i64>,
    /// A file: the policy that is put in force first.
    pub reload: Option<Located<PolicyFiles>>,
    /// The tool, where its name stands; of a request, its method.
    pub tool: Located<String>,
    /// Whether it is a request of another method than `tools/call` (spec 3.10).
    pub request: bool,
    /// Whether the policy does not name the tool, and that is meant.
    pub unlisted: bool,
    /// The arguments as JSON text; `None` for absent ones.
    pub args: Option<String>,
    /// The caller as JSON text; `None` for an absent one.
    pub identity: Option<String>,
    /// The name of the server that it goes to; `None` where the host does not say.
    pub server: Option<String>,
    /// What the host checks in the arguments.
    pub check: Option<ArgsCheck>,
    /// Whether the call is explained, so that nothing is charged.
    pub explain: bool,
    /// How often the call is made.
    pub repeat: u32,
    /// The approval that comes with it.
    pub approve: Option<Approve>,
    /// How the call ends, or how an earlier one does before it.
    pub finish: Option<Finish>,
    /// What must be decided.
    pub expect: Expect,
}

/// An approval.
#[derive(Debug)]
pub struct Approve {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub key: ApprovalKey,
    /// When it was given.
    pub given: Given,
}

/// When an approval was given.
#[derive(Debug, Clone, Copy)]
pub enum Given {
    /// When a call of the test brought its id first.
    First,
    /// At this time; `None` if the host does not know.
    At(Option<Timestamp>),
}

/// What an approval is for.
#[derive(Debug)]
pub enum ApprovalKey {
    /// This very call.
    Same,
    /// The call of an earlier step, by its index in the run.
    Of(usize),
    /// This key.
    Text(String),
}

/// How a call ends.
#[derive(Debug)]
pub struct Finish {
    /// How.
    pub how: Ending,
    /// The step whose call ends before this one is decided, by its index; `None`: the call of this step ends, after it was decided.
    pub of: Option<usize>,
    /// The code of the error that comes of it.
    pub error: Option<String>,
}

/// How a call ends.
#[derive(Debug)]
pub enum Ending {
    /// In this way.
    Outcome(Outcome),
    /// It cost so much.
    Settle(String),
    /// It cost so much, by counter.
    SettleEach(Vec<(String, String)>),
}

/// What must be decided.
#[derive(Debug, Default)]
pub struct Expect {
    /// Where it stands.
    pub place: Place,
    /// The effect or the code.
    pub outcome: Expected,
    /// The rule that decides.
    pub rule: Option<Located<ExpectedRule>>,
    /// What the caller is told.
    pub message: Option<Located<Option<String>>>,
    /// Seconds until a retry may pass.
    pub retry_after: Option<Located<Option<u64>>>,
    /// The rules that ask for approval, in order, each by name or pointer; inside, `None` where none asks.
    pub approval_rules: Option<Located<Option<Vec<String>>>>,
    /// Fields of the counters.
    pub counters: Option<Located<Vec<ExpectedCounter>>>,
}

/// What a test expects at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// This effect. A denial of what cannot be read, or that no entry lists, does not count: its code has to be named.
    Effect(Effect),
    /// This code.
    Code(Code),
}

impl Default for Expected {
    fn default() -> Self {
        Self::Effect(Effect::Deny)
    }
}

/// The rule that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedRule {
    /// No rule decides.
    None,
    /// By its name, or by its pointer, which begins with `/`.
    Named(String),
    /// By some of its fields, each with its value as JSON: `pointer`, `name`, `line`, `layer`.
    Fields(Vec<(String, serde_json::Value)>),
}

/// Some fields of a counter, each with its value as JSON.
#[derive(Debug)]
pub struct ExpectedCounter {
    /// Where it stands.
    pub place: Place,
    /// Name and value.
    pub fields: Vec<(String, serde_json::Value)>,
}

//! The compiled policy: immutable, shared, cheap to clone (spec 2, 6.1).

mod compile;
mod confusable;
mod current;
mod error;
mod memory;
mod names;
pub(crate) mod nested;
mod reads;
mod reload;
mod requests;
mod stack;
mod tool;
mod undone;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use smallvec::SmallVec;

pub(crate) use current::{CurrentPolicy, PolicyGuard};
pub use error::PolicyError;
use names::Names;
pub use reads::Reads;
pub(crate) use reads::each_path;
pub use stack::{Layer, StackError};
use stack::{LayerParts, layer_bit};
pub use tool::Tool;

use crate::admission::Place;
use crate::call::Target;
use crate::ceilings::{GLOB_STEPS, NAME_BYTES};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::document::{self, Declared, Payment, Refund, Rule, Rules, Terms};
pub(crate) use crate::document::{OnlyArgs, StateTest, Step};
use crate::glob::{Exhausted, GlobIndex, Work};
use crate::ruling::{Code, Ruling};
use crate::store::Owner;
use crate::text::{Tree, parse_json, parse_yaml};

/// A compiled policy.
///
/// Immutable, `Send + Sync`, and cheap to clone: all clones share one tree. Evaluation is pure; counters live in a
/// [`Store`](crate::store::Store), which [`Engine`](crate::Engine) puts together with the policy.
///
/// ```
/// use callgate::{Call, Identity, Policy};
/// let policy = Policy::from_yaml("
/// version: \"1\"
/// default: deny
/// tools:
///   create_charge:
///     require: [{path: args.amount, op: lte, value: 50000}]
/// ")?;
/// let args = serde_json::json!({"amount": 4200});
/// let decision = policy.evaluate(&Call::new("create_charge", &args)).decided().unwrap();
/// assert!(decision.allowed());
/// # Ok::<(), callgate::PolicyError>(())
/// ```
#[derive(Clone)]
pub struct Policy(pub(crate) Arc<Compiled>);

/// How the text of a policy is written (spec 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Format {
    /// JSON if the text begins with `{` and is JSON, else YAML.
    #[default]
    Detect,
    /// YAML 1.2.
    Yaml,
    /// JSON, RFC 8259.
    Json,
}

/// The tree that evaluation walks.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) digest: [u8; 32],
    /// The documents that it was made of, in their order; nearly always one.
    layers: Box<[LayerParts]>,
    /// Which of them deny what they do not list, a bit for each.
    denying: u16,
    /// Whether tools that a caller can never call are left out of lists.
    pub(crate) lists_callable: bool,
    /// Every exact name in `tools` and `hide`.
    names: Names<NamedTool>,
    pub(crate) entries: Box<[Entry]>,
    /// Whose each entry is, and where. With `hide` it is what evaluation does not need, and a stack of policies is made of.
    pub(crate) origins: Box<[Origin]>,
    /// Names and globs, each with its rule.
    pub(crate) hide: Box<[(Box<str>, u32)]>,
    /// What it says of other methods, if anything.
    requests: Option<Box<requests::Requests>>,
    /// Which tools call other tools, where there are any.
    pub(crate) nesting: Option<Box<nested::Nesting>>,
    globs: GlobIndex,
    /// The entry of each glob.
    glob_entries: Box<[u32]>,
    hidden_globs: GlobIndex,
    /// The rule of each hidden glob.
    hidden_glob_rules: Box<[u32]>,
    /// The wildcard entry and `all_tools`, where there are any.
    everywhere: SmallVec<[u32; 2]>,
    pub(crate) rules: Rules,
    pub(crate) declared: Box<[Declared]>,
    pub(crate) payments: Box<[Payment]>,
    /// The terms of rules that ask for approval, by ascending rules.
    terms: Box<[(u32, Terms)]>,
    warnings: Box<[Diagnostic]>,
    /// What an engine adds whose counters are in memory.
    memory_warnings: Box<[Diagnostic]>,
}

/// Whose an entry is, and where it stands in its document.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) owner: Owner,
    /// From 1.
    pub(crate) line: u32,
    pub(crate) span: Span,
}

/// What is known of an exact name at compile time.
#[derive(Debug, Default)]
struct NamedTool {
    admission: Admission,
    /// All entries that apply, in the order of spec 6.1.
    entries: Box<[u32]>,
}

/// Whether a tool may be called at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Admission {
    /// By this rule.
    Hidden(u32),
    #[default]
    NotListed,
    Open,
}

impl Admission {
    /// The denial of a tool that is not open.
    #[inline]
    fn denial(self) -> Ruling {
        match self {
            Self::Hidden(rule) => Ruling::deny(Code::Hidden, Some(rule)),
            Self::NotListed | Self::Open => Ruling::deny(Code::NotListed, None),
        }
    }
}

/// An entry as evaluation sees it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) steps: Box<[Step]>,
    /// The names that the arguments may have, where the entry lists them.
    pub(crate) only_args: Option<Box<OnlyArgs>>,
    /// What it reads of arguments, found when a call that is to be checked for it comes first.
    pub(crate) places: OnceLock<Box<Place>>,
}

impl Entry {
    fn new(steps: Box<[Step]>, only_args: Option<Box<OnlyArgs>>) -> Self {
        Self { steps, only_args, places: OnceLock::new() }
    }
}

/// Entries that were found for a name that the policy does not name.
pub(crate) type Found = SmallVec<[u32; 8]>;

impl Compiled {
    /// The entries that apply to a call, in the order of spec 6.1, or the denial of one that may not be made, whatever its
    /// arguments (spec 3.6). `found` holds the entries of a name that the policy does not name.
    #[inline(always)]
    pub(crate) fn admit<'m>(&'m self, target: Target<'_>, found: &'m mut Found) -> Result<&'m [u32], Ruling> {
        let tool = match target {
            Target::Tool(tool) => tool,
            Target::Method(method) => return self.admit_method(method),
        };
        let Some(known) = self.names.get(tool) else { return self.admit_unnamed(tool, found) };
        match known.admission {
            Admission::Open => Ok(&known.entries),
            admission => Err(admission.denial()),
        }
    }

    /// What applies to a name that the policy does not name.
    #[inline(never)]
    fn admit_unnamed<'m>(&'m self, tool: &str, found: &'m mut Found) -> Result<&'m [u32], Ruling> {
        if tool.len() > NAME_BYTES {
            return Err(Ruling::deny(Code::InvalidTool, None));
        }
        let Ok(admission) = self.unnamed(tool, found) else {
            // A name that takes too long to be compared with the policy's globs.
            return Err(Ruling::deny(Code::InvalidTool, None));
        };
        if admission != Admission::Open {
            return Err(admission.denial());
        }
        if !self.everywhere.is_empty() {
            self.add_everywhere(found);
        }
        Ok(found)
    }

    /// Adds what applies to every tool, in the order of spec 6.1.
    fn add_everywhere(&self, found: &mut Found) {
        found.extend_from_slice(&self.everywhere);
        // The entries of a stack are numbered in that order.
        if self.layers.len() > 1 {
            found.sort_unstable();
        }
    }

    fn unnamed(&self, tool: &str, found: &mut Found) -> Result<Admission, Exhausted> {
        let mut work = Work::of(GLOB_STEPS);
        if let Some(rule) = self.hidden_by_glob(tool, &mut work)? {
            return Ok(Admission::Hidden(rule));
        }
        self.glob_entries_of(tool, &mut work, found)?;
        Ok(self.admission(found))
    }

    /// Whether a tool that is not hidden may be called, by the entries that list it.
    fn admission(&self, listed_by: &[u32]) -> Admission {
        let is_listed = match (self.denying, &*self.layers) {
            (0, _) => true,
            (_, [_]) => !listed_by.is_empty(),
            (denying, _) => denying & !self.layers_of(listed_by) == 0,
        };
        if is_listed { Admission::Open } else { Admission::NotListed }
    }

    /// Appends the entry of each glob that matches, in the order of the document.
    fn glob_entries_of(&self, tool: &str, work: &mut Work, entries: &mut Found) -> Result<(), Exhausted> {
        if self.glob_entries.is_empty() {
            return Ok(());
        }
        let start = entries.len();
        self.globs.matching(tool, work, entries)?;
        for glob in entries.get_mut(start..).into_iter().flatten() {
            *glob = self.glob_entries.get(*glob as usize).copied().unwrap_or(u32::MAX);
        }
        Ok(())
    }

    /// Appends the entry of each glob that matches, as far as there are steps for it.
    pub(crate) fn globs_matching(&self, tool: &str, entries: &mut Found) {
        if self.glob_entries_of(tool, &mut Work::of(GLOB_STEPS), entries).is_err() {
            entries.clear();
        }
    }

    /// Shows the entry of each glob that matches a name, and the rule of each hidden glob that does. Nothing where that takes too long: a
    /// call with such a name is denied.
    pub(crate) fn each_glob_of(&self, tool: &str, mut entry: impl FnMut(u32), mut hidden: impl FnMut(u32)) {
        let mut found = Found::new();
        self.globs_matching(tool, &mut found);
        found.drain(..).for_each(&mut entry);
        if self.hidden_globs.matching(tool, &mut Work::of(GLOB_STEPS), &mut found).is_ok() {
            let rule = |glob: &u32| self.hidden_glob_rules.get(*glob as usize).copied();
            found.iter().filter_map(rule).for_each(&mut hidden);
        }
    }

    fn hidden_by_glob(&self, tool: &str, work: &mut Work) -> Result<Option<u32>, Exhausted> {
        if self.hidden_glob_rules.is_empty() {
            return Ok(None);
        }
        let mut found = Found::new();
        self.hidden_globs.matching(tool, work, &mut found)?;
        Ok(found.first().and_then(|glob| self.hidden_glob_rules.get(*glob as usize).copied()))
    }

    /// Whether an exact name stands in `tools`, `hide` or `dispatchers`.
    pub(crate) fn is_named(&self, tool: &str) -> bool {
        self.names.get(tool).is_some()
    }

    pub(crate) fn rule(&self, rule: u32) -> Option<Rule<'_>> {
        self.rules.get(rule)
    }

    pub(crate) fn declared(&self, declared: u32) -> Option<&Declared> {
        self.declared.get(declared as usize)
    }

    /// What a rule that asks says of its approvals; `None` where that is nothing.
    pub(crate) fn terms(&self, rule: u32) -> Option<&Terms> {
        let at = self.terms.binary_search_by_key(&rule, |(rule, _)| *rule).ok()?;
        self.terms.get(at).map(|(_, terms)| terms)
    }

    pub(crate) fn payment(&self, payment: u32) -> Option<&Payment> {
        self.payments.get(payment as usize)
    }

    /// Whether a call that ran may give something back.
    pub(crate) fn may_give_back(&self) -> bool {
        self.payments.iter().any(|payment| payment.refund != Refund::Never)
    }
}

impl Policy {
    /// Compiles a policy written in YAML (spec 1).
    ///
    /// # Errors
    /// Every error in the text, each with its place (spec 12).
    pub fn from_yaml(text: &str) -> Result<Self, PolicyError> {
        Self::from_text(text, Format::Yaml)
    }

    /// Compiles a policy written in JSON (spec 1).
    ///
    /// # Errors
    /// Every error in the text, each with its place (spec 12).
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        Self::from_text(text, Format::Json)
    }

    /// Compiles a policy.
    ///
    /// # Errors
    /// Every error in the text, each with its place (spec 12).
    pub fn from_text(text: &str, format: Format) -> Result<Self, PolicyError> {
        let mut diagnostics = Diagnostics::new(text);
        let tree = parse(text, format, &mut diagnostics);
        let compiled = tree.and_then(|tree| {
            let document = document::read(&tree, &mut diagnostics);
            let mut compiled = compile::compile(text, document, &mut diagnostics);
            document::drop_ignored(&tree, &mut diagnostics);
            if let Some(compiled) = &mut compiled {
                compiled.memory_warnings = memory::warnings(compiled, text, &tree);
            }
            compiled
        });
        let failed = diagnostics.has_errors();
        let list = diagnostics.finish();
        match compiled {
            Some(mut compiled) if !failed => {
                for layer in &mut compiled.layers {
                    layer.warnings = 0..list.len();
                    layer.memory_warnings = 0..compiled.memory_warnings.len();
                }
                compiled.warnings = list.into();
                Ok(Self(Arc::new(compiled)))
            }
            _ => Err(PolicyError::new(list)),
        }
    }

    /// What may not mean what its author thinks (spec 12); of a stack that of each policy, one after the other.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.0.warnings
    }

    /// What an engine adds to them whose counters are in memory.
    pub(crate) fn memory_warnings(&self) -> &[Diagnostic] {
        &self.0.memory_warnings
    }

    /// SHA-256 of the policy's text; of a stack that of the digests of its policies (spec 6.10).
    pub fn digest(&self) -> &[u8; 32] {
        &self.0.digest
    }
}

/// Parses the text; `None` after an error.
pub(crate) fn parse<'t>(
    text: &'t str,
    format: Format,
    diagnostics: &mut Diagnostics<'t>,
) -> Option<Tree<'t>> {
    use crate::ceilings::DOCUMENT_BYTES;
    if text.len() > DOCUMENT_BYTES {
        let message = format!("a document of {} bytes is larger than {DOCUMENT_BYTES}", text.len());
        diagnostics.error("too_large", Span::default(), "", message, Some("split the policy".to_owned()));
        return None;
    }
    match format {
        Format::Yaml => parse_yaml(text, diagnostics),
        Format::Json => parse_json(text, diagnostics),
        Format::Detect => {
            let start = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
            if !start.starts_with('{') {
                return parse_yaml(text, diagnostics);
            }
            let mut json = Diagnostics::new(text);
            let tree = parse_json(text, &mut json);
            if tree.is_some() || json.has_errors_other_than("syntax") {
                *diagnostics = json;
                return tree;
            }
            // No JSON: a YAML flow mapping begins in the same way. If it is neither, JSON was meant.
            let mut yaml = Diagnostics::new(text);
            let tree = parse_yaml(text, &mut yaml);
            let is_yaml = tree.is_some() || yaml.has_errors_other_than("syntax");
            *diagnostics = if is_yaml { yaml } else { json };
            tree
        }
    }
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        Self::from_text(text, Format::Detect)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = crate::json_text::hex(&self.0.digest);
        f.debug_struct("Policy")
            .field("sha256", &digest)
            .field("entries", &self.0.entries.len())
            .finish_non_exhaustive()
    }
}

//! From document to tree: names to entries, globs to an index, state paths to counters (spec 2.8, 4.6, 6.1).

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::nested::Nesting;
use super::requests::Requests;
use super::{Admission, Compiled, Entry, Found, LayerParts, NamedTool, Names, Origin, StateTest, layer_bit};
use crate::canonical::sha256;
use crate::ceilings::{GLOB_STEPS_OF_A_POLICY, MERGED_ENTRIES, PATH_BYTES};
use crate::diagnostic::Diagnostics;
use crate::document::{
    self, Charge, Declared, Dispatcher, Document, Payment, Rules, Terms, report_unreachable,
};
use crate::glob::{Glob, GlobIndex, Work};
use crate::path::{Root, Segment};
use crate::policy::confusable::report_confusable;
use crate::policy::undone::report_undone;
use crate::store::Owner;
use crate::suggest::Suggestions;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// `None` after an error.
pub(super) fn compile(
    text: &str,
    mut document: Document,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Compiled> {
    if document.reads_counters {
        resolve_states(&mut document, diagnostics);
    }
    // Where the entries begin: no one of them is too many, and a map gives its names in any order.
    let first = document.entries.first().map(|entry| entry.span).unwrap_or_default();
    if diagnostics.has_errors() {
        return None;
    }
    match assemble(Parts::of(text, document, diagnostics)) {
        Ok(compiled) => {
            report_confusable(&compiled, compiled.names.values().map(|tool| &*tool.entries), diagnostics);
            report_undone(&compiled, diagnostics);
            Some(compiled)
        }
        Err(TooManyEntries(message)) => {
            let help = Some("use fewer globs, or fewer names".to_owned());
            diagnostics.error("too_many_entries", first, "/tools", message, help);
            None
        }
    }
}

/// Finds the counters that conditions name.
fn resolve_states(document: &mut Document, diagnostics: &mut Diagnostics<'_>) {
    let mut counters = Counters::new(&document.declared);
    // An entry's counter is paid by one item, a budget by any number.
    let amounts: Map<u32, &Charge> =
        document.payments.iter().map(|payment| (payment.declared, &payment.amount)).collect();
    let steps = document.entries.iter_mut().flat_map(|entry| &mut entry.steps);
    for state in steps.flat_map(|step| &mut step.states) {
        if diagnostics.is_full() {
            break;
        }
        // A budget was resolved where it is named.
        if state.path.root == Root::Budget {
            continue;
        }
        if let Some(declared) = counters.resolve(state, diagnostics) {
            state.declared = declared;
            let counter = document.declared.get(declared as usize);
            if let (Some(counter), Some(amount)) = (counter, amounts.get(&declared)) {
                report_unreachable(state, counter, amount, diagnostics);
            }
        }
    }
}

/// Why names and globs do not go together: there are too many pairs of them.
pub(super) struct TooManyEntries(pub(super) String);

/// What a tree is made of: of one document, or of several, one behind the other.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) digest: [u8; 32],
    pub(super) layers: Vec<LayerParts>,
    pub(super) lists_callable: bool,
    /// Of one name only one is kept.
    pub(super) dispatchers: Vec<(Box<str>, Dispatcher)>,
    pub(super) hide: Vec<(Box<str>, u32)>,
    /// Of one document in its order, `all_tools` last. Of several, those of each in the order of spec 6.1.
    pub(super) entries: Vec<Entry>,
    /// Whose each entry is, and where.
    pub(super) origins: Vec<Origin>,
    pub(super) rules: Rules,
    pub(super) declared: Vec<Declared>,
    pub(super) payments: Vec<Payment>,
    pub(super) terms: Vec<(u32, Terms)>,
}

impl Parts {
    /// Those of one document.
    fn of(text: &str, document: Document, diagnostics: &Diagnostics<'_>) -> Self {
        let digest = sha256(text.as_bytes());
        let layer = LayerParts {
            name: document.name,
            digest,
            denies: document.default_deny,
            requests_deny: document.requests_deny,
            first_entry: 0,
            first_rule: 0,
            warnings: 0..0,
            memory_warnings: 0..0,
        };
        let (origins, entries) = document
            .entries
            .into_iter()
            .map(|document::Entry { owner, span, steps, only_args }| {
                let line = diagnostics.lines().line(span.start);
                (Origin { owner, line, span }, Entry::new(steps, only_args))
            })
            .unzip();
        Self {
            digest,
            layers: vec![layer],
            lists_callable: document.lists_callable,
            dispatchers: document.dispatchers,
            hide: document.hide,
            entries,
            origins,
            rules: document.rules,
            declared: document.declared,
            payments: document.payments,
            terms: document.terms,
        }
    }
}

/// Puts the tree together.
pub(super) fn assemble(parts: Parts) -> Result<Compiled, TooManyEntries> {
    let mut names: Map<Box<str>, NamedTool> =
        Map::with_capacity_and_hasher(parts.entries.len(), Default::default());
    let (mut globs, mut glob_entries) = (Vec::new(), Vec::new());
    let (mut wildcards, mut all_tools) = (Found::new(), Found::new());
    let mut methods = Vec::new();
    let (mut hidden_globs, mut hidden_glob_rules) = (Vec::new(), Vec::new());

    for (name, rule) in &parts.hide {
        if Glob::is_glob(name) {
            // A glob that does not parse was reported where it stands.
            hidden_globs.extend(Glob::parse(name));
            hidden_glob_rules.push(*rule);
        } else {
            let admission = &mut names.entry(name.clone()).or_default().admission;
            // The first is the one reported.
            if !matches!(admission, Admission::Hidden(_)) {
                *admission = Admission::Hidden(*rule);
            }
        }
    }
    for (index, origin) in (0_u32..).zip(&parts.origins) {
        match &origin.owner {
            Owner::AllTools => all_tools.push(index),
            // A budget has no entry.
            Owner::Budget => {}
            Owner::Request(method) => methods.push((method.clone(), index)),
            Owner::Tool(key) if &**key == "*" => wildcards.push(index),
            Owner::Tool(key) if Glob::is_glob(key) => {
                globs.extend(Glob::parse(key));
                glob_entries.push(index);
            }
            Owner::Tool(key) => {
                let named = names.entry(key.clone()).or_default();
                if named.entries.is_empty() {
                    named.entries = [index].into();
                } else {
                    named.entries = named.entries.iter().copied().chain([index]).collect();
                }
            }
        }
    }

    for (name, _) in &parts.dispatchers {
        names.entry(name.clone()).or_default();
    }
    let nesting = Nesting::new(parts.dispatchers, names.keys());
    let denying = parts.layers.iter().enumerate().filter(|(_, layer)| layer.denies);
    let mut compiled = Compiled {
        digest: parts.digest,
        requests: Requests::new(&parts.layers, methods),
        denying: denying.map(|(index, _)| layer_bit(index)).fold(0, |all, bit| all | bit),
        layers: parts.layers.into(),
        lists_callable: parts.lists_callable,
        names: Names::new(std::iter::empty()),
        entries: parts.entries.into(),
        origins: parts.origins.into(),
        hide: parts.hide.into(),
        nesting,
        globs: GlobIndex::new(globs),
        glob_entries: glob_entries.into(),
        hidden_globs: GlobIndex::new(hidden_globs),
        hidden_glob_rules: hidden_glob_rules.into(),
        everywhere: wildcards.into_iter().chain(all_tools).collect(),
        rules: parts.rules,
        declared: parts.declared.into(),
        payments: parts.payments.into(),
        terms: parts.terms.into(),
        warnings: Box::default(),
        memory_warnings: Box::default(),
    };
    compiled.rules.shrink_to_fit();
    let some_are_empty = compiled.entries.iter().any(|entry| entry.steps.is_empty());
    let mut merged = 0_usize;
    let mut work = Work::of(GLOB_STEPS_OF_A_POLICY);
    for (name, tool) in &mut names {
        let mut entries = Found::from_slice(&tool.entries);
        let matched = compiled.glob_entries_of(name, &mut work, &mut entries);
        let by_glob = compiled.hidden_by_glob(name, &mut work);
        merged = merged.saturating_add(entries.len().saturating_sub(tool.entries.len()));
        let by_glob = match (matched, by_glob) {
            (Ok(()), Ok(by_glob)) if merged <= MERGED_ENTRIES => by_glob,
            (Ok(()), Ok(_)) => {
                let message = format!(
                    "exact names and the globs that match them make more than {MERGED_ENTRIES} pairs"
                );
                return Err(TooManyEntries(message));
            }
            _ => {
                let message = "it takes too long to compare all exact names with all globs";
                return Err(TooManyEntries(message.to_owned()));
            }
        };
        // The first in the document is the one reported.
        let by_name = if let Admission::Hidden(rule) = tool.admission { Some(rule) } else { None };
        let hidden = by_name.into_iter().chain(by_glob).min();
        tool.admission = hidden.map_or_else(|| compiled.admission(&entries), Admission::Hidden);
        compiled.add_everywhere(&mut entries);
        // What has no rules has nothing to say.
        if some_are_empty {
            entries.retain(|entry| {
                compiled.entries.get(*entry as usize).is_some_and(|entry| !entry.steps.is_empty())
            });
        }
        if let Some(dispatcher) = compiled.nesting.as_ref().and_then(|nesting| nesting.mark(name)) {
            entries.insert(0, dispatcher);
        }
        // Of most names it is what they have already.
        if *tool.entries != *entries {
            tool.entries = entries.as_slice().into();
        }
    }
    compiled.names = Names::new(names.into_iter());
    Ok(compiled)
}

/// The declared counters by the names that state paths may give them.
struct Counters {
    /// By entry key and name, joined by a dot.
    joined: Map<String, Same>,
    exact: Map<(Box<str>, Box<str>), Same>,
    all_tools: Map<Box<str>, Same>,
    /// What `joined` has, for suggestions; made when the first is needed.
    known: Option<Known>,
}

/// Counters of one name: several where one entry counts calls in flight by several scopes.
type Same = SmallVec<[u32; 1]>;

/// Names of counters as state paths may give them, in order.
struct Known {
    names: Vec<String>,
    /// By the last part of a name the first that ends with it.
    by_last: Map<String, usize>,
}

impl Known {
    fn new(joined: &Map<String, Same>) -> Self {
        // A longer name stands in no path.
        let short = joined.keys().filter(|name| name.len() <= PATH_BYTES);
        let mut names: Vec<String> = short.cloned().collect();
        names.sort_unstable();
        let mut by_last = Map::default();
        for (index, name) in names.iter().enumerate() {
            by_last.entry(last_part(name).to_owned()).or_insert(index);
        }
        Self { names, by_last }
    }

    /// The name that was probably meant.
    fn suggest(&self, wanted: &str, suggestions: &mut Suggestions) -> Option<&str> {
        let same_last = || self.names.get(*self.by_last.get(last_part(wanted))?).map(String::as_str);
        suggestions.nearest(wanted, self.names.iter().map(String::as_str)).or_else(same_last)
    }
}

fn last_part(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, last)| last)
}

impl Counters {
    fn new(declared: &[Declared]) -> Self {
        let mut counters =
            Self { joined: Map::default(), exact: Map::default(), all_tools: Map::default(), known: None };
        for (index, declared) in declared.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            let name = declared.counter.name();
            match declared.counter.owner() {
                Owner::Tool(key) | Owner::Request(key) => {
                    counters.joined.entry(format!("{key}.{name}")).or_default().push(index);
                    counters.exact.entry((key.clone(), name.into())).or_default().push(index);
                }
                Owner::AllTools => {
                    counters.all_tools.entry(name.into()).or_default().push(index);
                }
                Owner::Budget => {}
            }
        }
        counters
    }

    fn resolve(&mut self, state: &StateTest, diagnostics: &mut Diagnostics<'_>) -> Option<u32> {
        let texts: Option<Vec<&str>> = state.path.segments.iter().map(Segment::name).collect();
        let mut found: SmallVec<[u32; 2]> = SmallVec::new();
        if let Some((first, rest)) = texts.as_deref().and_then(<[&str]>::split_first) {
            let rest = rest.join(".");
            let exact = |key: &str| self.exact.get(&(Box::from(key), Box::from(&*rest)));
            if matches!(state.path.segments.first(), Some(Segment::Quoted(_))) {
                found.extend(exact(first).into_iter().flatten().copied());
            } else {
                found.extend(self.joined.get(&format!("{first}.{rest}")).into_iter().flatten().copied());
            }
            if *first == "_global" {
                let same = exact("*").or_else(|| self.all_tools.get(&*rest));
                found.extend(same.into_iter().flatten().copied());
            }
        }
        match found.as_slice() {
            [one] => Some(*one),
            [] => {
                let wanted = texts.unwrap_or_default().join(".");
                let known = self.known.get_or_insert_with(|| Known::new(&self.joined));
                let help = match known.suggest(&wanted, &mut diagnostics.suggestions) {
                    Some(name) => format!("did you mean `state.{name}`?"),
                    None => "declare it with `state`, `limits` or `rate_limit`; `rate_limit: 5/hour` declares `_rate_hour`"
                        .to_owned(),
                };
                let message = format!("no entry declares the counter `{}`", state.path);
                diagnostics.error("unknown_counter", state.span, &*state.pointer, message, Some(help));
                None
            }
            _ => {
                let message = format!("`{}` names several counters", state.path);
                let help = "name the entry exactly: `state[\"entry\"].counter`".to_owned();
                diagnostics.error("ambiguous_counter", state.span, &*state.pointer, message, Some(help));
                None
            }
        }
    }
}

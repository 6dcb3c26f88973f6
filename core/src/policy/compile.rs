//! From document to tree: names to entries, globs to an index, state paths to counters (spec 2.8, 4.6, 6.1).

use std::sync::OnceLock;

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::{Admission, Compiled, Entry, Found, NamedTool, Names, StateTest};
use crate::canonical::sha256;
use crate::ceilings::{GLOB_STEPS_OF_A_POLICY, MERGED_ENTRIES, PATH_BYTES};
use crate::diagnostic::{Diagnostics, Span};
use crate::document::{Declared, Document, report_unreachable};
use crate::glob::{Glob, GlobIndex, Work};
use crate::path::Segment;
use crate::policy::confusable::report_confusable;
use crate::store::Owner;
use crate::suggest::Suggestions;

type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// `None` after an error.
pub(super) fn compile(
    text: &str,
    mut document: Document,
    diagnostics: &mut Diagnostics<'_>,
) -> Option<Compiled> {
    let mut names: Map<Box<str>, NamedTool> =
        Map::with_capacity_and_hasher(document.exact_names, Default::default());
    let (mut globs, mut glob_entries) = (Vec::new(), Vec::new());
    let (mut wildcard, mut all_tools) = (None, None);
    let (mut hidden_globs, mut hidden_glob_rules) = (Vec::new(), Vec::new());

    for (name, rule) in document.hide {
        if Glob::is_glob(&name) {
            // A glob that does not parse was reported where it stands.
            hidden_globs.extend(Glob::parse(&name));
            hidden_glob_rules.push(rule);
        } else {
            names.entry(name).or_default().admission = Admission::Hidden(rule);
        }
    }

    if document.reads_counters {
        let mut counters = Counters::new(&document.declared);
        let steps = document.entries.iter_mut().flat_map(|entry| &mut entry.steps);
        for state in steps.flat_map(|step| &mut step.states) {
            if diagnostics.is_full() {
                break;
            }
            if let Some(declared) = counters.resolve(state, diagnostics) {
                state.declared = declared;
                if let Some(counter) = document.declared.get(declared as usize) {
                    report_unreachable(state, counter, diagnostics);
                }
            }
        }
    }
    let mut entries = Vec::with_capacity(document.entries.len());
    let spans: Vec<Span> = document.entries.iter().map(|entry| entry.span).collect();
    for entry in document.entries {
        let index = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        match entry.owner {
            Owner::AllTools => all_tools = Some(index),
            Owner::Tool(key) if &*key == "*" => wildcard = Some(index),
            Owner::Tool(key) if Glob::is_glob(&key) => {
                globs.extend(Glob::parse(&key));
                glob_entries.push(index);
            }
            Owner::Tool(key) => names.entry(key).or_default().entries = [index].into(),
        }
        entries.push(Entry { steps: entry.steps, only_args: entry.only_args, places: OnceLock::new() });
    }
    if diagnostics.has_errors() {
        return None;
    }

    let mut compiled = Compiled {
        digest: sha256(text.as_bytes()),
        default_deny: document.default_deny,
        lists_callable: document.lists_callable,
        names: Names::new(std::iter::empty()),
        entries: entries.into(),
        globs: GlobIndex::new(globs),
        glob_entries: glob_entries.into(),
        hidden_globs: GlobIndex::new(hidden_globs),
        hidden_glob_rules: hidden_glob_rules.into(),
        everywhere: wildcard.into_iter().chain(all_tools).collect(),
        rules: document.rules,
        declared: document.declared.into(),
        warnings: Box::default(),
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
        let too_many = match (matched, by_glob) {
            (Ok(()), Ok(by_glob)) if merged <= MERGED_ENTRIES => Ok(by_glob),
            (Ok(()), Ok(_)) => Err(format!(
                "exact names and the globs that match them make more than {MERGED_ENTRIES} pairs"
            )),
            _ => Err("it takes too long to compare all exact names with all globs".to_owned()),
        };
        let by_glob = match too_many {
            Ok(by_glob) => by_glob,
            Err(message) => {
                // Where the entries begin: no one of them is too many, and a map gives its names in any order.
                let span = spans.first().copied().unwrap_or_default();
                diagnostics.error(
                    "too_many_entries",
                    span,
                    "/tools",
                    message,
                    Some("use fewer globs, or fewer names".to_owned()),
                );
                return None;
            }
        };
        // The first in the document is the one reported.
        let by_name = if let Admission::Hidden(rule) = tool.admission { Some(rule) } else { None };
        let hidden = by_name.into_iter().chain(by_glob).min();
        tool.admission = hidden.map_or_else(|| compiled.admission(&entries), Admission::Hidden);
        entries.extend_from_slice(&compiled.everywhere);
        // What has no rules has nothing to say.
        if some_are_empty {
            entries.retain(|entry| {
                compiled.entries.get(*entry as usize).is_some_and(|entry| !entry.steps.is_empty())
            });
        }
        // Of most names it is what they have already.
        if *tool.entries != *entries {
            tool.entries = entries.as_slice().into();
        }
    }
    report_confusable(&compiled, names.values().map(|tool| &*tool.entries), diagnostics);
    compiled.names = Names::new(names.into_iter());
    Some(compiled)
}

/// The declared counters by the names that state paths may give them.
struct Counters {
    /// By entry key and name, joined by a dot.
    joined: Map<String, SmallVec<[u32; 1]>>,
    exact: Map<(Box<str>, Box<str>), u32>,
    all_tools: Map<Box<str>, u32>,
    /// What `joined` has, for suggestions; made when the first is needed.
    known: Option<Known>,
}

/// Names of counters as state paths may give them, in order.
struct Known {
    names: Vec<String>,
    /// By the last part of a name the first that ends with it.
    by_last: Map<String, usize>,
}

impl Known {
    fn new(joined: &Map<String, SmallVec<[u32; 1]>>) -> Self {
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
                Owner::Tool(key) => {
                    counters.joined.entry(format!("{key}.{name}")).or_default().push(index);
                    counters.exact.insert((key.clone(), name.into()), index);
                }
                Owner::AllTools => {
                    counters.all_tools.insert(name.into(), index);
                }
            }
        }
        counters
    }

    fn resolve(&mut self, state: &StateTest, diagnostics: &mut Diagnostics<'_>) -> Option<u32> {
        let texts: Option<Vec<&str>> = state.path.segments.iter().map(Segment::name).collect();
        let mut found: SmallVec<[u32; 2]> = SmallVec::new();
        if let Some((first, rest)) = texts.as_deref().and_then(<[&str]>::split_first) {
            let rest = rest.join(".");
            let exact = |key: &str| self.exact.get(&(Box::from(key), Box::from(&*rest))).copied();
            if matches!(state.path.segments.first(), Some(Segment::Quoted(_))) {
                found.extend(exact(first));
            } else {
                found.extend(self.joined.get(&format!("{first}.{rest}")).into_iter().flatten().copied());
            }
            if *first == "_global" {
                found.extend(exact("*").or_else(|| self.all_tools.get(&*rest).copied()));
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

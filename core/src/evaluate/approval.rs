//! What a call needs to be approved: its key, and the terms of the rules that ask (spec 7.1 to 7.3).

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::call::{Approval, Target};
use crate::canonical::{canonical, canonical_without};
use crate::condition::CallContext;
use crate::document::{Counted, Dispatcher, covered, overlap};
use crate::identity::Identity;
use crate::json_text::{hex, write_string};
use crate::path::{Path, Root, Segment};
use crate::policy::{Compiled, Step};
use crate::ruling::Asking;
use crate::store::Grant;
use crate::view::{Unreadable, View};

impl Compiled {
    /// What an approval of the call has to name, where `rules` ask or may ask; never none. Entries are those that match the call.
    #[cold]
    pub(super) fn asking<A: View, I: View>(
        &self,
        rules: &[u32],
        entries: &[u32],
        facts: &CallContext<'_, A, I>,
    ) -> Result<Box<Asking>, Unreadable> {
        self.asking_but(self.ignored(rules, entries), rules, facts)
    }

    /// The same of a call with another one in it (spec 3.11): of rules and entries the outer ones, and the inner ones. `place` is where
    /// the inner call stands, if that is in its arguments.
    #[cold]
    pub(super) fn asking_of_both<A: View, I: View>(
        &self,
        rules: [&[u32]; 2],
        entries: [&[u32]; 2],
        place: Option<&Dispatcher>,
        facts: &CallContext<'_, A, I>,
    ) -> Result<Box<Asking>, Unreadable> {
        self.asking_but(self.ignored_of_both(rules, entries, place), &rules.concat(), facts)
    }

    fn asking_but<A: View, I: View>(
        &self,
        ignored: Vec<Arc<Path>>,
        rules: &[u32],
        facts: &CallContext<'_, A, I>,
    ) -> Result<Box<Asking>, Unreadable> {
        let terms = || rules.iter().map(|rule| self.terms(*rule));
        let key = approval_key(&self.digest, &ignored, facts)?.into_boxed_str();
        let valid_for = terms().filter_map(|terms| u32::try_from(terms?.valid_for?).ok()).min();
        let uses = terms().map(|terms| terms.and_then(|terms| terms.uses).unwrap_or(1)).min().unwrap_or(1);
        let ignored = ignored.iter().map(|path| path.text.clone()).collect();
        Ok(Box::new(Asking { key, rules: rules.into(), ignored, valid_for, uses }))
    }

    /// The paths that every one of these rules ignores, as the first writes them, less what any entry of the call needs.
    fn ignored(&self, rules: &[u32], entries: &[u32]) -> Vec<Arc<Path>> {
        let Some((first, others)) = rules.split_first() else { return Vec::new() };
        let ignored = |rule: u32| self.terms(rule).map_or(&[][..], |terms| &terms.ignore);
        let by_all = |path: &&Arc<Path>| {
            others.iter().all(|rule| ignored(*rule).iter().any(|other| other.leads_where(path)))
        };
        let mut paths: Vec<Arc<Path>> = ignored(*first).iter().filter(by_all).cloned().collect();
        if !paths.is_empty() {
            self.needed(entries, &mut |read| paths.retain(|path| !overlap(path, read)));
        }
        paths
    }

    /// Those of a call with another one in it, as paths of the outer call.
    fn ignored_of_both(
        &self,
        [outer, inner]: [&[u32]; 2],
        [entries, inner_entries]: [&[u32]; 2],
        place: Option<&Dispatcher>,
    ) -> Vec<Arc<Path>> {
        let terms = |rule: &u32| self.terms(*rule).map_or(&[][..], |terms| &terms.ignore);
        let outside = |path: &Arc<Path>| match path.root {
            Root::Args => place.and_then(|place| ignorable(&place.args, path)),
            _ => Some(Arc::clone(path)),
        };
        let mut lists = outer
            .iter()
            .map(|rule| terms(rule).to_vec())
            .chain(inner.iter().map(|rule| terms(rule).iter().filter_map(outside).collect::<Vec<_>>()));
        let mut paths = lists.next().unwrap_or_default();
        for list in lists {
            paths.retain(|path| list.iter().any(|other| other.leads_where(path)));
        }
        if paths.is_empty() {
            return paths;
        }
        let mut keep = |read: &Path| paths.retain(|path| !overlap(path, read));
        self.needed(entries, &mut keep);
        match place {
            Some(place) => {
                // Which tool it is decides everything else.
                keep(&place.tool);
                self.needed(inner_entries, &mut |read| match read.root {
                    Root::Args => keep(&joined(&place.args, read)),
                    _ => keep(read),
                });
            }
            None => {
                for name in ["ref", "context"] {
                    keep(&Path::new(Root::Args, [Segment::Name(name.into())].into(), name.into()));
                }
                self.needed(inner_entries, &mut |read| {
                    if read.root != Root::Args {
                        keep(read);
                    }
                });
            }
        }
        paths
    }

    /// Shows every path that an approval has to cover for the sake of these entries.
    fn needed(&self, entries: &[u32], keep: &mut impl FnMut(&Path)) {
        let entries = entries.iter().filter_map(|entry| self.entries.get(*entry as usize));
        entries.flat_map(|entry| &entry.steps).for_each(|step| self.needed_by(step, keep));
    }

    /// The same for the sake of a step.
    pub(crate) fn needed_by(&self, step: &Step, mut keep: &mut impl FnMut(&Path)) {
        let counted = |charge: u32| {
            let payment = self.payment(charge)?;
            Some(Counted { payment, declared: self.declared(payment.declared)? })
        };
        covered(step, counted, &mut keep);
        // A condition on a counter reads it for whom the call's own arguments say.
        for declared in step.states.iter().filter_map(|state| self.declared(state.declared)) {
            declared.scope.paths().for_each(&mut keep);
        }
    }
}

/// A path of inner arguments as one of the outer call.
fn joined(place: &Path, path: &Path) -> Path {
    let segments = place.segments.iter().chain(&path.segments).cloned().collect();
    let below = path.text.strip_prefix("args").unwrap_or(&path.text);
    Path::new(Root::Args, segments, format!("{}{below}", place.text).into())
}

/// The same where an approval may leave it out: behind `@json` it stands in a text, and an element is no member.
fn ignorable(place: &Path, path: &Path) -> Option<Arc<Path>> {
    let by_names = place.segments.iter().all(|segment| segment.name().is_some());
    by_names.then(|| joined(place, path).into())
}

impl Asking {
    /// What a store is to count uses of, where the host's approval is one for this call.
    pub(super) fn grant(&self, given: Option<Approval<'_>>) -> Option<Grant<'static>> {
        let given = given.filter(|given| given.is_valid() && given.key == &*self.key)?;
        let holds = match self.valid_for {
            None => None,
            // Without a time, nobody can tell whether it is too old.
            Some(seconds) => {
                let at = given.given_at?;
                Some((at, at.plus_millis(i64::from(seconds).saturating_mul(1_000))))
            }
        };
        Some(Grant { id: given.id.to_owned().into(), uses: self.uses, holds })
    }
}

/// The key: parts are preceded by their lengths, so no two calls have one encoding.
fn approval_key<A: View, I: View>(
    policy: &[u8; 32],
    ignored: &[Arc<Path>],
    facts: &CallContext<'_, A, I>,
) -> Result<String, Unreadable> {
    let steps = &facts.steps;
    // A method may have the name of a tool.
    let (purpose, name) = match facts.target() {
        Target::Tool(tool) if ignored.is_empty() => ("callgate approval 1", tool),
        Target::Tool(tool) => ("callgate approval 1 of what is not ignored", tool),
        Target::Method(method) if ignored.is_empty() => ("callgate approval 1 of a method", method),
        Target::Method(method) => ("callgate approval 1 of what is not ignored of a method", method),
    };
    let below = |root: Root| -> Vec<Vec<&str>> {
        let paths = ignored.iter().filter(|path| path.root == root);
        paths.map(|path| path.segments.iter().filter_map(Segment::name).collect()).collect()
    };
    let args = facts
        .args
        .map_or_else(|| Ok("{}".to_owned()), |args| canonical_without(args, &below(Root::Args), steps))?;
    let identity = match facts.identity {
        Identity::Absent => String::new(),
        Identity::Id(id) => {
            let mut text = String::from("{\"id\":");
            let _ = write_string(&mut text, id);
            text.push('}');
            text
        }
        Identity::Claims(claims) if ignored.is_empty() => canonical(claims, steps)?,
        Identity::Claims(claims) => canonical_without(claims, &below(Root::Identity), steps)?,
    };
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for bytes in [purpose.as_bytes(), policy, name.as_bytes(), args.as_bytes(), identity.as_bytes()] {
        part(bytes);
    }
    if !ignored.is_empty() {
        part(&(ignored.len() as u64).to_be_bytes());
        ignored.iter().for_each(|path| part(path.key().as_bytes()));
    }
    // Only where there is one: keys of calls without a server are those of earlier versions.
    if let Some(server) = facts.beside.server {
        part(server.as_bytes());
    }
    Ok(format!("ak1:{}", hex(&hash.finalize())))
}

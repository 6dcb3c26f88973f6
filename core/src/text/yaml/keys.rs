//! The keys of mappings.
//!
//! In: the text where a key must be. Out: what the mapping waits for next, and every key that is none, is read differently
//! or repeats another. Must take no more than linear time, whatever the keys.

use std::borrow::Cow;
use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::message::excerpt;
use super::scalar::{Plain, resolve};
use super::{Children, Frame, Loader, Pending};
use crate::bytes::same;
use crate::diagnostic::Span;
use crate::text::tree::Reading;

/// Keys of one mapping that are compared pairwise; beyond it they are hashed. Nearly all mappings stay below.
const PAIRWISE_KEYS: usize = 16;

impl<'t> Loader<'t, '_, '_> {
    pub(super) fn key(&mut self, text: Cow<'t, str>, plain: bool, span: Span) {
        let reading = if plain { resolve(text.clone()) } else { Plain::String(Cow::Borrowed("")) };
        if reading == Plain::Null {
            let message = if span.start == span.end { "a key is missing" } else { "a key is null" };
            let help = "write the key before the `:`, and quote it if this is its text";
            self.error("bad_key", span, || message.into(), help);
            return self.set_key(Pending::Dropped);
        }
        let is_merge = plain && text == "<<";
        // Set first, so that errors about the key point at it.
        let key = self.tree.push_text(text, Reading::String, span);
        self.set_key(Pending::Value(key));
        match reading {
            Plain::Mixed(_) if is_merge => {
                let help = "repeat the fields here, or share a whole value with an anchor and an alias";
                self.error("merge_key", span, || "a policy takes no merge key `<<`".into(), help);
                self.tree.truncate(key);
                return self.set_key(Pending::Dropped);
            }
            Plain::Mixed(text) => {
                let message = format!("YAML readers do not agree what the key `{}` is", excerpt(&text));
                self.error("ambiguous_scalar", span, || message, "quote the key to make it text");
            }
            _ => {}
        }
        self.check_unique(key);
    }

    pub(super) fn set_key(&mut self, pending: Pending) {
        if let Some(Children::Mapping { key, .. }) = self.frames.last_mut().map(|frame| &mut frame.children) {
            *key = pending;
        }
    }

    /// Trap 2: reports the key that came last if its mapping has it already.
    fn check_unique(&mut self, key: u32) {
        let Some(Frame { children: Children::Mapping { first, seen, .. }, .. }) = self.frames.last_mut()
        else {
            return;
        };
        let (keys, tree) = (self.keys.get(*first..).unwrap_or_default(), &self.tree);
        let text = tree.node(key).text();
        let earlier = if keys.len() < PAIRWISE_KEYS {
            keys.iter().find(|earlier| same(tree.node(**earlier).text(), text))
        } else {
            let text_of = |at: usize| keys.get(at).map_or("", |key| tree.node(*key).text());
            let hash_of = |at: usize| self.hasher.hash_one(text_of(at));
            let seen = seen.get_or_insert_with(|| {
                let mut table = HashTable::with_capacity(keys.len().saturating_mul(2));
                for at in 0..keys.len() {
                    table.insert_unique(hash_of(at), at, |at| hash_of(*at));
                }
                table
            });
            let hash = self.hasher.hash_one(text);
            let found = seen.find(hash, |at| text_of(*at) == text).and_then(|at| keys.get(*at));
            if found.is_none() {
                let next = keys.len();
                seen.insert_unique(hash, next, |at| if *at == next { hash } else { hash_of(*at) });
            }
            found
        };
        let earlier = earlier.copied();
        self.keys.push(key);
        if let Some(earlier) = earlier {
            let line = self.diagnostics.lines().line(self.tree.node(earlier).span().start);
            let key = self.tree.node(key);
            let (span, message) =
                (key.span(), format!("key `{}` is already on line {line}", excerpt(key.text())));
            self.error("duplicate_key", span, || message, "remove one of the two, or merge their values");
        }
    }
}

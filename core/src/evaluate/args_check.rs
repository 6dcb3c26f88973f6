//! Checks of arguments before any rule: whether the server may read them otherwise than the rules do (spec 3.7, 3.8).
//!
//! In: the entries that apply to a call, its arguments, and what the host knows about the server. Out: a denial, or nothing.
//! Must look only at the places that the entries read.

use super::unreadable;
use crate::admission::{Place, folding};
use crate::args_check::ArgsCheck;
use crate::budget::Budget;
use crate::policy::Compiled;
use crate::ruling::Ruling;
use crate::schema::Walk;
use crate::trace::{Sink, Step as At};
use crate::view::{Unreadable, View};

impl Compiled {
    /// The denial of arguments that the server may read otherwise than the entries do.
    #[cold]
    #[inline(never)]
    pub(crate) fn refused<A: View, S: Sink>(
        &self,
        entries: &[u32],
        args: &A,
        check: &ArgsCheck,
        steps: &Budget,
        sink: &mut S,
    ) -> Option<Ruling> {
        sink.open(At::Root(""), || check.describe());
        let found = self.first_refused(entries, args, check, steps);
        let ruling = match found {
            Ok(None) => None,
            Ok(Some(why)) => Some(Ruling::invalid_args(why)),
            Err(why) => Some(unreadable(why)),
        };
        sink.close(if ruling.is_some() { "denies" } else { "passes" }, None);
        ruling
    }

    fn first_refused<A: View>(
        &self,
        entries: &[u32],
        args: &A,
        check: &ArgsCheck,
        steps: &Budget,
    ) -> Result<Option<String>, Unreadable> {
        for entry in entries {
            let Some(places) = self.places(*entry) else { continue };
            if let Some(schema) = &check.schema
                && let Some(place) = Walk::new(schema, steps).refused(args, places)?
            {
                let path = place.path();
                return Ok(Some(format!("{path} is of another type than the tool's schema admits")));
            }
            if check.folding
                && let Some(place) = folding::refused(args, places, steps)?
            {
                let path = place.path();
                return Ok(Some(format!("some servers take a member of another name for {path}")));
            }
        }
        Ok(None)
    }

    /// What an entry reads of arguments; `None` where that is nothing.
    fn places(&self, index: u32) -> Option<&Place> {
        let entry = self.entries.get(index as usize)?;
        let places = entry.places.get_or_init(|| {
            let mut places = Place::default();
            self.paths_of(index, &mut |_, path, operator| places.add(path, operator));
            entry.only_args.iter().flat_map(|only| &only.names).for_each(|name| places.add_name(name));
            Box::new(places.finished())
        });
        (places.is_read() || !places.is_idle()).then_some(places)
    }
}

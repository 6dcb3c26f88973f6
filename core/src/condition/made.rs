//! Values that no host has: what views give (spec 4.7), and objects that a call only implies.
//!
//! In: text, numbers and names. Out: a [`View`] of them, so that a path goes on in it as in any value.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};

use crate::budget::Budget;
use crate::number::Number;
use crate::view::{Kind, Unreadable, View};

/// A value that was made for a path.
#[derive(Debug, Clone, Copy)]
pub(super) enum Made<'m> {
    /// `{}`: arguments that are absent.
    Nothing,
    /// `{"id": …}`: an identity that is only an id.
    Id(&'m str),
    Text(&'m str),
    Whole(i64),
    Names(&'m Names),
}

/// The names of an object, sorted by code points.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: String,
    places: Vec<Range<usize>>,
}

impl Names {
    /// Those of `object`. Four steps for each: three to come to it, which lies anywhere in a host's memory, and one to keep it.
    pub(super) fn of<V: View>(object: &V, steps: &Budget) -> Result<Self, Unreadable> {
        let mut names = Self::default();
        let (mut result, mut in_order) = (Ok(()), true);
        object.members(|name, _| {
            result = steps.take(4).and_then(|()| steps.take_text(name));
            if result.is_err() {
                return ControlFlow::Break(());
            }
            in_order = in_order && names.places.last().is_none_or(|last| names.get(last) <= name);
            let start = names.text.len();
            names.text.push_str(name);
            names.places.push(start..names.text.len());
            ControlFlow::Continue(())
        })?;
        result?;
        if !in_order {
            let count = names.places.len() as u64;
            steps.take(count.saturating_mul(count.checked_ilog2().unwrap_or(0).into()))?;
            let mut places = std::mem::take(&mut names.places);
            places.sort_unstable_by(|one, other| names.get(one).cmp(names.get(other)));
            names.places = places;
        }
        Ok(names)
    }

    fn get(&self, place: &Range<usize>) -> &str {
        self.text.get(place.clone()).unwrap_or_default()
    }
}

impl View for Made<'_> {
    fn kind(&self) -> Result<Kind<'_>, Unreadable> {
        Ok(match self {
            Self::Nothing | Self::Id(_) => Kind::Object,
            Self::Text(text) => Kind::String(Cow::Borrowed(text)),
            Self::Whole(whole) => Kind::Number(Number::from_i64(*whole)),
            Self::Names(_) => Kind::Array,
        })
    }

    fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn member(&self, name: &str) -> Result<Option<Self>, Unreadable> {
        Ok(match self {
            Self::Id(id) if name == "id" => Some(Self::Text(id)),
            _ => None,
        })
    }

    fn element(&self, index: usize) -> Result<Option<Self>, Unreadable> {
        Ok(match self {
            Self::Names(names) => names.places.get(index).map(|place| Self::Text(names.get(place))),
            _ => None,
        })
    }

    fn size(&self) -> Result<usize, Unreadable> {
        Ok(match self {
            Self::Id(_) => 1,
            Self::Names(names) => names.places.len(),
            Self::Nothing | Self::Text(_) | Self::Whole(_) => 0,
        })
    }

    fn elements(&self, mut each: impl FnMut(Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        if let Self::Names(names) = self {
            // Breaking is the caller's way to stop early, not a failure.
            let _ = names.places.iter().try_for_each(|place| each(Self::Text(names.get(place))));
        }
        Ok(())
    }

    fn members(&self, mut each: impl FnMut(&str, Self) -> ControlFlow<()>) -> Result<(), Unreadable> {
        if let Self::Id(id) = self {
            let _ = each("id", Self::Text(id));
        }
        Ok(())
    }
}

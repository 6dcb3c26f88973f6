//! Short byte strings and texts: kept inline, and compared without a call.

mod equality;
mod inline;

pub(crate) use equality::same;
pub(crate) use inline::Short;

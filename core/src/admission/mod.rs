//! The places of arguments that an entry reads, and names that fold together (spec 3.7, 3.8).
//!
//! In: compiled paths and operands, arguments. Out: places, and the first that has a member which folds to its name.

pub(crate) mod folding;
mod places;

pub(crate) use places::Place;

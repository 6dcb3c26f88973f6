//! The segments of a path (spec 4.2): names, indexes, wildcards and views.

use std::fmt;

use crate::json_text::write_string;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// `.name`
    Name(Box<str>),
    /// `["any text"]`: the same as a name, but exact where a name could also be read as several.
    Quoted(Box<str>),
    /// `[3]`
    Index(usize),
    /// `[*]`
    Each,
    /// `.*`: the value of every member.
    Members,
    /// `.**`: every scalar at any depth, and every member's name.
    Scalars,
    /// `.@length`: the value before it, read in another way.
    View(PathView),
}

/// Another way to read a value (spec 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathView {
    /// `@text`: a string as text and nothing else.
    Text,
    /// `@lower`: a string in lower case.
    Lower,
    /// `@length`: how many code points a string has.
    Length,
    /// `@count`: how many elements or members there are.
    Count,
    /// `@keys`: the names of an object, sorted.
    Keys,
    /// `@json`: what a string says as JSON text; any other value as it is.
    Json,
}

impl PathView {
    pub(crate) const ALL: [Self; 6] =
        [Self::Text, Self::Lower, Self::Length, Self::Count, Self::Keys, Self::Json];

    /// As paths write it, without the point.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "@text",
            Self::Lower => "@lower",
            Self::Length => "@length",
            Self::Count => "@count",
            Self::Keys => "@keys",
            Self::Json => "@json",
        }
    }

    /// Whether it may stand in the path of an amount (spec 2.18).
    pub(crate) const fn may_count(self) -> bool {
        matches!(self, Self::Length | Self::Count | Self::Json)
    }

    /// Whether it may stand in the path of a scope (spec 4.7).
    pub(crate) const fn may_scope(self) -> bool {
        matches!(self, Self::Text | Self::Lower | Self::Json)
    }

    /// Whether it can read all arguments, or all claims, which are an object.
    pub(crate) const fn takes_root(self) -> bool {
        matches!(self, Self::Count | Self::Keys)
    }
}

impl Segment {
    /// The step to a member, in its shorter form where the name can be written so.
    pub(crate) fn member(name: &str) -> Self {
        let is_plain = !name.is_empty() && !name.starts_with('@') && !name.contains(['.', '[', ']', '*']);
        if is_plain { Self::Name(name.into()) } else { Self::Quoted(name.into()) }
    }

    /// The name of the member that it steps to.
    pub(crate) fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Quoted(name) => Some(name),
            Self::Index(_) | Self::Each | Self::Members | Self::Scalars | Self::View(_) => None,
        }
    }

    /// Whether it is a step to one part of a value.
    #[inline]
    pub(crate) const fn is_step(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Quoted(_) | Self::Index(_))
    }

    /// Whether it leads to several values.
    pub(crate) const fn is_wildcard(&self) -> bool {
        matches!(self, Self::Each | Self::Members | Self::Scalars)
    }
}

/// As paths write it.
impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, ".{name}"),
            Self::Quoted(name) => {
                f.write_str("[")?;
                write_string(f, name)?;
                f.write_str("]")
            }
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Each => f.write_str("[*]"),
            Self::Members => f.write_str(".*"),
            Self::Scalars => f.write_str(".**"),
            Self::View(view) => write!(f, ".{}", view.name()),
        }
    }
}

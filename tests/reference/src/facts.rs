//! What a call gives to conditions, scopes and amounts (sections 4, 8 and 9).

use crate::condition::Place;
use crate::decimal::{Decimal, LARGEST};
use crate::json::{Json, quoted};
use crate::mistake::{Mistake::*, is_made};
use crate::path::{self, At, Leaf};
use crate::payment::{Charge, Counter, Scope};

/// What conditions read.
pub struct Facts<'c> {
    /// A request has none (clause 3.10).
    pub(crate) tool: Option<Json>,
    pub(crate) args: &'c Json,
    /// Clause 3.3: a string `s` means `{"id": s}`.
    pub(crate) identity: Option<&'c Json>,
    /// Clause 9.5.
    pub(crate) server: Option<Json>,
}

impl<'c> Facts<'c> {
    pub(crate) fn new(
        tool: Option<&str>,
        args: &'c Json,
        identity: Option<&'c Json>,
        server: Option<&str>,
    ) -> Facts<'c> {
        let text = |text: &str| Json::String(text.to_owned());
        Facts {
            tool: tool.map(text),
            args,
            identity,
            server: server.or_else(|| is_made(ServerAlwaysThere).then_some("")).map(text),
        }
    }

    /// Clauses 4.1, 9.1 and 9.5: the value of a root; none if it is absent.
    fn root(&self, root: &str) -> Option<At> {
        let (value, readings) = match root {
            "tool" => (self.tool.as_ref(), false),
            "server" => (self.server.as_ref(), false),
            "args" => (Some(self.args), true),
            "identity" => (self.identity, false),
            other => panic!("no root: {other}"),
        };
        Some(At { value: value?.clone(), readings })
    }

    /// Everything that a path leads to.
    pub fn leaves(&self, path: &str, place: Place) -> Vec<Leaf> {
        let (root, segments) = path::read(path);
        match self.root(&root) {
            Some(at) => at.follow(&segments, place),
            None => vec![Leaf::Absent],
        }
    }

    /// Clause 5.31.
    pub fn lacks(&self, path: &str) -> bool {
        let (root, segments) = path::read(path);
        self.root(&root).is_none_or(|at| at.lacks(&segments))
    }

    /// Clause 9.3: the value of one path of a scope; none if it is missing, which a text with two readings is.
    fn scope_value(&self, path: &str) -> Option<String> {
        match &self.leaves(path, Place::Permit)[..] {
            [Leaf::Value(Json::String(text))] if !text.is_empty() && text.len() <= 1_024 => {
                Some(quoted(text))
            }
            [Leaf::Value(Json::Number(literal))] => {
                let number = Decimal::read(literal).filter(Decimal::is_integer)?;
                Some(number.plain()).filter(|text| text.len() <= 1_024)
            }
            _ => None,
        }
    }

    /// Clause 9.2: the value of a scope, with its source (clause 9.3); none if it is missing.
    pub(crate) fn scope(&self, scope: &Scope) -> Option<Vec<String>> {
        let of = |path: &str| self.scope_value(path).map(|value| vec![path.to_owned(), value]);
        match scope {
            Scope::Kind(kind) => match kind.as_str() {
                "global" => Some(vec![]),
                "grant" => of("identity.grant").or_else(|| of("identity.id")),
                "session" => of("identity.session"),
                "identity" => of("identity.id"),
                // Clause 9.2: the shared anonymous counter.
                "agent" => of("identity.session").or_else(|| of("identity.id")).or(Some(vec![])),
                other => panic!("no scope: {other}"),
            },
            Scope::Paths(paths) => paths.iter().map(|path| self.scope_value(path)).collect(),
        }
    }

    /// Clause 8.2: what a call charges; none if that is not an amount.
    pub(crate) fn amount(&self, charge: &Charge) -> Option<i128> {
        match charge {
            Charge::Fixed(amount) => Some(*amount),
            Charge::From(path) => {
                let mut sum = 0;
                for leaf in self.leaves(path, Place::Permit) {
                    match leaf {
                        Leaf::Value(Json::Number(literal)) => sum += Decimal::read(&literal)?.to_amount()?,
                        _ => return None,
                    }
                }
                Some(sum).filter(|sum| *sum <= LARGEST)
            }
        }
    }

    /// Clause 2.26: the maximum for this call.
    pub(crate) fn maximum(&self, counter: &Counter) -> Maximum {
        let Some(path) = &counter.max_from else { return Maximum::Is(counter.max) };
        let claimed = |literal: &str| Decimal::read(literal).and_then(|number| number.to_amount());
        let amount = match &self.leaves(path, Place::Permit)[..] {
            [Leaf::Value(Json::Null)] if is_made(NullIsUnlimited) => return Maximum::Is(None),
            [Leaf::Absent | Leaf::Value(Json::Null)] => {
                return counter.max.map_or(Maximum::Missing, |max| Maximum::Is(Some(max)));
            }
            [Leaf::Value(Json::String(text))] if is_made(TextIsMaximum) && text.parse::<u32>().is_ok() => {
                claimed(text)
            }
            [Leaf::Value(Json::Number(literal))] => claimed(literal),
            _ => None,
        };
        match amount {
            Some(amount) if is_made(MaxCapsClaim) => {
                Maximum::Is(Some(counter.max.map_or(amount, |max| max.min(amount))))
            }
            Some(amount) => Maximum::Is(Some(amount)),
            None => Maximum::Invalid,
        }
    }
}

/// What a claim says of a maximum.
pub(crate) enum Maximum {
    /// This, or that there is none.
    Is(Option<i128>),
    /// Nothing, and the policy does not either.
    Missing,
    /// What is no amount.
    Invalid,
}

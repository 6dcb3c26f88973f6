//! What a call gives to conditions, scopes and amounts (sections 4, 8 and 9).

use crate::decimal::{Decimal, LARGEST};
use crate::json::{Json, quoted};
use crate::path::{self, Leaf};
use crate::policy::{Charge, Scope};
use crate::readings;

/// What conditions read.
pub struct Facts<'c> {
    pub(crate) tool: Json,
    pub(crate) args: &'c Json,
    /// Clause 3.3: a string `s` means `{"id": s}`.
    pub(crate) identity: Option<&'c Json>,
}

impl Facts<'_> {
    /// Everything that a path leads to (clauses 4.1 and 9.1).
    pub fn leaves(&self, path: &str) -> Vec<Leaf<'_>> {
        let (root, segments) = path::read(path);
        match root.as_str() {
            "tool" => vec![Leaf::Value(&self.tool)],
            "args" => path::follow(self.args, &segments),
            "identity" => match self.identity {
                Some(identity) => path::follow(identity, &segments),
                None => vec![Leaf::Absent],
            },
            other => panic!("no root: {other}"),
        }
    }

    /// Clause 9.3: the value of one path of a scope; none if it is missing.
    fn scope_value(&self, path: &str) -> Option<String> {
        match self.leaves(path)[..] {
            // Clause 9.3: a text with two readings is none.
            [Leaf::Value(Json::String(text))]
                if path::has_readings(path) && readings::other(text).is_some() =>
            {
                None
            }
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
                for leaf in self.leaves(path) {
                    match leaf {
                        Leaf::Value(Json::Number(literal)) => sum += Decimal::read(literal)?.to_amount()?,
                        _ => return None,
                    }
                }
                Some(sum).filter(|sum| *sum <= LARGEST)
            }
        }
    }
}

//! Messages of the protocol, as far as listing tools needs them.
//!
//! In: text. Out: what it says. Must not build more than it needs: a message may be sixteen million bytes of anything.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::ceilings;

/// Any message.
#[derive(Deserialize)]
pub(super) struct Message<'m> {
    #[serde(borrow)]
    pub(super) id: Option<&'m RawValue>,
    #[serde(borrow)]
    pub(super) method: Option<Cow<'m, str>>,
    #[serde(borrow)]
    pub(super) result: Option<&'m RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<Refusal<'m>>,
}

/// An error of the server.
#[derive(Deserialize)]
pub(super) struct Refusal<'m> {
    #[serde(default)]
    pub(super) code: i64,
    #[serde(borrow, default)]
    pub(super) message: Cow<'m, str>,
}

/// The answer to `server/discover`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Discovered<'m> {
    #[serde(borrow, default)]
    pub(super) supported_versions: Few<'m>,
    #[serde(borrow)]
    pub(super) server_info: Option<Info<'m>>,
    #[serde(borrow)]
    pub(super) capabilities: Option<Capabilities<'m>>,
}

/// The answer to `initialize`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Initialized<'m> {
    #[serde(borrow)]
    pub(super) protocol_version: Cow<'m, str>,
    #[serde(borrow)]
    pub(super) server_info: Option<Info<'m>>,
    #[serde(borrow)]
    pub(super) capabilities: Option<Capabilities<'m>>,
}

#[derive(Deserialize)]
pub(super) struct Info<'m> {
    #[serde(borrow, default)]
    pub(super) name: Cow<'m, str>,
    #[serde(borrow, default)]
    pub(super) version: Cow<'m, str>,
}

#[derive(Deserialize)]
pub(super) struct Capabilities<'m> {
    #[serde(borrow)]
    pub(super) tools: Option<&'m RawValue>,
}

/// A page of the list.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'m> {
    #[serde(borrow)]
    pub(super) tools: Few<'m>,
    #[serde(borrow)]
    pub(super) next_cursor: Option<Cow<'m, str>>,
    #[serde(borrow)]
    pub(super) result_type: Option<Cow<'m, str>>,
}

/// The elements of a list, one more than there may be tools at the most.
#[derive(Default)]
pub(super) struct Few<'m>(pub(super) Vec<&'m RawValue>);

impl<'de: 'm, 'm> Deserialize<'de> for Few<'m> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Few<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Few<'de>, A::Error> {
                let mut few = Vec::new();
                while few.len() <= ceilings::TOOLS {
                    match list.next_element()? {
                        Some(element) => few.push(element),
                        None => return Ok(Few(few)),
                    }
                }
                // The rest is read to keep its syntax checked, and is not kept.
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Few(few))
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

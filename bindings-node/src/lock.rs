//! Locks of definitions.
//!
//! In: the path of a lock, definitions as JSON text. Out: the approved definitions of one server, and digests. Must not judge a change.

use callgate::lock::{Definition, Field, Pins as Approved};
use callgate_host::load_pins;
use napi_derive::napi;

use crate::failure::{Failure, failure};

/// The approved definitions of one server.
#[napi(js_name = "NativePins")]
pub struct Pins(pub(crate) Approved);

#[napi]
impl Pins {
    /// Those of this server in a lock, or of its only one.
    #[napi(factory, catch_unwind)]
    pub fn load(path: String, server: Option<String>) -> Result<Self, Failure> {
        load_pins(path, server.as_deref()).map(Self).map_err(|error| failure("invalid_lock", error))
    }

    /// The digest of a definition (`digest`) and those of its fields, each with its name before it; none for what is no definition.
    #[napi(catch_unwind)]
    pub fn digests(definition: String) -> Option<Vec<Vec<String>>> {
        let definition = Definition::read(&definition).ok()?;
        let fields =
            Field::ALL.into_iter().filter_map(|field| Some((field.name(), definition.field(field)?)));
        let all = [("digest", definition.digest())].into_iter().chain(fields);
        Some(all.map(|(name, digest)| vec![name.to_owned(), digest.to_string()]).collect())
    }
}

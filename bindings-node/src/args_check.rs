//! What a host wants checked in arguments before any rule (spec 3.7, 3.8).
//!
//! In: a tool's input schema as JSON text. Out: the core's check, compiled once. Must not judge the schema.

use callgate::InputSchema;
use napi_derive::napi;

/// What is checked in the arguments of a call, before any rule.
#[napi(js_name = "NativeArgsCheck")]
pub struct ArgsCheck(pub(crate) callgate::ArgsCheck);

#[napi]
impl ArgsCheck {
    /// A check by a schema, if one is known, and for members that fold.
    #[napi(factory, catch_unwind)]
    pub fn compile(schema: Option<String>, folding: bool) -> napi::Result<Self> {
        let check = callgate::ArgsCheck::new();
        let check = if folding { check } else { check.without_folding() };
        let Some(text) = schema else { return Ok(Self(check)) };
        let schema =
            InputSchema::from_json(&text).map_err(|error| napi::Error::from_reason(error.to_string()))?;
        Ok(Self(check.schema(schema)))
    }
}

//! Which class of risk each tool of a server has (spec/risk.md).
//!
//! In: the JSON text of a list of definitions. Out: the JSON text of the results. Must not decide anything about a call.

use callgate_analysis::risk::{Options, Override, classify_json};
use napi_derive::napi;

/// The results for a list of definitions, both as JSON text. An override is four texts: a server or null for every one, a tool, a class, a reason.
#[napi(catch_unwind)]
pub(crate) fn classify_tools(
    tools: String,
    server: String,
    trusted: bool,
    overrides: Vec<Vec<Option<String>>>,
) -> napi::Result<String> {
    let failed = |error: &dyn std::fmt::Display| napi::Error::from_reason(error.to_string());
    let mut options = if trusted { Options::new().trust(&server) } else { Options::new() };
    for one in overrides {
        let [server, Some(tool), Some(class), Some(reason)] = one.as_slice() else {
            return Err(failed(&"an override needs a tool, a class and a reason"));
        };
        let said = Override::named(class, reason).map_err(|error| failed(&error))?;
        options = options.override_class(server.as_deref(), tool, said);
    }
    classify_json(&server, &tools, &options).map_err(|error| failed(&error))
}

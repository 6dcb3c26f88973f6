//! A call as the command line or a line of a stream gives it.
//!
//! In: texts. Out: a call for core. Arguments stay text, so that core checks them whole (spec 3.5). The same parser reads an
//! identity.

use std::borrow::Cow;
use std::path::Path;

use callgate::Call;
use callgate::time::Timestamp;
use callgate::value::{Kind, RawError, RawView, View as _};
use callgate_analysis::caller::Caller;

use crate::args::CallArgs;
use crate::failure::Failure;
use crate::input::{STDIN, read_text};

/// Absent arguments are these (spec 3.2).
pub(crate) const NO_ARGS: &str = "{}";

/// A call.
#[derive(Debug)]
pub(crate) struct GivenCall<'t> {
    pub(crate) tool: Cow<'t, str>,
    pub(crate) args: Cow<'t, str>,
    pub(crate) identity: Caller<'t>,
    /// The server's name, if it is given.
    pub(crate) server: Option<Cow<'t, str>>,
    /// The time; `None` for the clock's.
    pub(crate) at: Option<Timestamp>,
}

/// Who calls, from JSON; null is nobody.
pub(crate) fn caller_of(text: &str) -> Result<Caller<'_>, RawError> {
    let caller = Caller::read(Some(text))?;
    let is_null = matches!(&caller, Caller::Claims(claims) if matches!(claims.root().kind(), Ok(Kind::Null)));
    Ok(if is_null { Caller::Nobody } else { caller })
}

/// From an argument: JSON if it begins like a JSON object or string, else an id.
fn caller_of_argument(text: &str) -> Result<Caller<'_>, Failure> {
    if !text.trim_start().starts_with(['{', '"']) {
        return Ok(Caller::Id(text.to_owned()));
    }
    caller_of(text).map_err(|error| {
        Failure::with_help(
            format!("--identity is not valid JSON: {error}"),
            "an id is given as it is (`--identity alice`), claims as an object (`--identity '{\"id\": \"alice\"}'`)",
        )
    })
}

/// The claims that an argument is; `None` for an id.
pub(crate) fn claims_of_argument(text: &str) -> Result<Option<serde_json::Value>, Failure> {
    match caller_of_argument(text)? {
        Caller::Claims(_) => Ok(serde_json::from_str(text).ok()),
        Caller::Id(_) | Caller::Nobody => Ok(None),
    }
}

/// The caller's name in a table: the first of id, grant and session that is text.
fn label_of<'c>(caller: &'c Caller<'_>) -> Option<Cow<'c, str>> {
    let claims = match caller {
        Caller::Nobody => return None,
        Caller::Id(id) => return Some(Cow::Borrowed(id)),
        Caller::Claims(claims) => claims.root(),
    };
    if !matches!(claims.kind(), Ok(Kind::Object)) {
        return None;
    }
    ["id", "grant", "session"].into_iter().find_map(|claim| {
        let value = claims.member(claim).ok().flatten()?;
        match value.kind().ok()? {
            Kind::String(text) => Some(Cow::Owned(text.into_owned())),
            _ => None,
        }
    })
}

impl GivenCall<'_> {
    /// The caller's name in a table.
    pub(crate) fn label(&self) -> Option<Cow<'_, str>> {
        label_of(&self.identity)
    }

    /// The call, for core.
    pub(crate) fn call(&self) -> Call<'_, &str, RawView<'_>> {
        let call = Call::new(&self.tool, &*self.args).identity(self.identity.identity());
        match &self.server {
            Some(server) => call.server(server),
            None => call,
        }
    }
}

impl<'t> GivenCall<'t> {
    /// The call of a command line.
    pub(crate) fn from_arguments(tool: &'t str, given: &'t CallArgs) -> Result<Self, Failure> {
        let args = match given.args.as_deref() {
            None => Cow::Borrowed(NO_ARGS),
            Some(STDIN) => Cow::Owned(read_text(Path::new(STDIN))?),
            Some(text) => match text.strip_prefix('@') {
                Some("") => {
                    let help = "name one, as in `--args @call.json`; `--args -` reads standard input";
                    return Err(Failure::with_help("`--args @` names no file", help));
                }
                Some(path) => Cow::Owned(read_text(Path::new(path))?),
                None => Cow::Borrowed(text),
            },
        };
        let identity = match given.identity.as_deref() {
            None => Caller::Nobody,
            Some(text) => caller_of_argument(text)?,
        };
        let server = given.server.as_deref().map(Cow::Borrowed);
        Ok(Self { tool: Cow::Borrowed(tool), args, identity, server, at: given.at })
    }
}

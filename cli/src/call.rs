//! A call as the command line or a line of a stream gives it.
//!
//! In: texts. Out: a call for core. Arguments stay text, so that core checks them whole (spec 3.5). The same parser reads an
//! identity.

use std::borrow::Cow;
use std::path::Path;

use callgate::time::Timestamp;
use callgate::value::{Kind, RawError, RawJson, RawView, View as _};
use callgate::{Call, Identity};

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
    pub(crate) identity: GivenIdentity<'t>,
    /// The time; `None` for the clock's.
    pub(crate) at: Option<Timestamp>,
}

/// Who calls.
#[derive(Debug)]
pub(crate) enum GivenIdentity<'t> {
    Absent,
    Id(Cow<'t, str>),
    /// Any other JSON, which core judges.
    Claims(Box<RawJson<'t>>),
}

impl<'t> GivenIdentity<'t> {
    /// From JSON. As strict as arguments are: a key that stands twice could be two identities (trap 18).
    pub(crate) fn from_json(text: &'t str) -> Result<Self, RawError> {
        let raw = RawJson::parse(text)?;
        let kind = raw.root().kind().ok().map(own);
        Ok(match kind {
            Some(Kind::Null) => Self::Absent,
            Some(Kind::String(id)) => Self::Id(Cow::Owned(id.into_owned())),
            _ => Self::Claims(Box::new(raw)),
        })
    }

    /// From an argument: JSON if it begins like a JSON object or string, else an id.
    fn from_argument(text: &'t str) -> Result<Self, Failure> {
        if !text.trim_start().starts_with(['{', '"']) {
            return Ok(Self::Id(Cow::Borrowed(text)));
        }
        Self::from_json(text).map_err(|error| {
            Failure::with_help(
                format!("--identity is not valid JSON: {error}"),
                "an id is given as it is (`--identity alice`), claims as an object (`--identity '{\"id\": \"alice\"}'`)",
            )
        })
    }

    fn identity(&self) -> Identity<'_, RawView<'_>> {
        match self {
            Self::Absent => Identity::Absent,
            Self::Id(id) => Identity::Id(id),
            Self::Claims(claims) => Identity::Claims(claims.root()),
        }
    }

    /// The caller's name in a table: the first of id, grant and session that is text.
    pub(crate) fn label(&self) -> Option<Cow<'_, str>> {
        let claims = match self {
            Self::Absent => return None,
            Self::Id(id) => return Some(Cow::Borrowed(id)),
            Self::Claims(claims) => claims.root(),
        };
        if !matches!(claims.kind(), Ok(Kind::Object)) {
            return None;
        }
        ["id", "grant", "session"].into_iter().find_map(|claim| {
            let value = claims.member(claim).ok().flatten()?;
            match own(value.kind().ok()?) {
                Kind::String(text) => Some(Cow::Owned(text.into_owned())),
                _ => None,
            }
        })
    }
}

/// Copies a string out of its view.
fn own(kind: Kind<'_>) -> Kind<'static> {
    match kind {
        Kind::Null => Kind::Null,
        Kind::String(text) => Kind::String(Cow::Owned(text.into_owned())),
        _ => Kind::Foreign,
    }
}

impl GivenCall<'_> {
    /// The call, for core.
    pub(crate) fn call(&self) -> Call<'_, &str, RawView<'_>> {
        Call::new(&self.tool, &*self.args).identity(self.identity.identity())
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
            None => GivenIdentity::Absent,
            Some(text) => GivenIdentity::from_argument(text)?,
        };
        Ok(Self { tool: Cow::Borrowed(tool), args, identity, at: given.at })
    }
}

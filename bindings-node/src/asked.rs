//! Calls in JS terms.
//!
//! In: what the TypeScript half asks. Out: the same as core takes it, read in place. What cannot be read stays so, for core to
//! deny.

use callgate::time::Timestamp;
use callgate::{Approval, Identity};
use napi::bindgen_prelude::ClassInstance;
use napi::{Unknown, ValueType};
use napi_derive::napi;

use crate::args_check::ArgsCheck;
use crate::call::{Args, Given, Hash};
use crate::clock;
use crate::planned::Planned;
use crate::view::{Host, JsView};

/// A call in JS terms.
#[napi(object, object_to_js = false)]
pub struct Asked<'e> {
    /// The functions that read values.
    #[napi(ts_type = "object")]
    pub probe: Unknown<'e>,
    /// The arguments as a value, or as raw JSON text.
    pub args: Unknown<'e>,
    /// Whether `args` is raw JSON text.
    pub raw: bool,
    /// A string, an object, or nothing.
    pub identity: Unknown<'e>,
    /// The approval's key.
    pub approval_key: Option<String>,
    /// The approval's own id.
    pub approval_id: Option<String>,
    /// When it was given, in milliseconds since the epoch.
    pub approval_given_at: Option<f64>,
    /// What is checked in the arguments, if anything.
    #[napi(ts_type = "NativeArgsCheck")]
    pub check: Option<ClassInstance<'e, ArgsCheck>>,
    /// The name of the server that the call goes to.
    pub server: Option<String>,
    /// What the host's clock shows, in milliseconds since the epoch.
    pub now: Option<f64>,
    /// Whether an audit record is wanted.
    pub audit: bool,
}

/// A call whose text was read.
pub(crate) struct Read<'h, 'e> {
    pub(crate) args: ReadArgs<'h, 'e>,
    pub(crate) identity: ReadIdentity<'h, 'e>,
    pub(crate) approval: Option<Approved>,
    pub(crate) check: Option<callgate::ArgsCheck>,
    pub(crate) server: Option<String>,
    pub(crate) now: Option<f64>,
}

/// An approval that the host holds: its key, its own id, and when it was given.
pub(crate) struct Approved {
    key: String,
    id: String,
    at: Option<Timestamp>,
}

impl Approved {
    pub(crate) fn given(&self) -> Approval<'_> {
        let approval = Approval::new(&self.key, &self.id);
        match self.at {
            Some(at) => approval.given_at(at),
            None => approval,
        }
    }
}

/// Arguments as they were given.
pub(crate) enum ReadArgs<'h, 'e> {
    Value(JsView<'h, 'e>),
    Raw(String),
}

/// An identity whose text was read.
pub(crate) enum ReadIdentity<'h, 'e> {
    Absent,
    Id(String),
    Claims(JsView<'h, 'e>),
}

impl<'h, 'e> ReadIdentity<'h, 'e> {
    pub(crate) fn new(identity: JsView<'h, 'e>) -> napi::Result<Self> {
        Ok(match identity.type_of()? {
            ValueType::Undefined | ValueType::Null => Self::Absent,
            ValueType::String => match identity.text() {
                Ok(id) => Self::Id(id),
                Err(why) => Self::Claims(identity.unreadable(why)),
            },
            _ => Self::Claims(identity),
        })
    }

    pub(crate) fn given(&self) -> Identity<'_, JsView<'h, 'e>> {
        match self {
            Self::Absent => Identity::Absent,
            Self::Id(id) => Identity::Id(id),
            Self::Claims(claims) => Identity::Claims(*claims),
        }
    }
}

impl<'h, 'e> Read<'h, 'e> {
    /// A call as it was asked.
    pub(crate) fn asked(plan: &Planned, host: &'h Host<'e>, asked: Asked<'e>) -> napi::Result<Self> {
        let args = plan.judged(host.view(asked.args));
        let args = match asked.raw.then(|| args.text()) {
            None => ReadArgs::Value(args),
            Some(Ok(text)) => ReadArgs::Raw(text),
            // Half of a surrogate pair is not text, raw or not.
            Some(Err(why)) => ReadArgs::Value(args.unreadable(why)),
        };
        let identity = ReadIdentity::new(host.view(asked.identity))?;
        let at = asked.approval_given_at.map(clock::timestamp);
        let approval = asked.approval_key.zip(asked.approval_id);
        let approval = approval.map(|(key, id)| Approved { key, id, at });
        let check = asked.check.map(|check| check.0.clone());
        Ok(Self { args, identity, approval, check, server: asked.server, now: asked.now })
    }

    pub(crate) fn given(&self, audit: Option<Hash>) -> Given<'_, JsView<'h, 'e>, JsView<'h, 'e>> {
        Given {
            args: match &self.args {
                ReadArgs::Value(value) => Args::Value(*value),
                ReadArgs::Raw(text) => Args::Raw(text),
            },
            identity: self.identity.given(),
            approval: self.approval.as_ref().map(Approved::given),
            check: self.check.as_ref(),
            server: self.server.as_deref(),
            now: self.now,
            audit,
        }
    }
}

//! How long a record may become.
//!
//! In: an event. Out: the same with texts cut that a client or server chose, so that nobody from outside chooses how long a record is.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event::{Call, Event};
use super::options::cut;

/// Bytes of a text that somebody else chose: as long as a tool's name may be.
const TEXT: usize = 1_024;
/// Bytes of a decision that are not looked at: a policy's messages and many counters fit.
const DECISION: usize = 16 << 10;

impl Event {
    /// The event with its texts cut.
    pub(super) fn bounded(mut self) -> Self {
        match &mut self {
            Self::Call(call) => bound_call(call),
            Self::FrameRefused { reason: text, .. } | Self::ListFailed { reason: text } => bound(text),
            Self::Stop(stop) => bound(&mut stop.why),
            Self::Reload(reload) => reload.error.iter_mut().for_each(bound),
            Self::Start(start) => {
                let texts = [&mut start.version, &mut start.program, &mut start.store];
                texts.into_iter().chain(&mut start.policy_file).for_each(bound);
            }
            Self::ListFiltered { .. } | Self::Approval(_) | Self::Gap { .. } => {}
        }
        self
    }
}

fn bound_call(call: &mut Call) {
    bound(&mut call.method);
    let principal = &mut call.principal;
    let texts =
        [&mut call.request, &mut call.protocol, &mut principal.id, &mut principal.grant, &mut call.name];
    texts.into_iter().flatten().for_each(bound);
    call.decision.iter_mut().for_each(bound_decision);
    if let Some(candidate) = &mut call.candidate {
        candidate.decision.iter_mut().for_each(bound_decision);
        candidate.error.iter_mut().for_each(bound);
    }
}

fn bound(text: &mut String) {
    if text.len() > TEXT {
        text.truncate(cut(text, TEXT).len());
        text.push('…');
    }
}

/// What a decision says of a call (spec 10.3). The tool and the method are the caller's text.
#[derive(Serialize, Deserialize)]
struct Decision<'d> {
    #[serde(borrow)]
    effect: &'d RawValue,
    #[serde(borrow)]
    code: &'d RawValue,
    tool: Option<String>,
    method: String,
    message: Option<String>,
    #[serde(borrow)]
    rule: &'d RawValue,
    #[serde(borrow)]
    counters: &'d RawValue,
    #[serde(borrow)]
    retry_after: &'d RawValue,
    #[serde(borrow)]
    approval: &'d RawValue,
    #[serde(borrow)]
    policy: &'d RawValue,
}

fn bound_decision(json: &mut String) {
    if json.len() <= DECISION {
        return;
    }
    let Ok(mut decision) = serde_json::from_str::<Decision<'_>>(json) else { return };
    decision.tool.iter_mut().chain(&mut decision.message).for_each(bound);
    bound(&mut decision.method);
    if let Ok(shorter) = serde_json::to_string(&decision) {
        *json = shorter;
    }
}

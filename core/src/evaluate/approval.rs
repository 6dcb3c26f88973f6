//! The approval key of a call (spec 7.1).

use sha2::{Digest, Sha256};

use crate::call::Target;
use crate::canonical::canonical;
use crate::condition::CallContext;
use crate::identity::Identity;
use crate::json_text::{hex, write_string};
use crate::view::{Unreadable, View};

/// The key: parts are preceded by their lengths, so no two calls have one encoding.
pub(crate) fn approval_key<A: View, I: View>(
    policy: &[u8; 32],
    facts: &CallContext<'_, A, I>,
) -> Result<String, Unreadable> {
    let steps = &facts.steps;
    // A method may have the name of a tool.
    let (purpose, name) = match facts.target() {
        Target::Tool(tool) => ("callgate approval 1", tool),
        Target::Method(method) => ("callgate approval 1 of a method", method),
    };
    let args = facts.args.map_or_else(|| Ok("{}".to_owned()), |args| canonical(args, steps))?;
    let identity = match facts.identity {
        Identity::Absent => String::new(),
        Identity::Id(id) => {
            let mut text = String::from("{\"id\":");
            let _ = write_string(&mut text, id);
            text.push('}');
            text
        }
        Identity::Claims(claims) => canonical(claims, steps)?,
    };
    let mut hash = Sha256::new();
    let parts = [purpose.as_bytes(), policy, name.as_bytes(), args.as_bytes(), identity.as_bytes()];
    // Only where there is one: keys of calls without a server are those of earlier versions.
    for part in parts.into_iter().chain(facts.beside.server.map(str::as_bytes)) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Ok(format!("ak1:{}", hex(&hash.finalize())))
}

//! Watching the policy file of an engine, or those of its stack.
//!
//! In: paths and a JS callback. Out: new policies in force, and a call to JS for each. The callback must not keep the
//! process alive.

use std::sync::Arc;
use std::time::Duration;

use callgate::Engine;
use callgate_host::{PolicyWatcher, WatchOptions};
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::ThreadsafeFunctionCallMode;

use crate::policy::Loaded;

/// Starts to watch: every new policy is put in force, then `changed` hears of it, or of what is wrong with it.
pub(crate) fn watch(
    engine: Arc<Engine>,
    paths: Vec<String>,
    interval: Option<Duration>,
    changed: &Function<'_, Loaded, ()>,
) -> napi::Result<PolicyWatcher> {
    let call =
        changed.build_threadsafe_function::<Loaded>().callee_handled::<false>().weak::<true>().build()?;
    let in_force = engine.clone();
    let mut options = WatchOptions::new()
        .with_in_force(move || in_force.policy())
        .with_replace(move |policy| engine.replace(policy));
    if let Some(interval) = interval {
        options = options.with_interval(interval);
    }
    let watcher = PolicyWatcher::start(paths, options, move |change| {
        // A full queue or a closing process: there is nobody left to tell.
        let _ = call.call(Loaded::from(change), ThreadsafeFunctionCallMode::NonBlocking);
    });
    watcher.map_err(|error| napi::Error::from_reason(format!("cannot watch the policy: {error}")))
}

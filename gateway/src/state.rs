//! Where a user's gateways keep what outlives them: counters, approvals, and the records of what happened.
//!
//! In: the environment. Out: paths. Must not create anything.

use std::env;
use std::path::PathBuf;

/// The user's directory for callgate: `CALLGATE_STATE_DIR`, else `callgate` in the directory that the system has for such files
/// (`XDG_STATE_HOME`, `~/.local/state`, or `LOCALAPPDATA`). `None` where the environment names none.
pub fn directory() -> Option<PathBuf> {
    let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The specification of these directories: a relative path is to be ignored.
    let base = |name: &str| named(name).filter(|path| path.is_absolute());
    let system = if cfg!(windows) {
        base("LOCALAPPDATA")
    } else {
        base("XDG_STATE_HOME").or_else(|| base("HOME").map(|home| home.join(".local/state")))
    };
    named("CALLGATE_STATE_DIR").or_else(|| system.map(|system| system.join("callgate")))
}

/// The default store of all gateways of a user: a file of counters and approvals.
pub fn store() -> Option<PathBuf> {
    directory().map(|directory| directory.join("store.db"))
}

/// The directory with the records of each server.
pub fn audit() -> Option<PathBuf> {
    directory().map(|directory| directory.join("audit"))
}

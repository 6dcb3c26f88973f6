//! Named mistakes at this guard's own seams, so that `mistakes.sh` can show that tests notice each. Only a build with
//! `--cfg callgate_mistakes` has them, and makes the one that the variable `CALLGATE_MISTAKE` names.
//!
//! In: a name. Out: whether that mistake is made. Must not be in a build that anybody uses.

/// Whether this mistake is made.
#[cfg(not(callgate_mistakes))]
pub(crate) const fn is_on(_: &str) -> bool {
    false
}

/// Whether this mistake is made.
#[cfg(callgate_mistakes)]
pub(crate) fn is_on(name: &str) -> bool {
    std::env::var("CALLGATE_MISTAKE").is_ok_and(|on| on == name)
}

//! What the README says that can be run.

/// The command that makes a user with the permissions that are needed.
pub(crate) fn permissions() -> &'static str {
    let readme = include_str!("../../README.md");
    let line = readme.lines().find(|line| line.starts_with("ACL SETUSER"));
    line.expect("the README has the command")
}

//! The files that a test file names: policies, and the server's tools.
//!
//! In: names of files. Out: compiled policies and the checks of arguments, or what is wrong with a file.

use std::collections::BTreeMap;

use callgate::value::RawJson;
use callgate::{ArgsCheck, InputSchema};
use serde_json::Value;

use super::Complaints;
use crate::report::Problem;
use crate::subject::Subject;
use crate::suite::{Located, Suite, Test};

/// What the server's list says of arguments, by tool.
pub(crate) type ToolChecks = BTreeMap<String, ArgsCheck>;

/// The files of a test file, by their name in it.
#[derive(Default)]
pub(super) struct Subjects {
    policies: BTreeMap<String, Subject>,
    pub(super) tools: Option<ToolChecks>,
}

type Read<'r> = &'r dyn Fn(&str) -> Result<String, String>;

impl Subjects {
    pub(super) fn policy(&self, file: &str) -> Option<&Subject> {
        self.policies.get(file)
    }

    /// Policies that have warnings, each with how many.
    pub(super) fn warnings(&self) -> impl Iterator<Item = (String, usize)> {
        let counted =
            self.policies.iter().map(|(path, subject)| (path.clone(), subject.policy.warnings().len()));
        counted.filter(|(_, count)| *count > 0)
    }

    pub(super) fn load(
        &mut self,
        suite: &Suite,
        tests: &[&Test],
        read: Read<'_>,
        (path, text): (&str, &str),
        problems: &mut Vec<Problem>,
    ) {
        let mut complaints = Complaints::new(text);
        let reloads = tests.iter().flat_map(|test| &test.runs).flat_map(|run| &run.steps);
        let reloads = reloads.filter_map(|step| step.reload.as_ref());
        let mut broken = Vec::new();
        for file in suite.policies.iter().chain(reloads) {
            if self.policies.contains_key(&file.value) || broken.contains(&&file.value) {
                continue;
            }
            let found = read(&file.value).map_err(|why| unreadable(&mut complaints, file, &why));
            let Ok(policy) = found else {
                broken.push(&file.value);
                continue;
            };
            match Subject::new(&file.value, &policy) {
                Ok(subject) => _ = self.policies.insert(file.value.clone(), subject),
                Err(error) => {
                    broken.push(&file.value);
                    let errors =
                        error.diagnostics().iter().filter(|one| one.severity() == callgate::Severity::Error);
                    problems.extend(Problem::all(&file.value, &policy, errors.cloned().collect()));
                }
            }
        }
        if let Some(file) = &suite.tools
            && let Ok(list) = read(&file.value).map_err(|why| unreadable(&mut complaints, file, &why))
        {
            match tool_checks(&list) {
                Ok(checks) => self.tools = Some(checks),
                Err(why) => {
                    let message = format!("`{}` is no list of the server's tools: {why}", file.value);
                    let help = "write the whole answer to `tools/list`, its result, or the list alone";
                    complaints.error("unreadable_file", &file.place, message, Some(help.to_owned()));
                }
            }
        }
        problems.extend(complaints.finish((path, text)));
    }
}

fn unreadable(complaints: &mut Complaints<'_>, file: &Located<String>, why: &str) {
    let message = format!("`{}` cannot be read: {why}", file.value);
    complaints.error(
        "unreadable_file",
        &file.place,
        message,
        Some("paths are relative to this file".to_owned()),
    );
}

/// Reads the answer to `tools/list`, its result, or the list alone.
fn tool_checks(text: &str) -> Result<ToolChecks, String> {
    // As strict as arguments are: a key that stands twice could be two schemas.
    RawJson::parse(text).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.get("error").is_some() {
        return Err("it is an error, not a list of tools".to_owned());
    }
    let cursors = [value.pointer("/result/nextCursor"), value.get("nextCursor")];
    if cursors.into_iter().flatten().any(|cursor| !cursor.is_null()) {
        return Err("it is one page of a list: `nextCursor` says that there is more".to_owned());
    }
    let list = [value.pointer("/result/tools"), value.get("tools"), Some(&value)];
    let list = list.into_iter().flatten().find_map(Value::as_array).ok_or("there is no list in it")?;
    let mut checks = ToolChecks::new();
    for tool in list {
        let name = tool.get("name").and_then(Value::as_str).ok_or("a tool in it has no name")?;
        let schema = tool.get("inputSchema").filter(|schema| schema.is_object());
        let schema =
            schema.ok_or_else(|| format!("the tool `{name}` has no `inputSchema` that is an object"))?;
        let check = ArgsCheck::new().schema(InputSchema::new(schema));
        if checks.insert(name.to_owned(), check).is_some() {
            return Err(format!("the tool `{name}` stands in it twice"));
        }
    }
    if checks.is_empty() { Err("it has no tools".to_owned()) } else { Ok(checks) }
}

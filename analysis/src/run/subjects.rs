//! The files that a test file names: policies, and the server's tools.
//!
//! In: names of files. Out: compiled policies and the checks of arguments, or what is wrong with a file.

use std::collections::{BTreeMap, BTreeSet};

use callgate::value::RawJson;
use callgate::{ArgsCheck, InputSchema};
use serde_json::Value;

use super::Complaints;
use crate::report::Problem;
use crate::subject::Subject;
use crate::suite::{Located, Place, PolicyFiles, Suite, Test};

/// What the server's list says of arguments, by tool.
pub(crate) type ToolChecks = BTreeMap<String, ArgsCheck>;

/// The policies of a test file, by their names in it.
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
        let files = self.policies.values().flat_map(Subject::files);
        let counted = files.map(|subject| (subject.path.clone(), subject.policy.warnings().len()));
        // A file may stand in several stacks.
        counted.filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>().into_iter()
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
        let (mut broken, mut told) = (Vec::new(), BTreeSet::new());
        for file in suite.policies.iter().chain(reloads) {
            let name = file.value.name();
            if self.policies.contains_key(name) || broken.contains(&name) {
                continue;
            }
            match load(file, read, &mut told, &mut complaints, problems) {
                Some(subject) => _ = self.policies.insert(name.to_owned(), subject),
                None => broken.push(name),
            }
        }
        if let Some(file) = &suite.tools
            && let Ok(list) =
                read(&file.value).map_err(|why| unreadable(&mut complaints, &file.value, &file.place, &why))
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

/// Reads a policy, or the files of a stack; `None` after a problem. What is wrong with a file is told once.
fn load<'s>(
    policy: &'s Located<PolicyFiles>,
    read: Read<'_>,
    told: &mut BTreeSet<&'s str>,
    complaints: &mut Complaints<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Subject> {
    let mut layers = Vec::new();
    for file in policy.value.files() {
        let is_new = told.insert(file);
        let text = match read(file) {
            Ok(text) => text,
            Err(why) => {
                if is_new {
                    unreadable(complaints, file, &policy.place, &why);
                }
                continue;
            }
        };
        match Subject::new(file, &text) {
            Ok(subject) => layers.push(subject),
            Err(error) if is_new => {
                let errors =
                    error.diagnostics().iter().filter(|one| one.severity() == callgate::Severity::Error);
                problems.extend(Problem::all(file, &text, errors.cloned().collect()));
            }
            Err(_) => {}
        }
    }
    if layers.len() < policy.value.files().len() {
        return None;
    }
    match Subject::stack(policy.value.name(), layers) {
        Ok(subject) => Some(subject),
        Err(error) => {
            let message = format!("`{}` are no stack: {error}", policy.value.name());
            let help = "`callgate check --stack` names the file that does not go with the others";
            complaints.error(error.code(), &policy.place, message, Some(help.to_owned()));
            None
        }
    }
}

fn unreadable(complaints: &mut Complaints<'_>, file: &str, place: &Place, why: &str) {
    let message = format!("`{file}` cannot be read: {why}");
    complaints.error("unreadable_file", place, message, Some("paths are relative to this file".to_owned()));
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

//! What a test names has to be there: a call of a tool that no rule is about would pass whatever the rules say.
//!
//! In: a suite and its policies. Out: an error for each name that matches nothing, at its place.

use callgate::Code;

use super::subjects::Subjects;
use super::{Complaints, Problem};
use crate::subject::Subject;
use crate::suite::{Expected, ExpectedRule, Located, Step, Suite, Test};

/// Looks at every call of every test, by every policy.
pub(super) fn check(suite: &Suite, tests: &[&Test], subjects: &Subjects, file: (&str, &str)) -> Vec<Problem> {
    let mut complaints = Complaints::new(file.1);
    for policy in &suite.policies {
        for run in tests.iter().flat_map(|test| &test.runs) {
            let mut current = subjects.policy(policy.value.name());
            for step in &run.steps {
                if let Some(file) = &step.reload {
                    current = subjects.policy(file.value.name());
                }
                let Some(subject) = current else { continue };
                check_tool(step, subject, subjects, &mut complaints);
                check_rules(step, subject, &mut complaints);
            }
        }
    }
    let mut problems = complaints.finish(file);
    // Several policies have the same complaint of one place.
    problems.dedup_by(|a, b| a.message == b.message && place(a) == place(b));
    problems
}

fn place(problem: &Problem) -> Option<(u32, u32)> {
    problem.diagnostic.as_ref().map(|one| (one.line(), one.column()))
}

fn check_tool(step: &Step, subject: &Subject, subjects: &Subjects, complaints: &mut Complaints<'_>) {
    if step.request {
        return;
    }
    let tool = &step.tool.value;
    let names_that_code = |code| step.expect.outcome == Expected::Code(code);
    let named = subject.names(tool);
    let is_meant = step.unlisted || names_that_code(Code::NotListed) || names_that_code(Code::InvalidTool);
    let shown = cut(tool);
    if !named && !is_meant {
        let nearest = complaints.diagnostics.nearest(tool, subject.exact_names()).map(str::to_owned);
        let help = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "write `unlisted: true` beside it if that is meant".to_owned(),
        };
        let message = format!("no entry of `{}` names the tool `{shown}`", subject.path);
        complaints.error("unknown_tool", &step.tool.place, message, Some(help));
    } else if named && step.unlisted {
        let message = format!("`{}` names the tool `{shown}`", subject.path);
        complaints.error("listed_tool", &step.tool.place, message, Some("remove `unlisted`".to_owned()));
    }
    if let Some(tools) = &subjects.tools
        && !tools.contains_key(tool)
        && !step.unlisted
    {
        let nearest =
            complaints.diagnostics.nearest(tool, tools.keys().map(|name| &**name)).map(str::to_owned);
        let help = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "write `unlisted: true` beside it if that is meant".to_owned(),
        };
        let message = format!("the server has no tool `{shown}`");
        complaints.error("unknown_tool", &step.tool.place, message, Some(help));
    }
}

fn check_rules(step: &Step, subject: &Subject, complaints: &mut Complaints<'_>) {
    match &step.expect.rule {
        Some(Located { value: ExpectedRule::Named(name), place }) => known(name, place, subject, complaints),
        Some(Located { value: ExpectedRule::Fields(fields), place }) => {
            for (field, value) in fields {
                if let ("name" | "pointer", Some(name)) = (&**field, value.as_str()) {
                    known(name, place, subject, complaints);
                }
            }
        }
        _ => {}
    }
    if let Some(Located { value: Some(rules), place }) = &step.expect.approval_rules {
        for rule in rules {
            known(rule, place, subject, complaints);
        }
    }
}

fn known(name: &str, place: &crate::suite::Place, subject: &Subject, complaints: &mut Complaints<'_>) {
    if subject.is_ambiguous(name) {
        let message = format!("two rules of one entry of `{}` have the name `{}`", subject.path, cut(name));
        let help = "write the rule's pointer, such as `/tools/pay/rules/0`".to_owned();
        return complaints.error("ambiguous_rule", place, message, Some(help));
    }
    if subject.has_rule(name) {
        return;
    }
    let names = subject.all_rules().flat_map(|rule| rule.name.as_deref().into_iter().chain([&*rule.pointer]));
    let nearest = complaints.diagnostics.nearest(name, names).map(str::to_owned);
    let help = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "write the rule's `name`, or its pointer such as `/tools/pay/rules/0`".to_owned(),
    };
    let message = format!("`{}` has no rule `{}`", subject.path, cut(name));
    complaints.error("unknown_rule", place, message, Some(help));
}

/// A name for a message.
fn cut(name: &str) -> std::borrow::Cow<'_, str> {
    callgate::__analysis::shown(name)
}

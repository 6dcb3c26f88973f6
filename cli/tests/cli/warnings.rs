//! The guide to warnings, `docs/guide/warnings.md`: each policy that it warns of gets just that warning, and the other way to write it none.

use crate::{callgate, file};

const GUIDE: &str = include_str!("../../../docs/guide/warnings.md");
const LANGUAGE: &str = include_str!("../../../spec/language.md");

/// The blocks of a language that this file runs, in order.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let start = format!("<!-- run by cli/tests/cli/warnings.rs -->\n```{language}\n");
    text.split(&*start).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// Each section: its code, and its text.
fn sections() -> Vec<(&'static str, &'static str)> {
    GUIDE.split("\n## `").skip(1).map(|section| section.split_once('`').unwrap()).collect()
}

/// The codes of the warnings for a policy.
fn codes(name: &str, policy: &str, tools: Option<&str>) -> Vec<String> {
    let path = file(&format!("warnings-{name}.yaml"), policy);
    let tools = tools.map(|tools| file(&format!("warnings-{name}.json"), tools));
    let mut args = vec!["check", &path];
    args.extend(tools.as_deref().into_iter().flat_map(|tools| ["--tools", tools]));
    let run = callgate(&args);
    assert_eq!(run.status, 0, "{name}: {}", run.out);
    let heads = run.out.lines().filter_map(|line| line.strip_prefix("warning["));
    let mut codes: Vec<String> = heads.map(|head| head.split(']').next().unwrap().to_owned()).collect();
    // Of two names that are alike, each gets one.
    codes.dedup();
    codes
}

#[test]
fn each_policy_gets_the_warning_that_the_guide_tells_of() {
    for (code, text) in sections() {
        let (tools, policies) = (blocks(text, "json"), blocks(text, "yaml"));
        let [warned, mended] = policies[..] else { panic!("{code}: two policies") };
        let tools = tools.first().copied();
        if code == "memory_store" {
            assert_eq!([warned, mended].map(of_memory), [vec![code], vec![]]);
            continue;
        }
        assert_eq!(codes(&format!("{code}-warned"), warned, tools), [code]);
        assert_eq!(codes(&format!("{code}-mended"), mended, tools), [""; 0], "{code}");
    }
}

/// What an engine with counters in memory says. The document is good.
fn of_memory(policy: &str) -> Vec<&'static str> {
    let policy: callgate::Policy = policy.parse().unwrap();
    assert!(policy.warnings().is_empty());
    callgate::Engine::new(policy).warnings().iter().map(callgate::Diagnostic::code).collect()
}

#[test]
fn a_reason_drops_a_warning() {
    let (start, _) = GUIDE.split_once("\n## `").unwrap();
    let [policy] = blocks(start, "yaml")[..] else { panic!("one policy") };
    assert_eq!(codes("ignored", policy, None), [""; 0]);
    let without: String =
        policy.lines().filter(|line| !line.contains("x-ignore")).map(|line| format!("{line}\n")).collect();
    assert_eq!(codes("not-ignored", &without, None), ["untyped_scope"]);
}

/// Every warning of the language has a section, and there are no others.
#[test]
fn every_warning_has_a_section() {
    let rows = LANGUAGE.lines().filter(|line| line.starts_with("| `") && line.contains("| warnings"));
    let mut listed: Vec<&str> =
        rows.flat_map(|row| row.split('`').skip(1).step_by(2)).filter(|code| !code.contains(' ')).collect();
    let mut told: Vec<&str> = sections().into_iter().map(|(code, _)| code).collect();
    listed.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, listed);
}

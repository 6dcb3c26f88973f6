//! What a few steps cover of a policy, point by point, for tests of coverage.
//!
//! In: a policy and the steps of one test. Out: its report, with what depends on each point.

use std::time::Duration;

use callgate_analysis::coverage::{Branch, Coverage, CoverageReport, Gap, PointReport, TestFile, dependence};
use callgate_analysis::report::Totals;
use callgate_analysis::subject::Subject;
use callgate_analysis::{Observed, Options, run_observed};

/// What tests cover of a policy, with what depends on it.
pub fn of(policy: &str, tests: &str) -> CoverageReport {
    let subject = Subject::new("p.yaml", policy).unwrap();
    let mut coverage = Coverage::new(&subject);
    let mut observer = |observed: &Observed<'_>| {
        let counts = coverage.observe(observed);
        assert_eq!(counts, observed.subject.path == "p.yaml");
    };
    let read = |file: &str| match file {
        "p.yaml" => Ok(policy.to_owned()),
        "other.yaml" => Ok("{version: '1', default: allow, tools: {pay: {}}}".to_owned()),
        "asks.yaml" => Ok("{version: '1', default: deny, tools: {pay: {rules: [\
                            {name: other, action: require_approval}]}}}"
            .to_owned()),
        _ => Err("there is no such file".to_owned()),
    };
    let options = Options { filter: None, read: &read, elapsed: &|| Duration::ZERO };
    let tests = format!("policy: p.yaml\ntests:\n  - name: t\n    steps:\n{tests}");
    let report = run_observed("p_test.yaml", &tests, &options, Some(&mut observer));
    assert_eq!(Totals::of(std::slice::from_ref(&report)).exit_code(), 0, "{report:#?}");
    let mut report = coverage.finish();
    let files = [TestFile { path: "p_test.yaml", text: &tests, options: &options }];
    dependence(&mut report, &subject, &files).unwrap();
    assert!(report.points.iter().all(|point| point.untried.is_none()), "{report:#?}");
    report
}

/// A point that is there.
pub fn point<'r>(report: &'r CoverageReport, pointer: &str, branch: Branch) -> &'r PointReport {
    let mut points = report.points.iter();
    points.find(|point| point.pointer == pointer && point.branch == branch).unwrap()
}

/// Each point as its pointer, its outcome, and its count or the reason why it has none; and behind it what comes to the same.
pub fn shown(report: &CoverageReport, below: &str) -> Vec<String> {
    let points = report.points.iter().filter(|point| point.pointer.starts_with(below));
    let line = |point: &PointReport| {
        let pointer = point.pointer.strip_prefix(below).unwrap();
        let count = point.gap.as_ref().map_or_else(|| point.count.to_string(), Gap::to_string);
        let same = point.same.as_ref().map(|same| format!(" = {same}")).unwrap_or_default();
        format!("{pointer} {}: {count}{same}", point.branch.as_str())
    };
    points.map(line).collect()
}

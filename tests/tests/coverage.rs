//! Coverage of policies by their tests: what each kind of point needs to be covered, and why it is not.

use std::collections::BTreeSet;
use std::time::Duration;

use callgate::Code;
use callgate_analysis::coverage::{
    Branch, Coverage, CoverageReport, Gap, Kind, PointReport, TestFile, Trial, dependence,
};
use callgate_analysis::report::Totals;
use callgate_analysis::subject::Subject;
use callgate_analysis::{Observed, Options, run_observed};
use callgate_tests::suites::{Converted, FILE, cases, convert};

/// What a case covers of its first policy.
fn covered(converted: &Converted) -> CoverageReport {
    let subject = Subject::new("policy", &converted.files["policy"]).unwrap();
    let mut coverage = Coverage::new(&subject);
    let mut observer = |observed: &Observed<'_>| _ = coverage.observe(observed);
    converted.with_options(|options| {
        let report = run_observed(FILE, &converted.suite.to_string(), options, Some(&mut observer));
        assert_eq!(Totals::of(&[report]).exit_code(), 0);
    });
    coverage.finish()
}

#[test]
fn every_kind_of_point_is_covered_by_some_case() {
    let (mut known, mut found) = (BTreeSet::new(), BTreeSet::new());
    for (file, case) in cases() {
        let report = covered(&convert(&case));
        let place = format!("{file}: {}", case["name"]);
        assert!(report.unrecognised.is_empty(), "{place}: {:?}", report.unrecognised);
        assert!(report.total > 0 && report.total == report.points.len(), "{place}");
        for point in &report.points {
            known.insert((point.kind, point.branch));
            if point.gap.is_none() {
                found.insert((point.kind, point.branch));
            }
            assert_eq!(point.gap.is_none(), point.count > 0, "{place}: {point:?}");
            assert!(point.unknown <= point.count);
        }
    }
    assert_eq!(known, found);
    let expected = [
        (Kind::Default, Branch::Hit),
        (Kind::Hide, Branch::Hit),
        (Kind::Entry, Branch::Hit),
        (Kind::Rule, Branch::Acted),
        (Kind::Rule, Branch::Passed),
        (Kind::Approval, Branch::Passed),
        (Kind::Approval, Branch::Asked),
        (Kind::Approval, Branch::Given),
        (Kind::Condition, Branch::Holds),
        (Kind::Condition, Branch::Fails),
        (Kind::Limit, Branch::Charged),
        (Kind::Limit, Branch::Refused),
    ];
    assert_eq!(found, expected.into());
}

fn of(policy: &str, tests: &str) -> CoverageReport {
    let subject = Subject::new("p.yaml", policy).unwrap();
    let mut coverage = Coverage::new(&subject);
    let mut observer = |observed: &Observed<'_>| assert!(coverage.observe(observed));
    let read = |file: &str| {
        assert_eq!(file, "p.yaml");
        Ok(policy.to_owned())
    };
    let options = Options { filter: None, read: &read, elapsed: &|| Duration::ZERO };
    let report = run_observed("p_test.yaml", tests, &options, Some(&mut observer));
    assert_eq!(Totals::of(std::slice::from_ref(&report)).exit_code(), 0, "{report:#?}");
    coverage.finish()
}

const POLICY: &str = "
version: '1'
default: deny
hide: [secret, 'hidden_*']
tools:
  pay:
    rules:
      - {name: cap, conditions: [{path: args.amount, op: lte, value: 500}]}
      - {action: deny, conditions: [{path: args.a, op: eq, value: 1}, {not: {path: args.b, op: eq, value: 2}}]}
      - {action: require_approval, conditions: [{path: args.amount, op: gt, value: 100}]}
      - {rate_limit: 2/hour}
  idle: {}
";

fn point<'r>(report: &'r CoverageReport, pointer: &str, branch: Branch) -> &'r PointReport {
    let mut points = report.points.iter();
    points.find(|point| point.pointer == pointer && point.branch == branch).unwrap()
}

#[test]
fn every_gap_has_its_reason() {
    let report = of(
        POLICY,
        "
policy: p.yaml
tests:
  - name: t
    steps:
      - {tool: pay, args: {amount: 501}, expect: deny}
      - {tool: pay, args: {amount: '7'}, expect: deny}
      - {tool: pay, args: {amount: 50}, expect: allow, repeat: 2}
",
    );
    let gap = |pointer: &str, branch| point(&report, pointer, branch).gap.clone().map(|gap| gap.to_string());
    let rule = "/tools/pay/rules";
    for (pointer, branch, expected) in [
        ("/default", Branch::Hit, Some("no test calls a tool that is not listed")),
        ("/hide/1", Branch::Hit, Some("no test calls a tool of this name")),
        ("/tools/idle", Branch::Hit, Some("no test calls a tool of this entry")),
        ("/tools/pay", Branch::Hit, None),
        (&format!("{rule}/0"), Branch::Acted, None),
        (&format!("{rule}/0"), Branch::Passed, None),
        (&format!("{rule}/0/conditions/0"), Branch::Fails, None),
        (&format!("{rule}/1"), Branch::Acted, Some("reached in 2 calls, always passed")),
        (&format!("{rule}/1/conditions/0"), Branch::Holds, Some("reached in 2 calls, always fails")),
        (&format!("{rule}/1/conditions/1/not"), Branch::Holds, Some("settled before it in 2 of 4 calls")),
        (&format!("{rule}/2"), Branch::Asked, Some("reached in 2 calls, always passed")),
        (&format!("{rule}/3/rate_limit"), Branch::Charged, None),
        (&format!("{rule}/3/rate_limit"), Branch::Refused, Some("reached in 2 calls, always charged")),
    ] {
        assert_eq!(gap(pointer, branch).as_deref(), expected, "{pointer} {branch:?}");
    }
    let fails = point(&report, &format!("{rule}/0/conditions/0"), Branch::Fails);
    assert_eq!((fails.count, fails.unknown), (2, 1));
    let report = of(
        POLICY,
        "
policy: p.yaml
tests:
  - {name: t, steps: [{tool: pay, args: {amount: 501}, expect: deny}]}
  - {name: u, steps: [{tool: secret, expect: hidden}]}
",
    );
    let reason = |pointer: &str, branch| point(&report, pointer, branch).gap.clone();
    let by = "/tools/pay/rules/0".to_owned();
    let expected = Gap::DecidedEarlier { by, times: 1, calls: 1 };
    assert_eq!(reason("/tools/pay/rules/3/rate_limit", Branch::Charged), Some(expected));
    assert_eq!(reason("/hide/0", Branch::Hit), None);
}

/// What must hold of coverage, with every case as a test: what is not covered can go without a change of any decision, and what is
/// covered cannot, unless the report names what comes to the same.
#[test]
fn what_is_covered_is_what_decisions_depend_on() {
    let mut failures = Vec::new();
    let (mut covered_points, mut depends, mut same, mut open, mut untried) = (0, 0, 0, 0, 0);
    for (file, case) in cases() {
        let converted = convert(&case);
        let mut report = covered(&converted);
        let subject = Subject::new("policy", &converted.files["policy"]).unwrap();
        let text = converted.suite.to_string();
        converted.with_options(|options| {
            let files = [TestFile { path: FILE, text: &text, options }];
            dependence(&mut report, &subject, &files).unwrap();
            let trial = Trial::new(&subject, &files).unwrap();
            for point in &report.points {
                let place = format!("{file}: {}: {} {}", case["name"], point.pointer, point.branch.as_str());
                if let Some(why) = &point.untried {
                    untried += 1;
                    failures.push(format!("{place}: {why}"));
                    continue;
                }
                if point.gap.is_none() {
                    covered_points += 1;
                    match &point.same {
                        Some(by) => {
                            same += 1;
                            let is_there = report.points.iter().any(|point| point.pointer.starts_with(by));
                            let is_code = Code::ALL.iter().any(|code| code.as_str() == by);
                            if by.is_empty() || !is_there && !is_code {
                                failures.push(format!("{place}: there is no `{by}`"));
                            }
                            println!("{place}: {by}");
                        }
                        None => depends += 1,
                    }
                    continue;
                }
                open += 1;
                // A charge that never came about cannot be left out.
                if point.branch == Branch::Charged {
                    continue;
                }
                match trial.changes(point.group, point.branch, &trial.runs()) {
                    Ok(false) => {}
                    Ok(true) => failures.push(format!("{place}: not covered, and decisions change")),
                    Err(why) => failures.push(format!("{place}: {why}")),
                }
            }
        });
    }
    println!(
        "{covered_points} covered: {depends} decide, {same} do not, {untried} untried; {open} not covered"
    );
    assert!(covered_points > 3_000 && depends > 3_000 && same > 50, "{depends} {same}");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

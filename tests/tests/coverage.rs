//! Coverage of policies by their tests, proved on every decision case: an outcome is covered where decisions depend on it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use callgate::Code;
use callgate_analysis::coverage::{Branch, Coverage, CoverageReport, Gap, Kind, TestFile, Trial, dependence};
use callgate_analysis::report::Totals;
use callgate_analysis::subject::Subject;
use callgate_analysis::{Observed, run_observed};
use callgate_tests::suites::{Converted, FILE, cases, convert};
use serde_json::Value;

/// What a case covers of its first policy.
fn covered(converted: &Converted) -> CoverageReport {
    let subject = Subject::new("policy", &converted.files["policy"]).unwrap();
    let mut coverage = Coverage::new(&subject);
    let mut observer = |observed: &Observed<'_>| _ = coverage.observe(observed);
    converted.with_options(|options| {
        let report = run_observed(FILE, &converted.suite.to_string(), options, Some(&mut observer));
        assert_eq!(Totals::of(std::slice::from_ref(&report)).exit_code(), 0, "{report:#?}");
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
        (Kind::Budget, Branch::Refused),
    ];
    assert_eq!(found, expected.into());
}

/// What became of the points of some cases.
#[derive(Default)]
struct Proof {
    depends: usize,
    same: usize,
    open: usize,
    failures: Vec<String>,
}

impl Proof {
    fn add(&mut self, file: &str, case: &Value) {
        // What an inner call comes to counts for no point, as the page on tests says.
        if file == "dispatchers.json" {
            return;
        }
        let converted = convert(case);
        let mut report = covered(&converted);
        let subject = Subject::new("policy", &converted.files["policy"]).unwrap();
        let text = converted.suite.to_string();
        converted.with_options(|options| {
            let files = [TestFile { path: FILE, text: &text, options }];
            dependence(&mut report, &subject, &files).unwrap();
            let trial = Trial::new(&subject, &files).unwrap();
            for point in &report.points {
                let place = format!("{file}: {}: {} {}", case["name"], point.pointer, point.branch.as_str());
                let mut fail = |why: &str| self.failures.push(format!("{place}: {why}"));
                // Beside its condition it says that names which fold together are two (3.9), without which the policy does not load.
                let closes = point.pointer.ends_with("/only_args");
                let is_needed = |why: &str| closes && why.contains("takes \"A\" and \"a\" for one member");
                if point.untried.as_deref().is_some_and(is_needed) {
                    continue;
                }
                if let Some(why) = &point.untried {
                    fail(why);
                    continue;
                }
                if point.gap.is_none() {
                    let Some(by) = &point.same else {
                        self.depends += 1;
                        continue;
                    };
                    self.same += 1;
                    println!("{place}: {by}");
                    let is_there = report.points.iter().any(|point| point.pointer.starts_with(by));
                    let is_code = Code::ALL.iter().any(|code| code.as_str() == by);
                    if by.is_empty() || !is_there && !is_code {
                        fail(&format!("there is no `{by}`"));
                    }
                    continue;
                }
                self.open += 1;
                // Where no charge was taken, what refused read the charge. Without the charge, it does not refuse.
                if point.branch == Branch::Charged && !matches!(point.gap, Some(Gap::NotCalled(_))) {
                    continue;
                }
                // That a tool is listed shows in calls that cannot be read. They came no further, and cover no entry.
                let unread =
                    matches!(&point.gap, Some(Gap::DecidedEarlier { by, .. }) if by.starts_with("invalid_"));
                if unread && matches!(point.kind, Kind::Entry | Kind::Default) {
                    continue;
                }
                match trial.changes(point.group, point.branch, &trial.runs()) {
                    Ok(false) => {}
                    Ok(true) => fail("not covered, and decisions change"),
                    Err(why) if is_needed(&why) => {}
                    Err(why) => fail(&why),
                }
            }
        });
    }
}

/// What must hold of coverage, with every case as a test: what is not covered can go without a change of any decision, and what is
/// covered cannot, unless the report names what comes to the same.
#[test]
fn what_is_covered_is_what_decisions_depend_on() {
    let cases = cases();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut proof = Proof::default();
        while let Some((file, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            proof.add(file, case);
        }
        proof
    };
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get().min(8));
    let proofs: Vec<Proof> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let sum = |of: fn(&Proof) -> usize| proofs.iter().map(of).sum::<usize>();
    let (depends, same, open) = (sum(|all| all.depends), sum(|all| all.same), sum(|all| all.open));
    println!("decisions depend on {depends} points, not on {same}; {open} are not covered");
    assert!(depends > 10_000 && same > 40 && open > 3_000, "{depends} {same} {open}");
    let failures: Vec<_> = proofs.iter().flat_map(|proof| &proof.failures).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

//! Looks at real files, at times that the test chooses.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use callgate::{Call, Policy};

use super::{InForce, Watched};
use crate::policy_file::LoadError;

/// How often a watcher looks.
const LOOK: Duration = Duration::from_millis(250);

/// A file, and a watcher of it with a clock of its own.
struct Watch {
    folder: PathBuf,
    path: PathBuf,
    watched: Watched,
    now: Instant,
}

impl Watch {
    fn new(name: &str, first: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("callgate-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("policy.yaml");
        fs::write(&path, first).unwrap();
        let watched = Watched::new(path.clone().into(), InForce::Given(Some(first.parse().unwrap())));
        let mut watch = Self { folder, path, watched, now: Instant::now() };
        assert!(watch.settle().is_none(), "what is in force is no news");
        watch
    }

    fn write(&self, text: &[u8]) {
        fs::write(&self.path, text).unwrap();
    }

    /// Puts another file in its place.
    fn replace(&self, text: &[u8]) {
        let beside = self.folder.join("beside");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, &self.path).unwrap();
    }

    /// The next look.
    fn look(&mut self) -> Option<Result<Policy, LoadError>> {
        self.now = self.now.checked_add(LOOK).unwrap();
        self.watched.look(SystemTime::now(), self.now)
    }

    /// What comes of a file that nobody touches any more.
    fn settle(&mut self) -> Option<Result<Policy, LoadError>> {
        (0..6).find_map(|_| self.look())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The first policy that a reader of the project sees.
fn quick_start() -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let (_, after) = readme.split_once("```yaml\n").unwrap();
    let policy = after.split_once("```").unwrap().0.to_owned();
    assert!(policy.len() > 300 && policy.parse::<Policy>().is_ok());
    policy
}

fn codes(change: Option<Result<Policy, LoadError>>) -> Vec<&'static str> {
    let Some(Err(LoadError::Policy(error))) = change else { panic!("not refused: {change:?}") };
    let errors = error.diagnostics().iter().filter(|found| found.severity() == callgate::Severity::Error);
    errors.map(callgate::Diagnostic::code).collect()
}

/// Trap 41: however much of it is there at a look.
#[test]
fn a_file_that_is_being_written_is_not_taken_for_a_policy() {
    let whole = quick_start();
    let mut watch = Watch::new("written", &format!("{whole}# as it was\n"));
    for end in 0..=whole.len() {
        let half = whole.get(..end).unwrap();
        watch.write(half.as_bytes());
        assert!(watch.look().is_none(), "{half:?}");
    }
    for _ in 1..4 {
        assert!(watch.look().is_none(), "less than a second since the last byte");
    }
    let policy = watch.look().unwrap().unwrap();
    assert_eq!(policy.digest(), whole.parse::<Policy>().unwrap().digest());
    assert!(watch.settle().is_none(), "reported once");
}

/// Trap 41: a writer that stops half-way for good. What loads has no mark of half a file, so it still says `default: deny`.
#[test]
fn half_a_file_that_stays_is_refused_or_denies() {
    let whole = quick_start();
    let mut watch = Watch::new("half", &whole);
    let (mut refused, mut taken) = (0, 0);
    for end in 0..whole.len() {
        for replaces in [false, true] {
            watch.replace(b"version: '1'\ndefault: allow\n");
            assert!(watch.look().unwrap().is_ok());
            watch.watched.in_force = InForce::Given(Some(whole.parse().unwrap()));
            let half = whole.get(..end).unwrap();
            let change = if replaces {
                watch.replace(half.as_bytes());
                watch.look()
            } else {
                watch.write(half.as_bytes());
                watch.settle()
            };
            match change.unwrap() {
                Err(_) => refused += 1,
                Ok(policy) => {
                    taken += 1;
                    let decision = policy.evaluate(&Call::without_args("drop_tables")).decided().unwrap();
                    assert!(!decision.allowed(), "{half:?} allows what it does not name");
                    assert!(policy.warnings().is_empty(), "{half:?} has {:?}", policy.warnings());
                }
            }
        }
    }
    assert!(refused > 2 * 200 && taken > 0, "{refused} refused, {taken} taken");
}

#[test]
fn a_document_that_decides_nothing_is_refused_and_said() {
    let mut watch = Watch::new("nothing", "version: '1'\ndefault: deny\n");
    for text in [
        "",
        "\n",
        "# nothing\n",
        "---\n",
        "{}",
        "null",
        "\u{feff}",
        "version: \"1\"\n",
        "tools:\n",
        "hide: []\n",
    ] {
        watch.write(text.as_bytes());
        let change = watch.settle();
        assert!(codes(change).contains(&"empty_policy"), "{text:?}");
        watch.replace(format!("{text}# again\n").as_bytes());
        let change = watch.look();
        assert!(!codes(change).is_empty(), "{text:?}, in a file that replaces the other");
    }
}

#[test]
fn a_mark_of_half_a_file_refuses_what_had_none_and_nothing_else_does() {
    let plain = "version: '1'\ndefault: deny\ntools: {pay: {}}\n";
    let cases = [
        ("missing_version", "default: deny\ntools: {pay: {}}\n"),
        ("missing_default", "version: '1'\ntools: {pay: {}}\n"),
        ("null_entry", "version: '1'\ndefault: deny\ntools: {pay: }\n"),
        ("null_rules", "version: '1'\ndefault: deny\ntools: {pay: {rules: }}\n"),
    ];
    let mut watch = Watch::new("marks", plain);
    for (code, text) in cases {
        watch.write(text.as_bytes());
        let change = watch.settle();
        assert_eq!(codes(change), [code]);
        // A policy in force that has the mark itself may be followed by another that has it.
        watch.watched.in_force = InForce::Given(Some(text.parse().unwrap()));
        watch.write(format!("{text}# again\n").as_bytes());
        let policy = watch.settle().unwrap().unwrap();
        assert_eq!(policy.warnings().iter().map(callgate::Diagnostic::code).collect::<Vec<_>>(), [code]);
        watch.write(format!("{plain}# after {code}\n").as_bytes());
        assert!(watch.settle().unwrap().is_ok());
    }
    // At another place it is another mark: here the file ends behind the name of an entry that has rules.
    let whole = "version: '1'\ndefault: deny\ntools:\n  list:\n  pay:\n    deny_if: [{path: args.n, op: gt, value: 5}]\n";
    watch.watched.in_force = InForce::Given(Some(whole.parse().unwrap()));
    watch.write(whole.split_once("    deny_if").unwrap().0.as_bytes());
    assert_eq!(codes(watch.settle()), ["null_entry"]);
    watch.write(whole.as_bytes());
    assert!(watch.settle().unwrap().is_ok());
    // Every other warning there is.
    let odd = "version: '1'\ndefault: deny\ntools:\n  pay: {}\n  Pay: {}\n  \"list\\u200b\": \n    \
               rules: [{state: {counter: n, window: day, increment: 0}}]\n";
    watch.write(odd.as_bytes());
    let policy = watch.settle().unwrap().unwrap();
    assert!(policy.warnings().len() >= 4, "{:?}", policy.warnings());
}

#[test]
fn a_file_that_replaced_another_is_read_at_once_and_one_changed_in_place_later() {
    let text = |tool: &str| format!("version: '1'\ndefault: deny\ntools: {{{tool}: {{}}}}\n");
    let mut watch = Watch::new("replaced", &text("first"));
    watch.replace(text("second").as_bytes());
    assert!(watch.look().unwrap().is_ok());
    watch.write(text("third").as_bytes());
    assert!((0..4).all(|_| watch.look().is_none()), "not before it is a second old");
    assert!(watch.look().unwrap().is_ok());
    // Each change begins the second anew, also one that leaves the text as it was.
    for seconds in 0..8 {
        watch.write(text("fourth").as_bytes());
        let file = fs::File::options().write(true).open(&watch.path).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(seconds)).unwrap();
        assert!(watch.look().is_none());
    }
    // Gone at a look: what comes then may be still written.
    fs::remove_file(&watch.path).unwrap();
    assert!(watch.look().is_none());
    watch.replace(text("fifth").as_bytes());
    assert!((0..4).all(|_| watch.look().is_none()));
    assert!(watch.look().unwrap().is_ok());
}

/// As orchestrators mount configuration: the name stays a link, and what it leads to is another file.
#[test]
#[cfg(unix)]
fn a_link_that_leads_elsewhere_is_another_file() {
    let mut watch = Watch::new("link", "version: '1'\ndefault: deny\n");
    let target = watch.folder.join("mounted.yaml");
    fs::write(&target, "version: '1'\ndefault: deny\ntools: {pay: {}}\n").unwrap();
    let link = watch.folder.join("link");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    fs::rename(&link, &watch.path).unwrap();
    assert!(watch.look().unwrap().is_ok(), "at the next look");
    assert!(watch.settle().is_none(), "once");
}

/// Two files of one stack, and a watcher of both.
struct Stack {
    team: Watch,
    base: PathBuf,
}

const TEAM: &str = "version: '1'\nname: team\ndefault: deny\ntools: {pay: {}, drop_table: {}}\n";

fn base(hidden: &str) -> String {
    format!("version: '1'\nname: base\ndefault: allow\nhide: [{hidden}]\n")
}

impl Stack {
    fn new(name: &str) -> Self {
        let mut team = Watch::new(name, TEAM);
        let path = team.folder.join("base.yaml");
        fs::write(&path, base("drop_table")).unwrap();
        let in_force = crate::load_policy([&path, &team.path]).unwrap();
        team.watched = Watched::new(
            [&path, &team.path].into(),
            InForce::Asked(std::sync::Arc::new(move || in_force.clone())),
        );
        let mut stack = Self { team, base: path };
        assert!(stack.team.settle().is_none(), "what is in force is no news");
        stack
    }

    fn base(&self, text: &str) {
        let beside = self.team.folder.join("beside");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, &self.base).unwrap();
    }
}

fn allows(policy: &Policy, tool: &str) -> bool {
    policy.evaluate(&Call::without_args(tool)).decided().unwrap().allowed()
}

#[test]
fn a_change_of_either_file_makes_the_stack_anew_of_the_last_text_of_each() {
    let mut stack = Stack::new("stack");
    stack.base(&base("pay"));
    let policy = stack.team.look().unwrap().unwrap();
    assert!(allows(&policy, "drop_table") && !allows(&policy, "pay"));
    stack.team.replace(TEAM.replace("pay", "refund").as_bytes());
    let policy = stack.team.look().unwrap().unwrap();
    assert!(allows(&policy, "refund") && allows(&policy, "drop_table") && !allows(&policy, "pay"));
    assert_eq!(policy.digest(), crate::load_policy([&stack.base, &stack.team.path]).unwrap().digest());
    // A file that vanished leaves its last text, so that nothing becomes looser while it is away.
    fs::remove_file(&stack.base).unwrap();
    stack.team.replace(TEAM.as_bytes());
    assert!(!allows(&stack.team.look().unwrap().unwrap(), "pay"));
}

/// Each of these breaks one file, which is named. Then it is mended.
#[test]
fn one_bad_file_keeps_the_whole_stack_in_force_and_is_named() {
    let mut stack = Stack::new("stack-bad");
    let unnamed = base("pay").replace("name: base\n", "");
    let same = base("pay").replace("name: base", "name: team");
    for (text, named, why) in [
        ("version: '1'\nname: base\ndefault: alow\n".to_owned(), "base.yaml", "error[invalid_default]"),
        ("name: base\ndefault: allow\n".to_owned(), "base.yaml", "missing_version"),
        (unnamed, "base.yaml", "has no name"),
        // The one that comes second is at fault.
        (same, "policy.yaml", "both named \"team\""),
    ] {
        stack.base(&text);
        let error = stack.team.look().unwrap().unwrap_err();
        assert_eq!(error.path().file_name().unwrap(), named, "{error}");
        assert!(error.to_string().contains(named) && error.to_string().contains(why), "{error}");
        // A good change of the other file does not help, and says so again.
        stack.team.replace(format!("{TEAM}# {why}\n").as_bytes());
        assert_eq!(stack.team.look().unwrap().unwrap_err().to_string(), error.to_string());
        stack.base(&base("pay"));
        let policy = stack.team.look().unwrap().unwrap();
        assert!(!allows(&policy, "pay") && allows(&policy, "drop_table"));
    }
}

/// Trap 41 for each layer: the other one does not excuse it.
#[test]
fn half_a_file_of_a_stack_is_refused_by_its_own_layer() {
    let mut stack = Stack::new("stack-half");
    for half in ["version: '1'\nname: team\n", "version: '1'\nname: team\ndefault: allow\ntools: {pay: }\n"] {
        stack.team.write(half.as_bytes());
        let error = stack.team.settle().unwrap().unwrap_err();
        assert!(error.to_string().contains("policy.yaml:"), "{error}");
        let LoadError::Policy(error) = error else { panic!("{error}") };
        assert_eq!(error.diagnostics().len(), 1, "{error}");
        stack.team.write(TEAM.as_bytes());
        assert!(stack.team.settle().unwrap().is_ok());
    }
}

#[test]
fn a_stack_whose_files_were_not_all_seen_is_not_reported() {
    let mut stack = Stack::new("stack-unseen");
    fs::remove_file(&stack.base).unwrap();
    let in_force: Policy = TEAM.parse().unwrap();
    let paths = [&stack.base, &stack.team.path].into();
    stack.team.watched = Watched::new(paths, InForce::Given(Some(in_force)));
    stack.team.write(format!("{TEAM}# again\n").as_bytes());
    assert!(stack.team.settle().is_none(), "without the base, it would allow more");
    stack.base(&base("drop_table"));
    assert!(!allows(&stack.team.settle().unwrap().unwrap(), "drop_table"));
}

//! How a server is started behind callgate, and how such a command line is recognised.
//!
//! In: the words of a command line. Out: those with `callgate proxy … --` in front, or without. Must not judge what the flags mean: `proxy` does.

use super::document::{Entry, Kind, Launch};
use super::edit::Word;

/// The subcommand, and the end of its flags.
const PROXY: &str = "proxy";
const END: &str = "--";
/// The name of the program, whatever its folder and its ending.
const PROGRAM: &str = "callgate";
const NAME: [&str; 1] = ["--name"];
/// `-c` and `--config` are what other proxies call it.
const POLICY: [&str; 4] = ["--policy", "-p", "--config", "-c"];

/// A command line behind callgate.
#[derive(Debug)]
pub(super) struct Front {
    /// The flags, between `proxy` and `--`.
    flags: Vec<Word>,
    /// What it starts.
    pub(super) command: Word,
}

/// How a server is started now.
#[derive(Debug)]
pub(super) enum Started<'e> {
    /// By itself.
    Bare(&'e Launch),
    /// Behind callgate.
    Wrapped(&'e Launch, Front),
    /// By callgate, without a command of its own.
    Guarded,
    /// Not as a process.
    Remote,
}

impl Front {
    /// A server that was started by itself.
    pub(super) fn new(launch: &Launch) -> Self {
        Self { flags: Vec::new(), command: launch.command.word.clone() }
    }

    /// Sets the name, and the policies if there are any. Other flags stay as they are, so that what a user added is kept.
    #[must_use]
    pub(super) fn with(mut self, name: &str, policies: &[String]) -> Self {
        // What looks like a flag would be taken for one.
        let words = if name.starts_with('-') {
            vec![format!("--name={name}")]
        } else {
            vec!["--name".to_owned(), name.to_owned()]
        };
        let at = self.set(&NAME, name, &words, 0);
        match policies {
            [] => {}
            // One keeps the flag as it was spelt.
            [policy] if self.policies().len() <= 1 => {
                self.set(&POLICY, policy, &["-p".to_owned(), policy.clone()], at);
            }
            policies => self.replace_policies(policies, at),
        }
        self
    }

    /// The policies, as they are written, in their order.
    pub(super) fn policies(&self) -> Vec<String> {
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(value) = self.flags.get(from..).and_then(|flags| find(flags, &POLICY)) {
            let at = from.saturating_add(value.value);
            let word = self.flags.get(at).and_then(|word| word.value.get(value.skip..));
            found.extend(word.map(str::to_owned));
            from = at.saturating_add(1);
        }
        found
    }

    /// Puts these policies where the first one was, or at `at`, in place of all.
    fn replace_policies(&mut self, policies: &[String], mut at: usize) {
        let mut is_first = true;
        while let Some(FlagValue { value, skip }) = find(&self.flags, &POLICY) {
            // A value that is a word of its own stands behind its flag.
            let begin = if skip == 0 { value.saturating_sub(1) } else { value };
            self.flags.drain(begin..=value);
            if std::mem::take(&mut is_first) {
                at = begin;
            }
        }
        let words = policies.iter().flat_map(|policy| [Word::new("-p"), Word::new(policy)]);
        self.flags.splice(at..at, words);
    }

    /// What stands in front of the server's own arguments.
    pub(super) fn words(&self) -> Vec<Word> {
        let mut words = vec![Word::new(PROXY)];
        words.extend(self.flags.iter().cloned());
        words.push(Word::new(END));
        words.push(self.command.clone());
        words
    }

    /// Gives a flag a value, at `at` if it is not there. Returns where it ends.
    fn set(&mut self, spellings: &[&str], value: &str, words: &[String], at: usize) -> usize {
        match find(&self.flags, spellings) {
            Some(found) => {
                if let Some(word) = self.flags.get_mut(found.value) {
                    let prefix = word.value.get(..found.skip).unwrap_or_default();
                    *word = Word::new(&format!("{prefix}{value}"));
                }
                found.value.saturating_add(1)
            }
            None => {
                self.flags.splice(at..at, words.iter().map(|word| Word::new(word)));
                at.saturating_add(words.len())
            }
        }
    }
}

/// How many words stand in front of the server's own.
pub(super) fn front_len(launch: &Launch) -> usize {
    let words = launch.args.iter().flat_map(|args| &args.words);
    words.take_while(|word| word.word.value != END).count().saturating_add(2)
}

/// How a server is started, where `program` is callgate, and so is what is called so.
pub(super) fn started<'e>(entry: &'e Entry, program: &str) -> Option<Started<'e>> {
    let launch = match entry.kind.as_ref().ok()? {
        Kind::Process(launch) => launch,
        Kind::Remote => return Some(Started::Remote),
    };
    let words = launch.args.iter().flat_map(|args| &args.words).map(|placed| &placed.word);
    let words = words.collect::<Vec<_>>();
    let [first, flags @ ..] = &*words else { return Some(Started::Bare(launch)) };
    let command = &*launch.command.word.value;
    // Not by its flags: other programs have a `proxy --name NAME -- COMMAND`, too.
    if first.value != PROXY || (command != program && !is_program(command)) {
        return Some(Started::Bare(launch));
    }
    let end = flags.iter().position(|word| word.value == END);
    let front = end.and_then(|end| {
        let command = (*flags.get(end.checked_add(1)?)?).clone();
        let flags = flags.get(..end)?.iter().map(|word| (*word).clone()).collect();
        Some(Front { flags, command })
    });
    Some(front.map_or(Started::Guarded, |front| Started::Wrapped(launch, front)))
}

/// Whether a command is callgate, by its name: a path of either system, with any ending.
fn is_program(command: &str) -> bool {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command);
    name.split('.').next().is_some_and(|stem| stem.eq_ignore_ascii_case(PROGRAM))
}

/// Where a flag's value is: the word, and how many bytes of it belong to the flag.
struct FlagValue {
    value: usize,
    skip: usize,
}

/// The value of the first flag that is spelt in one of these ways: `--flag VALUE`, `--flag=VALUE`, `-f VALUE`, `-f=VALUE` or `-fVALUE`.
fn find(flags: &[Word], spellings: &[&str]) -> Option<FlagValue> {
    flags.iter().enumerate().find_map(|(index, word)| {
        spellings.iter().find_map(|spelling| {
            let rest = word.value.strip_prefix(spelling)?;
            let is_short = !spelling.starts_with("--");
            match rest.as_bytes() {
                [] => {
                    let value = index.checked_add(1).filter(|value| *value < flags.len())?;
                    Some(FlagValue { value, skip: 0 })
                }
                [b'=', ..] => Some(FlagValue { value: index, skip: spelling.len().checked_add(1)? }),
                [..] if is_short => Some(FlagValue { value: index, skip: spelling.len() }),
                [..] => None,
            }
        })
    })
}

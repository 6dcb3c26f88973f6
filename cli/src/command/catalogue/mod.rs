//! `callgate catalogue`: servers that have policies already.
//!
//! In: names. Out: what `callgate-catalogue` has. Must not fetch anything, nor read a file.

mod list;
mod show;

use callgate_analysis::overrides::Overrides;
use callgate_analysis::risk::Options;
use callgate_catalogue::{File, Server};

use crate::args::CatalogueCommand;
use crate::failure::{Failure, Outcome};

pub(crate) fn run(command: &CatalogueCommand) -> Outcome {
    match command {
        CatalogueCommand::List(args) => list::run(args),
        CatalogueCommand::Show(args) => show::run(args),
    }
}

/// The server of this name, or an error that says which ones may be meant.
pub(super) fn find(name: &str) -> Result<&'static Server, Failure> {
    callgate_catalogue::server(name).ok_or_else(|| {
        let names = callgate_catalogue::servers().iter().map(Server::name);
        let near = near(name, names);
        let meant =
            if near.is_empty() { String::new() } else { format!("; perhaps `{}`", near.join("` or `")) };
        Failure::with_help(
            format!("the catalogue has no server `{name}`{meant}"),
            "`callgate catalogue list` shows all; `callgate scan --tools TOOLS.json` looks at any other",
        )
    })
}

/// The file of this name.
pub(super) fn file(server: &Server, name: &str) -> Result<File, Failure> {
    let files = server.files().map_err(|error| Failure::new(error.to_string()))?;
    let names = files.iter().map(|file| file.name).collect::<Vec<_>>().join(", ");
    files
        .into_iter()
        .find(|file| file.name == name)
        .ok_or_else(|| Failure::new(format!("`{}` has no file `{name}`; there are: {names}", server.name())))
}

/// The classes that were given by hand.
fn given(server: &Server) -> Result<Options, Failure> {
    let files = server.files().map_err(|error| Failure::new(error.to_string()))?;
    let Some(file) = files.iter().find(|file| file.name == "overrides.yaml") else {
        return Ok(Options::new());
    };
    match Overrides::read(&file.text) {
        Ok(overrides) => Ok(overrides.options(Options::new())),
        Err(_) => {
            Err(Failure::new(format!("the classes given by hand for `{}` cannot be read", server.name())))
        }
    }
}

/// Names that hold the text as a whole word, else those that are few edits away.
fn near(text: &str, names: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let mut found: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let holds = name.split(['.', '-']).any(|word| word == text);
            let distance = if holds { 0 } else { distance(&text, name) };
            (distance <= text.chars().count() / 3).then_some((distance, name))
        })
        .collect();
    found.sort_unstable();
    let least = found.first().map(|(distance, _)| *distance);
    found.into_iter().filter(|(distance, _)| Some(*distance) == least).map(|(_, name)| name).collect()
}

/// How many letters have to be added, taken away or replaced. Names are short, and so is what is compared of the text.
fn distance(text: &str, name: &str) -> usize {
    const LONGEST: usize = 64;
    let mut row: Vec<usize> = (0..=name.chars().count()).collect();
    for (at, letter) in text.chars().take(LONGEST).enumerate() {
        let mut next = vec![at.saturating_add(1)];
        for ((other, diagonal), above) in name.chars().zip(&row).zip(row.iter().skip(1)) {
            let replaced = diagonal.saturating_add(usize::from(other != letter));
            let before = next.last().copied().unwrap_or_default();
            next.push(replaced.min(above.saturating_add(1)).min(before.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_may_be_meant() {
        let names =
            ["fetch", "filesystem", "git", "github", "slack", "stripe", "a.iam-server", "a.mq-server"];
        for (text, expected) in [
            ("githb", &["github"][..]),
            ("GitHub", &["github"]),
            ("iam", &["a.iam-server"]),
            ("server", &["a.iam-server", "a.mq-server"]),
            ("filesytem", &["filesystem"]),
            ("zzzzzz", &[]),
            ("", &[]),
        ] {
            assert_eq!(near(text, names.into_iter()), expected, "{text}");
        }
    }
}

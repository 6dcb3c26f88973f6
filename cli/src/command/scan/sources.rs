//! Which servers are asked, and whether they may be.
//!
//! In: arguments; the answers of whoever sits at the terminal. Out: sources. Must not start anything, and must ask before the first is started.

use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::Path;

use callgate::value::{RawJson, View as _};
use callgate_gateway::offer::{Offer, Source, Tools};
use callgate_gateway::wrap::{Configuration, Reached};

use crate::args::ScanArgs;
use crate::failure::Failure;
use crate::input::read_text;
use crate::terminal::shown;
use crate::tools;

/// Variables that every program gets: without them hardly any is found, or starts.
const ALWAYS: [&str; 2] = ["PATH", "HOME"];
/// What is called so in a configuration is callgate, whatever its folder.
const PROGRAM: &str = "callgate";

/// A server, and how its tools are learnt.
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) way: Way,
}

/// How tools are learnt.
pub(super) enum Way {
    /// From a file.
    Listed(Offer),
    /// From the server.
    Ask(Source),
    /// Not at all.
    Not(String),
}

/// The servers that the arguments name, in their order.
pub(super) fn asked(args: &ScanArgs) -> Result<Vec<Asked>, Failure> {
    let given = environment(&args.env)?;
    if let Some(path) = &args.tools {
        let name = args.name.clone().unwrap_or_else(|| stem(path));
        return Ok(vec![Asked { name, way: Way::Listed(saved(path)?) }]);
    }
    let mut asked = match &args.config {
        Some(path) => configured(path, &args.servers, &given)?,
        None if args.url.is_some() => {
            let url = args.url.clone().unwrap_or_default();
            let name = args.name.clone().unwrap_or_else(|| host(&url).to_owned());
            let headers = args.header.iter().map(|header| header_of(header)).collect::<Result<_, _>>()?;
            vec![Asked { name, way: Way::Ask(Source::Url { url, headers }) }]
        }
        None => {
            let program = args.command.first().map(Path::new).map(stem).unwrap_or_default();
            let source = Source::Process { command: args.command.clone(), environment: given };
            vec![Asked { name: args.name.clone().unwrap_or(program), way: Way::Ask(source) }]
        }
    };
    if !args.yes {
        agree(&mut asked)?;
    }
    Ok(asked)
}

/// A list that was saved, in any form that `check --tools` takes.
fn saved(path: &Path) -> Result<Offer, Failure> {
    let failed = |error: String| Failure::with_help(format!("{}: {error}", path.display()), tools::HELP);
    let text = read_text(path)?;
    let raw = RawJson::parse(&text).map_err(|error| failed(error.to_string()))?;
    let list = tools::listed(path, &raw)?;
    let (mut tools, mut broken) = (Tools::default(), None);
    let _ = list.elements(|tool| match tools.add(tool.text()) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            broken = Some(error);
            ControlFlow::Break(())
        }
    });
    match broken {
        Some(error) => Err(failed(error.to_string())),
        None => Ok(Offer { tools: tools.into_values(), ..Offer::default() }),
    }
}

/// The servers of a client's configuration.
fn configured(path: &Path, names: &[String], given: &[(OsString, OsString)]) -> Result<Vec<Asked>, Failure> {
    let servers = Configuration::read(path)?.servers(PROGRAM, names)?;
    let asked = servers.into_iter().map(|server| {
        let way = match server.reached {
            Ok(Reached::Process { command, environment }) => {
                let mut all = given.to_vec();
                all.extend(environment.into_iter().map(|(name, value)| (name.into(), value.into())));
                let command = command.into_iter().map(OsString::from).collect();
                Way::Ask(Source::Process { command, environment: all })
            }
            Ok(Reached::Url { url, headers }) => Way::Ask(Source::Url { url, headers }),
            Err(why) => Way::Not(why),
        };
        Asked { name: server.name, way }
    });
    Ok(asked.collect())
}

/// What programs get of this environment.
fn environment(names: &[String]) -> Result<Vec<(OsString, OsString)>, Failure> {
    let always = ALWAYS.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
    let named = names.iter().map(|name| match env::var_os(name) {
        Some(value) => Ok((OsString::from(name), value)),
        None => Err(Failure::new(format!("there is no variable `{name}` in the environment"))),
    });
    always.map(Ok).chain(named).collect()
}

/// Asks whoever sits at the terminal about each program.
fn agree(asked: &mut [Asked]) -> Result<(), Failure> {
    let mut programs =
        asked.iter_mut().filter(|asked| matches!(asked.way, Way::Ask(Source::Process { .. }))).peekable();
    if programs.peek().is_none() {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Failure::with_help(
            "a program is started only if somebody agrees, and there is no terminal to ask on",
            "`--yes` starts it without a question",
        ));
    }
    for Asked { name, way } in programs {
        let Way::Ask(Source::Process { command, .. }) = &way else { continue };
        let words: Vec<_> = command.iter().map(|word| word_of(&word.to_string_lossy())).collect();
        let mut stderr = io::stderr().lock();
        write!(stderr, "start server `{}`?\n  {}\n[y/N] ", shown(name), words.join(" "))?;
        stderr.flush()?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            *way = Way::Not("it was not started, as you chose".to_owned());
        }
    }
    Ok(())
}

/// A word as a shell takes it, without what steers a terminal.
fn word_of(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", shown(word).replace('\'', "'\\''"))
}

/// The host of an address, to call its server by.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

/// A header whose value is in a file: on a command line, everybody on the machine would read it.
fn header_of(text: &str) -> Result<(String, String), Failure> {
    let Some((name, file)) = text.split_once("=@") else {
        return Err(Failure::with_help(
            "a header is a name and a file that holds its value",
            "write `--header Authorization=@token.txt`",
        ));
    };
    Ok((name.to_owned(), read_text(Path::new(file))?.trim().to_owned()))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

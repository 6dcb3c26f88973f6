//! Which servers are asked, and whether they may be.
//!
//! In: arguments; the answers of whoever sits at the terminal. Out: sources. Must not start anything, and must ask before the first is started.

use std::borrow::Cow;
use std::env;
use std::ffi::OsString;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use callgate_gateway::offer::Source;
use callgate_gateway::wrap::{Configuration, Reached};

use crate::args::ScanArgs;
use crate::failure::Failure;
use crate::input::{STDIN, STDIN_SHOWN, read_text};
use crate::saved::Saved;
use crate::terminal::shown;
use crate::tools;

/// Variables that every program gets: without them hardly any is found, or starts.
const ALWAYS: [&str; 2] = ["PATH", "HOME"];
/// Programs that start a package.
const RUNNERS: [&str; 4] = ["npx", "bunx", "pnpx", "uvx"];
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
    Listed(Saved),
    /// From the server.
    Ask(Source),
    /// Not at all.
    Not(String),
}

/// The file that names the servers, or has their tools, as reports call it.
pub(super) fn file(args: &ScanArgs) -> Option<Cow<'_, str>> {
    let path = args.tools.as_ref().or(args.config.as_ref())?;
    Some(if path == Path::new(STDIN) { STDIN_SHOWN.into() } else { path.to_string_lossy() })
}

/// The servers that the arguments name, in their order.
pub(super) fn asked(args: &ScanArgs) -> Result<Vec<Asked>, Failure> {
    let given = environment(&args.env)?;
    if let Some(path) = &args.tools {
        let saved = Saved::read(path)?;
        let name = args.name.clone().unwrap_or_else(|| saved.server_or_stem(path));
        return Ok(vec![Asked { name, way: Way::Listed(saved) }]);
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
            let program = called(&args.command);
            let source = Source::Process { command: args.command.clone(), environment: given };
            vec![Asked { name: args.name.clone().unwrap_or(program), way: Way::Ask(source) }]
        }
    };
    if let (Some(path), 2..) = (&args.write, asked.len()) {
        let message = format!("{}: a policy is for one server, and here are {}", path.display(), asked.len());
        return Err(Failure::with_help(
            message,
            "pick one with `--server NAME`: tools of two may have one name",
        ));
    }
    if !args.yes {
        agree(&mut asked)?;
    }
    Ok(asked)
}

/// What a server is called, where nobody says: as its program, or as the package that a runner starts.
fn called(command: &[OsString]) -> String {
    let program = command.first().map(Path::new).map(tools::stem).unwrap_or_default();
    if !RUNNERS.contains(&&*program) {
        return program;
    }
    let words = command.iter().skip(1).map(|word| word.to_string_lossy());
    let Some(package) = words.into_iter().find(|word| !word.starts_with('-')) else { return program };
    let package = package.rsplit('/').next().unwrap_or_default();
    package.split(['@', '=']).next().filter(|name| !name.is_empty()).map_or(program, str::to_owned)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_a_runner_starts_gives_its_name() {
        for (command, name) in [
            (
                &["npx", "-y", "@modelcontextprotocol/server-filesystem@2026.1.14", "/data"][..],
                "server-filesystem",
            ),
            (&["/usr/bin/uvx", "mcp-server-git==1.2"], "mcp-server-git"),
            (&["npx"], "npx"),
            (&["npx", "-y", "@scope/"], "npx"),
            (&["./server.py", "-y", "x"], "server"),
        ] {
            let command: Vec<OsString> = command.iter().map(OsString::from).collect();
            assert_eq!(called(&command), name, "{command:?}");
        }
    }
}

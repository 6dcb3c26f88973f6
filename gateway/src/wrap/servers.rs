//! The servers of a client's configuration, as the client reaches them.
//!
//! In: a configuration. Out: commands and addresses, without callgate in front. Must not start anything, nor guess what a client fills in.

use super::configuration::Configuration;
use super::document::{Entry, Surroundings};
use super::error::WrapError;
use super::launch::{Started, front_len};

/// What a client replaces in words of its configuration begins so.
const VARIABLE: &str = "${";

/// A server of a configuration.
#[derive(Debug, Clone)]
pub struct ReachedServer {
    /// Its name; behind that of its project, where it belongs to one.
    pub name: String,
    /// How it is reached, or why that is not known.
    pub reached: Result<Reached, String>,
}

/// How a client reaches a server.
#[derive(Debug, Clone)]
pub enum Reached {
    /// It starts a process.
    Process {
        /// The program and its arguments.
        command: Vec<String>,
        /// What the configuration adds to the environment.
        environment: Vec<(String, String)>,
    },
    /// Over HTTP.
    Url {
        /// The address.
        url: String,
        /// Headers of each request.
        headers: Vec<(String, String)>,
    },
}

impl Configuration {
    /// All servers, or those of these names. A server behind callgate is reached as if callgate were not there.
    ///
    /// # Errors
    /// The text is no JSON, has no servers, or has not one of these names.
    pub fn servers(&self, program: &str, names: &[String]) -> Result<Vec<ReachedServer>, WrapError> {
        let document = self.document()?;
        let reached = |entry: &Entry| ReachedServer {
            name: match &entry.project {
                Some(project) => format!("{project}: {}", entry.name),
                None => entry.name.clone(),
            },
            reached: self.reached(entry, program),
        };
        Ok(self.chosen(&document, names)?.into_iter().map(reached).collect())
    }

    fn reached(&self, entry: &Entry, program: &str) -> Result<Reached, String> {
        let Surroundings { environment, url, headers } = &entry.surroundings;
        let started = self.started(entry, program).map_err(|error| error.to_string())?;
        let (first, launch, skipped) = match started {
            Started::Bare(launch) => (launch.command.word.value.clone(), launch, 0),
            // Its words are `proxy`, flags, `--`, and the command.
            Started::Wrapped(launch, front) => (front.command.value, launch, front_len(launch)),
            Started::Guarded => return Err("it is callgate, without a server behind it".to_owned()),
            Started::Remote => {
                let url = url.clone().ok_or("it has neither a `command` nor a `url`")?;
                let texts = [&url].into_iter().chain(headers.iter().map(|(_, value)| value));
                expanded(texts)?;
                return Ok(Reached::Url { url, headers: headers.clone() });
            }
        };
        let words = launch.args.iter().flat_map(|args| &args.words).skip(skipped);
        let command: Vec<String> =
            [first].into_iter().chain(words.map(|word| word.word.value.clone())).collect();
        expanded(command.iter().chain(environment.iter().map(|(_, value)| value)))?;
        Ok(Reached::Process { command, environment: environment.clone() })
    }
}

/// Refuses what only the client can fill in.
fn expanded<'t>(mut texts: impl Iterator<Item = &'t String>) -> Result<(), String> {
    match texts.any(|text| text.contains(VARIABLE)) {
        true => Err(format!("it has a variable that only the client fills in (`{VARIABLE}…}}`)")),
        false => Ok(()),
    }
}

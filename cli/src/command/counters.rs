//! `callgate counters`: lists and resets the counters of a store.
//!
//! In: a store's URL and which of its counters. Out: a line for each, as it is found: a store may have millions.

use std::io::Write;
use std::sync::Arc;

use callgate::store::{Counters, LiveCounter, Owner};
use callgate::time::{Clock as _, SystemClock, Timestamp};
use callgate_host::{StoreOptions, open_store};
use serde_json::json;

use super::output;
use crate::args::{CountersCommand, CountersFormat, Selection};
use crate::failure::{Failure, NO, Outcome, answered, tell};
use crate::terminal::shown;

/// Columns of what is used: the largest amount fits.
const USED: usize = 20;

pub(crate) fn run(command: &CountersCommand) -> Outcome {
    let mut out = output();
    let mut status = 0;
    match command {
        CountersCommand::List(args) => {
            for_each(&args.selection, &mut out, |_, _, _| Ok(true))?;
        }
        CountersCommand::Reset(args) => {
            let reset = |store: &dyn Counters, held: &LiveCounter, now| {
                Ok(store.reset(held.counter.id(), &held.scope, now)?)
            };
            let count = for_each(&args.selection, &mut out, reset)?;
            if args.selection.format == CountersFormat::Human {
                let s = if count == 1 { "" } else { "s" };
                writeln!(out, "{count} counter{s} reset")?;
            }
            if count == 0 {
                status = NO;
                let help = "`callgate counters list` shows what they are called; `--for` takes the whole of what \
                            it shows, such as `--for 'id \"alice\"'`";
                tell("error", "no counter that holds anything is selected", Some(help));
            }
        }
    }
    answered(out.flush().map_err(Failure::from), status)
}

/// Runs an action on each selected counter, prints those that it changed, and returns how many.
fn for_each(
    selection: &Selection,
    out: &mut impl Write,
    mut act: impl FnMut(&dyn Counters, &LiveCounter, Timestamp) -> Result<bool, Failure>,
) -> Result<u64, Failure> {
    let store = open(selection)?;
    let now = SystemClock.now();
    let mut count = 0_u64;
    let mut done = Ok(());
    store.each(now, &mut |held| {
        // The store lists to its end; after a failure nothing more is done.
        if done.is_err() || !selects(selection, &held) {
            return;
        }
        done = act(&*store, &held, now).and_then(|acted| {
            if acted {
                if count == 0 && selection.format == CountersFormat::Human {
                    writeln!(out, "{:>USED$}  {:24}  COUNTER", "USED", "UNTIL")?;
                }
                count = count.saturating_add(1);
                show(out, selection.format, &held)?;
            }
            Ok(())
        });
    })?;
    done.map(|()| count)
}

fn open(selection: &Selection) -> Result<Arc<dyn Counters>, Failure> {
    if selection.store == "memory" {
        return Err(Failure::with_help(
            "counters in memory are those of one process",
            "name the store that other processes charge, such as `sqlite:///path`",
        ));
    }
    let mut options = StoreOptions::new().existing_only();
    if let Some(namespace) = &selection.namespace {
        options = options.with_namespace(namespace);
    }
    Ok(open_store(&selection.store, &options)?.blocking())
}

fn selects(selection: &Selection, held: &LiveCounter) -> bool {
    let is_of_entry = match held.counter.owner() {
        Owner::Budget if selection.budget.is_some() => {
            selection.budget.as_deref() == Some(held.counter.name())
        }
        _ if selection.budget.is_some() => false,
        Owner::Tool(key) => {
            !selection.all_tools && selection.tool.as_ref().is_none_or(|tool| **tool == **key)
        }
        Owner::Budget => !selection.all_tools && selection.tool.is_none(),
        _ => selection.tool.is_none(),
    };
    is_of_entry
        && selection.layer.as_ref().is_none_or(|layer| held.counter.policy() == Some(layer))
        && selection.counter.as_ref().is_none_or(|name| name == held.counter.name())
        && selection.scope.as_ref().is_none_or(|scope| {
            // The value alone, or as it is shown, behind the kind of scope.
            let value = held.scope.to_string();
            *scope == value || scope.strip_prefix(held.counter.scope()) == Some(&format!(" {value}"))
        })
}

/// When a counter holds nothing any more; `None` for never.
fn until(resets_at: Timestamp) -> Option<String> {
    (resets_at < Timestamp::MAX).then(|| resets_at.to_string())
}

fn show(out: &mut impl Write, format: CountersFormat, held: &LiveCounter) -> Result<(), Failure> {
    let LiveCounter { counter, scope, used, resets_at } = held;
    let tool = match counter.owner() {
        Owner::Tool(key) => Some(&**key),
        _ => None,
    };
    let budget = (*counter.owner() == Owner::Budget).then(|| counter.name());
    let (name, window) = (counter.name(), counter.window().to_string());
    // Two calendars are two counters.
    let zone = counter.zone().map(str::to_owned);
    match format {
        CountersFormat::Human => {
            let entry = shown(tool.unwrap_or(if budget.is_some() { "budget" } else { "all_tools" }));
            let layer = counter.policy().map(|layer| format!(" of {}", shown(layer))).unwrap_or_default();
            let (name, scope) = (shown(name), scope.to_string());
            let (algorithm, kind) = (counter.algorithm().name(), shown(counter.scope()));
            let (who, used) = (shown(&scope), used.to_string());
            let until = until(*resets_at).unwrap_or_else(|| format!("{:24}", "never"));
            let calendar = match (&zone, counter.is_from_sunday()) {
                (None, false) => String::new(),
                (None, true) => " from Sunday".to_owned(),
                (Some(zone), false) => format!(" of {}", shown(zone)),
                (Some(zone), true) => format!(" from Sunday of {}", shown(zone)),
            };
            writeln!(
                out,
                "{used:>USED$}  {until}  {entry}.{name}{layer}, {algorithm} {window}{calendar}, {kind} {who}"
            )?;
        }
        CountersFormat::Json => {
            let line = json!({
                "layer": counter.policy(),
                "tool": tool,
                "counter": name,
                "window": window,
                "algorithm": counter.algorithm().name(),
                "scope": counter.scope(),
                "for": scope.to_string(),
                "used": used.to_string(),
                "resets_at": until(*resets_at),
                "budget": budget,
                "time_zone": zone,
                "week_start": if counter.is_from_sunday() { "sunday" } else { "monday" },
            });
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

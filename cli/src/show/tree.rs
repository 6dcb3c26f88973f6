//! The checks of an explanation as a tree.

use std::io::{self, Write};

use callgate::Check;

use crate::terminal::{Paint, shown};

/// Writes checks under one another, each with its outcome, its place, and why. Goes as deep as a policy may be nested.
pub(crate) fn write_tree(out: &mut dyn Write, checks: &[Check], coloured: bool) -> io::Result<()> {
    write_level(out, checks, "", "", coloured)
}

fn write_level(
    out: &mut dyn Write,
    checks: &[Check],
    indent: &str,
    above: &str,
    coloured: bool,
) -> io::Result<()> {
    for (index, check) in checks.iter().enumerate() {
        let last = index.saturating_add(1) == checks.len();
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let outcome = paint_of(&check.outcome).on(coloured, &check.outcome).into_owned();
        write!(out, "{indent}{branch}{}  {outcome}", shown(&check.what))?;
        // Do not repeat what the line above says.
        let place = match check.pointer.strip_prefix(above) {
            Some("") => String::new(),
            Some(rest) if !above.is_empty() => format!("  …{rest}"),
            _ => format!("  {}", check.pointer),
        };
        writeln!(out, "{}", Paint::Dim.on(coloured, &shown(&place)))?;
        let deeper = format!("{indent}{below}");
        if let Some(why) = &check.why {
            let bar = if check.checks.is_empty() { "   " } else { "│  " };
            writeln!(out, "{deeper}{bar}{}", Paint::Dim.on(coloured, &shown(why)))?;
        }
        write_level(out, &check.checks, &deeper, &check.pointer, coloured)?;
    }
    Ok(())
}

/// Outcomes are words for people and may change; an unknown one is not coloured as a success.
fn paint_of(outcome: &str) -> Paint {
    match outcome {
        "holds" | "passes" | "charged" | "does not act" | "does not apply" => Paint::Green,
        "fails" | "denies" | "refuses" | "full" => Paint::Red,
        _ => Paint::Yellow,
    }
}

//! `callgate explain-tool`: all that is known of one tool.
//!
//! In: a saved list and a name. Out: what the tool can do, why, and the rule that is recommended. Must not show a server's text as it is.

use std::io::{self, Write};
use std::process::ExitCode;

use callgate::__text::escaped;
use callgate_analysis::page::{Page, nearest, page, to_json, to_markdown};
use callgate_analysis::recommend::Options;
use callgate_analysis::risk::{self, Direction, Severity};

use super::output;
use crate::args::{ExplainToolArgs, PageFormat};
use crate::failure::{Failure, Outcome};
use crate::saved::Saved;
use crate::terminal::{Paint, colours, shown};

pub(crate) fn run(args: &ExplainToolArgs) -> Outcome {
    let saved = Saved::read(&args.tools)?;
    let server = args.server.clone().unwrap_or_else(|| saved.server_or_stem(&args.tools));
    let list = saved.offer.tools;
    let known = risk::Options::new();
    let options = Options { profile: args.profile.into(), scope: args.scope.into(), risk: &known };
    let Some(page) = page(&server, &list, &args.name, &options) else {
        let near = nearest(&list, &args.name);
        let near: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
        let help =
            if near.is_empty() { String::new() } else { format!(": did you mean {}?", near.join(" or ")) };
        return Err(Failure::new(format!("{}: it has no tool `{}`{help}", args.tools.display(), args.name)));
    };
    let mut out = output();
    match args.format {
        PageFormat::Human => human(&mut out, &page)?,
        PageFormat::Json => writeln!(out, "{}", escaped(&to_json(&page).to_string()))?,
        PageFormat::Markdown => out.write_all(to_markdown(&page).as_bytes())?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn human(out: &mut dyn Write, page: &Page) -> io::Result<()> {
    let coloured = colours(&io::stdout());
    let risk = &page.risk;
    let title = |text: &str| Paint::Bold.on(coloured, text).into_owned();
    let class =
        format!("{}, severity {}, confidence {}", risk.class.name(), risk.severity.name(), risk.confidence);
    let class = match risk.severity {
        Severity::Critical => Paint::Red.on(coloured, &class),
        Severity::High => Paint::Yellow.on(coloured, &class),
        Severity::Medium | Severity::Low => class.as_str().into(),
    };
    writeln!(out, "{} of server {}", title(&shown(&risk.name)), shown(&risk.server))?;
    writeln!(out, "{class}: it {}", risk.class.meaning())?;
    match &page.description {
        Some(text) => writeln!(out, "the server says: {}", shown(text))?,
        None => writeln!(out, "the server says nothing of what it does")?,
    }
    writeln!(out, "\n{}", title("arguments"))?;
    match page.arguments.as_deref() {
        None => writeln!(out, "  the server gives no schema: a call may have any")?,
        Some([]) => writeln!(out, "  none")?,
        Some(arguments) => {
            for one in arguments {
                let types = if one.types.is_empty() { "any type".to_owned() } else { one.types.join(" or ") };
                let required = if one.required { ", required" } else { "" };
                write!(out, "  {}: {}{required}", shown(&one.name), shown(&types))?;
                let said = if one.description.is_empty() {
                    String::new()
                } else {
                    format!("  {}", shown(&one.description))
                };
                writeln!(out, "{}", Paint::Dim.on(coloured, &said))?;
            }
        }
    }
    writeln!(out, "\n{}", title("why it needs a policy"))?;
    for (direction, word) in [(Direction::For, "for    "), (Direction::Against, "against")] {
        for reason in page.reasons(direction) {
            let place =
                if reason.place.is_empty() { String::new() } else { format!("  {}", shown(&reason.place)) };
            writeln!(out, "  {word}  {}{}", shown(&reason.text), Paint::Dim.on(coloured, &place))?;
        }
    }
    for label in &risk.labels {
        writeln!(out, "  label    {}: {}", label.name(), label.meaning())?;
    }
    if !page.findings.is_empty() {
        writeln!(out, "\n{}", title("findings"))?;
    }
    for finding in &page.findings {
        let text = format!("  {}: {}  {}", finding.code, shown(&finding.text), shown(&finding.place));
        writeln!(out, "{}", Paint::Yellow.on(coloured, &text))?;
    }
    writeln!(out, "\n{}", title(&format!("rule of the profile {}", page.profile)))?;
    match &page.rule {
        Ok(rule) => rule.lines().try_for_each(|line| writeln!(out, "  {line}")),
        Err(why) => writeln!(out, "  there is none, so it stays denied: {why}"),
    }
}

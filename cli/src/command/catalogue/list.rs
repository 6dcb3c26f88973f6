//! The servers, as a table or as JSON.

use std::io::{self, Write as _};

use callgate_catalogue::{PROFILES, Server};
use serde_json::{Value, json};

use crate::args::{CatalogueFormat, CatalogueListArgs};
use crate::command::output;
use crate::failure::{Failure, Outcome, answered};
use crate::terminal::{Paint, colours};

const COLUMNS: usize = 7;
const TITLES: [&str; COLUMNS] = ["server", "package", "version", "date", "licence", "tools", "profiles"];

pub(super) fn run(args: &CatalogueListArgs) -> Outcome {
    let servers = callgate_catalogue::servers();
    let mut out = output();
    let written = match args.format {
        CatalogueFormat::Human => table(&mut out, servers),
        CatalogueFormat::Json => {
            let servers: Vec<Value> = servers.iter().map(to_json).collect();
            writeln!(out, "{}", json!({ "servers": servers }))
        }
    };
    let written = written.and_then(|()| out.flush());
    answered(written.map_err(Failure::from), 0)
}

/// What is known of a server.
pub(super) fn to_json(server: &Server) -> Value {
    json!({
        "server": server.name(),
        "registry": server.registry(),
        "package": server.package(),
        "version": server.version(),
        "date": server.date(),
        "collected": server.collected(),
        "licence": server.licence(),
        "holder": server.holder(),
        "source": server.source(),
        "tools": server.tools(),
        "profiles": PROFILES,
    })
}

fn table(out: &mut dyn io::Write, servers: &[Server]) -> io::Result<()> {
    let cells = |server: &Server| {
        [
            server.name().to_owned(),
            server.package().to_owned(),
            server.version().to_owned(),
            server.date().to_owned(),
            server.licence().to_owned(),
            server.tools().to_string(),
            PROFILES.join(", "),
        ]
    };
    let rows: Vec<[String; COLUMNS]> = servers.iter().map(cells).collect();
    let mut widths = TITLES.map(str::len);
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; COLUMNS]| {
        let cells: String =
            cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        cells.trim_end().to_owned()
    };
    writeln!(out, "{}", Paint::Dim.on(colours(&io::stdout()), &line(&TITLES.map(str::to_owned))))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))
}

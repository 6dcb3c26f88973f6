//! Whose days, weeks and months the policy counts: `time_zone` and `week_start` (spec 2.29).
//!
//! In: the two fields as written, and the counters of the whole document. Out: the counters by that calendar. Where there is none, or
//! it is that of UTC with weeks from Monday, they stay as they are.

use std::sync::Arc;

use super::Declared;
use super::reader::{Field, Reader, shown};
use crate::calendar::zone_names;
use crate::store::Calendar;

const WEEK_STARTS: [&str; 2] = ["monday", "sunday"];

/// Reads both fields; `None` where they say nothing, or after an error.
pub(super) fn read<'n>(
    reader: &mut Reader<'n, '_>,
    zone: Option<Field<'n>>,
    week_start: Option<Field<'n>>,
) -> Option<Arc<Calendar>> {
    let zone = zone.map(|field| reader.within("time_zone", |reader| time_zone(reader, field)));
    let from_sunday = week_start.map(|field| reader.within("week_start", |reader| sunday(reader, field)));
    let (zone, from_sunday) = match (zone, from_sunday) {
        (None, None) => return None,
        (zone, from_sunday) => {
            (zone.map_or(Some(None), |zone| zone.map(Some))?, from_sunday.unwrap_or(Some(false))?)
        }
    };
    Calendar::new(zone, from_sunday).map(Arc::new)
}

/// Has the counters count by the calendar, as far as it has a part in their windows.
pub(super) fn apply(calendar: &Arc<Calendar>, counters: &mut [Declared]) {
    for declared in counters {
        declared.counter = declared.counter.clone().in_calendar(calendar);
    }
}

fn time_zone<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<&'n str> {
    let node = field.value();
    let help = "write a name of the IANA time zone database, by a city: `America/New_York`, `Europe/Zurich`";
    let name = reader.string(node, "a string, the name of a time zone", help)?;
    if Calendar::new(Some(name), false).is_some() {
        if name != "UTC" && (!name.contains('/') || name.starts_with("Etc/")) {
            let message =
                format!("`{}` is a fixed offset or an old name, perhaps without summer time", shown(name));
            reader.warning(
                "fixed_zone",
                node.span(),
                message,
                "name a city: `America/New_York`, `Europe/Zurich`",
            );
        }
        return Some(name);
    }
    let help = match meant(reader, name) {
        Some(known) => format!("did you mean `{known}`?"),
        None => help.to_owned(),
    };
    reader.error("invalid_time_zone", node.span(), format!("`{}` is not a time zone", shown(name)), help);
    None
}

/// The zone that was meant: one of nearly this name, or the one of this city. Abbreviations and offsets mean none: `PST` is near to
/// `EST`, and `Etc/GMT+5` is behind Greenwich.
fn meant(reader: &mut Reader<'_, '_>, written: &str) -> Option<&'static str> {
    const SHORT: usize = 5;
    let is_near = written.len() > SHORT && !written.bytes().any(|byte| matches!(byte, b'+' | b'0'..=b'9'));
    let named = zone_names().filter(|name| name.contains('/') && !name.starts_with("Etc/"));
    let slip = if is_near { reader.diagnostics.suggestions.nearest(written, named) } else { None };
    let is_city = |name: &&str| {
        name.rsplit_once('/').is_some_and(|(_, city)| {
            let letters = city.bytes().map(|byte| if byte == b'_' { b' ' } else { byte });
            let written = written.bytes().map(|byte| if byte == b'_' { b' ' } else { byte });
            letters.map(|byte| byte.to_ascii_lowercase()).eq(written.map(|byte| byte.to_ascii_lowercase()))
        })
    };
    slip.or_else(|| zone_names().filter(is_city).min())
}

/// Whether weeks begin on Sunday.
fn sunday<'n>(reader: &mut Reader<'n, '_>, field: Field<'n>) -> Option<bool> {
    let node = field.value();
    match reader.string(node, "a string, `monday` or `sunday`", "write `monday` or `sunday`")? {
        "monday" => Some(false),
        "sunday" => Some(true),
        other => {
            let help = match reader.diagnostics.suggestions.nearest(other, WEEK_STARTS) {
                Some(known) => format!("did you mean `{known}`?"),
                None => "weeks begin on `monday` or `sunday`".to_owned(),
            };
            let message = format!("`{}` does not begin a week", shown(other));
            reader.error("invalid_week_start", node.span(), message, help);
            None
        }
    }
}

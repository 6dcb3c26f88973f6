//! What the file holds, for an operator.
//!
//! In: a time, within a transaction. Out: counters that hold something then, a page at a time. A file may have millions, and a
//! slow reader must neither hold up calls nor make the write-ahead log grow.

use callgate::Amount;
use callgate::store::judge::live_millis;
use callgate::store::{Algorithm, Counter, LiveCounter, ScopeValue};
use callgate::time::Timestamp;
use rusqlite::{Connection, Result, params};

use crate::declaration::declared;
use crate::job::{Page, Shown};
use crate::rows::{BEHIND, Key, Row};
use crate::sliding::Log;

/// Rows that one transaction looks at.
const ROWS: i64 = 256;

/// Reads the rows of the namespace after a key, in the order of their keys.
pub(crate) fn page(
    connection: &Connection,
    space: i64,
    after: Option<&Shown>,
    now: Timestamp,
) -> Result<Page> {
    let mut select = connection.prepare_cached(
        "SELECT tool, name, window, algorithm, declarations.scope, budget, zone, sunday, method, policy, counters.scope, counters.id,
                start, stamp, ends, used, entries, gone, keep
         FROM counters LEFT JOIN declarations USING (id)
         WHERE space = ?1 AND (counters.id, counters.scope, start) > (?2, ?3, ?4)
         ORDER BY counters.id, counters.scope, start LIMIT ?5",
    )?;
    // No counter comes before the empty id.
    let (id, scope, start) =
        after.map_or((&[][..], &[][..], 0), |after| (&after.id[..], &after.scope[..], after.start));
    let mut rows = select.query(params![space, id, scope, start, ROWS])?;
    let (mut held, mut last, mut looked_at) = (Vec::new(), None, 0_i64);
    let mut known: Option<([u8; 16], Option<Counter>)> = None;
    while let Some(found) = rows.next()? {
        looked_at = looked_at.saturating_add(1);
        let (scope, id): (Vec<u8>, [u8; 16]) = (found.get(10)?, found.get(11)?);
        let row = Row::read(found, 12)?;
        if looked_at == ROWS {
            last = Some(Shown { id, scope: scope.clone(), start: row.start.as_millis() });
        }
        // A call at that time does not see future windows.
        if !row.lasts(now) || row.start > now.plus_millis(BEHIND) {
            continue;
        }
        // Rows of one counter follow one another: its declaration, and the rules of its zone, are read once.
        let counter = match &known {
            Some((of, counter)) if *of == id => counter.clone(),
            _ => known.insert((id, declared(found)?)).1.clone(),
        };
        let Some(counter) = counter else { continue };
        let (mut used, mut resets_at) = (row.used, row.ends);
        if counter.algorithm() != Algorithm::Fixed {
            let key = Key { space, id: &id, scope: &scope };
            let (_, standing) = Log::read(connection, &key, &row, live_millis(counter.window()), now)?;
            (used, resets_at) = (standing.used, standing.resets_at);
        }
        if used > 0 {
            let used = Amount::from_micros(used).unwrap_or_default();
            held.push(LiveCounter { counter, scope: ScopeValue::from(&*scope), used, resets_at });
        }
    }
    Ok(Page { held, last })
}

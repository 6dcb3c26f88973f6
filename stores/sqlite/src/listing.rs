//! What the file holds, for an operator.
//!
//! In: a time, within a transaction. Out: counters that hold something then, so many at a time: a file may have millions, and
//! an operator who reads on later must not hold up the calls meanwhile, nor make the log grow.

use callgate::judge::live_millis;
use callgate::{Algorithm, Amount, Held, ScopeValue, Timestamp};
use rusqlite::{Connection, Result, params};

use crate::job::{Page, Shown};
use crate::rows::{Key, declared, time};

/// Rows that one transaction looks at.
const ROWS: i64 = 256;

/// Looks at the rows of the namespace that come after one, in the order of their key.
pub(crate) fn page(
    connection: &Connection,
    space: i64,
    after: Option<&Shown>,
    now: Timestamp,
) -> Result<Page> {
    let mut select = connection.prepare_cached(
        "SELECT tool, name, window, algorithm, declarations.scope,
                counters.scope, stamp, ends, used, counters.id
         FROM counters LEFT JOIN declarations USING (id)
         WHERE space = ?1 AND (counters.id, counters.scope) > (?2, ?3)
         ORDER BY counters.id, counters.scope LIMIT ?4",
    )?;
    // No counter comes before the empty id.
    let (id, scope) = after.map_or((&[][..], &[][..]), |after| (&after.id[..], &after.scope[..]));
    let mut rows = select.query(params![space, id, scope, ROWS])?;
    let (mut held, mut last, mut looked_at) = (Vec::new(), None, 0_i64);
    while let Some(row) = rows.next()? {
        looked_at = looked_at.saturating_add(1);
        let (scope, id): (Vec<u8>, [u8; 16]) = (row.get(5)?, row.get(9)?);
        if looked_at == ROWS {
            last = Some(Shown { id, scope: scope.clone() });
        }
        let (stamp, resets_at, mut used) = (time(row, 6)?, time(row, 7)?, row.get::<_, i64>(8)?);
        if resets_at <= now {
            continue;
        }
        let Some(counter) = declared(row)? else { continue };
        if counter.algorithm() != Algorithm::Fixed {
            let cut = now.max(stamp).as_millis().saturating_sub(live_millis(counter.window()));
            let (_, expired) = Key { space, id: &id, scope: &scope }.expired(connection, cut)?;
            used = used.saturating_sub(expired);
        }
        if used > 0 {
            let used = Amount::from_micros(used).unwrap_or_default();
            held.push(Held { counter, scope: ScopeValue::from(&*scope), used, resets_at });
        }
    }
    Ok(Page { held, last })
}

//! What the file holds, for an operator.
//!
//! In: a time. Out: every counter that holds something then, one after the other: a file may have millions.

use callgate::judge::live_millis;
use callgate::{Algorithm, Amount, Held, ScopeValue, Timestamp};
use rusqlite::{Connection, Result};

use crate::rows::{Key, declared, time};

/// Shows every counter of the namespace.
pub(crate) fn list(
    connection: &Connection,
    space: i64,
    now: Timestamp,
    show: &mut dyn FnMut(Held),
) -> Result<()> {
    // One transaction, or a sliding counter's row and its charges could be of different moments.
    let transaction = connection.unchecked_transaction()?;
    let mut select = transaction.prepare(
        "SELECT tool, name, window, algorithm, declarations.scope,
                counters.scope, stamp, ends, used, declarations.id
         FROM counters JOIN declarations USING (id) WHERE space = ?1 AND ends > ?2",
    )?;
    let mut rows = select.query([space, now.as_millis()])?;
    while let Some(row) = rows.next()? {
        let Some(counter) = declared(row)? else { continue };
        let (scope, id): (Vec<u8>, [u8; 16]) = (row.get(5)?, row.get(9)?);
        let (stamp, resets_at, mut used) = (time(row, 6)?, time(row, 7)?, row.get::<_, i64>(8)?);
        if counter.algorithm() != Algorithm::Fixed {
            let cut = now.max(stamp).as_millis().saturating_sub(live_millis(counter.window()));
            let (_, expired) = Key { space, id: &id, scope: &scope }.expired(&transaction, cut)?;
            used = used.saturating_sub(expired);
        }
        if used > 0 {
            let used = Amount::from_micros(used).unwrap_or_default();
            show(Held { counter, scope: ScopeValue::from(&*scope), used, resets_at });
        }
    }
    Ok(())
}

//! Calls that wait for a person: how many a caller may have, and what its client hears meanwhile (G6.5, G6.6).
//!
//! In: a caller; a request that waits. Out: a place among those that wait, progress. Must not outlive the request.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::ProgressNotificationParam;
use rmcp::service::{RequestContext, RoleServer};
use tokio_util::sync::CancellationToken;

use crate::mistake;

/// The client hears of it at least each second.
const EACH: Duration = Duration::from_millis(900);

/// How many calls of each caller wait; all that are unknown are one caller.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<HashMap<Option<String>, usize>>);

/// A call that waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    waiting: Arc<Waiting>,
    caller: Option<String>,
}

impl Waiting {
    /// `None` where as many wait as may.
    pub(crate) fn enter(self: &Arc<Self>, caller: Option<&str>, most: usize) -> Option<Place> {
        let caller = caller.map(str::to_owned);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.get(&caller).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        waiting.insert(caller.clone(), count.saturating_add(1));
        Some(Place { waiting: self.clone(), caller })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.caller) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                waiting.remove(&self.caller);
            }
        }
    }
}

/// The client gave the request up, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over;

/// Waits for something, but not for longer than the client waits for its answer.
pub(crate) async fn meanwhile<T>(
    context: &RequestContext<RoleServer>,
    closed: &CancellationToken,
    waiting: impl Future<Output = T>,
) -> Result<T, Over> {
    if mistake::is_on("waiting_outlives_the_client") {
        return Ok(waiting.await);
    }
    tokio::select! {
        // What ended is looked at first: both may have happened since.
        biased;
        () = context.ct.cancelled() => Err(Over),
        () = closed.cancelled() => Err(Over),
        done = waiting => Ok(done),
    }
}

/// [`meanwhile`], and tells a client that asked for progress.
pub(crate) async fn with_progress<T>(
    context: &RequestContext<RoleServer>,
    closed: &CancellationToken,
    waiting: impl Future<Output = T>,
) -> Result<T, Over> {
    let Some(token) = context.meta.get_progress_token() else {
        return meanwhile(context, closed, waiting).await;
    };
    let telling = async {
        let mut times = 0.0;
        loop {
            tokio::time::sleep(EACH).await;
            times += 1.0;
            let told = ProgressNotificationParam::new(token.clone(), times);
            if context.peer.notify_progress(told).await.is_err() {
                // Who cannot be told is gone, which the transport says.
                return std::future::pending::<()>().await;
            }
        }
    };
    let mut telling = pin!(telling);
    let mut waiting = pin!(waiting);
    meanwhile(context, closed, async {
        tokio::select! {
            biased;
            done = &mut waiting => done,
            // It never ends.
            () = &mut telling => waiting.await,
        }
    })
    .await
}

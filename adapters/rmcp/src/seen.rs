//! What a client has seen of the list of tools, so that it hears of a reload that changes that (G4.5).
//!
//! In: lists on their way to the client, the policy in force. Out: `notifications/tools/list_changed`. Must not tell of a reload that
//! changes nothing for this client.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use callgate::{Engine, Subscription};
use rmcp::model::{GetMeta as _, RequestId, ServerNotification, ToolListChangedNotification};
use rmcp::service::{Peer, RoleServer};
use tokio::sync::Notify;

use crate::call::{Caller, identity_of};

/// Callers of one connection whose lists are known.
const CALLERS: usize = 16;

/// The lists that the clients of one connection have seen.
#[derive(Default)]
pub(crate) struct Seen {
    lists: Mutex<Vec<List>>,
    /// The engines whose reloads are heard.
    heard: Mutex<Vec<(Weak<Engine>, Subscription)>>,
    reloaded: Arc<Notify>,
}

struct List {
    caller: Caller,
    server: Option<Arc<str>>,
    peer: Peer<RoleServer>,
    /// The request that listens for changes, from 2026-07-28 on.
    subscription: Option<RequestId>,
    digest: [u8; 32],
    /// All tools of the server.
    names: BTreeSet<String>,
    shown: BTreeSet<String>,
}

/// What a list was made for.
pub(crate) struct For<'f> {
    pub(crate) caller: &'f Caller,
    pub(crate) server: Option<&'f Arc<str>>,
    pub(crate) peer: &'f Peer<RoleServer>,
    pub(crate) subscription: Option<&'f RequestId>,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Vec<List>> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page of the server's tools goes to the client.
    pub(crate) fn page<'n>(
        self: &Arc<Self>,
        to: &For<'_>,
        names: impl Iterator<Item = &'n str>,
        is_first: bool,
    ) {
        let names = names.map(str::to_owned);
        let mut lists = self.lock();
        let known = lists.iter().position(|list| {
            list.caller.identity == to.caller.identity && list.subscription.as_ref() == to.subscription
        });
        let mut list = match known {
            Some(known) if !is_first => lists.swap_remove(known),
            known => {
                known.map(|known| lists.swap_remove(known));
                List::new(to)
            }
        };
        list.names.extend(names);
        list.shown = list.visible();
        if lists.len() < CALLERS {
            lists.push(list);
        }
        drop(lists);
        self.hears(&to.caller.engine);
    }

    /// Hears of reloads of this engine from now on.
    fn hears(self: &Arc<Self>, engine: &Arc<Engine>) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.iter().any(|(known, _)| std::ptr::eq(known.as_ptr(), Arc::as_ptr(engine))) {
            return;
        }
        if heard.is_empty() {
            tokio::spawn(tell(Arc::downgrade(self), self.reloaded.clone()));
        }
        let reloaded = self.reloaded.clone();
        heard.push((Arc::downgrade(engine), engine.subscribe(move || reloaded.notify_one())));
    }

    /// A client listens no more.
    pub(crate) fn forget(&self, subscription: &RequestId) {
        self.lock().retain(|list| list.subscription.as_ref() != Some(subscription));
    }

    /// Whom a reload concerns.
    fn changed(&self) -> Vec<(Peer<RoleServer>, Option<RequestId>)> {
        let mut changed = Vec::new();
        for list in self.lock().iter_mut() {
            let digest = *list.caller.engine.policy().digest();
            if digest == list.digest {
                continue;
            }
            list.digest = digest;
            let shown = list.visible();
            if shown != list.shown {
                list.shown = shown;
                changed.push((list.peer.clone(), list.subscription.clone()));
            }
        }
        changed
    }
}

impl List {
    fn new(to: &For<'_>) -> Self {
        Self {
            caller: to.caller.clone(),
            server: to.server.cloned(),
            peer: to.peer.clone(),
            subscription: to.subscription.cloned(),
            digest: *to.caller.engine.policy().digest(),
            names: BTreeSet::new(),
            shown: BTreeSet::new(),
        }
    }

    fn visible(&self) -> BTreeSet<String> {
        let shows = |name: &&String| shows(&self.caller, self.server.as_ref(), name);
        self.names.iter().filter(shows).cloned().collect()
    }
}

/// Whether this caller sees the tool.
pub(crate) fn shows(caller: &Caller, server: Option<&Arc<str>>, tool: &str) -> bool {
    let call = callgate::Call::without_args(tool).identity(identity_of(caller.identity.as_ref()));
    caller.engine.policy().shows(&match server {
        Some(server) => call.server(server),
        None => call,
    })
}

impl Drop for Seen {
    fn drop(&mut self) {
        // Nobody listens any more.
        self.reloaded.notify_one();
    }
}

async fn tell(seen: Weak<Seen>, reloaded: Arc<Notify>) {
    loop {
        reloaded.notified().await;
        let Some(changed) = seen.upgrade().map(|seen| seen.changed()) else { return };
        for (peer, subscription) in changed {
            let mut told = ServerNotification::ToolListChangedNotification(ToolListChangedNotification {
                method: Default::default(),
                extensions: Default::default(),
            });
            if let Some(id) = subscription {
                told.get_meta_mut().set_subscription_id(id);
            }
            // Who cannot be told is gone.
            let _ = peer.send_notification(told).await;
        }
    }
}

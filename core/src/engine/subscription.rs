//! Who wants to hear that an engine's policy was replaced.
//!
//! In: functions. Out: each is called after every replacement, until its subscription is dropped. Must not hold the lock while one runs:
//! it may subscribe, too.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Engine;

type Heard = dyn Fn() + Send + Sync;

/// Ends when it is dropped. See [`Engine::subscribe`].
#[must_use = "it ends when it is dropped"]
pub struct Subscription(#[expect(dead_code, reason = "held for its drop")] Arc<Heard>);

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

/// Those of an engine.
#[derive(Default)]
pub(super) struct Subscriptions(Mutex<Vec<Weak<Heard>>>);

impl Subscriptions {
    pub(super) fn tell(&self) {
        for heard in self.known() {
            heard();
        }
    }

    /// Those that were not dropped. The lock is free again when they are called.
    fn known(&self) -> Vec<Arc<Heard>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|heard| heard.strong_count() > 0);
        known.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Engine {
    /// Calls `heard` after each [`Engine::replace`], on the thread that replaced the policy, until the subscription is dropped. A call that
    /// is under way then is not waited for.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// use callgate::{Engine, Policy};
    /// let policy: Policy = "{version: '1', default: deny}".parse()?;
    /// let (engine, times) = (Engine::new(policy.clone()), Arc::new(AtomicU32::new(0)));
    /// let counting = times.clone();
    /// let subscription = engine.subscribe(move || { counting.fetch_add(1, Relaxed); });
    /// engine.replace(policy.clone());
    /// drop(subscription);
    /// engine.replace(policy);
    /// assert_eq!(times.load(Relaxed), 1);
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn subscribe(&self, heard: impl Fn() + Send + Sync + 'static) -> Subscription {
        let heard: Arc<Heard> = Arc::new(heard);
        let mut known = self.subscriptions.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|heard| heard.strong_count() > 0);
        known.push(Arc::downgrade(&heard));
        Subscription(heard)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;
    use crate::Policy;

    /// Whoever hears of a replacement may subscribe, and replace the policy again.
    #[test]
    fn who_hears_may_use_the_engine() {
        let policy: Policy = "{version: '1', default: deny}".parse().unwrap();
        let (engine, times) = (Arc::new(Engine::new(policy.clone())), Arc::new(AtomicU32::new(0)));
        let (inside, counting) = (engine.clone(), times.clone());
        let first = engine.subscribe(move || {
            let _second = inside.subscribe(|| {});
            if counting.fetch_add(1, Relaxed) == 0 {
                inside.replace(inside.policy());
            }
        });
        engine.replace(policy.clone());
        assert_eq!(times.load(Relaxed), 2);
        drop(first);
        engine.replace(policy);
        assert_eq!(times.load(Relaxed), 2);
    }
}

//! The policy that an engine has in force: read by every call, replaced now and then.
//!
//! In: policies. Out: the one in force, without a write that threads share, such as a reference count. Must not give a policy
//! that was replaced before it was asked for.
//!
//! A thread keeps the policy that it used last, and uses it again if it is still in force. Policies are compared by address;
//! the held `Arc` keeps the address from being reused. An idle thread keeps a replaced policy until its next call.

use std::cell::Cell;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::policy::Policy;

/// A policy that can be replaced.
pub(crate) struct CurrentPolicy {
    policy: RwLock<Policy>,
    /// The policy's address. Changed under the lock.
    place: AtomicUsize,
    /// The slot in which a thread keeps it.
    slot: usize,
}

/// Engines between which a thread can alternate without the lock.
const KEPT: usize = 8;

/// Engines made so far, so that those of a process are spread over the slots.
static COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static KEPT_HERE: [Cell<Option<Policy>>; KEPT] = const { [const { Cell::new(None) }; KEPT] };
}

impl CurrentPolicy {
    pub(crate) fn new(policy: Policy) -> Self {
        let slot = COUNT.fetch_add(1, Ordering::Relaxed) % KEPT;
        Self { place: AtomicUsize::new(place(&policy)), policy: RwLock::new(policy), slot }
    }

    /// The policy in force, for a decision.
    #[inline]
    pub(crate) fn lend(&self) -> PolicyGuard {
        match KEPT_HERE.try_with(|kept| kept.get(self.slot).and_then(Cell::take)) {
            Ok(Some(policy)) if self.is(&policy) => PolicyGuard { policy: Some(policy), slot: self.slot },
            _ => self.share(),
        }
    }

    #[cold]
    fn share(&self) -> PolicyGuard {
        PolicyGuard { policy: Some(self.get()), slot: self.slot }
    }

    /// The policy in force, for good.
    pub(crate) fn get(&self) -> Policy {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another policy in force, for every call from here on.
    pub(crate) fn replace(&self, policy: Policy) {
        let mut held = self.policy.write().unwrap_or_else(PoisonError::into_inner);
        self.place.store(place(&policy), Ordering::Release);
        let replaced = std::mem::replace(&mut *held, policy);
        drop(held);
        // Not under the lock: a large one takes its time.
        drop(replaced);
    }

    /// Whether it is this very policy that is in force.
    #[inline]
    pub(crate) fn is(&self, policy: &Policy) -> bool {
        self.place.load(Ordering::Acquire) == place(policy)
    }
}

/// A policy that is the thread's again once the decision by it is dropped.
pub(crate) struct PolicyGuard {
    policy: Option<Policy>,
    slot: usize,
}

impl PolicyGuard {
    /// The policy, for good.
    pub(crate) fn keep(mut self) -> Policy {
        self.policy.take().unwrap_or_else(|| self.clone())
    }
}

impl Deref for PolicyGuard {
    type Target = Policy;

    #[inline]
    #[expect(
        clippy::expect_used,
        reason = "only `keep` and `drop` take it out, and nobody has it after them"
    )]
    fn deref(&self) -> &Policy {
        self.policy.as_ref().expect("it is lent")
    }
}

impl Drop for PolicyGuard {
    #[inline]
    fn drop(&mut self) {
        if let Some(policy) = self.policy.take() {
            // A thread that ends keeps nothing.
            let _ = KEPT_HERE.try_with(|kept| kept.get(self.slot).map(|slot| slot.set(Some(policy))));
        }
    }
}

fn place(policy: &Policy) -> usize {
    Arc::as_ptr(&policy.0).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        "{version: \"1\", default: deny}".parse().unwrap()
    }

    /// How many hold the policy beside the test.
    fn holders(policy: &Policy) -> usize {
        Arc::strong_count(&policy.0) - 1
    }

    #[test]
    fn a_thread_holds_on_to_the_last_policy_until_it_asks_again() {
        let (first, second) = (policy(), policy());
        let in_force = CurrentPolicy::new(first.clone());
        assert_eq!(holders(&first), 1);
        drop(in_force.lend());
        assert_eq!(holders(&first), 2, "the thread keeps it");
        let (lent, beside) = (in_force.lend(), in_force.lend());
        assert_eq!(holders(&first), 3, "one of them is what the thread had");
        assert!(in_force.is(&lent) && in_force.is(&beside));
        drop((lent, beside));
        assert_eq!(holders(&first), 2);
        in_force.replace(second.clone());
        assert!(in_force.is(&second) && !in_force.is(&first));
        assert_eq!(holders(&first), 1);
        assert!(in_force.is(&in_force.lend()));
        assert_eq!((holders(&first), holders(&second)), (0, 2));
        assert_eq!(holders(&in_force.lend().keep()), 2, "it is the caller's now");
        drop(in_force);
        assert_eq!(holders(&second), 0);
    }

    #[test]
    fn a_lent_policy_outlives_its_engine_and_its_thread() {
        let policy = policy();
        let in_force = CurrentPolicy::new(policy.clone());
        let lent = std::thread::spawn(move || in_force.lend()).join().unwrap();
        assert_eq!(lent.digest(), policy.digest());
        assert_eq!(holders(&policy), 1);
        // The thread that drops it keeps it, until it ends.
        std::thread::spawn(move || drop(lent)).join().unwrap();
        assert_eq!(holders(&policy), 0);
    }

    #[test]
    fn engines_of_one_thread_keep_theirs() {
        let policies: Vec<_> = (0..KEPT).map(|_| policy()).collect();
        let in_slot =
            |(slot, policy): (usize, &Policy)| CurrentPolicy { slot, ..CurrentPolicy::new(policy.clone()) };
        let engines: Vec<_> = policies.iter().enumerate().map(in_slot).collect();
        for _ in 0..3 {
            for engine in &engines {
                drop(engine.lend());
            }
        }
        assert!(policies.iter().all(|policy| holders(policy) == 2));
        // Two that share a slot take turns, and each gets its own.
        let other = policy();
        let other = CurrentPolicy { slot: 0, ..CurrentPolicy::new(other) };
        for engine in [&other, &engines[0], &other] {
            assert!(engine.is(&engine.lend()));
        }
    }

    /// A thread that learns of a replacement sees the new policy.
    #[test]
    fn no_thread_gets_a_policy_that_was_replaced_before() {
        let policies: Vec<_> = (0..50).map(|_| policy()).collect();
        let in_force = CurrentPolicy::new(policies[0].clone());
        let current = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        let before = current.load(Ordering::Acquire);
                        let lent = in_force.lend();
                        let at = policies.iter().position(|policy| place(policy) == place(&lent)).unwrap();
                        assert!(at >= before, "{at} after {before}");
                        if before == policies.len() - 1 {
                            break;
                        }
                    }
                });
            }
            for (at, policy) in policies.iter().enumerate().skip(1) {
                in_force.replace(policy.clone());
                current.store(at, Ordering::Release);
                std::thread::yield_now();
            }
        });
    }
}

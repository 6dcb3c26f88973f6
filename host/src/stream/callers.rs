//! The callers of a stream: equal identities under one engine are one.
//!
//! In: identities as JSON text, engines. Out: numbers for the relay, and what it asks of their policies. Must not forget a caller whose
//! request is under way.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use callgate::value::{RawJson, RawView};
use callgate::{Call, Engine, Identity, Policy};
use callgate_relay::{Caller, Options, Relay};

/// How many callers are known before those are forgotten that wait for nothing.
const MANY: usize = 1_000;

/// What has a policy in force.
pub trait Policed: Send + Sync + 'static {
    /// The policy in force.
    fn policy(&self) -> Policy;
}

impl Policed for Engine {
    fn policy(&self) -> Policy {
        Engine::policy(self)
    }
}

/// Decides every request that any policy can decide: for callers whose engine is not known yet.
static STRICTEST: LazyLock<Option<Policy>> = LazyLock::new(|| {
    Policy::from_json(r#"{"version":"1","default":"deny","requests":{"default":"deny"}}"#).ok()
});

pub(super) struct Callers<E> {
    /// The engine of all, if they have one.
    engine: Option<Arc<E>>,
    server: Option<String>,
    known: HashMap<u64, Known<E>>,
    /// By the engine's address, which `known` keeps from being reused, and the identity.
    numbers: HashMap<(usize, Option<Arc<str>>), u64>,
    next: u64,
    /// Whether some were forgotten: what they saw is not known.
    forgot: bool,
}

struct Known<E> {
    engine: Arc<E>,
    identity: Option<Arc<str>>,
    /// The policy by which lists were last compared.
    policy: Policy,
}

impl<E: Policed> Callers<E> {
    pub(super) fn new(engine: Option<Arc<E>>, server: Option<String>) -> Self {
        Self { engine, server, known: HashMap::new(), numbers: HashMap::new(), next: 0, forgot: false }
    }

    pub(super) fn intern(&mut self, identity: Option<&str>, engine: &Arc<E>, relay: &Relay) -> Caller {
        let identity = identity.filter(|text| text.trim() != "null").map(Arc::<str>::from);
        let key = (Arc::as_ptr(engine).addr(), identity.clone());
        if let Some(number) = self.numbers.get(&key) {
            return Caller(*number);
        }
        if self.known.len() >= MANY {
            let used: HashSet<u64> = relay.callers().map(|caller| caller.0).collect();
            let before = self.known.len();
            self.known.retain(|number, _| used.contains(number));
            self.numbers.retain(|_, number| used.contains(number));
            self.forgot |= self.known.len() < before;
        }
        self.next = self.next.saturating_add(1);
        let policy = engine.policy();
        self.known.insert(self.next, Known { engine: engine.clone(), identity, policy });
        self.numbers.insert(key, self.next);
        Caller(self.next)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// A caller's identity and engine.
    pub(super) fn known(&self, caller: Caller) -> Option<(Option<Arc<str>>, Arc<E>)> {
        let known = self.known.get(&caller.0)?;
        Some((known.identity.clone(), known.engine.clone()))
    }

    /// The policy in force for a caller.
    pub(super) fn policy(&self, caller: u64) -> Option<Policy> {
        self.known.get(&caller).map(|known| known.engine.policy())
    }

    fn decides(&self, caller: Option<Caller>, method: &str) -> bool {
        let policy = match (caller, &self.engine) {
            (Some(caller), _) => self.policy(caller.0),
            (None, Some(engine)) => Some(engine.policy()),
            (None, None) => STRICTEST.clone(),
        };
        policy.is_none_or(|policy| policy.decides_request(method))
    }

    fn visible(&self, caller: Caller, tool: &str) -> bool {
        self.known
            .get(&caller.0)
            .is_some_and(|known| sees(&known.engine.policy(), known.identity.as_deref(), self.server(), tool))
    }

    fn shows(&self, caller: Caller, method: &str, params: &str) -> bool {
        let (Some(known), Ok(params)) = (self.known.get(&caller.0), RawJson::parse(params)) else {
            return false;
        };
        with_identity(known.identity.as_deref(), |identity| {
            let call = Call::request(method, params.root()).identity(identity);
            known.engine.policy().shows_request(&match self.server() {
                Some(server) => call.server(server),
                None => call,
            })
        })
    }

    fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    /// Which callers have another policy than before.
    pub(super) fn reloaded(&mut self) -> Changes {
        let (mut whose, mut pairs) = (HashSet::new(), Vec::new());
        for (number, known) in &mut self.known {
            let now = known.engine.policy();
            let before = std::mem::replace(&mut known.policy, now.clone());
            if before.digest() != now.digest() {
                whose.insert(*number);
                pairs.push((before, now, known.identity.clone()));
            }
        }
        Changes { whose, pairs, server: self.server.clone(), forgot: self.forgot }
    }
}

/// What a reload changes.
pub(super) struct Changes {
    whose: HashSet<u64>,
    pairs: Vec<(Policy, Policy, Option<Arc<str>>)>,
    server: Option<String>,
    forgot: bool,
}

impl Changes {
    pub(super) fn concern(&self, caller: Caller) -> bool {
        self.whose.contains(&caller.0)
    }

    pub(super) fn change(&self, tool: &str) -> bool {
        self.forgot
            || self.pairs.iter().any(|(before, now, identity)| {
                let sees = |policy| sees(policy, identity.as_deref(), self.server.as_deref(), tool);
                sees(before) != sees(now)
            })
    }
}

fn sees(policy: &Policy, identity: Option<&str>, server: Option<&str>, tool: &str) -> bool {
    with_identity(identity, |identity| {
        let call = Call::without_args(tool).identity(identity);
        policy.shows(&match server {
            Some(server) => call.server(server),
            None => call,
        })
    })
}

/// An identity of its JSON text. What cannot be read is no object, and denies.
fn with_identity<T>(text: Option<&str>, ask: impl FnOnce(Identity<'_, RawView<'_>>) -> T) -> T {
    let Some(text) = text else { return ask(Identity::Absent) };
    if let Ok(id) = serde_json::from_str::<String>(text) {
        return ask(Identity::Id(&id));
    }
    match RawJson::parse(text).or_else(|_| RawJson::parse("0")) {
        Ok(claims) => ask(Identity::claims(claims.root())),
        Err(_) => ask(Identity::Absent),
    }
}

/// Has the relay ask the callers' policies.
pub(super) fn ask<E: Policed>(options: Options, callers: &Arc<Mutex<Callers<E>>>) -> Options {
    let lock = || {
        let callers = callers.clone();
        move |ask: &dyn Fn(&Callers<E>) -> bool| ask(&callers.lock().unwrap_or_else(PoisonError::into_inner))
    };
    let (reads, visible, by_caller, decides, shows) = (lock(), lock(), lock(), lock(), lock());
    let of = |callers: &Callers<E>, caller: Caller, ask: &dyn Fn(&Policy) -> bool| {
        callers.policy(caller.0).is_none_or(|policy| ask(&policy))
    };
    options
        .reads_args(move |caller, tool| {
            reads(&|callers| of(callers, caller, &|policy| policy.reads_args(tool)))
        })
        .by_caller(move |caller| by_caller(&|callers| of(callers, caller, &Policy::lists_by_caller)))
        .visible(move |caller, tool| visible(&|callers| callers.visible(caller, tool)))
        .decides(move |caller, method| decides(&|callers| callers.decides(caller, method)))
        .shows(move |caller, method, params| shows(&|callers| callers.shows(caller, method, params)))
}

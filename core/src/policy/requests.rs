//! What a policy says of requests of other methods (spec 2.32, 3.10).
//!
//! In: a method. Out: the entries that apply to a request of it, or its denial. Must not look at params.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::nested::COMPLETION;
use super::{Compiled, LayerParts, Names, Policy, layer_bit};
use crate::ceilings::NAME_BYTES;
use crate::ruling::{Code, Ruling};

/// The method that is decided as itself, and then as what it completes.
const COMPLETE: &str = "completion/complete";

/// The requests that a policy, or a stack of them, decides.
#[derive(Debug)]
pub(crate) struct Requests {
    methods: Names<Method>,
    /// Whether a request of any other method is denied.
    denies: bool,
}

/// What is known of a method that some layer has an entry of.
#[derive(Debug, Default)]
struct Method {
    /// In the order of the layers.
    entries: Vec<u32>,
    /// Whether some layer denies by default and has no entry of it.
    is_denied: bool,
}

impl Requests {
    /// Of entries by method; `None` where no layer says anything of requests.
    pub(super) fn new(layers: &[LayerParts], entries: Vec<(Box<str>, u32)>) -> Option<Box<Self>> {
        if layers.iter().all(|layer| layer.requests_deny.is_none()) {
            return None;
        }
        let layer_of =
            |entry: u32| layers.partition_point(|layer| layer.first_entry <= entry).saturating_sub(1);
        let denying = layers.iter().enumerate().filter(|(_, layer)| layer.requests_deny == Some(true));
        let denying = denying.fold(0, |all, (index, _)| all | layer_bit(index));
        let mut methods: HashMap<Box<str>, Method, RandomState> = HashMap::default();
        // Completions are decided as what they complete, also where no entry is theirs.
        methods.entry(COMPLETE.into()).or_default();
        for (name, entry) in entries {
            methods.entry(name).or_default().entries.push(entry);
        }
        for (name, method) in &mut methods {
            let listed = method.entries.iter().fold(0, |all, entry| all | layer_bit(layer_of(*entry)));
            method.is_denied = denying & !listed != 0;
            if **name == *COMPLETE {
                method.entries.insert(0, COMPLETION);
            }
        }
        Some(Box::new(Self { methods: Names::new(methods.into_iter()), denies: denying != 0 }))
    }
}

/// Whether requests of a method pass whatever a policy says: a session cannot do without them, or they say nothing to the server.
fn always_passes(method: &str) -> bool {
    let is_named = matches!(
        method,
        "initialize"
            | "server/discover"
            | "ping"
            | "logging/setLevel"
            | "subscriptions/listen"
            | "resources/unsubscribe"
    );
    is_named
        || method.starts_with("tasks/")
        || method.starts_with("notifications/")
        || (method.ends_with("/list") && method != "roots/list")
}

impl Policy {
    /// Whether tools that it does not list are denied: of a stack, whether some policy denies them.
    pub fn denies_by_default(&self) -> bool {
        self.0.denying != 0
    }

    /// Whether requests of this method are to be decided: some layer has `requests`, and the method is none of those that always pass
    /// (spec 3.10). A host that passes messages on need not read others.
    ///
    /// ```
    /// use callgate::Policy;
    /// let policy = Policy::from_yaml("{version: \"1\", default: allow, requests: {default: deny}}")?;
    /// assert!(policy.decides_request("resources/read") && !policy.decides_request("resources/list"));
    /// # Ok::<(), callgate::PolicyError>(())
    /// ```
    pub fn decides_request(&self, method: &str) -> bool {
        self.0.decides_requests() && !always_passes(method)
    }
}

impl Compiled {
    /// What applies to a request of another method than `tools/call`, or its denial.
    #[cold]
    pub(super) fn admit_method(&self, method: &str) -> Result<&[u32], Ruling> {
        // Tools are decided by their names, which a request does not tell.
        if !(1..=NAME_BYTES).contains(&method.len()) || method.starts_with("tools/") {
            return Err(Ruling::deny(Code::InvalidMethod, None));
        }
        let Some(requests) = self.requests.as_ref().filter(|_| !always_passes(method)) else {
            return Ok(&[]);
        };
        // Who subscribes is told what reading would tell.
        let method = if method == "resources/subscribe" { "resources/read" } else { method };
        match requests.methods.get(method) {
            Some(Method { is_denied: false, entries }) => Ok(entries),
            None if !requests.denies => Ok(&[]),
            Some(_) | None => Err(Ruling::deny(Code::NotListed, None)),
        }
    }

    /// Whether it says anything of requests.
    pub(crate) fn decides_requests(&self) -> bool {
        self.requests.is_some()
    }
}

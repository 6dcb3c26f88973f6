//! Calls in rounds that go from one stream to another: where each request has a connection of its own (HTTP, 2026-07-28).
//!
//! In: a stream that ends. Out: what another stream of the same server needs to go on. Must not let a call go on twice.

use crate::machine::{CallId, Caller, Relay, Resumable, RoundKey};

/// A call whose server asked for input, between two streams.
pub struct Round {
    key: RoundKey,
    resumable: Resumable,
}

impl Round {
    /// Its number in the stream that it left.
    pub fn call(&self) -> CallId {
        self.resumable.call
    }

    /// Its caller, as that stream knew it.
    pub fn caller(&self) -> Caller {
        self.key.caller.unwrap_or_default()
    }

    /// The SHA-256 of the `requestState` that goes on with it.
    pub fn state(&self) -> &[u8; 32] {
        &self.key.state
    }
}

impl Relay {
    /// Takes out the calls whose servers asked for input: [`client_closed`](Self::client_closed) would end them.
    pub fn leave(&mut self) -> Vec<Round> {
        self.resumable.drain().map(|(key, resumable)| Round { key, resumable }).collect()
    }

    /// Takes such a call in, for this caller, and gives its number here: it goes on, or ends, as if its first round had come here. The time
    /// of both streams has to have one start. `None` where a call that is alike in all is here already: the other one has ended.
    pub fn join(&mut self, round: Round, caller: Caller) -> Option<CallId> {
        let Round { key, resumable } = round;
        let key = RoundKey { caller: Some(caller), ..key };
        if self.resumable.contains_key(&key) || self.resumable.len() >= self.options.max_in_flight {
            return None;
        }
        let call = self.next_call();
        self.resumable.insert(key, Resumable { call, ..resumable });
        Some(call)
    }
}

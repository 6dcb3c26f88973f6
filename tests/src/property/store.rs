//! The in-memory store against the contract's model.

use callgate::MemoryStore;
use callgate::store::Counters;
use callgate_store_contract::{Subject, TimeKept, check_choices};

struct Memory;

impl Subject for Memory {
    fn open(&self, _name: &str) -> Box<dyn Counters> {
        Box::new(MemoryStore::new())
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::Store
    }
}

/// Batches, refunds and purges that these choices make leave the store as they leave the model.
pub fn the_store_does_what_the_model_does(choices: &[u8]) {
    check_choices(&Memory, choices);
}

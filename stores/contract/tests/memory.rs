//! The in-memory store keeps the contract.

use callgate::MemoryStore;
use callgate_store_contract::{Counters, Subject, TimeKept, check, check_approvals, check_namespaces};

struct Memory;

impl Subject for Memory {
    fn open(&self, _name: &str) -> Box<dyn Counters> {
        Box::new(MemoryStore::new())
    }

    fn time_kept(&self) -> TimeKept {
        TimeKept::Store
    }
}

#[test]
fn the_in_memory_store_keeps_the_contract() {
    check(&Memory);
}

#[test]
fn its_namespaces_are_apart() {
    let store = MemoryStore::new();
    check_namespaces(&|name| Box::new(store.namespaced(name)));
}

#[test]
fn calls_that_wait_for_approval_are_filed_in_it() {
    let store = MemoryStore::new();
    check_approvals(&|name| Box::new(store.namespaced(name)));
}

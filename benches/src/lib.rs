//! What every bench shares: the corpus (policies, calls, the same decisions by hand), turns that measure many subjects alike,
//! and the record that each of them writes. Must not be linked by anything but benches.

mod corpus;
mod heap;
mod turns;

pub use corpus::{
    ByMap, Case, Stepping, by_hand, calls, charge, charge_of_ten, checks, deep_args, deep_policy,
    full_policy, glob_policy, identities, large_json, large_policy, large_text, limit_policy, limits_policy,
    payment_policy, payment_text, shuffled, sliding_policy, tenant,
};
pub use heap::Counting;
pub use turns::{Record, Role, Turns, quick};

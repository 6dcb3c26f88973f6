//! The store as its users meet it: the contract, files, and what happens when something fails.

mod contract;
mod scratch;

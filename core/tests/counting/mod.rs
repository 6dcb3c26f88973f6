//! An allocator that counts the allocations of each thread, for tests of work, which no clock measures alike twice.
//!
//! In: the requests of the program. Out: the system's answers, and a count. A test that names this module runs with it.

#![expect(unsafe_code, clippy::arithmetic_side_effects, reason = "the allocator counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: hands every request to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's duties are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` allocates on this thread, and its result.
pub(crate) fn allocations<R>(run: impl FnOnce() -> R) -> (u64, R) {
    let before = COUNT.with(Cell::get);
    let result = run();
    (COUNT.with(Cell::get) - before, result)
}

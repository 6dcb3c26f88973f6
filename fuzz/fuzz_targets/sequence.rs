#![no_main]

use callgate_tests::sequences::nothing_passes_that_was_not_allowed;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nothing_passes_that_was_not_allowed(bytes));

#![no_main]

use callgate_tests::property::the_reference_decides_alike;

libfuzzer_sys::fuzz_target!(|choices: &[u8]| the_reference_decides_alike(choices));

#![no_main]

use callgate_tests::property::the_store_does_what_the_model_does;

libfuzzer_sys::fuzz_target!(|choices: &[u8]| the_store_does_what_the_model_does(choices));

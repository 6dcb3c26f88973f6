#![no_main]

use callgate_tests::property::a_call_is_decided_one_way;

libfuzzer_sys::fuzz_target!(|text: &str| a_call_is_decided_one_way(text));

#![no_main]

use callgate_tests::property::yaml_loads_or_says_why;

libfuzzer_sys::fuzz_target!(|text: &str| yaml_loads_or_says_why(text));

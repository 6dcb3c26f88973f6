#![no_main]

use callgate_tests::property::json_loads_or_says_why;

libfuzzer_sys::fuzz_target!(|text: &str| json_loads_or_says_why(text));

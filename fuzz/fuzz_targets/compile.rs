#![no_main]

use callgate_tests::property::any_text_loads_or_says_why;

libfuzzer_sys::fuzz_target!(|text: &str| any_text_loads_or_says_why(text));

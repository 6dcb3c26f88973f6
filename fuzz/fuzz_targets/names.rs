#![no_main]

use callgate_tests::property::a_name_is_matched_as_by_each_glob_alone;

libfuzzer_sys::fuzz_target!(|text: &str| a_name_is_matched_as_by_each_glob_alone(text));

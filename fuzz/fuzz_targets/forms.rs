#![no_main]

use callgate_tests::property::yaml_and_json_mean_the_same;

libfuzzer_sys::fuzz_target!(|text: &str| yaml_and_json_mean_the_same(text));

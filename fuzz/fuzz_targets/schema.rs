#![no_main]

use callgate_tests::property::a_schema_admits_what_the_reference_admits;

libfuzzer_sys::fuzz_target!(|text: &str| a_schema_admits_what_the_reference_admits(text));

#![no_main]

use callgate_tests::property::a_text_has_the_readings_that_the_reference_finds;

libfuzzer_sys::fuzz_target!(|text: &str| a_text_has_the_readings_that_the_reference_finds(text));

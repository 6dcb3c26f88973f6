#![no_main]

use callgate_tests::property::arguments_are_read_as_another_parser_reads_them;

libfuzzer_sys::fuzz_target!(|text: &str| arguments_are_read_as_another_parser_reads_them(text));

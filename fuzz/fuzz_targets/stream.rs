#![no_main]

use callgate_tests::property::a_stream_is_read_line_by_line;

libfuzzer_sys::fuzz_target!(|text: &str| a_stream_is_read_line_by_line(text));

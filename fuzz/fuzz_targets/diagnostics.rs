#![no_main]

use callgate_tests::property::long_wrong_policies_say_where;

libfuzzer_sys::fuzz_target!(|text: &str| long_wrong_policies_say_where(text));

//! What must be true of any input: the checks that fuzzing runs on inputs of its own making, and tests on known ones.
//!
//! In: any text or bytes. Out: nothing, or a panic that says what does not hold. Must not judge what the language means;
//! that is the cases' and the reference's.

mod arguments;
mod call;
mod diagnostics;
mod forms;
mod generated;
mod names;
mod oracle;
mod policy;
mod readings;
mod schema;
pub mod seeds;
mod store;
mod stream;
mod wrong;

pub use arguments::arguments_are_read_as_another_parser_reads_them;
pub use call::a_call_is_decided_one_way;
pub use forms::yaml_and_json_mean_the_same;
pub use generated::the_reference_decides_alike;
pub use names::a_name_is_matched_as_by_each_glob_alone;
pub use policy::{any_text_loads_or_says_why, json_loads_or_says_why, yaml_loads_or_says_why};
pub use readings::a_text_has_the_readings_that_the_reference_finds;
pub use schema::a_schema_admits_what_the_reference_admits;
pub use store::the_store_does_what_the_model_does;
pub use stream::a_stream_is_read_line_by_line;
pub use wrong::long_wrong_policies_say_where;

/// Panics where a text has not a property.
pub type OfText = fn(&str);

/// The properties of texts, by the names of their fuzz targets.
pub const OF_TEXT: [(&str, OfText); 11] = [
    ("parse_yaml", yaml_loads_or_says_why),
    ("parse_json", json_loads_or_says_why),
    ("compile", any_text_loads_or_says_why),
    ("diagnostics", long_wrong_policies_say_where),
    ("forms", yaml_and_json_mean_the_same),
    ("arguments", arguments_are_read_as_another_parser_reads_them),
    ("readings", a_text_has_the_readings_that_the_reference_finds),
    ("schema", a_schema_admits_what_the_reference_admits),
    ("names", a_name_is_matched_as_by_each_glob_alone),
    ("call", a_call_is_decided_one_way),
    ("stream", a_stream_is_read_line_by_line),
];

//! What fuzzing checks on inputs of its own making holds for every input of `spec/`.

use callgate_tests::property::{
    OF_TEXT, seeds, the_reference_decides_alike, the_store_does_what_the_model_does,
};

#[test]
fn properties_of_texts_hold_for_the_cases() {
    for (name, property) in OF_TEXT {
        let texts = seeds::texts(name);
        assert!(texts.len() >= 200, "only {} inputs for {name}", texts.len());
        texts.iter().for_each(|text| property(text));
    }
}

#[test]
fn chosen_cases_are_decided_as_the_reference_decides_them() {
    seeds::choices().iter().for_each(|choices| the_reference_decides_alike(choices));
}

#[test]
fn chosen_batches_leave_the_store_as_they_leave_the_model() {
    seeds::choices().iter().for_each(|choices| the_store_does_what_the_model_does(choices));
}

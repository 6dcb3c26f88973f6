//! In: nothing. Out: the linker settings of a Node add-on. Must not read the network or the environment of the user.

fn main() {
    napi_build::setup();
}

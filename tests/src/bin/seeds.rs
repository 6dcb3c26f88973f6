//! Writes the inputs that a fuzz target begins with: `seeds TARGET FOLDER`, one file an input.

use std::path::Path;
use std::{fs, io};

use callgate_tests::property::{OF_TEXT, seeds};

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(target), Some(folder)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: seeds TARGET FOLDER");
        std::process::exit(2);
    };
    let inputs: Vec<Vec<u8>> = if OF_TEXT.iter().any(|(name, _)| *name == target) {
        seeds::texts(&target).into_iter().map(String::into_bytes).collect()
    } else {
        seeds::choices()
    };
    fs::create_dir_all(&folder)?;
    for (number, input) in inputs.iter().enumerate() {
        fs::write(Path::new(&folder).join(format!("seed-{number}")), input)?;
    }
    Ok(())
}

//! The command `microception`.

fn main() {}

//! What must hold of a damaged file. In its crate there is `memory`.

use std::collections::BTreeSet;

use microception_codegen::read::{most_memory, read_bytes};
use microception_codegen::{lower, passes};

use crate::memory::peak;

/// Reads, and goes on as far as kernels where that went well; checks the peak of memory.
pub fn read(bytes: &[u8]) -> Result<(), String> {
    let (outcome, peak) = peak(|| read_bytes(bytes, "damaged"));
    assert!(peak <= most_memory(bytes.len()), "{peak} bytes for a file of {}", bytes.len());
    let graph = outcome.map_err(|error| error.to_string())?;
    if let Ok(graph) = passes::run(graph) {
        let _ = lower::kernels(&graph, &BTreeSet::new());
    }
    Ok(())
}

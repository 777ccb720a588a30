//! What the fuzz targets have in common: [`check`] says what must hold of a file, whatever its bytes, and
//! [`Mutator`] changes files so that the changes get past checksums. [`line`] is for the serial line's ends, [`mod@ranges`] for ranges
//! files, [`plan`] for the planner.

mod archive;
#[path = "../../tests/plan/checker.rs"]
#[expect(dead_code, reason = "shared with the test of plans, which asks more")]
mod checker;
#[path = "../../tests/plan/demand.rs"]
#[expect(dead_code, reason = "shared with the test of plans, which asks more")]
mod demand;
mod hdf5;
pub mod line;
#[path = "../../tests/common/memory.rs"]
mod memory;
mod mutate;
pub mod plan;
#[path = "../../tests/plan/random.rs"]
#[expect(dead_code, reason = "shared with the test of plans, which chooses by seeds")]
mod random;
pub mod ranges;

use microception_codegen::graph::Graph;
use microception_codegen::host::Machine;
use microception_codegen::optimize::{Optimize, transformed};
use microception_codegen::plan::Strategy;
use microception_codegen::read::{most_memory, read_bytes};
use microception_codegen::{emit, lower, passes};

pub use mutate::{Format, Mutator};

/// One graph in so many is planned and run, chosen by the file's bytes: a plan takes as long as reading ten files.
const PLANNED: u32 = 16;

/// Rows of all layers up to which a graph is planned: the planner's time grows faster than they do.
const MOST_ROWS: usize = 100;

/// Layers up to which a graph is planned.
const MOST_LAYERS: usize = 12;

/// Multiply-accumulates, and values of all tensors, up to which a graph is run.
const MOST_WORK: u64 = 1 << 20;

/// Reads a file and goes on as far as its graph allows. Each stage answers with an error or goes well; reading takes
/// no more memory than [`most_memory`].
///
/// # Panics
///
/// Where one of that does not hold: a finding.
pub fn check(bytes: &[u8]) {
    let (outcome, peak) = memory::peak(|| read_bytes(bytes, "fuzzed").map_err(|error| error.to_string()));
    let most = most_memory(bytes.len());
    assert!(peak <= most, "reading {} bytes took {peak} bytes of memory, more than {most}", bytes.len());
    let Ok(graph) = outcome else { return };
    let Ok(graph) = passes::run(graph) else { return };
    let kernels = transformed(&graph, Optimize::Speed).and_then(|layers| lower::kernels(&graph, &layers));
    if kernels.is_err() || work(&graph) > MOST_WORK || !hdf5_core::jenkins_lookup3(bytes).is_multiple_of(PLANNED) {
        return;
    }
    let rows: usize = graph.tensors.iter().map(|tensor| tensor.shape.rows()).sum();
    if graph.layers.len() > MOST_LAYERS || rows > MOST_ROWS {
        return;
    }
    let _ = emit::module(&graph, Strategy::Balanced);
    if let Ok(mut machine) = Machine::new(&graph, Strategy::Eager) {
        let frame = vec![0; machine.frame_bytes()];
        let _ = machine.run(&frame);
    }
}

/// What running the graph once takes.
fn work(graph: &Graph) -> u64 {
    let values = graph.tensors.iter().map(|tensor| {
        let extents = tensor.shape.0.iter().map(|&extent| extent as u64);
        extents.fold(1, u64::saturating_mul)
    });
    let macs = graph.layers.iter().map(|layer| graph.macs(layer));
    values.chain(macs).fold(0, u64::saturating_add)
}

/// Lets panics that the reader contains pass, and says once where each of them was: without this, libFuzzer ends at
/// every panic, contained or not. One that leaves the reader ends the program all the same.
pub fn report_contained_panics() {
    use std::collections::BTreeSet;
    use std::sync::Mutex;
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // Every panic of the HDF5 crate is contained; the others are findings. Where the standard library panics it does
        // not say for whom, and what is not contained ends the program by leaving the reader.
        if !["/hdf5-reader-", "/hdf5-core-", "/library/core/"].iter().any(|source| place.contains(source)) {
            eprintln!("{info}\n{}", std::backtrace::Backtrace::force_capture());
            std::process::abort();
        }
        if SEEN.lock().is_ok_and(|mut seen| seen.insert(place)) {
            eprintln!("contained: {info}");
        }
    }));
}

//! Gradients of a float graph, and the pictures that are made of them.

#[path = "common/arrays.rs"]
mod arrays;
#[path = "visualize/forward.rs"]
mod forward;
#[path = "visualize/maps.rs"]
mod maps;
#[path = "visualize/pictures.rs"]
mod pictures;
#[path = "common/random_graph.rs"]
#[expect(dead_code, reason = "shared with tests that draw pixels, too")]
mod random_graph;
#[path = "visualize/slopes.rs"]
mod slopes;
#[path = "common/tolerance.rs"]
mod tolerance;

use std::path::Path;

use microception_codegen::graph::Graph;
use microception_codegen::{passes, read};

/// The shipped network, in f32.
fn shipped() -> Graph {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite/xlite.keras");
    read::read(&file).and_then(passes::run).unwrap()
}

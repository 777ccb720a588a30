//! `cargo xtask bench`: instructions of the shipped model, layer by layer.

use std::fs;
use std::path::Path;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use microception_codegen::device;
use microception_codegen::error::Error;
use serde_json::json;

use crate::model::{Precision, convert};
use crate::setup::{board, setup};
use crate::size::{align_numbers, grouped};

/// Prints the instructions of the shipped model in int8.
pub fn bench(json: bool) -> Result<(), Error> {
    setup()?;
    let module = convert(Precision::Int8)?;
    let bench = device::bench::bench(&module, board()?)?;
    let names = layer_names(&module)?;
    let name = |layer: usize| names.get(layer).map_or("", String::as_str);
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["layer", "instructions", "%"]);
    for (layer, &instructions) in bench.layers.iter().enumerate() {
        let part = 100.0 * instructions as f64 / bench.instructions as f64;
        table.add_row([name(layer).to_owned(), grouped(instructions), format!("{part:.1}")]);
    }
    align_numbers(&mut table);
    println!("{table}");
    println!("{} instructions per inference, {} steps", grouped(bench.instructions), bench.steps);
    if json {
        let layers = bench.layers.iter().enumerate();
        let layers: Vec<_> =
            layers.map(|(layer, instructions)| json!({ "name": name(layer), "instructions": instructions })).collect();
        println!("{}", json!({ "instructions": bench.instructions, "steps": bench.steps, "layers": layers }));
    }
    Ok(())
}

/// The layers as the module's comments name them: `// NAME: KIND to SHAPE`, in their order.
fn layer_names(module: &Path) -> Result<Vec<String>, Error> {
    let text = fs::read_to_string(module).map_err(|error| Error::file(module, error.to_string()))?;
    let comments = text.lines().filter_map(|line| line.strip_prefix("// "));
    Ok(comments.filter(|comment| comment.contains(": ") && comment.contains(" to ")).map(str::to_owned).collect())
}

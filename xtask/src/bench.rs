//! `cargo xtask bench`: instructions of the shipped model, layer by layer.

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use microception_codegen::convert::Precision;
use microception_codegen::device;
use microception_codegen::error::Error;
use serde_json::json;

use crate::model::convert;
use crate::setup::{board, setup};
use crate::size::{align_numbers, grouped};

/// Prints the instructions of the shipped model in int8.
pub fn bench(json: bool) -> Result<(), Error> {
    setup()?;
    let (module, summary) = convert(Precision::Int8)?;
    let bench = device::bench::bench(&module, board()?)?;
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["layer", "MACs", "instructions", "per MAC", "%"]);
    let ratio = |instructions: u64, macs: u64| match macs {
        0 => String::new(),
        macs => format!("{:.2}", instructions as f64 / macs as f64),
    };
    let row = |name: &str, macs: u64, instructions: u64| {
        let part = format!("{:.1}", 100.0 * instructions as f64 / bench.instructions as f64);
        [name.to_owned(), grouped(macs), grouped(instructions), ratio(instructions, macs), part]
    };
    for (layer, &instructions) in summary.layers.iter().zip(&bench.layers) {
        table.add_row(row(&layer.name, layer.macs, instructions));
    }
    table.add_row(row("one inference", summary.macs, bench.instructions));
    align_numbers(&mut table);
    println!("{table}");
    if json {
        let layers = summary.layers.iter().zip(&bench.layers);
        let layers: Vec<_> = layers
            .map(|(layer, instructions)| {
                json!({ "name": layer.name, "kind": layer.kind, "macs": layer.macs, "instructions": instructions })
            })
            .collect();
        let figures =
            json!({ "instructions": bench.instructions, "macs": summary.macs, "steps": bench.steps, "layers": layers });
        println!("{figures}");
    }
    Ok(())
}

//! `cargo xtask size`: what inference with the shipped model takes, and every board's firmware around it.

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use microception_codegen::convert::Precision;
use microception_codegen::device::bench::{Bench, bench};
use microception_codegen::error::Error;
use serde_json::json;

use crate::boards::{self, Footprint};
use crate::model::convert;
use crate::setup::{board, setup};

/// A figure's name and how to take it from the others.
type Row = (&'static str, fn(&Bench) -> u64);

const ROWS: [Row; 7] = [
    ("code, plan and tables", |bench| bench.code_bytes),
    ("weights", |bench| bench.weight_bytes),
    ("flash in all", Bench::flash_bytes),
    ("arena, scratch included", |bench| bench.arena_bytes),
    ("other statics", |bench| bench.static_bytes),
    ("stack of predict", |bench| bench.stack_bytes),
    ("RAM in all", |bench| bench.arena_bytes + bench.static_bytes + bench.stack_bytes),
];

/// Prints bytes of the shipped model in int8 and f32, and of every board's firmware around it.
pub fn size(json: bool, record: bool) -> Result<(), Error> {
    setup()?;
    let measured = |precision| bench(&convert(precision)?.0, board()?);
    let (int8, f32) = (measured(Precision::Int8)?, measured(Precision::F32)?);
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["bytes", "int8", "f32"]);
    for (name, figure) in ROWS {
        table.add_row([name.to_owned(), grouped(figure(&int8)), grouped(figure(&f32))]);
    }
    let bound = |bench: &Bench| bench.stack_bound.as_ref().map_or_else(Clone::clone, |&bytes| grouped(bytes));
    table.add_row(["stack of predict, at most".to_owned(), bound(&int8), bound(&f32)]);
    align_numbers(&mut table);
    println!("{table}");
    let footprints = boards::footprints()?;
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(["firmware, int8", "flash", "of", "RAM without stack", "of"]);
    for Footprint { board, firmware, memory } in &footprints {
        let figures = [firmware.flash, memory.flash, firmware.ram, memory.ram].map(grouped);
        table.add_row([board.name.to_owned()].into_iter().chain(figures));
    }
    align_numbers(&mut table);
    println!("{table}");
    if record {
        boards::record(&footprints)?;
    }
    if json {
        let board = |Footprint { board, firmware, .. }: &Footprint| {
            (board.name.to_owned(), json!({ "flash_bytes": firmware.flash, "ram_bytes": firmware.ram }))
        };
        let boards: serde_json::Map<_, _> = footprints.iter().map(board).collect();
        println!("{}", json!({ "int8": figures(&int8), "f32": figures(&f32), "boards": boards }));
    }
    Ok(())
}

fn figures(bench: &Bench) -> serde_json::Value {
    json!({
        "code_bytes": bench.code_bytes,
        "weight_bytes": bench.weight_bytes,
        "flash_bytes": bench.flash_bytes(),
        "arena_bytes": bench.arena_bytes,
        "static_bytes": bench.static_bytes,
        "stack_bytes": bench.stack_bytes,
        "stack_bound_bytes": bench.stack_bound.as_ref().ok(),
    })
}

/// Aligns all columns but the first to the right.
pub fn align_numbers(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// The number with commas between its thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place != 0 && place % 3 == first {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_grouped() {
        let numbers = [0, 999, 1_000, 123_456, 7_387_968].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "123,456", "7,387,968"]);
    }
}

//! Tables of figures.

use comfy_table::{Cell, CellAlignment, Row, Table, presets};
use microception_codegen::convert::LayerFigures;
use microception_codegen::graph::Shape;
pub use microception_codegen::report::text::grouped;

/// A table, in Markdown so that it can be pasted, whose columns are `names`, the last `numeric` of which hold numbers.
pub fn table(names: &[&str], numeric: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(names);
    for column in table.column_iter_mut().skip(names.len() - numeric) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Layers with their figures and, where `bytes`, the bytes they keep in flash; the last row is the sum.
pub fn layers(layers: &[LayerFigures], bytes: bool) -> Table {
    let names = ["layer", "kind", "output", "parameters", "MACs", "weight bytes"];
    let shown = if bytes { 6 } else { 5 };
    let mut table = table(&names[..shown], shown - 3);
    for layer in layers {
        let figures = [layer.parameters as u64, layer.macs, layer.weight_bytes as u64];
        let shape = Shape(layer.output.clone()).to_string();
        table.add_row(row([&layer.name, layer.kind, &shape], &figures[..shown - 3]));
    }
    let total = |figure: fn(&LayerFigures) -> u64| layers.iter().map(figure).sum::<u64>();
    let totals =
        [total(|layer| layer.parameters as u64), total(|layer| layer.macs), total(|layer| layer.weight_bytes as u64)];
    table.add_row(row(["total", "", ""], &totals[..shown - 3]));
    table
}

/// What each layer, of a name and a kind, takes: multiply-accumulates, so many of `unit`, and those for each
/// multiply-accumulate. The last row is one inference.
pub fn counts<'a>(unit: &str, layers: impl Iterator<Item = ([&'a str; 2], [u64; 2])>, inference: [u64; 2]) -> Table {
    let mut table = table(&["layer", "kind", "MACs", unit, "per MAC"], 3);
    for (texts, [macs, count]) in layers.chain([(["one inference", ""], inference)]) {
        let mut row = row(texts, &[macs, count]);
        let per_mac = if macs == 0 { String::new() } else { format!("{:.2}", count as f64 / macs as f64) };
        row.add_cell(per_mac.into());
        table.add_row(row);
    }
    table
}

/// Texts, then numbers; a zero is left out.
fn row<const TEXTS: usize>(texts: [&str; TEXTS], figures: &[u64]) -> Row {
    let figure = |&figure: &u64| if figure == 0 { String::new() } else { grouped(figure) };
    texts.into_iter().map(Cell::new).chain(figures.iter().map(figure).map(Cell::new)).collect::<Vec<_>>().into()
}

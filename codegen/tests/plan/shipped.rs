//! The shipped model: how much memory its plans take, and when its rows appear.

use std::path::Path;

use microception_codegen::graph::{Element, Graph, Quantization};
use microception_codegen::plan::Strategy;
use microception_codegen::{passes, read};

use crate::{Checked, planned};

/// Bytes of arena that the shipped model may take in int8.
const MOST: usize = 20_000;

fn shipped() -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite/xlite.keras");
    read::read(&path).and_then(passes::run).unwrap_or_else(|error| panic!("{error}"))
}

/// The same layers with bytes for elements, which is all of quantization that a plan knows.
fn in_int8(mut graph: Graph) -> Graph {
    for tensor in &mut graph.tensors {
        tensor.element = Element::I8;
        tensor.quantization = Some(Quantization { scale: 1.0, zero_point: 0 });
    }
    graph
}

fn checked(graph: &Graph, strategy: Strategy) -> Checked {
    planned(graph, strategy).unwrap_or_else(|reason| panic!("{strategy:?}: {reason}"))
}

#[test]
fn memory_of_the_shipped_model() {
    let graph = shipped();
    let mut table = format!("{:>4} {:>10} {:>6} {:>6} {:>6} {:>5} cuts\n", "", "", "arena", "floor", "alive", "steps");
    for (element, graph) in [("int8", in_int8(graph.clone())), ("f32", graph)] {
        let arenas = [Strategy::Smallest, Strategy::Eager, Strategy::Whole, Strategy::Everything].map(|strategy| {
            let Checked { plan, replay, definitions, .. } = checked(&graph, strategy);
            let name = format!("{strategy:?}");
            let figures = [plan.arena_bytes, plan.floor_bytes, replay.alive_bytes].map(|bytes| format!("{bytes:>6}"));
            let cuts: Vec<&String> = plan.cuts.iter().map(|&cut| &definitions[cut].name).collect();
            table += &format!("{element:>4} {name:>10} {} {:>5} {cuts:?}\n", figures.join(" "), plan.steps.len());
            plan.arena_bytes
        });
        let [smallest, eager, whole, everything] = arenas;
        assert!(smallest <= eager && smallest <= whole && whole <= everything, "{table}");
        if element == "int8" {
            assert!(smallest <= MOST, "{smallest} bytes of arena, where {MOST} are the most");
        }
    }
    println!("{table}");
}

/// [`planned`] has compared every row; this shows the figures.
#[test]
fn rows_of_the_shipped_model_appear_at_once() {
    let graph = in_int8(shipped());
    let [eager, smallest] = [Strategy::Eager, Strategy::Smallest].map(|strategy| checked(&graph, strategy));
    let least = eager.rows_before();
    let mut table = format!("{:>28} {:>4}  first and last row after so many input rows\n", "", "rows");
    table += &format!("{:>28} {:>4}  definition       eager    smallest\n", "", "");
    for (layer, definition) in eager.definitions.iter().enumerate() {
        let least: Vec<Option<usize>> = least[layer].iter().copied().map(Some).collect();
        assert_eq!(eager.replay.made_after[layer], least, "{}", definition.name);
        let figures = [&least, &eager.replay.made_after[layer], &smallest.replay.made_after[layer]].map(|made| {
            let ends = [made.first(), made.last()].map(|row| row.copied().flatten().unwrap_or(0));
            format!("{:>6} {:>3}", ends[0], ends[1])
        });
        table += &format!("{:>28} {:>4} {}\n", definition.name, definition.rows, figures.join("  "));
    }
    println!("{table}");
}

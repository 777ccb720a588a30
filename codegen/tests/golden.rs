//! What a generated module holds to test itself with, against frames made by the formula as the documentation has it.

#[path = "endless/random.rs"]
mod random;

use microception_codegen::emit;
use microception_codegen::graph::{Element, Graph, Operator, Shape, Weights, Window};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;

/// MurmurHash3's finalizer of a place, its highest byte, as f32.
fn made_up(index: u32) -> f32 {
    let mut hash = index;
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^= hash >> 16;
    hash.to_be_bytes()[0] as f32 / 255.0
}

/// The numbers in the brackets behind `name`.
fn numbers(module: &str, name: &str) -> Vec<f32> {
    let (_, rest) = module.split_once(&format!("{name}: &[")).expect("the module has them");
    rest.split_once(']').unwrap().0.split(", ").map(|number| number.parse().unwrap()).collect()
}

#[test]
fn of_a_series_the_fourth_output_is_kept() {
    let graph = passes::run(random::graph(11, 6)).unwrap();
    let module = emit::module(&graph, Strategy::Endless).unwrap().text;
    let mut machine = Machine::new(&graph, Strategy::Endless).unwrap();
    let series: Vec<u8> = (0..).map(made_up).flat_map(f32::to_le_bytes).take(machine.row_bytes() * 400).collect();
    let mut outputs = Vec::new();
    machine
        .stream(&series, |output| {
            outputs.push(output.to_vec());
            Ok(())
        })
        .unwrap();
    let fourth: Vec<f32> = outputs[3].as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect();
    let samples = numbers(&module, "samples");
    assert_eq!(samples.len(), fourth.len().min(16));
    for (sample, value) in samples.iter().enumerate() {
        assert_eq!(*value, fourth[sample * fourth.len() / samples.len()], "sample {sample}");
    }
}

/// A pointwise convolution of `size` x `size` pixels of 64 channels, and their means.
fn pointwise(size: usize) -> Graph {
    let mut graph = Graph::new("pointwise");
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let input = graph.push("in", input, vec![], Shape(vec![size, size, 64]));
    let weights = Weights::F32(vec![0.125; 64 * 64]);
    let convolution = Operator::Convolution { weights, bias: None, window: Window::POINT, activation: None };
    let convolved = graph.push("convolved", convolution, vec![input], Shape(vec![]));
    let pool = Operator::GlobalAveragePool { keep_dims: false };
    graph.outputs = vec![graph.push("means", pool, vec![convolved], Shape(vec![]))];
    passes::run(graph).unwrap()
}

#[test]
fn a_model_that_takes_too_long_is_not_run() {
    let large = emit::module(&pointwise(513), Strategy::Balanced).unwrap().text;
    assert!(large.contains("GOLDEN: [::microception::golden::Golden; 0] = [\n];"));
    assert_eq!(numbers(&emit::module(&pointwise(8), Strategy::Balanced).unwrap().text, "samples").len(), 16);
}

//! The planner over graphs that the fuzzed bytes choose. The checker is that of the test of plans: it knows the layers'
//! definitions, and replays the steps.

use std::collections::BTreeSet;

use microception_codegen::lower;
use microception_codegen::plan::{Strategy, plan};

use crate::checker::check;
use crate::demand::Definition;
use crate::random;

/// The most blocks of layers: a plan of more takes longer than a thousand of the smallest.
const LARGEST: usize = 6;

const STRATEGIES: [Strategy; 5] =
    [Strategy::Balanced, Strategy::Smallest, Strategy::Eager, Strategy::Whole, Strategy::Everything];

/// Plans the graph that the bytes choose, by the strategy that the first of them says.
///
/// # Panics
///
/// Where a plan overwrites what is still read, reads what was not made, or leaves a row out: a finding.
pub fn check_plan(bytes: &[u8]) {
    let [strategy, size, choices @ ..] = bytes else { return };
    let strategy = STRATEGIES[usize::from(*strategy) % STRATEGIES.len()];
    let graph = random::chosen(choices, 1, 1 + usize::from(*size) % LARGEST);
    if graph.check().is_err() {
        return;
    }
    let Ok(layers) = lower::rows(&graph, &BTreeSet::new()) else { return };
    let maker = |output| graph.layers.iter().position(|layer| layer.output == output);
    let outputs: Vec<usize> = graph.outputs.iter().filter_map(|&output| maker(output)).collect();
    let Some(&output) = outputs.first() else { return };
    let Ok(plan) = plan(&layers, output, strategy) else { return };
    let definitions = Definition::of(&graph);
    if let Err(fault) = check(&definitions, &plan.scratch_bytes, &outputs, &plan) {
        panic!("{strategy:?}: {fault:?}\n{graph:#?}\n{plan:#?}");
    }
}

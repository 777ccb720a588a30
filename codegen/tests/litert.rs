//! int8 kernels, layer by layer, against what LiteRT's reference kernels computed with the same
//! weights, biases, scales and zero points (`tests/fixtures/litert`): every tensor, to the bit.

#[path = "litert/fixture.rs"]
mod fixture;

use fixture::Fixture;
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;

/// The models of two inputs wait for several inputs in the executor.
fn one_input(fixture: &Fixture) -> bool {
    fixture.inputs() == 1
}

#[test]
fn every_tensor_of_every_model_is_litert_s() {
    let fixtures = fixture::all();
    assert!(fixtures.len() > 100, "only {} fixtures", fixtures.len());
    let (mut models, mut tensors) = (0, 0);
    for fixture in fixtures.iter().filter(|fixture| one_input(fixture)) {
        let mut machine = Machine::new(&fixture.graph, Strategy::Everything).expect(&fixture.name);
        for case in 0..fixture.cases() {
            machine.run(fixture.input(case)).expect(&fixture.name);
            for layer in &fixture.graph.layers {
                let Some(expected) = fixture.tensor(layer.output, case) else { continue };
                let found = machine.tensor(&fixture.graph, layer.output).expect("kept by the plan");
                let differing = expected.iter().zip(found).filter(|(expected, found)| expected != found).count();
                assert_eq!(expected.len(), found.len(), "{}: {} has another length", fixture.name, layer.name);
                assert_eq!(
                    differing,
                    0,
                    "{} case {case}: {differing} of {} values of {} ({}) differ",
                    fixture.name,
                    expected.len(),
                    layer.name,
                    layer.operator.name()
                );
                tensors += 1;
            }
        }
        models += 1;
    }
    println!("{models} models, {tensors} tensors");
    assert!(models > 100 && tensors > 500, "{models} models, {tensors} tensors");
}

#[test]
fn rows_in_the_smallest_arena_give_the_same_bits() {
    for fixture in fixture::all().iter().filter(|fixture| one_input(fixture)) {
        for strategy in [Strategy::Smallest, Strategy::Eager, Strategy::Whole] {
            let mut machine = Machine::new(&fixture.graph, strategy).expect(&fixture.name);
            for case in 0..fixture.cases() {
                let output = machine.run(fixture.input(case)).expect(&fixture.name);
                let expected = fixture.tensor(fixture.graph.outputs[0], case).expect("outputs are always there");
                assert_eq!(output, expected, "{} case {case}, {strategy:?}", fixture.name);
            }
        }
    }
}

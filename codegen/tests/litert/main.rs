//! int8 kernels, layer by layer, against what LiteRT's reference kernels computed with the same
//! weights, biases, scales and zero points (`tests/fixtures/litert`): every tensor, to the bit.

#[path = "../common/arrays.rs"]
mod arrays;
#[path = "../common/crates.rs"]
mod crates;
mod fixture;
mod generated;

use fixture::Fixture;
use microception_codegen::host::Machine;
use microception_codegen::optimize::{Goal, Optimize, transformed};
use microception_codegen::plan::Strategy;

use arrays::Arrays;

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
        tensors += every_tensor(fixture, Optimize::Size);
        models += 1;
    }
    println!("{models} models, {tensors} tensors");
    assert!(models > 100 && tensors > 500, "{models} models, {tensors} tensors");
}

/// Compares all that both compute, and returns how many tensors that was.
fn every_tensor(fixture: &Fixture, optimize: Optimize) -> usize {
    let goal = Goal { strategy: Strategy::Everything, optimize };
    let mut machine = Machine::new(&fixture.graph, goal).expect(&fixture.name);
    let mut tensors = 0;
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
    tensors
}

/// Winograd's algorithm takes none of their bits, whole or by rows.
#[test]
fn transformed_convolutions_are_litert_s() {
    let mut models = 0;
    for fixture in fixture::all().iter().filter(|fixture| one_input(fixture)) {
        if transformed(&fixture.graph, Optimize::Speed).expect(&fixture.name).is_empty() {
            continue;
        }
        every_tensor(fixture, Optimize::Speed);
        let goal = Goal { strategy: Strategy::Balanced, optimize: Optimize::Speed };
        let mut machine = Machine::new(&fixture.graph, goal).expect(&fixture.name);
        for case in 0..fixture.cases() {
            let output = machine.run(fixture.input(case)).expect(&fixture.name);
            let expected = fixture.tensor(fixture.graph.outputs[0], case).expect("outputs are always there");
            assert_eq!(output, expected, "{} case {case}", fixture.name);
        }
        models += 1;
    }
    println!("{models} models");
    assert!(models >= 10, "{models} models");
}

#[test]
fn rows_in_the_smallest_arena_give_the_same_bits() {
    for fixture in fixture::all().iter().filter(|fixture| one_input(fixture)) {
        for strategy in [Strategy::Balanced, Strategy::Smallest, Strategy::Eager, Strategy::Whole] {
            let mut machine = Machine::new(&fixture.graph, strategy).expect(&fixture.name);
            for case in 0..fixture.cases() {
                let output = machine.run(fixture.input(case)).expect(&fixture.name);
                let expected = fixture.tensor(fixture.graph.outputs[0], case).expect("outputs are always there");
                assert_eq!(output, expected, "{} case {case}, {strategy:?}", fixture.name);
            }
        }
    }
}

/// The shipped network with the parameters of `xlite_int8.tflite`, on 100 pictures.
#[test]
fn the_shipped_network_gives_litert_s_answers() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = Arrays::open(&root.join("models/xception_lite/golden100.npz"));
    let fixture = fixture::named("xlite_int8");
    let (images, expected) = (golden.bytes("image"), golden.bytes("int8_ref"));
    let mut machine = Machine::new(&fixture.graph, Strategy::Balanced).expect("plans");
    println!("arena {} bytes, floor {}", machine.plan().arena_bytes, machine.plan().floor_bytes);
    assert_eq!(images.len(), 100 * machine.frame_bytes());
    for (index, (image, expected)) in images.chunks(machine.frame_bytes()).zip(expected.chunks(10)).enumerate() {
        let frame: Vec<u8> = image.iter().map(|pixel| pixel ^ 0x80).collect();
        assert_eq!(machine.run(&frame).expect("runs"), expected, "picture {index}");
    }
}

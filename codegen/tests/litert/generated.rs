//! Generated int8 modules: they compile on their own, under the strictest lints that a user may
//! set; they compute what LiteRT computes; they refuse another runtime.

use microception_codegen::emit;
use microception_codegen::plan::Strategy;

use crate::crates::{Crate, Program};
use crate::fixture;

/// Every kernel that int8 models use, among the fixtures of these names.
const MODELS: [&str; 14] = [
    "conv_03",
    "conv_12",
    "conv_25",
    "depthwise_05",
    "depthwise_16",
    "separable_03",
    "dense_01",
    "dense_05",
    "average_pool_03",
    "mean_02",
    "second_reader_01",
    "xception_block_01",
    "xception_block_02",
    "chain_04",
];

#[test]
fn generated_modules_compute_what_litert_computes_in_every_way_of_running() {
    let mut program = Program::default();
    for name in MODELS {
        let fixture = fixture::named(name);
        let module = emit::module(&fixture.graph, Strategy::Balanced).expect(name);
        let [frame, expected] = [fixture.input(0), fixture.tensor(fixture.graph.outputs[0], 0).expect("an output")]
            .map(|bytes| bytes.iter().map(|&byte| byte.cast_signed()).collect::<Vec<i8>>());
        let row = fixture.graph.tensor(fixture.graph.layers[0].output).shape.row_elements();
        program.add(name, module, &frame, row, &expected, 0.0);
    }
    program.run("generated_int8");
}

#[test]
fn a_module_for_another_runtime_does_not_compile_and_says_why() {
    let fixture = fixture::named(MODELS[0]);
    let module = emit::module(&fixture.graph, Strategy::Balanced).expect("plans");
    let current = format!("require_format({})", microception::model::FORMAT);
    assert!(module.text.contains(&current));
    let other = module.text.replace(&current, "require_format(999)");
    let main = "mod model { include!(\"model.rs\"); }\nfn main() { let _ = model::NETWORK; }";
    let output = Crate::new("other_format", &[("src/main.rs", main), ("src/model.rs", &other)]).cargo("check");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "it compiled");
    assert!(message.contains("this module was generated for another version of the microception runtime"), "{message}");
    assert!(message.contains("run `microception convert` of this version again"), "{message}");
}

#[test]
fn the_same_model_gives_the_same_text() {
    for fixture in MODELS.map(fixture::named) {
        let text = || emit::module(&fixture.graph, Strategy::Balanced).expect("plans").text;
        assert_eq!(text(), text());
    }
}

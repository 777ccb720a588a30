//! Writes the module: the only place that makes Rust text.
//!
//! The text depends on the graph and the plan alone: the same model gives the same bytes on any
//! machine.

mod ends;
mod flash;
mod golden;
mod kernel;
mod literal;
mod stack;

use std::collections::BTreeSet;
use std::fmt::Write;

use ends::End;
use flash::Flash;
use literal::{Names, float, list};
use microception::model::{Period, RowBytes, Step, Tensor};
pub use stack::Stack;

use crate::error::Error;
use crate::graph::{Graph, Quantization};
use crate::host::{self, Machine};
use crate::lower::Kernel;
use crate::optimize::{Goal, Lowered, lowered};
use crate::plan::Plan;

/// A module, and the figures that go with it.
#[derive(Debug, Clone)]
pub struct Module {
    /// Rust source, to be put in a file or `include!`d in a `mod`.
    pub text: String,
    /// The plan that it holds.
    pub plan: Plan,
    /// Bytes of weights, biases, factors and tables, per layer.
    pub weight_bytes: Vec<usize>,
    /// Bytes of steps, addresses and row lengths.
    pub step_bytes: usize,
}

/// Linker sections for a module's parts, where the program's own are not to hold them: fast RAM, external flash.
/// The program's linker script places the sections and, in RAM, its start-up code fills them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sections {
    /// Of weights, biases, factors and tables.
    pub weights: Option<String>,
    /// Of the arena, which the program declares: in the module's macro `in_arena_section`.
    pub arena: Option<String>,
}

/// Items of a module that layers' names must not collide with.
const RESERVED: [&str; 32] = [
    "NETWORK",
    "NAME",
    "LABELS",
    "ARENA_BYTES",
    "STACK_BYTES",
    "MACS",
    "WEIGHT_BYTES",
    "WEIGHTS",
    "WEIGHTS_CRC",
    "LAYERS",
    "GOLDEN",
    "INPUT_SHAPE",
    "OUTPUT_SHAPE",
    "INPUT_SCALE",
    "INPUT_ZERO_POINT",
    "OUTPUT_SCALE",
    "OUTPUT_ZERO_POINT",
    "ROWS",
    "STEPS",
    "ADDRESSES",
    "INPUTS",
    "OUTPUTS",
    "OUTPUT_TENSORS",
    "Network",
    "Arena",
    "Frame",
    "Model",
    "Period",
    "Plan",
    "RowBytes",
    "Step",
    "Tensor",
];

/// What stands before an item that a program need not use: in a binary's module the compiler would complain.
const UNREAD: &str = "#[allow(dead_code, reason = \"not every program reads every figure\")]";

/// Plans a graph that has gone through the [passes](crate::passes) and writes it down.
///
/// # Errors
/// When the graph can't be lowered or planned.
pub fn module(graph: &Graph, goal: impl Into<Goal>) -> Result<Module, Error> {
    module_in(graph, goal, &Sections::default())
}

/// As [`module`], with parts in linker sections of their own.
///
/// # Errors
/// As [`module`], and when no section can have such a name.
pub fn module_in(graph: &Graph, goal: impl Into<Goal>, sections: &Sections) -> Result<Module, Error> {
    let weights_section = sections.weights.as_deref().map(link_section).transpose()?.unwrap_or_default();
    let arena_section = sections.arena.as_deref().map(link_section).transpose()?;
    let Lowered { graph, kernels, layers, outputs, plan } = lowered(graph, goal)?;
    let graph = graph.as_ref();
    let rows = host::row_bytes(graph, &layers, &plan)?;
    let tensors = host::tensors(&layers, &outputs, &plan)?;
    let (steps, addresses) = plan.to_runtime();
    let weight_bytes: Vec<usize> = kernels.iter().map(Kernel::weight_bytes).collect();
    let step_bytes = size_of_val(steps.as_slice()) + size_of_val(addresses.as_slice()) + size_of_val(rows.as_slice());

    let mut names = Names::default();
    names.reserve(&RESERVED);
    let type_name = names.of_type(&graph.name);
    let mut statics = String::new();
    let mut calls = String::new();
    let mut flash = Flash::new();
    for (index, (layer, kernel)) in graph.layers.iter().zip(&kernels).enumerate() {
        let _ = writeln!(
            statics,
            "\n// {}: {} to {}",
            layer.name.escape_debug(),
            layer.operator.name(),
            graph.tensor(layer.output).shape
        );
        let call = kernel::kernel(&mut statics, &mut flash, &names.constant(&layer.name), kernel, &weights_section);
        // The last arm stands for itself and for indices that no step has.
        let pattern = if index + 1 == kernels.len() { "_".to_owned() } else { index.to_string() };
        let _ = writeln!(calls, "            {pattern} => {call},");
    }

    let mut text = String::new();
    head(&mut text, graph, &statics, &calls, plan.period.is_some());
    let (inputs, output_ends) = (End::inputs(graph), End::outputs(graph));
    constants(&mut text, graph, &type_name, &plan, weight_bytes.iter().sum(), [&inputs, &output_ends]);
    ends::names(&mut text, &inputs, &output_ends);
    model(&mut text, &type_name, &plan, &calls, [&inputs, &output_ends]);
    if let Some(section) = arena_section {
        arena_macro(&mut text, &section);
    }
    text.push_str(&statics);
    schedule(&mut text, &rows, &steps, &addresses, &tensors);
    let macs: Vec<u64> = graph.layers.iter().map(|layer| graph.macs(layer)).collect();
    let machine = || Machine::of(graph, kernels, layers, &outputs, plan.clone());
    let golden = golden::golden(machine, macs.iter().sum(), plan.period.is_some(), [&inputs, &output_ends])?;
    described(&mut text, graph, &macs, flash, &golden);
    Ok(Module { text, plan, weight_bytes, step_bytes })
}

/// The attribute that places a static.
fn link_section(name: &str) -> Result<String, Error> {
    if name.is_empty() || name.contains(|letter: char| !letter.is_ascii_graphic() || "\"\\".contains(letter)) {
        return Err(Error::model(format!("a linker section can't be named {name:?}")));
    }
    Ok(format!("#[unsafe(link_section = \"{name}\")]\n"))
}

/// The macro that declares the arena's static, in the section for it.
fn arena_macro(text: &mut String, section: &str) {
    let _ = write!(
        text,
        "
/// Places the arena's static: `model::in_arena_section! {{ static ARENA: .. = ..; }}`
macro_rules! in_arena_section {{
    ($($item:tt)*) => {{
        {section}        $($item)*
    }};
}}
#[allow(unused_imports, reason = \"not every program places its arena so\")]
pub(crate) use in_arena_section;
"
    );
}

/// The first lines, the version check, and the names that the rest uses.
fn head(text: &mut String, graph: &Graph, statics: &str, calls: &str, endless: bool) {
    let version = env!("CARGO_PKG_VERSION");
    let format = microception::model::FORMAT;
    let _ = writeln!(
        text,
        "// Generated by microception {version} from the model \"{}\". Do not edit: convert again.\n",
        graph.name.escape_debug()
    );
    let _ = writeln!(text, "const _: () = ::microception::model::require_format({format});\n");
    let used = |name: &str| statics.contains(name) || calls.contains(name);
    let modules = [
        "activation",
        "add",
        "average_pool",
        "concatenate",
        "conv",
        "crop",
        "dense",
        "depthwise",
        "flatten",
        "global_average_pool",
        "global_max_pool",
        "input",
        "max_pool",
        "maximum",
        "minimum",
        "multiply",
        "pad",
        "pairwise",
        "prelu",
        "requantize",
        "reshape",
        "resize_bilinear",
        "resize_nearest",
        "softmax",
        "subtract",
        "transpose",
    ];
    let mut layers: BTreeSet<&str> = modules.into_iter().filter(|module| used(&format!(" {module}::"))).collect();
    if used("Geometry {") {
        layers.insert("Geometry");
    }
    let quantized: Vec<&str> = ["Channel", "Factor", "Range", "WideChannel"]
        .into_iter()
        .filter(|name| used(&format!("{name} {{")) || used(&format!("[{name}; ")))
        .collect();
    let casts: Vec<&str> = ["must_cast_ref", "must_cast_slice"].into_iter().filter(|name| used(name)).collect();
    if !casts.is_empty() {
        let _ = writeln!(text, "use ::microception::bytemuck::{{{}}};", casts.join(", "));
    }
    if used("functions::") {
        let _ = writeln!(text, "use ::microception::functions;");
    }
    let layers: Vec<&str> = layers.into_iter().collect();
    let _ = writeln!(text, "use ::microception::layers::{{{}}};", layers.join(", "));
    let aligned = if used("Aligned(") { "Aligned, " } else { "" };
    let period = if endless { "Period, " } else { "" };
    let _ = writeln!(text, "use ::microception::model::{{{aligned}Model, {period}Plan, RowBytes, Step, Tensor}};");
    if !quantized.is_empty() {
        let _ = writeln!(text, "use ::microception::quantized::{{{}}};", quantized.join(", "));
    }
    let _ = writeln!(text, "use ::microception::window::Call;");
    if used("Planes {") {
        let _ = writeln!(text, "use ::microception::window::planes::{{Planes, by_lines}};");
    }
    text.push('\n');
}

fn constants(
    text: &mut String,
    graph: &Graph,
    type_name: &str,
    plan: &Plan,
    weight_bytes: usize,
    [inputs, outputs]: [&[End<'_>]; 2],
) {
    let macs: u64 = graph.layers.iter().map(|layer| graph.macs(layer)).sum();
    let labels: Vec<String> = graph.labels.iter().map(|label| format!("{label:?}")).collect();
    let items = format!(
        "\
/// The model \"{name}\": {described_inputs} in, {described_outputs} out.
#[derive(Debug, Clone, Copy, Default)]
pub struct {type_name};
/// The model's type under a name that does not depend on the model.
pub type Network = {type_name};
/// The model.
pub const NETWORK: Network = {type_name};
/// The memory that the model runs in.
pub type Arena = ::microception::executor::Arena<ARENA_BYTES>;
/// Bytes of arena, scratch included.
{stack}pub const ARENA_BYTES: usize = {arena_bytes};
/// The model's name.
pub const NAME: &str = {name_literal};
/// The classes' names in the order of the output; empty when the model names none.
pub static LABELS: [&str; {label_count}] = [{labels}];
/// Multiply-accumulates of one inference.
pub const MACS: u64 = {macs};
/// Bytes of weights, biases, factors and tables.
pub const WEIGHT_BYTES: usize = {weight_bytes};
{ends}",
        name = graph.name.escape_debug(),
        name_literal = format_args!("{:?}", graph.name),
        described_inputs = ends::described(inputs),
        described_outputs = ends::described(outputs),
        ends = ends::constants(inputs, outputs),
        stack = stack::UNKNOWN,
        arena_bytes = plan.arena_bytes,
        label_count = labels.len(),
        labels = labels.join(", "),
    );
    text.push_str(&items.replace("\npub ", &format!("\n{UNREAD}\npub ")));
}

/// Scale and zero point as text; of a float tensor 1 and 0.
fn real(quantization: Option<Quantization>) -> (String, i32) {
    quantization.map_or(("1.0".to_owned(), 0), |quantization| (float(quantization.scale), quantization.zero_point))
}

fn model(text: &mut String, type_name: &str, plan: &Plan, calls: &str, [inputs, outputs]: [&[End<'_>]; 2]) {
    let (input, row) = match inputs {
        [end] => (end.element.name(), end.shape.row_elements()),
        _ => ("u8", ends::row_bytes(inputs)),
    };
    let output = outputs.first().map_or("u8", |end| end.element.name());
    let period = plan.runtime_period().map_or(String::new(), |Period { step, address, output, withheld }| {
        format!(
            "
    #[inline]
    fn period(&self) -> Option<Period> {{
        Some(Period {{ step: {step}, address: {address}, output: {output}, withheld: {withheld} }})
    }}
"
        )
    });
    let _ = write!(
        text,
        "
impl Model for {type_name} {{
    type Input = {input};
    type Output = {output};
    type Frame = {frame};
    type Row = [{input}; {row}];
    const ARENA_BYTES: usize = ARENA_BYTES;

    #[inline]
    fn plan(&self) -> Plan<'_> {{
        Plan {{
            inputs: {count},
            rows: &ROWS,
            steps: &STEPS,
            addresses: &ADDRESSES,
            unit: {unit},
            outputs: &OUTPUT_TENSORS,
        }}
    }}
{period}
    fn run(&self, layer: usize, call: Call<'_>) {{
        match layer {{
{calls}        }}
    }}
}}
",
        frame = ends::frame_type(inputs),
        count = inputs.len(),
        unit = plan.unit,
    );
}

/// What only a program that asks for it has in its flash: the layers' names, the arrays and their check, the outputs for the
/// made-up frame.
fn described(text: &mut String, graph: &Graph, macs: &[u64], mut flash: Flash, golden: &[String]) {
    let layers = graph.layers.iter().zip(macs).map(|(layer, macs)| {
        let (name, kind) = (&layer.name, layer.operator.name());
        format!("    ::microception::model::Layer {{ name: {name:?}, kind: {kind:?}, macs: {macs} }},\n")
    });
    let layers: String = layers.collect();
    let arrays = std::mem::take(&mut flash.arrays).into_iter().map(|array| format!("::microception::model::{array}"));
    let (count, arrays) = (arrays.len(), list(arrays));
    let crc = match flash.crcs()[..] {
        [crc] => format!("{crc:#010x}"),
        ref crcs => format!("[{}][::microception::simd::Order::HERE as usize]", hexadecimal(crcs)),
    };
    let golden_lines: String = golden.iter().map(|golden| format!("    ::microception::golden::{golden},\n")).collect();
    let items = format!(
        "
/// The layers of the plan.
pub static LAYERS: [::microception::model::Layer; {}] = [
{layers}];
/// The arrays that lie in flash.
pub static WEIGHTS: [::microception::model::Weights; {count}] = {arrays};
/// CRC-32/ISO-HDLC of their bytes, one array after the other.
pub const WEIGHTS_CRC: u32 = {crc};
/// Each output for the made-up frame of `microception::golden`.
pub static GOLDEN: [::microception::golden::Golden; {}] = [
{golden_lines}];
",
        graph.layers.len(),
        golden.len(),
    );
    text.push_str(&items.replace("\npub ", &format!("\n{UNREAD}\npub ")));
}

fn hexadecimal(numbers: &[u32]) -> String {
    numbers.iter().map(|number| format!("{number:#010x}")).collect::<Vec<_>>().join(", ")
}

fn schedule(text: &mut String, rows: &[RowBytes], steps: &[Step], addresses: &[u16], outputs: &[Tensor]) {
    let rows_text = list(rows.iter().map(|RowBytes { inputs, output, scratch }| {
        format!("RowBytes {{ inputs: {inputs:?}, output: {output}, scratch: {scratch} }}")
    }));
    let _ = writeln!(text, "\n// Per layer: bytes of an input line, an output row, and scratch.");
    let _ = writeln!(text, "static ROWS: [RowBytes; {}] = {rows_text};", rows.len());
    let steps_text = list(steps.iter().map(|Step { layer, row, rows, first, lines }| {
        format!("Step::new({layer}, {row}, {rows}, {first}, {lines:?})")
    }));
    let _ = writeln!(text, "\n// Layer, row, rows made, first tap, lines of each input.");
    let _ = writeln!(text, "static STEPS: [Step; {}] = {steps_text};", steps.len());
    let _ = writeln!(text, "\n// Of each step: lines, output, scratch.");
    let _ = writeln!(
        text,
        "static ADDRESSES: [u16; {}] = {};",
        addresses.len(),
        list(addresses.iter().map(u16::to_string))
    );
    let outputs_text = list(
        outputs.iter().map(|Tensor { address, bytes }| format!("Tensor {{ address: {address}, bytes: {bytes} }}")),
    );
    let _ = writeln!(text, "\n// Where the outputs are.");
    let _ = writeln!(text, "static OUTPUT_TENSORS: [Tensor; {}] = {outputs_text};", outputs.len());
}

//! What a module says of its model's inputs and outputs. Where there is one of each, constants do; of several, each
//! has a name of its own.

use std::fmt::Write;

use super::literal::{Names, float};
use super::{UNREAD, real};
use crate::graph::{Element, Graph, Operator, Shape, Tensor};

/// An input or an output.
pub struct End<'a> {
    name: &'a str,
    pub shape: &'a Shape,
    pub element: Element,
    scale: String,
    /// A whole number but of pixels.
    zero_point: String,
}

impl End<'_> {
    /// The model's inputs.
    pub fn inputs(graph: &Graph) -> Vec<End<'_>> {
        let end = |layer: &crate::graph::Layer| {
            let tensor = graph.tensor(layer.output);
            let (element, scale, zero_point) = match layer.operator {
                Operator::Input { element: Element::U8, scale, offset } => {
                    (Element::U8, float(scale), float(0.0 - offset / scale))
                }
                Operator::Input { element, .. } => real_of(tensor, element),
                _ => real_of(tensor, tensor.element),
            };
            (tensor, element, scale, zero_point)
        };
        let ends = graph.inputs().iter().map(|layer| (layer, end(layer)));
        ends.map(|(layer, (tensor, element, scale, zero_point))| End {
            name: &layer.name,
            shape: &tensor.shape,
            element,
            scale,
            zero_point,
        })
        .collect()
    }

    /// The model's outputs.
    pub fn outputs(graph: &Graph) -> Vec<End<'_>> {
        let outputs = graph.outputs.iter().enumerate().map(|(index, &output)| (index, graph.tensor(output)));
        outputs
            .map(|(index, tensor)| {
                let (element, scale, zero_point) = real_of(tensor, tensor.element);
                End { name: graph.output_name(index), shape: &tensor.shape, element, scale, zero_point }
            })
            .collect()
    }
}

fn real_of(tensor: &Tensor, element: Element) -> (Element, String, String) {
    let (scale, zero_point) = real(tensor.quantization);
    (element, scale, format!("{zero_point}.0"))
}

/// Their types and extents, for the model's documentation.
pub fn described(ends: &[End<'_>]) -> String {
    let described = |end: &End<'_>| format!("`{}` {}", end.element.name(), end.shape);
    ends.iter().map(described).collect::<Vec<_>>().join(", ")
}

/// The constants of a single input and a single output, and the tables of all.
pub fn constants(inputs: &[End<'_>], outputs: &[End<'_>]) -> String {
    let mut text = String::new();
    if let [End { shape, scale, zero_point, .. }] = inputs {
        let _ = write!(
            text,
            "\
/// Extents of the input, channels last.
pub const INPUT_SHAPE: &[usize] = &{:?};
/// `real = INPUT_SCALE * (input - INPUT_ZERO_POINT)`.
pub const INPUT_SCALE: f32 = {scale};
/// The input that stands for zero.
pub const INPUT_ZERO_POINT: f32 = {zero_point};
",
            shape.0
        );
    }
    if let [End { shape, scale, zero_point, .. }] = outputs {
        let _ = write!(
            text,
            "\
/// Extents of the output, channels last.
pub const OUTPUT_SHAPE: &[usize] = &{:?};
/// `real = OUTPUT_SCALE * (output - OUTPUT_ZERO_POINT)`.
pub const OUTPUT_SCALE: f32 = {scale};
/// The output that stands for zero.
pub const OUTPUT_ZERO_POINT: i32 = {};
",
            shape.0,
            zero_point.trim_end_matches(".0")
        );
    }
    for (name, what, ends) in [("INPUTS", "inputs", inputs), ("OUTPUTS", "outputs", outputs)] {
        let _ = writeln!(text, "/// The model's {what}.");
        let _ = writeln!(text, "pub static {name}: [::microception::model::Port; {}] = [", ends.len());
        for End { name, shape, element, scale, zero_point } in ends {
            let element = format!("::microception::model::Element::{element:?}");
            let shape = format!("&{:?}", shape.0);
            let _ = writeln!(
                text,
                "    ::microception::model::Port {{ name: {name:?}, shape: {shape}, element: {element}, scale: {scale}, \
                 zero_point: {zero_point} }},"
            );
        }
        text.push_str("];\n");
    }
    text
}

/// Bytes of the longest row of any input.
pub fn row_bytes(inputs: &[End<'_>]) -> usize {
    inputs.iter().map(|end| end.shape.row_elements() * end.element.bytes()).max().unwrap_or(0)
}

/// The type of a frame: an array, or of several inputs the struct that [`names`] declares.
pub fn frame_type(inputs: &[End<'_>]) -> String {
    match inputs {
        [End { shape, element, .. }] => format!("[{}; {}]", element.name(), shape.elements()),
        _ => "Frame".to_owned(),
    }
}

/// Of several inputs their frame and their names, of several outputs their names.
pub fn names(text: &mut String, inputs: &[End<'_>], outputs: &[End<'_>]) {
    let path = "::microception::model";
    if inputs.len() > 1 {
        let (mut fields, mut zeros, mut arms, mut constants) = Default::default();
        let mut names = [Names::default(), Names::default()];
        for (index, end) in inputs.iter().enumerate() {
            let (field, name) = (names[0].field(end.name), names[1].constant(end.name));
            let (element, elements, row) = (end.element.name(), end.shape.elements(), end.shape.row_elements());
            let zero = if end.element == Element::F32 { "0.0" } else { "0" };
            let pattern = if index + 1 == inputs.len() { "_".to_owned() } else { index.to_string() };
            let described = format!("\"{}\": `{element}` {}", end.name.escape_debug(), end.shape);
            add(&mut fields, format_args!("    /// {described}.\n    pub {field}: [{element}; {elements}],\n"));
            add(&mut zeros, format_args!("{field}: [{zero}; {elements}], "));
            let bytes = format!("::microception::bytemuck::must_cast_slice(&self.{field})");
            add(&mut arms, format_args!("            {pattern} => {bytes},\n"));
            let constant = format!("{path}::Input<{element}, {row}> = {path}::Input::new({index})");
            add(
                &mut constants,
                format_args!("    /// {described}, in rows of {row}.\n    pub const {name}: {constant};\n"),
            );
        }
        let _ = write!(
            text,
            "
/// A frame of each input, `[row][column][channel]`.
{UNREAD}
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {{
{fields}}}

{UNREAD}
impl Frame {{
    /// Frames of zeros.
    pub const ZERO: Frame = Frame {{ {zeros}}};
}}

impl {path}::Frames for Frame {{
    #[inline]
    fn frame(&self, input: usize) -> &[u8] {{
        match input {{
{arms}        }}
    }}
}}

/// The inputs, for `push_row_of`.
{UNREAD}
pub mod inputs {{
{constants}}}
"
        );
    }
    if outputs.len() > 1 {
        let mut constants = String::new();
        let mut names = Names::default();
        for (index, end) in outputs.iter().enumerate() {
            let (name, element) = (names.constant(end.name), end.element.name());
            let described = format!("\"{}\": `{element}` {}", end.name.escape_debug(), end.shape);
            let constant = format!("{path}::Output<{element}> = {path}::Output::new({index})");
            add(&mut constants, format_args!("    /// {described}.\n    pub const {name}: {constant};\n"));
        }
        let _ = write!(text, "\n/// The outputs, for `output_of`.\n{UNREAD}\npub mod outputs {{\n{constants}}}\n");
    }
}

fn add(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = text.write_fmt(more);
}

//! Errors on numbers that the runtime's descriptions can't hold.

use crate::error::Error;
use crate::graph::{Graph, Layer, Operator, Shape, Window};

pub(super) const MOST_U8: usize = u8::MAX as usize;
const MOST_U16: usize = u16::MAX as usize;

/// Inputs or outputs: a byte counts them in the messages to boards.
pub const MOST_ENDS: usize = MOST_U8;

/// Rows of padding above the first: a step's first tap is an `i8`.
pub(super) const MOST_ABOVE: usize = i8::MAX as usize;

/// Compares every layer with the fields of `Geometry`, `Step` and the kernels' descriptions.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    if graph.inputs().is_empty() {
        return Err(Error::model("the model's outputs do not depend on an input"));
    }
    for (what, count) in [("inputs", graph.inputs().len()), ("outputs", graph.outputs.len())] {
        if count > MOST_ENDS {
            return Err(Error::model(format!("has {count} {what}; at most {MOST_ENDS} are supported")));
        }
    }
    for layer in &graph.layers {
        for (what, number, most) in numbers(graph, layer) {
            if number > most {
                let reason = format!("its {what} of {number} is more than the runtime's {most}");
                return Err(Error::layer(&layer.name, reason));
            }
        }
    }
    Ok(())
}

/// Pixels of what a window sees as a line: a whole row, but of a volume that it slides over.
fn line_pixels(shape: &Shape, window: &Window) -> usize {
    if window.depth.is_some() { shape.width() } else { shape.pixels() }
}

/// What of a layer is stored in how few bits: name, number, the most that fits.
fn numbers(graph: &Graph, layer: &Layer) -> Vec<(&'static str, usize, usize)> {
    let output = &graph.tensor(layer.output).shape;
    let mut numbers = vec![("number of rows", output.rows(), MOST_U16)];
    let Some(&input) = layer.inputs.first() else { return numbers };
    let input = &graph.tensor(input).shape;
    let mut windowed = |window: &Window| {
        numbers.extend([
            ("input width", line_pixels(input, window), MOST_U16),
            ("number of input channels", input.channels(), MOST_U16),
            ("output width", line_pixels(output, window), MOST_U16),
            ("number of channels", output.channels(), MOST_U16),
            ("kernel height", window.size[0], MOST_U8),
            ("kernel width", window.size[1], MOST_U8),
            ("vertical stride", window.stride[0], MOST_U8),
            ("horizontal stride", window.stride[1], MOST_U8),
            ("vertical dilation", window.dilation[0], MOST_U8),
            ("horizontal dilation", window.dilation[1], MOST_U8),
            ("padding on the left", window.before(1, line_pixels(input, window)), MOST_U8),
            ("padding above", window.slide(0, input.rows()).before, MOST_ABOVE),
            ("window over rows", window.slide(0, input.rows()).reach().min(input.rows()), MOST_U8),
        ]);
        if let Some(depth) = window.depth {
            numbers.extend([
                ("kernel of planes and lines", depth.size * window.size[0], MOST_U8),
                ("stride from plane to plane", depth.stride, MOST_U8),
                ("dilation from plane to plane", depth.dilation, MOST_U8),
                ("height", input.lines(), MOST_U16),
                ("output height", output.lines(), MOST_U16),
                ("padding above a plane", window.before(0, input.lines()), MOST_U16),
            ]);
        }
    };
    match &layer.operator {
        Operator::Convolution { window, .. }
        | Operator::Depthwise { window, .. }
        | Operator::MaxPool { window }
        | Operator::AveragePool { window } => windowed(window),
        Operator::PositionwiseDense { .. } => windowed(&Window::POINT),
        Operator::Pairwise { .. } => {
            numbers.extend([
                ("output width", output.pixels(), MOST_U16),
                ("number of channels", output.channels(), MOST_U16),
            ]);
        }
        Operator::GlobalAveragePool { .. } | Operator::Softmax => {
            numbers.push(("number of channels", output.channels(), MOST_U16));
        }
        Operator::Pad { before, after, .. } => numbers.extend([
            ("padding above", before[0], MOST_ABOVE),
            ("padding above a plane", before[1], MOST_U16),
            ("height", input.lines(), MOST_U16),
            ("output height", output.lines(), MOST_U16),
            ("padding on the left", before[2], MOST_U16),
            ("padding on the right", after[2], MOST_U16),
            ("output width", output.width(), MOST_U16),
        ]),
        Operator::Transpose { axes } => {
            numbers.extend([
                ("output width", output.pixels(), MOST_U16),
                ("number of channels", output.channels(), MOST_U16),
            ]);
            if axes.first() != Some(&0) {
                numbers.push(("number of rows that become columns or channels", input.rows(), MOST_U8));
            }
        }
        Operator::Crop { before, .. } => {
            numbers.push(("number of columns on the left", before.get(1).copied().unwrap_or(0), MOST_U16));
        }
        Operator::Reshape { .. } => {
            let lines = output.row_elements().div_ceil(input.row_elements().max(1)) + 1;
            numbers.push(("number of rows in one", lines.min(input.rows()), MOST_U8));
        }
        Operator::ResizeNearest { .. } | Operator::ResizeBilinear { .. } => {
            numbers.extend([("input width", input.pixels(), MOST_U16), ("output width", output.pixels(), MOST_U16)]);
        }
        _ => {}
    }
    numbers
}

//! What every output row of a layer reads, from the definitions of the operators in Keras's
//! documentation. Shares no code with the planner, which has formulas of its own.

use microception_codegen::graph::{Axis, Element, Graph, Operator, Padding, Shape, Window};

/// Which rows of its inputs a layer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// None: its rows come from the caller, from the top.
    Caller,
    /// Row r reads row r of every input; an input of a single row is repeated.
    SameRow,
    /// Row r reads the rows `top + r * stride + k * dilation` for `k` below `taps`, as far as they exist.
    Taps {
        /// Where the first tap of row 0 falls; negative on padding.
        top: isize,
        /// Rows between two outputs.
        stride: usize,
        /// Rows between two taps.
        dilation: usize,
        /// Taps.
        taps: usize,
    },
    /// Rows of the first input, so many, then those of the second.
    Behind {
        /// Rows of the first input.
        first_rows: usize,
    },
    /// The elements of all rows in succession: row r reads the rows that hold its own.
    Elements {
        /// Of an output row.
        output: usize,
        /// Of an input row.
        input: usize,
    },
    /// Each row reads every row.
    Every,
    /// Row r reads the rows that are listed.
    Listed(Vec<Vec<usize>>),
    /// The only output row reads every row.
    EveryRow {
        /// Bytes that stay between two calls when the rows are read a few at a time, at least: an
        /// accumulator for every output, or what was copied so far.
        sums: usize,
    },
}

/// One layer, as far as rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// For messages.
    pub name: String,
    /// The layers whose rows it reads.
    pub inputs: Vec<usize>,
    /// Which of these rows.
    pub demand: Demand,
    /// Output rows.
    pub rows: usize,
    /// Bytes of one output row.
    pub row_bytes: usize,
    /// Whether a row can be computed a line at a time, from what the lines before gave: so with a maximum.
    pub by_lines: bool,
    /// What it may be written over.
    pub over: Over,
}

/// Where a row may be written although it is read in the same step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Nowhere.
    Nothing,
    /// What is computed place by place: over the same places of an input.
    SamePlaces,
    /// What is computed channel by channel: over the topmost line of the only row's window.
    TopmostLine,
}

/// Output places of a window along one axis: Keras's `output_shape` formulas.
pub fn window_outputs(window: &Window, axis: usize, places: usize) -> usize {
    let spread = window.size[axis] + (window.size[axis] - 1) * (window.dilation[axis] - 1);
    let stride = window.stride[axis] as f64;
    match window.padding {
        Padding::Same => (places as f64 / stride).ceil() as usize,
        Padding::Valid if places < spread => 0,
        Padding::Valid => ((places - spread + 1) as f64 / stride).ceil() as usize,
        Padding::Explicit { before, after } => {
            let inside = Window { padding: Padding::Valid, ..*window };
            window_outputs(&inside, axis, before[axis] + places + after[axis])
        }
    }
}

/// Padded places before the first along one axis: TensorFlow's notes on padding, which tell
/// inputs that are multiples of the stride from others.
fn padding_before(window: &Window, axis: usize, places: usize) -> usize {
    let spread = window.size[axis] + (window.size[axis] - 1) * (window.dilation[axis] - 1);
    let stride = window.stride[axis];
    let taken = if places.is_multiple_of(stride) { stride } else { places % stride };
    match window.padding {
        Padding::Valid => 0,
        Padding::Explicit { before, .. } => before[axis],
        Padding::Same => spread.saturating_sub(taken) / 2,
    }
}

fn rows_of(shape: &Shape) -> usize {
    if let [rows, _, ..] = shape.0[..] { rows } else { 1 }
}

impl Definition {
    /// The definitions of all layers of a graph, in their order.
    pub fn of(graph: &Graph) -> Vec<Definition> {
        let maker = |tensor| graph.layers.iter().position(|layer| layer.output == tensor).expect("a checked graph");
        let definitions = graph.layers.iter().map(|layer| {
            let output = graph.tensor(layer.output);
            let shape = &output.shape;
            let rows = rows_of(shape);
            let input = layer.inputs.first().map(|&input| &graph.tensor(input).shape);
            let flat = shape.0.len() == 1;
            let elements: usize = shape.0.iter().product();
            let demand = match &layer.operator {
                Operator::Input { .. } => Demand::Caller,
                Operator::Convolution { window, .. }
                | Operator::Depthwise { window, .. }
                | Operator::MaxPool { window }
                | Operator::AveragePool { window } => {
                    let places = rows_of(input.expect("an operator with an input"));
                    assert_eq!(rows, window_outputs(window, 0, places), "rows of {}", layer.name);
                    Demand::Taps {
                        top: -padding_before(window, 0, places).cast_signed(),
                        stride: window.stride[0],
                        dilation: window.dilation[0],
                        taps: window.size[0],
                    }
                }
                Operator::Pad { before, .. } => {
                    Demand::Taps { top: -before[0].cast_signed(), stride: 1, dilation: 1, taps: 1 }
                }
                Operator::Concatenate { axis: Axis::Rows } => {
                    Demand::Behind { first_rows: rows_of(input.expect("an operator with inputs")) }
                }
                Operator::Crop { before, shape } => {
                    let top = if shape.0.len() > 1 { before[0].cast_signed() } else { 0 };
                    Demand::Taps { top, stride: 1, dilation: 1, taps: 1 }
                }
                Operator::Transpose { axes } if axes[0] != 0 => Demand::Every,
                Operator::Reshape { .. } => {
                    let input = input.expect("an operator with an input");
                    Demand::Elements { output: elements / rows, input: input.elements() / rows_of(input) }
                }
                Operator::ResizeNearest { size, nearest } => {
                    // In integers; the random graphs have no ratio for which f32 differs.
                    let places = rows_of(input.expect("an operator with an input"));
                    let near = |row: usize| match (nearest.align_corners, nearest.half_pixel_centers) {
                        (false, false) => row * places / size[0],
                        (false, true) => (2 * row + 1) * places / (2 * size[0]),
                        _ => unreachable!("not among the random graphs"),
                    };
                    Demand::Listed((0..rows).map(|row| vec![near(row)]).collect())
                }
                Operator::ResizeBilinear { size, linear } => {
                    let places = rows_of(input.expect("an operator with an input"));
                    let between = |row: usize| {
                        // Twice so many of a place as there are rows.
                        let at = match (linear.align_corners, linear.half_pixel_centers) {
                            (false, false) => 2 * row * places,
                            (false, true) => ((2 * row + 1) * places).saturating_sub(size[0]),
                            _ => unreachable!("not among the random graphs"),
                        };
                        let [first, last] = [at / (2 * size[0]), at.div_ceil(2 * size[0])];
                        (first.min(places - 1)..=last.min(places - 1)).collect()
                    };
                    Demand::Listed((0..rows).map(between).collect())
                }
                Operator::GlobalMaxPool { .. } => Demand::EveryRow { sums: elements * output.element.bytes() },
                Operator::GlobalAveragePool { .. } => Demand::EveryRow { sums: 4 * elements },
                Operator::Dense { .. } if flat => Demand::EveryRow { sums: 4 * elements },
                Operator::Flatten => Demand::EveryRow { sums: elements * output.element.bytes() },
                Operator::Dense { .. }
                | Operator::PositionwiseDense { .. }
                | Operator::Transpose { .. }
                | Operator::Concatenate { .. }
                | Operator::Pairwise { .. }
                | Operator::Activation(_)
                | Operator::Requantize { .. }
                | Operator::Softmax
                | Operator::ScaleShift { .. }
                | Operator::Identity => Demand::SameRow,
            };
            Definition {
                name: layer.name.clone(),
                inputs: layer.inputs.iter().map(|&input| maker(input)).collect(),
                demand,
                rows,
                row_bytes: elements / rows * output.element.bytes(),
                by_lines: matches!(layer.operator, Operator::MaxPool { .. }),
                over: match &layer.operator {
                    Operator::Activation(_) | Operator::Requantize { .. } => Over::SamePlaces,
                    Operator::Pairwise { constant: None, .. } => Over::SamePlaces,
                    // Each place with all its channels.
                    Operator::Convolution { window: Window { size: [1, 1], stride: [1, 1], .. }, .. }
                        if output.element == Element::I8 =>
                    {
                        Over::SamePlaces
                    }
                    Operator::Depthwise { window: Window { size: [3, 3], .. }, multiplier: 1, .. }
                        if output.element == Element::I8 =>
                    {
                        Over::TopmostLine
                    }
                    _ => Over::Nothing,
                },
            }
        });
        definitions.collect()
    }

    /// The rows of input `input` that output row `row` is computed from, ascending, out of `input_rows`.
    pub fn reads(&self, row: usize, input: usize, input_rows: usize) -> Vec<usize> {
        match &self.demand {
            Demand::Behind { first_rows } if (row < *first_rows) != (input == 0) => Vec::new(),
            Demand::Behind { first_rows } => vec![row - input * first_rows],
            Demand::Elements { output, input } => {
                let of_row = row * output..(row + 1) * output;
                (0..input_rows)
                    .filter(|row| (row * input..(row + 1) * input).any(|element| of_row.contains(&element)))
                    .collect()
            }
            Demand::Every => (0..input_rows).collect(),
            Demand::Listed(rows) => rows[row].clone(),
            Demand::Caller => Vec::new(),
            Demand::SameRow if input_rows == 1 => vec![0],
            Demand::SameRow => vec![row],
            Demand::EveryRow { .. } => (0..input_rows).collect(),
            &Demand::Taps { top, stride, dilation, taps } => (0..taps)
                .filter_map(|tap| usize::try_from(top + (row * stride + tap * dilation).cast_signed()).ok())
                .filter(|&row| row < input_rows)
                .collect(),
        }
    }
}

impl Definition {
    /// The rows from the first that is read to the last: lines are counted, so that those between two
    /// taps are there too.
    fn lists(&self, row: usize, input: usize, input_rows: usize) -> std::ops::Range<usize> {
        let reads = self.reads(row, input, input_rows);
        reads.first().map_or(0..0, |&first| first..reads[reads.len() - 1] + 1)
    }
}

/// Per layer and row, how many of the caller's rows must have come before the row can be made: all
/// that it depends on, and one, which a frame begins with. The rows of a layer are made from the top,
/// so that none that is `needed` can come before the one above it. The caller's own rows come, of several inputs in an
/// order that the plan chooses, as `arrivals` says: as which of all rows, from 1.
pub fn rows_before(
    definitions: &[Definition],
    needed: &[Vec<bool>],
    arrivals: impl Fn(usize) -> Vec<usize>,
) -> Vec<Vec<usize>> {
    let mut before: Vec<Vec<usize>> = Vec::new();
    for (layer, (definition, needed)) in definitions.iter().zip(needed).enumerate() {
        let alone = |row: usize| {
            let of_input = |(index, &input): (usize, &usize)| {
                definition.lists(row, index, definitions[input].rows).map(|row| before[input][row]).max().unwrap_or(1)
            };
            definition.inputs.iter().enumerate().map(of_input).max().unwrap_or(1)
        };
        let from_the_top = (0..definition.rows).scan(1, |above, row| {
            *above = if needed[row] { alone(row).max(*above) } else { *above };
            Some(*above)
        });
        let rows = match definition.demand {
            Demand::Caller => arrivals(layer),
            _ => from_the_top.collect(),
        };
        before.push(rows);
    }
    before
}

/// Per layer and row, whether an answer depends on it. Rows between two that a row reads count too: a kernel
/// finds its taps by counting lines, so that all lines between them are there.
pub fn needed(definitions: &[Definition], outputs: &[usize]) -> Vec<Vec<bool>> {
    let mut needed: Vec<Vec<bool>> = definitions.iter().map(|definition| vec![false; definition.rows]).collect();
    outputs.iter().for_each(|&output| needed[output].fill(true));
    for (layer, definition) in definitions.iter().enumerate().rev() {
        for row in (0..definition.rows).filter(|&row| needed[layer][row]).collect::<Vec<_>>() {
            for (index, &input) in definition.inputs.iter().enumerate() {
                for read in definition.lists(row, index, definitions[input].rows) {
                    needed[input][read] = true;
                }
            }
        }
    }
    needed
}

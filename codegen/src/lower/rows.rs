//! What the planner has to know of a layer: which rows it reads, how long its rows are, its scratch.

use microception::layers::Geometry;
use microception::layers::conv::{self, winograd};
use microception::layers::depthwise;
use microception::simd;

use super::{Kernel, Lowering};
use crate::error::Error;
use crate::graph::{Element, Operator, Taps, Weights, Window};
use crate::plan::flow::Flow;
use crate::plan::{Batch, InPlace, LayerRows, Scratch};

/// The tallest window whose rows are taken one at a time: the place of a step's first tap is an `i8`.
const MOST_FOLDED: usize = 128;

/// Pixels of a depthwise convolution's rows that are worth a call; each of its rows by itself costs as much as so many
/// multiplications for every four channels.
const DEPTHWISE_PIXELS: usize = 16;
const DEPTHWISE_ROW: u64 = 220;

impl Lowering<'_> {
    pub(super) fn rows(&self) -> Result<LayerRows, Error> {
        let output = self.output_shape();
        let bytes = self.element().bytes();
        let channels = output.channels();
        let element = self.element();
        let int4 = matches!(self.layer.operator.weights(), Some((Weights::I4 { .. }, _)));
        let conv_scratch = |geometry: &Geometry| match element {
            Element::I8 if int4 => conv::int4::scratch_bytes(geometry, channels),
            Element::I8 => conv::int8_scratch_bytes(geometry),
            Element::I16 => conv::int16_scratch_bytes(geometry),
            _ => conv::f32_scratch_bytes(geometry),
        };
        // Weights of four bits that are unpacked all at once.
        let unpacked = |kernel: &Kernel| match kernel {
            Kernel::Depthwise3x3Int4(layer) | Kernel::DepthwiseInt4(layer) => {
                depthwise::int4_scratch_bytes(layer.weights.len())
            }
            _ => 0,
        };
        let window_flow = |window: &Window| -> Result<Flow, Error> {
            let Taps { size, stride, dilation, before, .. } = window.slide(0, self.input_shape()?.rows());
            Ok(Flow::Window { size, stride, dilation, before })
        };
        let transformed = self.transformed && matches!(self.kernel()?, Kernel::WinogradConvInt8(_));
        // What each further row of a step adds to its scratch.
        let mut further = 0;
        let (flow, scratch_bytes) = match &self.layer.operator {
            Operator::Input { .. } => (Flow::Input, 0),
            Operator::Convolution { window, .. } => {
                let geometry = self.geometry(window)?;
                let scratch =
                    if transformed { winograd::int8_scratch_bytes(&geometry) } else { conv_scratch(&geometry) };
                (window_flow(window)?, scratch)
            }
            Operator::Depthwise { window, .. } => {
                let geometry = self.geometry(window)?;
                let scratch = match self.kernel_of_lines()? {
                    kernel @ (Kernel::Depthwise3x3Int8(_) | Kernel::Depthwise3x3Int4(_)) => {
                        let [one, two] = [1, 2].map(|rows| depthwise::int8_3x3_scratch_bytes(&geometry, rows));
                        further = two - one;
                        one + unpacked(&kernel)
                    }
                    kernel @ Kernel::DepthwiseInt4(_) => {
                        depthwise::int8_scratch_bytes(&geometry, channels) + unpacked(&kernel)
                    }
                    Kernel::DepthwiseInt8(_) => depthwise::int8_scratch_bytes(&geometry, channels),
                    Kernel::DepthwiseInt16(_) => depthwise::int16_scratch_bytes(&geometry, channels),
                    _ => depthwise::f32_scratch_bytes(&geometry),
                };
                (window_flow(window)?, scratch)
            }
            Operator::MaxPool { window } => (window_flow(window)?, 0),
            Operator::AveragePool { window } => {
                (window_flow(window)?, if element.is_quantized() { 4 * channels } else { 0 })
            }
            Operator::PositionwiseDense { .. } => (Flow::RowByRow, conv_scratch(&self.geometry(&Window::POINT)?)),
            Operator::Dense { .. } if element == Element::I16 => (Flow::Running, 8 * channels),
            Operator::Dense { .. } | Operator::GlobalAveragePool { .. } => (Flow::Running, 4 * channels),
            Operator::GlobalMaxPool { .. } => (Flow::Running, bytes * channels),
            Operator::Pad { .. }
            | Operator::Crop { .. }
            | Operator::Transpose { .. }
            | Operator::Concatenate { .. }
            | Operator::Reshape { .. }
            | Operator::ResizeNearest { .. }
            | Operator::ResizeBilinear { .. } => (self.moving_flow()?, 0),
            Operator::Flatten => (Flow::Running, output.elements() * bytes),
            Operator::Pairwise { .. } | Operator::Activation(_) | Operator::Requantize { .. } | Operator::Softmax => {
                (Flow::RowByRow, 0)
            }
            operator @ (Operator::ScaleShift { .. } | Operator::Identity) => {
                return Err(self.error(format!("{} should have been folded away", operator.name())));
            }
        };
        let inputs = self
            .layer
            .inputs
            .iter()
            .map(|&input| self.graph.maker(input).ok_or_else(|| self.error("reads a tensor that no layer makes")));
        let planes = self.planes()?;
        let folds = match &self.layer.operator {
            Operator::MaxPool { window } => {
                let input_rows = self.input_shape()?.rows();
                (2..=MOST_FOLDED).contains(&window.slide(0, input_rows).size)
                    // A row of padding alone has no input row to be made with.
                    && (0..output.rows()).all(|row| !flow.needs(row, 0, input_rows).is_empty())
            }
            _ => false,
        };
        Ok(LayerRows {
            name: self.layer.name.clone(),
            inputs: inputs.collect::<Result<_, _>>()?,
            flow,
            rows: output.rows(),
            row_bytes: output.row_elements() * bytes,
            scratch: match planes {
                Some(planes) => Scratch { bytes: scratch_bytes + planes.table_bytes(), further: 0, rows: 1 },
                None => Scratch { bytes: scratch_bytes, further, rows: simd::ROWS },
            },
            line_bytes: match planes {
                Some(planes) => Some(self.input_shape()?.row_elements() * bytes / usize::from(planes.height).max(1)),
                None => None,
            },
            folds,
            answers: self.graph.outputs.contains(&self.layer.output),
            // Planes are made one by one.
            batch: if planes.is_some() { Batch::ONE } else { self.batch(transformed, further != 0) },
            in_place: if planes.is_some() { InPlace::No } else { self.in_place()? },
        })
    }

    /// What kernels have a form for.
    fn in_place(&self) -> Result<InPlace, Error> {
        Ok(match &self.layer.operator {
            Operator::Activation(_) => InPlace::Rows,
            Operator::Requantize { .. } if matches!(self.kernel_of_lines()?, Kernel::ActivationInt8(_)) => {
                InPlace::Rows
            }
            Operator::Pairwise { .. } => match self.kernel_of_lines()? {
                Kernel::Pairwise(layer) if layer.broadcast.is_none() => InPlace::Rows,
                _ => InPlace::No,
            },
            Operator::Convolution { window: Window { size: [1, 1], stride: [1, 1], .. }, .. } => {
                match self.kernel_of_lines()? {
                    Kernel::ConvInt8(layer)
                        if layer.bounded && conv::is_in_place(&layer.geometry, layer.channels.len()) =>
                    {
                        InPlace::Rows
                    }
                    _ => InPlace::No,
                }
            }
            Operator::Depthwise { .. } => match self.kernel_of_lines()? {
                Kernel::Depthwise3x3Int8(layer) if layer.geometry.width == layer.geometry.output_width => InPlace::Top,
                Kernel::Depthwise3x3Int4(layer) if layer.geometry.width == layer.geometry.output_width => InPlace::Top,
                _ => InPlace::No,
            },
            _ => InPlace::No,
        })
    }

    /// As many rows as fill the lanes of a convolution, whose tiles go on from row to row, with whole words of bytes in
    /// a row, so that the next one is aligned.
    /// Of a `transformed` one, a lane makes two pixels. Of a depthwise convolution whose rows are `together` in the scratch,
    /// as many as a call can make at once, as far as that is some pixels.
    fn batch(&self, transformed: bool, together: bool) -> Batch {
        if together {
            return self.depthwise_batch();
        }
        let (output, lanes) = (self.output_shape(), simd::LANES);
        let width = if transformed { output.width().div_ceil(simd::winograd::OUTPUTS) } else { output.pixels() };
        let tiled = matches!(&self.layer.operator, Operator::Convolution { .. } | Operator::PositionwiseDense { .. });
        let whole = (output.row_elements() * self.element().bytes()).is_multiple_of(4);
        let idle = width.next_multiple_of(lanes) - width;
        if !tiled || !whole || idle == 0 || output.rows() == 1 {
            return Batch::ONE;
        }
        let rows = (1..=lanes).find(|rows| (rows * width).is_multiple_of(lanes)).unwrap_or(lanes);
        let macs = self.graph.macs(self.layer);
        Batch { rows: rows.min(output.rows()), saves: macs * idle as u64 / width.max(1) as u64 }
    }

    fn depthwise_batch(&self) -> Batch {
        let output = self.output_shape();
        let rows = DEPTHWISE_PIXELS.div_ceil(output.width().max(1)).min(simd::ROWS).min(output.rows());
        let groups = (output.rows() * output.channels() / simd::QUAD) as u64;
        Batch { rows, saves: DEPTHWISE_ROW * groups * (rows as u64 - 1) / rows.max(1) as u64 }
    }
}

//! Operators that move values, or mix neighbours: which rows they read, and their kernels.

use microception::layers::concatenate::Parts;
use microception::layers::crop::Crop;
use microception::layers::pad::Pad;
use microception::layers::resize_bilinear::Column;
use microception::layers::transpose::Transpose;

use super::kernel::Bilinear;
use super::{Kernel, Lowering};
use crate::error::Error;
use crate::graph::{Axis, Between, Element, Operator};
use crate::plan::flow::Flow;

impl Lowering<'_> {
    /// Which input rows an output row needs.
    pub(super) fn moving_flow(&self) -> Result<Flow, Error> {
        let (input, output) = (self.input_shape()?, self.output_shape());
        Ok(match &self.layer.operator {
            Operator::Pad { before, .. } => Flow::Window { size: 1, stride: 1, dilation: 1, before: before[0] },
            Operator::Crop { before, .. } => {
                Flow::Cropped { before: before.first().copied().filter(|_| before.len() > 1).unwrap_or(0) }
            }
            Operator::Transpose { axes } if axes.first() != Some(&0) => Flow::Every,
            Operator::Concatenate { axis: Axis::Rows } => Flow::Joined { first_rows: input.rows() },
            Operator::Reshape { .. } => {
                Flow::Reshaped { elements: output.row_elements(), input_elements: input.row_elements() }
            }
            &Operator::ResizeBilinear { linear, .. } => {
                Flow::Linear { linear, rows: output.rows(), int8: self.element().is_quantized() }
            }
            Operator::ResizeNearest { nearest, .. } => Flow::Nearest { nearest: *nearest, rows: output.rows() },
            _ => Flow::RowByRow,
        })
    }

    pub(super) fn moving_kernel(&self) -> Result<Kernel, Error> {
        self.check_same_quantization()?;
        let (input, output) = (self.input_shape()?, self.output_shape());
        let element = self.element();
        Ok(match &self.layer.operator {
            Operator::Pad { before, after, value } => {
                let narrow = |elements: usize| self.narrow(elements, "number of elements in a row");
                let [_, above, left, first] = *before;
                let [_, below, right, last] = *after;
                let channels = input.channels();
                let line_elements = input.width() * channels;
                // What of a plane is not made line by line lies around all of its lines.
                let (pixel_elements, left, right) = match self.planes()? {
                    None if input.0.len() > 3 => (input.row_elements(), above * input.width(), below * input.width()),
                    _ => (line_elements, left, right),
                };
                // Without new channels, the whole line is one pixel, which is copied at once.
                let whole = first == 0 && last == 0;
                let pad = Pad {
                    width: if whole { 1 } else { self.narrow(input.width(), "input width")? },
                    channels: narrow(if whole { pixel_elements } else { channels })?,
                    columns: if whole {
                        [0, 0]
                    } else {
                        [self.narrow(left, "padding on the left")?, self.narrow(right, "padding on the right")?]
                    },
                    around: if whole {
                        [narrow(left * channels)?, narrow(right * channels)?]
                    } else {
                        [narrow(first)?, narrow(last)?]
                    },
                    value: *value,
                };
                match element {
                    Element::F32 => Kernel::PadF32(pad),
                    Element::I16 => Kernel::PadInt16(with_value(pad, self.steps(*value)?.clamp(-32768, 32767) as i16)),
                    _ => Kernel::PadInt8(with_value(pad, self.steps(*value)?.clamp(-128, 127) as i8)),
                }
            }
            Operator::Crop { before, .. } => Kernel::Crop(self.crop(before)?),
            Operator::Transpose { axes } => {
                let transpose = self.transpose(axes)?;
                match element {
                    Element::F32 => Kernel::TransposeF32(transpose),
                    Element::I16 => Kernel::TransposeInt16(transpose),
                    _ => Kernel::TransposeInt8(transpose),
                }
            }
            Operator::Concatenate { axis: Axis::Rows } => Kernel::ConcatenateRows,
            Operator::Concatenate { axis } => {
                let second = &self.graph.tensor(self.input(1)?).shape;
                let bytes = [input, second].map(|shape| {
                    let place = axis.place(shape).unwrap_or(0);
                    let elements: usize = shape.0[place..].iter().product();
                    self.narrow(elements * element.bytes(), "number of bytes in a row")
                });
                let [first, second] = bytes;
                Kernel::ConcatenateWithinRows(Parts { bytes: [first?, second?] })
            }
            &Operator::ResizeNearest { size: [_, lines, width], nearest } => {
                // Of a volume, the lines of a plane are one.
                let source = |line: usize, column: usize| {
                    let line = nearest.source(line, lines, input.lines());
                    line * input.width() + nearest.source(column, width, input.width())
                };
                let columns = (0..lines).flat_map(|line| (0..width).map(move |column| (line, column)));
                Kernel::ResizeNearest {
                    pixel_bytes: self.narrow(output.channels() * element.bytes(), "number of bytes in a pixel")?,
                    columns: columns
                        .map(|(line, column)| self.narrow(source(line, column), "input width"))
                        .collect::<Result<_, _>>()?,
                }
            }
            Operator::ResizeBilinear { linear, .. } => match element {
                Element::F32 => Kernel::ResizeBilinearF32(
                    self.bilinear(|place, outputs, inputs| linear.between(place, outputs, inputs))?,
                ),
                element => {
                    let layer = self.bilinear(|place, outputs, inputs| linear.between_int8(place, outputs, inputs))?;
                    match element {
                        Element::I16 => Kernel::ResizeBilinearInt16(layer),
                        _ => Kernel::ResizeBilinearInt8(layer),
                    }
                }
            },
            _ => Kernel::Reshape,
        })
    }

    /// Where rows and columns lie, by what `between` says of a place among `outputs` for `inputs`.
    fn bilinear<Weight>(
        &self,
        between: impl Fn(usize, usize, usize) -> Between<Weight>,
    ) -> Result<Bilinear<Weight>, Error> {
        let (input, output) = (self.input_shape()?, self.output_shape());
        let column = |column: usize| {
            let Between { places: [first, second], weight } = between(column, output.width(), input.width());
            let narrow = |place: usize| self.narrow(place, "input width");
            Ok(Column { places: [narrow(first)?, narrow(second)?], weight })
        };
        Ok(Bilinear {
            channels: self.narrow(output.channels(), "number of channels")?,
            rows: (0..output.rows()).map(|row| between(row, output.rows(), input.rows()).weight).collect(),
            columns: (0..output.width()).map(column).collect::<Result<_, _>>()?,
        })
    }

    fn crop(&self, before: &[usize]) -> Result<Crop, Error> {
        let (input, output, bytes) = (self.input_shape()?, self.output_shape(), self.element().bytes());
        let narrow = |elements: usize| self.narrow(elements * bytes, "number of bytes in a row");
        let left = if before.len() > 2 { before[before.len() - 2] } else { 0 };
        if before.len() > 3 {
            let channels = input.channels() == output.channels();
            let places = [input.lines(), input.width()] == [output.lines(), output.width()];
            return match (channels, places) {
                // A line is a pixel, which is copied at once as far as it is kept.
                (true, _) => Ok(Crop {
                    pixel_bytes: narrow(input.width() * input.channels())?,
                    columns: self.narrow(before[1], "number of lines above")?,
                    before: narrow(left * input.channels())?,
                    bytes: narrow(output.width() * output.channels())?,
                }),
                (false, true) => Ok(Crop {
                    pixel_bytes: narrow(input.channels())?,
                    columns: 0,
                    before: narrow(before[3])?,
                    bytes: narrow(output.channels())?,
                }),
                (false, false) => Err(self.error(format!("can't cut places and channels of {input} at once"))),
            };
        }
        // With all channels, the whole row is one pixel, which is copied at once.
        if input.channels() == output.channels() {
            let before = narrow(left * input.channels())?;
            let bytes = narrow(output.row_elements())?;
            return Ok(Crop { pixel_bytes: narrow(input.row_elements())?, columns: 0, before, bytes });
        }
        Ok(Crop {
            pixel_bytes: narrow(input.channels())?,
            columns: self.narrow(left, "number of columns on the left")?,
            before: narrow(before.last().copied().unwrap_or(0))?,
            bytes: narrow(output.channels())?,
        })
    }

    fn transpose(&self, axes: &[usize]) -> Result<Transpose, Error> {
        let (input, output) = (self.input_shape()?, self.output_shape());
        let strides = |axis: usize| match axis {
            0 => 0,
            axis => input.0[axis + 1..].iter().product(),
        };
        let of_axes: Vec<usize> = axes.iter().map(|&axis| strides(axis)).collect();
        // Which of an output's axes there are: only a volume has lines, a series no columns.
        let (places, [rows, lines, columns, channels]) = match of_axes[..] {
            [rows, channels] => ([0, 3, 3, 3], [rows, 0, 0, channels]),
            [rows, columns, channels] => ([0, 2, 3, 3], [rows, 0, columns, channels]),
            [rows, lines, columns, channels] => ([0, 1, 2, 3], [rows, lines, columns, channels]),
            _ => return Err(self.error(format!("can't make {output} of {input}"))),
        };
        let row = axes.iter().position(|&axis| axis == 0).unwrap_or(0);
        let stride = |stride: usize| self.narrow(stride, "number of elements in a row");
        Ok(Transpose {
            lines: self.narrow(output.lines(), "number of lines")?,
            width: self.narrow(output.width(), "output width")?,
            channels: self.narrow(output.channels(), "number of channels")?,
            row_axis: places[row],
            strides: [stride(rows)?, stride(lines)?, stride(columns)?, stride(channels)?],
        })
    }

    /// The stored value of a real one, before it is cut to its type.
    fn steps(&self, real: f32) -> Result<i32, Error> {
        let to = self.quantization(self.layer.output)?;
        let steps = (f64::from(real) / f64::from(to.scale)).round() as i32;
        Ok(steps.saturating_add(to.zero_point))
    }

    /// Errors unless inputs and output have one scale and zero point: stored values are only copied.
    fn check_same_quantization(&self) -> Result<(), Error> {
        let output = self.graph.tensor(self.layer.output);
        for &input in &self.layer.inputs {
            let input = self.graph.tensor(input);
            if (input.element, input.quantization) != (output.element, output.quantization) {
                let reason = format!("copies \"{}\", which has another scale or zero point", input.name);
                return Err(self.error(reason));
            }
        }
        Ok(())
    }
}

/// The same places, of another value.
fn with_value<T>(pad: Pad<f32>, value: T) -> Pad<T> {
    let Pad { width, channels, columns, around, .. } = pad;
    Pad { width, channels, columns, around, value }
}

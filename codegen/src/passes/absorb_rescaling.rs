//! Takes a Rescaling right after the input into the input: the caller then hands over `u8`
//! pixels as a camera gives them.
//!
//! The input's real values are the rescaled ones, so this is exact also before a padded layer.
//! In int8 a scale of 1/255 then costs one XOR for a pixel.
//!
//! Whether the model was made for pixels is not written anywhere. It is taken to be so when the
//! input is an image, and one scale and one shift for all channels take 0..255 to a span that
//! networks are trained on. Of a single channel any batch norm would look uniform: there the
//! shift must also be a multiple of half a step of brightness, as in every Rescaling.

use super::rewire::{fold_layer, is_float, only_readers};
use crate::error::Error;
use crate::graph::{Element, Graph, Operator};

/// Spans of real values that 256 steps of brightness may have: 1 and 2 are usual, 4.4 is unit
/// variance. Beyond, as with 1/32768 for sound, the input is not a picture.
const SPANS: std::ops::RangeInclusive<f64> = 0.25..=16.0;

/// Absorbs the layer after each input, as long as one can be.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    for input in 0..graph.layers.len() {
        while let Some((index, operator)) = absorbed(graph, input) {
            graph.layers[input].operator = operator;
            fold_layer(graph, index, &[input]);
        }
    }
    Ok(())
}

/// The layer that can go into the input at `input`, and what the input then is.
fn absorbed(graph: &Graph, input: usize) -> Option<(usize, Operator)> {
    let layer = graph.layers.get(input)?;
    let &Operator::Input { element, scale: input_scale, offset: input_offset } = &layer.operator else { return None };
    let shape = &graph.tensor(layer.output).shape;
    let readers = only_readers(graph, layer.output)?;
    let &[index] = readers.as_slice() else { return None };
    let Operator::ScaleShift { scale, shift } = &graph.layers[index].operator else { return None };
    let (scale, shift) = (uniform(scale)?, uniform(shift)?);
    let (input_scale, input_offset) = (f64::from(input_scale), f64::from(input_offset));
    let (scale, offset) = (input_scale * scale, input_offset * scale + shift);
    let absorb = match element {
        Element::U8 => true,
        Element::F32 if is_float(graph, layer.output) && input_scale == 1.0 && input_offset == 0.0 => {
            let whole = 2.0 * offset / scale;
            shape.0.len() >= 3
                && SPANS.contains(&(255.0 * scale.abs()))
                && (shape.channels() > 1 || (whole - whole.round()).abs() < 1e-3)
        }
        _ => false,
    };
    // A scale of zero would make a model that does not look at its input.
    let operator = Operator::Input { element: Element::U8, scale: scale as f32, offset: offset as f32 };
    (absorb && scale != 0.0).then_some((index, operator))
}

/// The value that all channels have.
fn uniform(values: &[f32]) -> Option<f64> {
    let &first = values.first()?;
    values.iter().all(|&value| value == first).then_some(f64::from(first))
}

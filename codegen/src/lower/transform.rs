//! Convolutions by Winograd's algorithm: which layers can, and their weights.

use microception::layers::conv::winograd;
use microception::simd::winograd::{POSITIONS, transform_taps};
use microception::simd::{FILTERS, PAIRS, Pair, QUAD};

use super::{Kernel, Lowering};
use crate::error::Error;
use crate::graph::{Graph, Operator, Weights};

/// The indices of the layers that can run by Winograd's algorithm: convolutions in int8 with three taps, stride and
/// dilation 1 along a row, and [bounded](microception::quantized::Factor::is_bounded) factors.
///
/// # Errors
/// As [`kernels`](super::kernels).
pub fn transformable(graph: &Graph) -> Result<Vec<usize>, Error> {
    let mut layers = Vec::new();
    for (index, layer) in graph.layers.iter().enumerate() {
        let Operator::Convolution { weights: Weights::I8 { .. }, window, .. } = &layer.operator else { continue };
        let lowering = Lowering { graph, layer, transformed: true };
        if winograd::is_possible(&lowering.geometry(window)?)
            && matches!(lowering.kernel()?, Kernel::WinogradConvInt8(_))
        {
            layers.push(index);
        }
    }
    Ok(layers)
}

/// Filters of `length` elements each, a line of the window having `run` of them, as [`microception::simd::winograd`] has them.
pub(super) fn transformed(weights: &[i8], length: usize, run: usize) -> Vec<Pair> {
    let channels = run / 3;
    let filters: Vec<&[i8]> = weights.chunks(length.max(1)).collect();
    let mut transformed = Vec::new();
    for pair in filters.chunks(FILTERS) {
        for position in 0..POSITIONS {
            for line in (0..length).step_by(run.max(1)) {
                for quad in (0..channels).step_by(QUAD) {
                    for elements in PAIRS {
                        let of = |filter: usize, channel: usize| {
                            let filter = pair.get(filter).filter(|_| channel < channels)?;
                            let tap = |tap: usize| filter.get(line + tap * channels + channel).copied();
                            Some(transform_taps([tap(0)?, tap(1)?, tap(2)?])[position])
                        };
                        transformed.extend(
                            (0..FILTERS)
                                .map(|filter| Pair(elements.map(|element| of(filter, quad + element).unwrap_or(0)))),
                        );
                    }
                }
            }
        }
    }
    transformed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transformed_filters_come_by_position_line_and_pair() {
        // three filters of one line of three taps of one channel: in a quad there is nothing else
        let weights = transformed(&[1, 2, 3, 10, 20, 40, -128, 127, -128], 3, 3);
        let positions = [[6, 70], [2, 30], [6, 80], [2, 20], [-129, 0], [-383, 0], [-256, 0], [-256, 0]];
        let expected = positions.map(|[first, second]| [first, second, 0, 0].map(|low| Pair([low, 0])));
        assert_eq!(weights, expected.as_flattened());
    }
}

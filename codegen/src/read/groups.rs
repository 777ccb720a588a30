//! A convolution in groups: each one's channels, a convolution of them with its own share of the weights, and what all
//! make together. Each part is a convolution of its own size, with the kernels and the fused layers that such have.

use crate::error::Error;
use crate::graph::{Bias, Operator, Shape, TensorId, Weights};

/// The layer that takes a group's channels out of all; `shape` is that of what it takes.
pub(super) fn own_channels(group: usize, shape: Shape) -> Operator {
    let mut before = vec![0; shape.0.len()];
    before.iter_mut().rev().take(1).for_each(|first| *first = group * shape.channels());
    Operator::Crop { before, shape }
}

/// Weights and bias of one of so many groups of outputs.
pub(super) fn part(weights: &Weights, bias: Option<&Bias>, group: usize, groups: usize) -> (Weights, Option<Bias>) {
    let length = weights.len() / groups;
    let mut weights = weights.at(group * length..(group + 1) * length);
    if let Weights::I8 { scales, .. } | Weights::I4 { scales, .. } = &mut weights
        // One for all outputs, or one each.
        && scales.len() != 1
    {
        *scales = share(scales, group, groups);
    }
    let bias = bias.map(|bias| match bias {
        Bias::F32(values) => Bias::F32(share(values, group, groups)),
        Bias::I32(values) => Bias::I32(share(values, group, groups)),
        Bias::I64(values) => Bias::I64(share(values, group, groups)),
    });
    (weights, bias)
}

/// One of so many equal parts.
fn share<T: Clone>(values: &[T], group: usize, groups: usize) -> Vec<T> {
    let length = values.len() / groups;
    values[group * length..][..length].to_vec()
}

/// What the groups made, side by side in one tensor named `name`. `concatenate` appends a layer of the name that it is
/// given, which puts the channels of two tensors side by side.
///
/// Halves of halves: no value is copied more often than the groups can be halved.
///
/// # Panics
/// When there are no `parts`.
pub(super) fn joined(
    mut parts: Vec<TensorId>,
    name: &str,
    mut concatenate: impl FnMut(String, [TensorId; 2]) -> Result<TensorId, Error>,
) -> Result<TensorId, Error> {
    let mut round = 0;
    while parts.len() > 1 {
        round += 1;
        let mut joined = Vec::with_capacity(parts.len().div_ceil(2));
        for (index, pair) in parts.chunks(2).enumerate() {
            let &[first, second] = pair else {
                joined.extend_from_slice(pair);
                continue;
            };
            let name = match parts.len() {
                2 => name.to_owned(),
                _ => format!("{name}/joined{round}_{}", index + 1),
            };
            joined.push(concatenate(name, [first, second])?);
        }
        parts = joined;
    }
    Ok(parts[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_joined_in_their_order_by_halves_of_halves() {
        let mut made = Vec::new();
        let all = joined((0..5).map(TensorId).collect(), "all", |name, [first, second]| {
            made.push((name, first.0, second.0));
            Ok(TensorId(4 + made.len()))
        });
        let layers: Vec<_> = made.iter().map(|(name, first, second)| (name.as_str(), *first, *second)).collect();
        assert_eq!(layers, [("all/joined1_1", 0, 1), ("all/joined1_2", 2, 3), ("all/joined2_1", 5, 6), ("all", 7, 4)]);
        assert_eq!(all.unwrap(), TensorId(8));
    }

    #[test]
    fn a_group_has_its_share_of_weights_scales_and_biases() {
        let weights = Weights::I8 { values: (1..=6).collect(), scales: vec![0.5, 0.25, 2.0] };
        let (weights, bias) = part(&weights, Some(&Bias::I32(vec![7, 8, 9])), 1, 3);
        assert_eq!(weights, Weights::I8 { values: vec![3, 4], scales: vec![0.25] });
        assert_eq!(bias, Some(Bias::I32(vec![8])));
        let one_scale = Weights::I4 { values: vec![1, 2], scales: vec![0.5] };
        assert_eq!(part(&one_scale, None, 1, 2), (Weights::I4 { values: vec![2], scales: vec![0.5] }, None));
    }
}

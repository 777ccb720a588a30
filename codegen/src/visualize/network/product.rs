//! A matrix of weights times every row: dense layers, and convolutions of gathered windows.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType};
use rayon::prelude::*;

/// Multiplications of a part of the rows: so many the library leaves to one thread, more it splits among several itself.
const PART: usize = 48 * 48 * 256;

/// Parts of fewer rows would read the weights too often.
const FEWEST_ROWS: usize = 16;

/// Each row of a `[rows, inputs]` tensor times `[output][input]` weights.
///
/// Not a product of two tensors, of which both would have a gradient: the weights need none.
#[derive(Debug, Clone)]
pub(in crate::visualize) struct Product<T> {
    weights: Arc<CpuStorage>,
    /// Outputs, inputs.
    extents: [usize; 2],
    /// Whether rows of `outputs` numbers are taken instead, and rows of `inputs` made: the way of gradients.
    back: bool,
    /// Per output, or none.
    bias: Vec<T>,
}

impl<T: WithDType> Product<T> {
    /// `weights` are `[output][input]`, `inputs` not zero; `bias` is one number per output, or none at all.
    pub(in crate::visualize) fn new(weights: Vec<T>, inputs: usize, bias: Vec<T>) -> Product<T> {
        let extents = [weights.len() / inputs, inputs];
        Product { weights: Arc::new(T::to_cpu_storage_owned(weights)), extents, back: false, bias }
    }
}

impl<T: WithDType> CustomOp1 for Product<T> {
    fn name(&self) -> &'static str {
        "product"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let [outputs, inputs] = self.extents;
        let weights = Layout::contiguous((outputs, inputs));
        let (weights, [outputs, inputs]) =
            if self.back { (weights, [inputs, outputs]) } else { (weights.transpose(0, 1)?, [outputs, inputs]) };
        let rows = super::sums::items(layout.shape().elem_count(), inputs)?;
        let Some((begin, _)) = layout.contiguous_offsets() else {
            candle_core::bail!("a tensor that does not lie in one piece")
        };
        // The whole at once where a few rows are much work already.
        let part = Some(PART / (outputs * inputs)).filter(|&part| part >= FEWEST_ROWS).unwrap_or(rows);
        let mut product = vec![T::zero(); rows * outputs];
        product.par_chunks_mut(part * outputs).enumerate().try_for_each(|(index, product)| {
            let rows = product.len() / outputs;
            let layout = Layout::contiguous_with_offset((rows, inputs), begin + index * part * inputs);
            let made = storage.matmul(&self.weights, (1, rows, outputs, inputs), &layout, &weights)?;
            product.copy_from_slice(T::cpu_storage_as_slice(&made)?);
            if !self.bias.is_empty() {
                for row in product.chunks_mut(outputs) {
                    row.iter_mut().zip(&self.bias).for_each(|(number, &bias)| *number += bias);
                }
            }
            Ok::<(), candle_core::Error>(())
        })?;
        Ok((T::to_cpu_storage_owned(product), Shape::from((rows, outputs))))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let back = Product { back: !self.back, bias: Vec::<T>::new(), ..self.clone() };
        grad.contiguous()?.apply_op1_no_bwd(&back).map(Some)
    }
}

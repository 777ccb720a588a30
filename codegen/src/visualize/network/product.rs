//! A matrix of weights times every row: dense layers, and convolutions of gathered windows.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType};
use rayon::prelude::*;

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
        let mut product = storage.matmul(&self.weights, (1, rows, outputs, inputs), layout, &weights)?;
        if !self.bias.is_empty() {
            let mut numbers = T::cpu_storage_data(product)?;
            numbers.par_chunks_mut(outputs).with_min_len(64).for_each(|row| {
                row.iter_mut().zip(&self.bias).for_each(|(number, &bias)| *number += bias);
            });
            product = T::to_cpu_storage_owned(numbers);
        }
        Ok((product, Shape::from((rows, outputs))))
    }

    fn bwd(&self, _arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let back = Product { back: !self.back, bias: Vec::<T>::new(), ..self.clone() };
        grad.contiguous()?.apply_op1_no_bwd(&back).map(Some)
    }
}

//! The largest value of each channel among some places.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, WithDType};
use rayon::prelude::*;

use super::sums::{Table, contiguous, items};

/// Over tensors of `[batch * places, channels]`; the weights of the table do not count. The gradient goes to the first
/// of several places with the largest value.
#[derive(Debug, Clone)]
pub(super) struct Largest {
    table: Arc<Table>,
    channels: usize,
}

impl Largest {
    pub(super) fn new(table: Table, channels: usize) -> Largest {
        Largest { table: Arc::new(table), channels }
    }

    /// Where in `item` the largest value is that an output's channel sees.
    fn first<T: WithDType>(&self, item: &[T], output: usize, channel: usize) -> Option<usize> {
        let places = self.table.entries(output).iter().map(|&(place, _)| place as usize * self.channels + channel);
        places.reduce(|first, other| if item[other] > item[first] { other } else { first })
    }

    fn largest<T: WithDType>(&self, input: &[T]) -> Result<(CpuStorage, Shape)> {
        let (channels, outputs, item) = (self.channels, self.table.outputs(), self.table.inputs() * self.channels);
        let batch = items(input.len(), item)?;
        let mut output = vec![T::zero(); batch * outputs * channels];
        output.par_chunks_mut(channels).with_min_len(64).enumerate().for_each(|(row, found)| {
            let values = &input[row / outputs * item..][..item];
            for (channel, found) in found.iter_mut().enumerate() {
                let first = self.first(values, row % outputs, channel);
                *found = first.map_or(T::from_f64(f64::NEG_INFINITY), |first| values[first]);
            }
        });
        Ok((T::to_cpu_storage_owned(output), Shape::from((batch * outputs, channels))))
    }

    fn gradient<T: WithDType>(&self, input: &[T], grad: &[T]) -> Result<CpuStorage> {
        let (channels, outputs, item) = (self.channels, self.table.outputs(), self.table.inputs() * self.channels);
        items(input.len(), item)?;
        let mut output = vec![T::zero(); input.len()];
        output.par_chunks_mut(item).enumerate().for_each(|(index, sums)| {
            let values = &input[index * item..][..item];
            let grads = &grad[index * outputs * channels..][..outputs * channels];
            for (number, &grad) in grads.iter().enumerate() {
                if let Some(first) = self.first(values, number / channels, number % channels) {
                    sums[first] += grad;
                }
            }
        });
        Ok(T::to_cpu_storage_owned(output))
    }
}

impl CustomOp1 for Largest {
    fn name(&self) -> &'static str {
        "largest"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        match storage {
            CpuStorage::F64(_) => self.largest(contiguous::<f64>(storage, layout)?),
            _ => self.largest(contiguous::<f32>(storage, layout)?),
        }
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        arg.apply_op2_no_bwd(&grad.contiguous()?, &Back(self.clone())).map(Some)
    }
}

/// The gradient, of the input and the output's gradient.
struct Back(Largest);

impl CustomOp2 for Back {
    fn name(&self) -> &'static str {
        "largest_back"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        grad: &CpuStorage,
        grad_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let gradient = match input {
            CpuStorage::F64(_) => {
                self.0.gradient::<f64>(contiguous(input, input_layout)?, contiguous(grad, grad_layout)?)
            }
            _ => self.0.gradient::<f32>(contiguous(input, input_layout)?, contiguous(grad, grad_layout)?),
        };
        Ok((gradient?, input_layout.shape().clone()))
    }
}

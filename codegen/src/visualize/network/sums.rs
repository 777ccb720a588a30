//! Weighted sums of places: depthwise layers, means, resizing, and everything that only moves values.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, WithDType};
use rayon::prelude::*;

/// Rows that one thread takes at least: fewer cost more to hand over than to compute.
const ROWS_AT_ONCE: usize = 64;

/// For each output place the places that it is made of, and which of some weights each has.
#[derive(Debug, Clone)]
pub(in crate::visualize) struct Table {
    /// Input places.
    inputs: usize,
    /// For each output the end of its entries; those of the next begin there.
    ends: Vec<usize>,
    /// Input place and weight.
    entries: Vec<(u32, u32)>,
}

impl Table {
    /// Of `inputs` input places and, for each output, its places and the index of their weights.
    pub(in crate::visualize) fn new<Entries: IntoIterator<Item = (usize, usize)>>(
        inputs: usize,
        outputs: impl IntoIterator<Item = Entries>,
    ) -> Table {
        let mut table = Table { inputs, ends: Vec::new(), entries: Vec::new() };
        for entries in outputs {
            // No tensor has more elements than 32 bits count: the passes say so.
            table.entries.extend(entries.into_iter().map(|(place, weight)| (place as u32, weight as u32)));
            table.ends.push(table.entries.len());
        }
        table
    }

    /// Each output a copy of one place, or nothing.
    pub(in crate::visualize) fn copies(inputs: usize, sources: impl IntoIterator<Item = Option<usize>>) -> Table {
        Table::new(inputs, sources.into_iter().map(|source| source.map(|place| (place, 0))))
    }

    /// Input places.
    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output places.
    pub(super) fn outputs(&self) -> usize {
        self.ends.len()
    }

    /// Whether it leaves every place where it is.
    pub(super) fn is_identity(&self) -> bool {
        self.inputs == self.outputs()
            && self.entries.len() == self.inputs
            && (0..self.inputs).all(|place| self.ends[place] == place + 1 && self.entries[place].0 as usize == place)
    }

    /// Of an output, its places and the index of their weights.
    pub(super) fn entries(&self, output: usize) -> &[(u32, u32)] {
        let begin = output.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.entries[begin..self.ends[output]]
    }

    /// The same entries seen from the inputs.
    fn turned(&self) -> Table {
        let mut ends = vec![0; self.inputs + 1];
        self.entries.iter().for_each(|&(place, _)| ends[place as usize + 1] += 1);
        for place in 0..self.inputs {
            ends[place + 1] += ends[place];
        }
        let mut next = ends.clone();
        let mut entries = vec![(0, 0); self.entries.len()];
        for output in 0..self.outputs() {
            for &(place, weight) in self.entries(output) {
                entries[next[place as usize]] = (output as u32, weight);
                next[place as usize] += 1;
            }
        }
        ends.remove(0);
        Table { inputs: self.outputs(), ends, entries }
    }
}

/// What the places of a [`Table`] are multiplied with.
#[derive(Debug, Clone)]
pub(in crate::visualize) enum Factors<T> {
    /// Nothing.
    One,
    /// All channels with the same number, per weight of the table.
    Shared(Arc<[T]>),
    /// Each channel with its own: `[weight][channel]`.
    PerChannel(Arc<[T]>),
}

/// The sums of a [`Table`] over tensors of `[batch * places, channels]`.
#[derive(Debug, Clone)]
pub(in crate::visualize) struct Sums<T> {
    table: Arc<Table>,
    turned: Arc<Table>,
    channels: usize,
    factors: Factors<T>,
    /// Added to the sums, `[place][channel]`; of fewer places than there are, again and again.
    bias: Arc<[T]>,
}

impl<T> Sums<T> {
    pub(in crate::visualize) fn new(table: Table, channels: usize, factors: Factors<T>) -> Sums<T> {
        let turned = Arc::new(table.turned());
        Sums { table: Arc::new(table), turned, channels, factors, bias: Arc::from([]) }
    }

    pub(super) fn with_bias(self, bias: Vec<T>) -> Sums<T> {
        Sums { bias: Arc::from(bias), ..self }
    }
}

impl<T: WithDType> CustomOp1 for Sums<T> {
    fn name(&self) -> &'static str {
        "sums"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let input = contiguous::<T>(storage, layout)?;
        let (channels, outputs) = (self.channels, self.table.outputs());
        let batch = items(input.len(), self.table.inputs() * channels)?;
        let mut output = vec![T::zero(); batch * outputs * channels];
        let biases = self.bias.len() / channels;
        output.par_chunks_mut(channels).with_min_len(ROWS_AT_ONCE).enumerate().for_each(|(row, sums)| {
            let (item, place) = (row / outputs, row % outputs);
            if biases > 0 {
                sums.copy_from_slice(&self.bias[place % biases * channels..][..channels]);
            }
            let item = &input[item * self.table.inputs() * channels..];
            for &(place, weight) in self.table.entries(place) {
                let values = &item[place as usize * channels..][..channels];
                match &self.factors {
                    Factors::One => sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value),
                    Factors::Shared(factors) => {
                        let factor = factors[weight as usize];
                        sums.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value * factor);
                    }
                    Factors::PerChannel(factors) => {
                        let factors = &factors[weight as usize * channels..][..channels];
                        let terms = values.iter().zip(factors);
                        sums.iter_mut().zip(terms).for_each(|(sum, (&value, &factor))| *sum += value * factor);
                    }
                }
            }
        });
        Ok((T::to_cpu_storage_owned(output), Shape::from((batch * outputs, channels))))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let Sums { table, turned, channels, factors, .. } = self.clone();
        let back = Sums { table: turned, turned: table, channels, factors, bias: Arc::from([]) };
        grad.contiguous()?.apply_op1_no_bwd(&back)?.reshape(arg.shape()).map(Some)
    }
}

/// The numbers of a tensor that lies in one piece.
pub(super) fn contiguous<'a, T: WithDType>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((begin, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("a tensor that does not lie in one piece")
    };
    Ok(&T::cpu_storage_as_slice(storage)?[begin..end])
}

/// How often there are `elements` among the numbers of a tensor.
pub(super) fn items(numbers: usize, elements: usize) -> Result<usize> {
    if elements == 0 || !numbers.is_multiple_of(elements) {
        candle_core::bail!("{numbers} numbers, where a multiple of {elements} is needed")
    }
    Ok(numbers / elements)
}

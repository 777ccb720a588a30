//! Shapes that the model itself computes, where its batch is free: here the batch is 1.
//!
//! The converter then writes SHAPE, STRIDED_SLICE, PACK and their like before a RESHAPE, and may leave what comes out
//! open in the file. They are computed while the model is read.

use super::axes::product;
use super::format::BuiltinOperator;
use super::{Builder, Call};
use crate::error::Error;

/// Numbers that a computed shape has at most.
const MOST_NUMBERS: usize = 8;

impl<'a> Builder<'a> {
    /// The extents of the tensor at `index`, the batch included: as computed, or as the file says.
    pub(super) fn extents(&self, index: i32) -> Result<Vec<usize>, Error> {
        match self.computed_extents.get(&index) {
            Some(extents) => Ok(extents.clone()),
            None => self.tensors.extents(index),
        }
    }

    /// Takes over extents where the file leaves them open.
    pub(super) fn set_extents(&mut self, index: i32, extents: Vec<usize>) -> Result<(), Error> {
        if self.tensors.is_open(index)? && self.tensors.extents(index)? != extents {
            let extents = self.tensors.possible(index, extents)?;
            self.computed_extents.insert(index, extents);
        }
        Ok(())
    }

    /// What keeps the extents of an input whose extents were computed has these too.
    pub(super) fn carry_extents(&mut self, call: &Call<'a>) -> Result<(), Error> {
        let computed = call.inputs().find(|input| self.computed_extents.contains_key(input));
        if let Some(input) = computed
            && self.tensors.extents(input)? == self.tensors.extents(call.output)?
        {
            self.set_extents(call.output, self.extents(input)?)?;
        }
        Ok(())
    }

    /// The numbers of a shape: constant, or computed so far.
    fn numbers(&self, index: i32) -> Option<Vec<i64>> {
        if let Some(numbers) = self.computed.get(&index) {
            return Some(numbers.clone());
        }
        let numbers = self.tensors.constant(index).ok().filter(|_| self.tensors.is_constant(index))?.integers()?;
        (numbers.len() <= MOST_NUMBERS).then_some(numbers)
    }

    /// Computes what an operator makes of shapes. What is not understood stays unknown: who reads it finds it lacking.
    pub(super) fn compute(&mut self, call: &Call<'a>) -> Result<(), Error> {
        let of = |place: usize| call.input(place).and_then(|index| self.numbers(index));
        let numbers: Option<Vec<i64>> = match call.kind {
            BuiltinOperator::SHAPE => match call.input(0) {
                Some(index) => Some(self.extents(index)?.into_iter().map(|extent| extent as i64).collect()),
                None => None,
            },
            BuiltinOperator::GATHER => of(0).zip(of(1)).and_then(|(numbers, places)| {
                places.into_iter().map(|place| numbers.get(usize::try_from(place).ok()?).copied()).collect()
            }),
            BuiltinOperator::REDUCE_PROD => of(0)
                .and_then(|numbers| numbers.into_iter().try_fold(1i64, i64::checked_mul))
                .map(|product| vec![product]),
            BuiltinOperator::PACK | BuiltinOperator::CONCATENATION => {
                let parts: Option<Vec<Vec<i64>>> =
                    call.inputs().take(MOST_NUMBERS).map(|index| self.numbers(index)).collect();
                parts.map(|parts| parts.concat())
            }
            BuiltinOperator::STRIDED_SLICE => {
                let options = call.operator.builtin_options_as_strided_slice_options();
                options.and_then(|options| {
                    let (numbers, begin, end, stride) = (of(0)?, of(1)?, of(2)?, of(3)?);
                    let count = numbers.len() as i64;
                    let place = |at: &[i64], masked: bool, otherwise: i64| match *at {
                        _ if masked => Some(otherwise),
                        [at] => Some(if at < 0 { at + count } else { at }.clamp(0, count)),
                        _ => None,
                    };
                    let from = place(&begin, options.begin_mask() & 1 != 0, 0)?;
                    let to = match options.shrink_axis_mask() & 1 {
                        0 => place(&end, options.end_mask() & 1 != 0, count)?,
                        _ => from + 1,
                    };
                    let range = usize::try_from(from).ok()?..usize::try_from(to).ok()?;
                    (stride == [1]).then(|| numbers.get(range).map(<[i64]>::to_vec))?
                })
            }
            BuiltinOperator::RESHAPE | BuiltinOperator::SQUEEZE | BuiltinOperator::EXPAND_DIMS => of(0),
            _ => None,
        };
        if let Some(numbers) = numbers.filter(|numbers| numbers.len() <= MOST_NUMBERS) {
            self.computed.insert(call.output, numbers);
        }
        Ok(())
    }

    /// Takes over the shape that a RESHAPE is given, where the file leaves it open.
    pub(super) fn reshape_to(&mut self, call: &Call<'a>, elements: usize) -> Result<(), Error> {
        let Some(numbers) = call.input(1).and_then(|index| self.numbers(index)) else { return Ok(()) };
        if call.kind != BuiltinOperator::RESHAPE || !self.tensors.is_open(call.output)? {
            return Ok(());
        }
        let known: Vec<usize> = numbers.iter().filter_map(|&number| usize::try_from(number).ok()).collect();
        // At most one is left to be found.
        let rest = product(&known).filter(|&known| known != 0).map_or(0, |known| elements / known);
        if known.len() + 1 < numbers.len() {
            return Ok(());
        }
        let extents = numbers.iter().map(|&number| usize::try_from(number).unwrap_or(rest)).collect();
        self.set_extents(call.output, extents)
    }
}

//! Two operands, element by element: rows of two tensors, or of one and numbers of the model. What is
//! computed of two elements is a [`Pair`], in a file of its own for each operator; what belongs together
//! is said here once.
//!
//! Operands of one shape go through [`same`]. Where an operand is one row, one column or one channel
//! against many, as the scales of a squeeze-and-excite block are, it is repeated: [`broadcast`].

use bytemuck::Pod;

use crate::window::{Call, Window};

/// What an operator makes of two elements.
pub trait Pair<T>: Copy {
    /// The result for one element of each operand.
    fn of(self, first: T, second: T) -> T;
}

/// Operands of which one or both are repeated to the output's shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Broadcast<'a, T> {
    /// Pixels of an output row.
    pub width: u16,
    /// Channels of an output pixel.
    pub channels: u16,
    /// Of each operand, how many elements lie from one column to the next and from one channel to the
    /// next: 0 where it is repeated.
    pub strides: [[u16; 2]; 2],
    /// The operand that the model holds; without it both are inputs.
    pub constant: Option<Constant<'a, T>>,
}

/// An operand that the model holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constant<'a, T> {
    /// `[row][column][channel]`, as far as it has them.
    pub numbers: &'a [T],
    /// Elements from one row to the next: 0 where one row serves all.
    pub row: u32,
    /// Whether it is the first operand, as the 2 of `2 - x`.
    pub first: bool,
}

/// Makes rows `[column][channel]` of two inputs of one shape. Scratch: none.
///
/// ```
/// use microception::layers::{add, pairwise};
/// use microception::window::Call;
/// let mut output = [0.0f32; 2];
/// let call = Call::on_lines(bytemuck::cast_slice(&[1.0f32, -2.0]), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1)
///     .and_lines(bytemuck::cast_slice(&[3.0f32, -4.0]), 1);
/// pairwise::same(&add::F32 { clamp: [0.0, f32::MAX] }, call);
/// assert_eq!(output, [4.0, 0.0]);
/// ```
pub fn same<T: Pod>(pair: &impl Pair<T>, call: Call<'_>) {
    // A copy can't lie where the output does: it stays in registers.
    let pair = *pair;
    let (first, second, mut output) = call.binary::<T, T>();
    for (first, second) in first.iter().zip(second.iter()) {
        let (row, rest) = output.split_at_mut_checked(first.len()).unwrap_or_default();
        output = rest;
        for ((output, &first), &second) in row.iter_mut().zip(first).zip(second) {
            *output = pair.of(first, second);
        }
    }
}

/// As [`same`], over the rows of the first `input`, 0, or the second.
///
/// ```
/// use microception::layers::{pairwise, subtract};
/// use microception::window::Call;
/// let mut values = [1.0f32, -2.0];
/// let call = Call::on_lines(&[], 0, 0, bytemuck::cast_slice_mut(&mut values), &mut [], 1)
///     .and_lines(bytemuck::cast_slice(&[3.0f32, -4.0]), 1);
/// pairwise::same_in_place(&subtract::F32 { clamp: [f32::MIN, f32::MAX] }, 0, call);
/// assert_eq!(values, [-2.0, 2.0]);
/// ```
pub fn same_in_place<T: Pod>(pair: &impl Pair<T>, input: usize, call: Call<'_>) {
    let pair = *pair;
    let (first, second, mut values) = call.binary::<T, T>();
    let is_first = input == 0;
    let others = if is_first { second } else { first };
    for others in others.iter() {
        let (row, rest) = values.split_at_mut_checked(others.len()).unwrap_or_default();
        values = rest;
        for (value, &other) in row.iter_mut().zip(others) {
            *value = if is_first { pair.of(*value, other) } else { pair.of(other, *value) };
        }
    }
}

/// Makes rows `[column][channel]` of operands that are repeated. An input with one line serves all rows of
/// the call. Scratch: none.
///
/// ```
/// use microception::layers::{multiply, pairwise};
/// use microception::window::Call;
/// // a row of two pixels with two channels, times one number for each channel
/// let operands = pairwise::Broadcast { width: 2, channels: 2, strides: [[2, 1], [0, 1]], constant: None };
/// let mut output = [0.0f32; 4];
/// let row = [1.0f32, 2.0, 3.0, 4.0];
/// let call = Call::on_lines(bytemuck::cast_slice(&row), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1)
///     .and_lines(bytemuck::cast_slice(&[10.0f32, -1.0]), 1);
/// pairwise::broadcast(&multiply::F32 { clamp: [f32::MIN, f32::MAX] }, &operands, call);
/// assert_eq!(output, [10.0, -2.0, 30.0, -4.0]);
/// ```
pub fn broadcast<T: Pod>(pair: &impl Pair<T>, operands: &Broadcast<'_, T>, call: Call<'_>) {
    let (pair, Broadcast { width, channels, strides, constant }) = (*pair, *operands);
    let [width, channels] = [width, channels].map(usize::from);
    let [first_stride, second_stride] = strides.map(|strides| strides.map(usize::from));
    let first_row = call.row;
    let (first, second, output) = call.binary::<T, T>();
    for (index, row) in output.chunks_exact_mut(width.wrapping_mul(channels).max(1)).enumerate() {
        let [first, second] = match constant {
            None => [line(&first, index), line(&second, index)],
            Some(constant) if constant.first => [constant.at(first_row.wrapping_add(index)), line(&first, index)],
            Some(constant) => [line(&first, index), constant.at(first_row.wrapping_add(index))],
        };
        for (column, pixel) in row.chunks_exact_mut(channels.max(1)).enumerate() {
            let mut from = [column.wrapping_mul(first_stride[0]), column.wrapping_mul(second_stride[0])];
            for output in pixel {
                if let (Some(&first), Some(&second)) = (first.get(from[0]), second.get(from[1])) {
                    *output = pair.of(first, second);
                }
                from = [from[0].wrapping_add(first_stride[1]), from[1].wrapping_add(second_stride[1])];
            }
        }
    }
}

/// The line for the output row `index` of the call: the only one, where there is one.
fn line<'a, T: Pod>(window: &Window<'a, T>, index: usize) -> &'a [T] {
    window.line(if window.lines() == 1 { 0 } else { index }).unwrap_or(&[])
}

impl<'a, T> Constant<'a, T> {
    /// The numbers from output row `row` on.
    fn at(self, row: usize) -> &'a [T] {
        self.numbers.get(row.wrapping_mul(self.row as usize)..).unwrap_or(&[])
    }
}

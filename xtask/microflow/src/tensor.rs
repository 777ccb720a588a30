//! The two forms of microflow's inputs and outputs.

use core::array;

use nalgebra::{SMatrix, Scalar};

/// An input or an output: numbers in TensorFlow Lite's order, channels last, however they lie in memory.
pub trait Tensor<T>: Copy {
    /// How many numbers it has.
    const SIZE: usize;

    /// The tensor of these numbers; what is lacking is zero.
    fn of(numbers: impl Iterator<Item = T>) -> Self;

    /// Hands over one number after the other.
    fn each(&self, hand: impl FnMut(T));
}

/// Rows and columns.
impl<T: Scalar + Copy + Default, const ROWS: usize, const COLUMNS: usize> Tensor<T> for SMatrix<T, ROWS, COLUMNS> {
    const SIZE: usize = ROWS * COLUMNS;

    fn of(mut numbers: impl Iterator<Item = T>) -> Self {
        let mut matrix = Self::from_element(T::default());
        for mut row in matrix.row_iter_mut() {
            row.iter_mut().for_each(|place| *place = numbers.next().unwrap_or_default());
        }
        matrix
    }

    fn each(&self, mut hand: impl FnMut(T)) {
        for row in self.row_iter() {
            row.iter().for_each(|&number| hand(number));
        }
    }
}

/// A picture of rows and columns with channels; the batch is one.
impl<T, const ROWS: usize, const COLUMNS: usize, const CHANNELS: usize> Tensor<T>
    for [SMatrix<[T; CHANNELS], ROWS, COLUMNS>; 1]
where
    T: Scalar + Copy + Default,
{
    const SIZE: usize = ROWS * COLUMNS * CHANNELS;

    fn of(mut numbers: impl Iterator<Item = T>) -> Self {
        let mut picture = SMatrix::<[T; CHANNELS], ROWS, COLUMNS>::from_element([T::default(); CHANNELS]);
        for mut row in picture.row_iter_mut() {
            row.iter_mut().for_each(|pixel| *pixel = array::from_fn(|_| numbers.next().unwrap_or_default()));
        }
        [picture]
    }

    fn each(&self, mut hand: impl FnMut(T)) {
        for row in self.iter().flat_map(|picture| picture.row_iter()) {
            row.iter().flatten().for_each(|&number| hand(number));
        }
    }
}

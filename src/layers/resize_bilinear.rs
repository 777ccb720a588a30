//! Each place between the nearest ones, in proportion to how near they are. Which these are is the plan's for rows, and
//! a table's for columns: TensorFlow has three ways. int8 follows RESIZE_BILINEAR: input and output have one scale,
//! weights are 1024ths, and the sum is rounded to nearest, ties away from zero.

use crate::window::{Call, Window};

/// Where an output column lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Column<Weight> {
    /// Two neighbouring input columns, or one twice.
    pub places: [u16; 2],
    /// The second's part; the first has the rest.
    pub weight: Weight,
}

impl<Weight> Column<Weight> {
    /// Between `first` and `second`, `weight` of it the second.
    pub const fn new(first: u16, second: u16, weight: Weight) -> Column<Weight> {
        Column { places: [first, second], weight }
    }
}

/// Where the pixels of the output come from. A `Weight` is a part of 1 in f32, or of 1024 in int8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ResizeBilinear<'a, Weight> {
    /// Channels of a pixel.
    pub channels: u16,
    /// Per output row: the lower line's part of it, where it lies between two.
    pub rows: &'a [Weight],
    /// Per output column.
    pub columns: &'a [Column<Weight>],
}

/// Makes one row `[column][channel]` from the line that it lies on or the two that it lies between. Scratch: none.
///
/// ```
/// use microception::layers::resize_bilinear::{self, Column, ResizeBilinear};
/// use microception::window::Call;
/// let columns = [Column::new(0, 0, 0), Column::new(0, 1, 512)];
/// let layer = ResizeBilinear { channels: 1, rows: &[256], columns: &columns };
/// let mut output = [0u8; 2];
/// // Lines of more than one row lie at multiples of four bytes.
/// let lines = [8, 16, 0, 0, 16, 24, 0, 0];
/// resize_bilinear::int8(&layer, Call::on_lines(&lines, 2, 0, &mut output, &mut [], 1));
/// assert_eq!(output, [10, 14]);
/// ```
pub fn int8(layer: &ResizeBilinear<'_, i16>, call: Call<'_>) {
    const HALF: i32 = ONE * ONE / 2;
    mixed(layer, call, |weights, corners: [i8; 4]| {
        let products = weights.iter().zip(corners).map(|(&weight, value)| weight.wrapping_mul(value.into()));
        let sum = products.fold(0, i32::wrapping_add);
        (sum.wrapping_add(if sum > 0 { HALF } else { -HALF }) / (2 * HALF)) as i8
    });
}

/// As [`int8`], in int16.
pub fn int16(layer: &ResizeBilinear<'_, i16>, call: Call<'_>) {
    const HALF: i64 = (ONE * ONE / 2) as i64;
    mixed(layer, call, |weights, corners: [i16; 4]| {
        let products = weights.iter().zip(corners).map(|(&weight, value)| i64::from(weight) * i64::from(value));
        let sum = products.fold(0, i64::wrapping_add);
        (sum.wrapping_add(if sum > 0 { HALF } else { -HALF }) / (2 * HALF)) as i16
    });
}

/// What the parts of a place add up to.
const ONE: i32 = 1 << 10;

/// Makes each number of the four around it, `mix` told the parts of them.
#[inline]
fn mixed<T: bytemuck::Pod>(layer: &ResizeBilinear<'_, i16>, call: Call<'_>, mix: impl Fn([i32; 4], [T; 4]) -> T) {
    let below = i32::from(layer.rows.get(call.row).copied().unwrap_or(0));
    let (window, output, _) = call.unary::<T, T>();
    each_pixel(layer, &window, output, |right, corners, output| {
        let right = i32::from(right);
        let weights = [
            (ONE - below).wrapping_mul(ONE - right),
            (ONE - below).wrapping_mul(right),
            below.wrapping_mul(ONE - right),
            below.wrapping_mul(right),
        ];
        let [first, second, third, fourth] = corners;
        for ((((output, &first), &second), &third), &fourth) in
            output.iter_mut().zip(first).zip(second).zip(third).zip(fourth)
        {
            *output = mix(weights, [first, second, third, fourth]);
        }
    });
}

/// As [`int8`], in f32.
pub fn f32(layer: &ResizeBilinear<'_, f32>, call: Call<'_>) {
    let below = layer.rows.get(call.row).copied().unwrap_or(0.0);
    let (window, output, _) = call.unary::<f32, f32>();
    each_pixel(layer, &window, output, |right, corners, output| {
        let weights = [(1.0 - below) * (1.0 - right), (1.0 - below) * right, below * (1.0 - right), below * right];
        let [first, second, third, fourth] = corners;
        for ((((output, &first), &second), &third), &fourth) in
            output.iter_mut().zip(first).zip(second).zip(third).zip(fourth)
        {
            *output = first * weights[0] + second * weights[1] + third * weights[2] + fourth * weights[3];
        }
    });
}

/// Calls `make` for each output pixel: the right column's part, the pixels at the corners around it (above from left to
/// right, then below), the pixel.
#[inline]
fn each_pixel<T: bytemuck::Pod, Weight: Copy>(
    layer: &ResizeBilinear<'_, Weight>,
    window: &Window<'_, T>,
    output: &mut [T],
    make: impl Fn(Weight, [&[T]; 4], &mut [T]),
) {
    let above = window.line(0).unwrap_or(&[]);
    let below = window.line(1).unwrap_or(above);
    let channels = usize::from(layer.channels);
    for (output, column) in output.chunks_exact_mut(channels.max(1)).zip(layer.columns) {
        let [left, right] = column.places.map(|place| usize::from(place).wrapping_mul(channels));
        let corners = [(above, left), (above, right), (below, left), (below, right)];
        let corners = corners.map(|(line, from)| line.get(from..).unwrap_or(&[]));
        make(column.weight, corners, output);
    }
}

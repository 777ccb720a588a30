//! The operators: one a file, f32, int8 and int16x8 side by side.
//!
//! Every kernel takes a static description of its layer and a [`Call`](crate::window::Call), and
//! makes all output rows of the call. Rows are `[column][channel]`; the pixels of all rows of one
//! call form one run. Results of quantized kernels are bit-exact to LiteRT's reference kernels.
//! Nothing here panics, and the optimizer can see it at any level: the length of every chunk is
//! made at least 1 in the very call that would panic for 0. A row that is too short, which only a
//! corrupted plan can cause, leaves output unwritten.

pub mod activation;
pub mod add;
pub mod average_pool;
pub mod concatenate;
pub mod conv;
pub mod crop;
pub mod dense;
pub mod depthwise;
pub mod flatten;
pub mod global_average_pool;
pub mod global_max_pool;
pub mod input;
pub mod max_pool;
pub mod maximum;
pub mod minimum;
pub mod multiply;
pub mod pad;
pub mod pairwise;
pub mod prelu;
pub mod requantize;
pub mod reshape;
pub mod resize_bilinear;
pub mod resize_nearest;
pub mod softmax;
pub mod subtract;
pub mod transpose;

use crate::window::Window;

/// The horizontal and vertical extents of a layer with a sliding window. Every pair is
/// `[vertical, horizontal]`. What lies above and below is in the plan, not here.
///
/// ```
/// use microception::layers::Geometry;
/// // 3x3, stride 2, same padding on rows of 5 pixels with 8 channels: 3 output pixels
/// let geometry = Geometry { width: 5, channels: 8, output_width: 3, kernel: [3, 3], stride: [2, 2], dilation: [1, 1], left: 1 };
/// assert_eq!(geometry.taps(), 9);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Geometry {
    /// Pixels of an input row.
    pub width: u16,
    /// Channels of an input pixel.
    pub channels: u16,
    /// Pixels of an output row.
    pub output_width: u16,
    /// Taps.
    pub kernel: [u8; 2],
    /// Places between two outputs.
    pub stride: [u8; 2],
    /// Places between two taps.
    pub dilation: [u8; 2],
    /// Padded places to the left of the first pixel.
    pub left: u8,
}

impl Geometry {
    /// Taps in all.
    #[inline]
    pub const fn taps(&self) -> usize {
        self.kernel[0] as usize * self.kernel[1] as usize
    }

    /// Elements under one output pixel's window.
    #[inline]
    pub const fn column_elements(&self) -> usize {
        self.taps() * self.channels as usize
    }

    /// The input pixel `[channel]` under a tap of an output pixel, or `None` on padding.
    #[inline]
    pub(crate) fn pixel<'a, T>(&self, line: Option<&'a [T]>, output_column: usize, tap: usize) -> Option<&'a [T]> {
        let [_, stride] = self.stride;
        let [_, dilation] = self.dilation;
        let place =
            output_column.wrapping_mul(usize::from(stride)).wrapping_add(tap.wrapping_mul(usize::from(dilation)));
        let column = place.checked_sub(usize::from(self.left)).filter(|&column| column < usize::from(self.width))?;
        let channels = usize::from(self.channels);
        let from = column.wrapping_mul(channels);
        line?.get(from..from.wrapping_add(channels))
    }

    /// Calls `run` for the input pixels `[pixel][channel]` that exist under the horizontal taps of an output pixel: once
    /// where the taps are neighbours, else tap by tap.
    #[inline]
    pub(crate) fn each_run<T>(&self, line: &[T], output_column: usize, mut run: impl FnMut(&[T])) {
        let ([_, taps], [_, stride], [_, dilation]) = (self.kernel, self.stride, self.dilation);
        let [taps, channels, left] = [usize::from(taps), usize::from(self.channels), usize::from(self.left)];
        let together = if dilation == 1 { taps } else { 1 };
        let mut place = output_column.wrapping_mul(usize::from(stride));
        for _ in (0..taps).step_by(together.max(1)) {
            let end = place.wrapping_add(together).saturating_sub(left).min(usize::from(self.width));
            let elements = place.saturating_sub(left).wrapping_mul(channels)..end.wrapping_mul(channels);
            run(line.get(elements).unwrap_or(&[]));
            place = place.wrapping_add(usize::from(dilation));
        }
    }

    /// The line under a vertical tap of the output row `row` of the call, or `None` on padding.
    #[inline]
    pub(crate) fn line<'a, T: bytemuck::Pod>(&self, window: &Window<'a, T>, row: usize, tap: usize) -> Option<&'a [T]> {
        let [stride, _] = self.stride;
        let [dilation, _] = self.dilation;
        let place = row.wrapping_mul(usize::from(stride)).wrapping_add(tap.wrapping_mul(usize::from(dilation)));
        window.tap(place)
    }
}

/// Copies as much as fits: what `copy_from_slice` does where the lengths are equal, without its panic.
#[inline]
pub(crate) fn copy<T: Copy>(to: &mut [T], from: &[T]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

/// As [`copy`], for slices of one length and many elements: words at a time. Slices of two lengths, which only a
/// corrupted plan makes, are not copied.
#[inline]
pub(crate) fn copy_long<T: Copy>(to: &mut [T], from: &[T]) {
    if to.len() == from.len() {
        to.copy_from_slice(from);
    }
}

/// Brings a value into `[least, greatest]`; an activation's range. `f32::clamp` could panic.
#[inline]
pub(crate) fn cut(value: f32, [least, greatest]: [f32; 2]) -> f32 {
    crate::functions::clamp(value, least, greatest)
}

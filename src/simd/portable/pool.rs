//! Pixels of a line become one: their largest values, their sums.

/// Makes every channel of the pixel `largest` the largest of itself and those of `pixels` `[pixel][channel]`; what is
/// left behind whole pixels does not take part.
///
/// ```
/// let mut largest = [1, -5, 7];
/// microception::simd::portable::maximum(&[0, 2, 7, 0, -3, 8, 99], &mut largest);
/// assert_eq!(largest, [1, 2, 8]);
/// ```
#[inline]
pub fn maximum(pixels: &[i8], largest: &mut [i8]) {
    for pixel in pixels.chunks_exact(largest.len().max(1)) {
        for (largest, &value) in largest.iter_mut().zip(pixel) {
            *largest = value.max(*largest);
        }
    }
}

/// Adds to every channel's sum its values in `pixels` `[pixel][channel]`; what is left behind whole pixels does not take
/// part.
///
/// ```
/// let mut sums = [100, 1000];
/// microception::simd::portable::add_pixels(&[1, -128, 3, 127, 99], &mut sums);
/// assert_eq!(sums, [104, 999]);
/// ```
#[inline]
pub fn add_pixels(pixels: &[i8], sums: &mut [i32]) {
    for pixel in pixels.chunks_exact(sums.len().max(1)) {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum = sum.wrapping_add(i32::from(value));
        }
    }
}

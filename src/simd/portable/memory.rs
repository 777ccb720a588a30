//! Bytes that are set or copied.

/// Makes every one of `values` the same.
///
/// ```
/// let mut values = [1, 2, 3];
/// microception::simd::portable::set(-128, &mut values);
/// assert_eq!(values, [-128; 3]);
/// ```
#[inline]
pub fn set(value: i8, values: &mut [i8]) {
    values.fill(value);
}

/// Copies as many bytes as both have.
///
/// ```
/// let mut copied = [0; 3];
/// microception::simd::portable::copy(&[1, 2], &mut copied);
/// assert_eq!(copied, [1, 2, 0]);
/// ```
#[inline]
pub fn copy(from: &[u8], to: &mut [u8]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

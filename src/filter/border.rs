//! What a kernel sees beyond the picture.

/// How the picture goes on beyond its first and last rows and columns. The names are those of
/// [`scipy.ndimage`]'s modes; below, a picture of the columns a b c d as a kernel sees it.
///
/// | border | SciPy | |
/// | --- | --- | --- |
/// | `Constant(k)` | `constant` with `cval=k`, also `grid-constant` | `k k k k \| a b c d \| k k k k` |
/// | `Nearest` | `nearest` | `a a a a \| a b c d \| d d d d` |
/// | `Reflect` | `reflect`, also `grid-mirror` | `d c b a \| a b c d \| d c b a` |
/// | `Mirror` | `mirror` | `d c b \| a b c d \| c b a` |
///
/// "Same" padding of a network is `Constant(0)`, of an int8 tensor `Constant(zero_point)`. SciPy's `wrap` is missing:
/// it needs the last row before the first can be filtered.
///
/// ```
/// use microception::filter::{Border, Filter, Kernel};
/// // Shifts the picture by two: each pixel becomes the one two columns to its left.
/// const SHIFT: Kernel<5> = Kernel::new([[0; 5], [0; 5], [1, 0, 0, 0, 0], [0; 5], [0; 5]], 1).unwrap();
/// for (border, seen) in [
///     (Border::Constant(0), [0, 0, 1, 2]),
///     (Border::Nearest, [1, 1, 1, 2]),
///     (Border::Reflect, [2, 1, 1, 2]),
///     (Border::Mirror, [3, 2, 1, 2]),
/// ] {
///     let mut memory = [0; SHIFT.memory(4, 1)];
///     let mut filter = Filter::new(SHIFT, border, 4, 1, &mut memory)?;
///     assert_eq!(filter.push_row(&[1, 2, 3, 4u8]), None);
///     assert_eq!(filter.finish(), Some(&seen[..]));
/// }
/// # Ok::<(), microception::filter::MemoryError>(())
/// ```
///
/// [`scipy.ndimage`]: https://docs.scipy.org/doc/scipy/reference/generated/scipy.ndimage.correlate.html
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Border<T> {
    /// With this number in every channel.
    Constant(T),
    /// With the outermost row or column.
    Nearest,
    /// Backwards, the outermost row or column twice.
    Reflect,
    /// Backwards, the outermost row or column once.
    Mirror,
}

impl<T: Copy + Default> Border<T> {
    /// The row or column that is seen at `place` of an axis of `extent` places; `None` where a constant is.
    #[inline]
    pub(super) fn seen(&self, place: isize, extent: usize) -> Option<usize> {
        let end = extent as isize;
        if (0..end).contains(&place) {
            return Some(place as usize);
        }
        let seen = match self {
            Border::Constant(_) => return None,
            Border::Nearest => place.clamp(0, end.wrapping_sub(1).max(0)),
            Border::Reflect => {
                let turn = end.wrapping_mul(2);
                let place = place.checked_rem_euclid(turn).unwrap_or(0);
                place.min(turn.wrapping_sub(1).wrapping_sub(place))
            }
            Border::Mirror => {
                let turn = end.wrapping_sub(1).wrapping_mul(2);
                // None for one place, which is then seen everywhere.
                let place = place.checked_rem_euclid(turn).unwrap_or(0);
                place.min(turn.wrapping_sub(place))
            }
        };
        usize::try_from(seen).ok()
    }

    /// The constant; 0 of another border.
    #[inline]
    pub(super) fn constant(&self) -> T {
        if let Border::Constant(value) = self { *value } else { T::default() }
    }
}

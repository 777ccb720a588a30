//! Fixed-point arithmetic as the TensorFlow Lite 8-bit quantization specification and LiteRT's
//! reference kernels have it: a real factor is a 31-bit mantissa and a shift, and a product is
//! rounded twice, first to the mantissa's 31 bits, then by the shift.

/// The high half of `2 * a * b`, rounded to nearest, ties towards positive infinity. The one
/// product that does not fit, of -2^31 with itself, wraps; a factor's mantissa is never negative.
///
/// ```
/// use microception::quantized::doubling_high_product;
/// assert_eq!(doubling_high_product(1000, 1 << 30), 500);
/// assert_eq!(doubling_high_product(i32::MIN, i32::MAX), -i32::MAX);
/// ```
#[inline]
pub const fn doubling_high_product(a: i32, b: i32) -> i32 {
    // Armv6-M has no multiplication into 64 bits.
    if cfg!(microception_thumb1) {
        return doubling_high_product_of_halves(a, b);
    }
    ((a as i64 * b as i64 + (1 << 30)) >> 31) as i32
}

/// The same from products of 32 bits, for a core that has no longer ones.
#[inline]
const fn doubling_high_product_of_halves(a: i32, b: i32) -> i32 {
    let ([a_high, b_high], [a_low, b_low]) = ([a >> 16, b >> 16], [a as u32 & 0xFFFF, b as u32 & 0xFFFF]);
    // What is 2^16 times as much, in halves, since a bit more than 32 would be needed; it rounds, and so do the low parts.
    let (first, second) = ((a_low as i32).wrapping_mul(b_high), a_high.wrapping_mul(b_low as i32));
    let rest = (a_low.wrapping_mul(b_low) >> 16) as i32 + (1 << 14) + (first & 1) + (second & 1);
    let middle = (first >> 1).wrapping_add(second >> 1).wrapping_add(rest >> 1);
    a_high.wrapping_mul(b_high).wrapping_mul(2).wrapping_add(middle >> 14)
}

/// `x / 2^exponent`, rounded to nearest, ties away from zero. `exponent` is 1 to 31.
///
/// ```
/// use microception::quantized::rounding_shift;
/// assert_eq!(rounding_shift(5, 1), 3);
/// assert_eq!(rounding_shift(-5, 1), -3);
/// assert_eq!(rounding_shift(-6, 2), -2);
/// assert_eq!(rounding_shift(i32::MIN, 31), -1);
/// ```
#[inline]
pub const fn rounding_shift(x: i32, exponent: u32) -> i32 {
    // All bits but one, then one more with rounding: nothing overflows. The sign, 0 or -1, makes
    // ties of negative numbers round down; where it would overflow, at -2^31, there is no tie.
    ((x.saturating_add(x >> 31) >> (exponent.wrapping_sub(1) & 31)) + 1) >> 1
}

/// A real factor `multiplier / 2^31 * 2^shift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
pub struct Factor {
    /// Mantissa in units of 2^-31: 2^30 to 2^31 - 1, or 0.
    pub multiplier: i32,
    /// Power of two: -31 to 30.
    pub shift: i8,
}

impl Factor {
    /// `x` times the factor, rounded twice as the specification has it. Wraps where the shift to
    /// the left overflows, which quantized models do not reach.
    ///
    /// ```
    /// use microception::quantized::Factor;
    /// let half = Factor { multiplier: 1 << 30, shift: 0 };
    /// assert_eq!(half.of(7), 4);
    /// ```
    #[inline]
    pub const fn of(self, x: i32) -> i32 {
        if self.shift < 0 {
            rounding_shift(doubling_high_product(x, self.multiplier), self.shift.unsigned_abs() as u32)
        } else {
            doubling_high_product(x.wrapping_mul(1i32 << (self.shift as u32 & 31)), self.multiplier)
        }
    }

    /// Whether numbers from `-largest` to `largest` can be requantized in the short form of
    /// [`Range::requantize_bounded`]: a shift to the right that leaves its constant in 32 bits, and
    /// numbers that can be doubled.
    ///
    /// ```
    /// use microception::quantized::Factor;
    /// assert!(Factor { multiplier: 1 << 30, shift: -5 }.is_bounded(1 << 29));
    /// assert!(!Factor { multiplier: 1 << 30, shift: -5 }.is_bounded(1 << 30));
    /// assert!(!Factor { multiplier: 1 << 30, shift: 0 }.is_bounded(1));
    /// ```
    pub const fn is_bounded(self, largest: i64) -> bool {
        -23 <= self.shift && self.shift <= -1 && largest < 1 << 30
    }

    /// `x` times the factor, rounded once, ties away from zero, as LiteRT's reference kernel of
    /// FULLY_CONNECTED does.
    ///
    /// ```
    /// use microception::quantized::Factor;
    /// let third = Factor { multiplier: 1431655765, shift: -1 };
    /// assert_eq!((third.once(4), third.once(5), third.once(-5)), (1, 2, -2));
    /// ```
    #[inline]
    pub const fn once(self, x: i32) -> i32 {
        let product = x as i64 * self.multiplier as i64;
        // 1 to 62 for shifts from -31 to 30
        let exponent = (31 - self.shift as i32) as u32 & 63;
        let half = 1i64 << (exponent.wrapping_sub(1) & 63);
        // Adding the sign, 0 or -1, makes a tie of a negative product round down.
        (product.wrapping_add(half).wrapping_add(product >> 63) >> exponent) as i32
    }
}

/// What an output channel adds to its accumulator, and the factor that takes the accumulator to
/// the output's scale. 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
pub struct Channel {
    /// The trained bias, with `-input zero point * sum of the channel's weights` folded in, so
    /// that kernels multiply stored values as they are. A padded place then counts as the
    /// input's zero point.
    pub bias: i32,
    /// `input scale * weight scale / output scale`.
    pub factor: Factor,
}

impl Channel {
    /// For generated modules, where a thousand of them stand in a row.
    pub const fn new(bias: i32, multiplier: i32, shift: i8) -> Channel {
        Channel { bias, factor: Factor { multiplier, shift } }
    }
}

/// What an output channel of an int16x8 layer adds to its accumulator of 48 bits, and the factor that takes this to the
/// output's scale. 12 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(C)]
pub struct WideChannel {
    pub(crate) low: u32,
    pub(crate) multiplier: i32,
    high: i16,
    pub(crate) shift: i8,
}

impl WideChannel {
    /// The lowest 48 bits of a bias; mantissa and power of two of the factor.
    ///
    /// ```
    /// use microception::quantized::WideChannel;
    /// assert_eq!(WideChannel::new(-(1 << 40), 1 << 30, 0).bias(), -(1 << 40));
    /// ```
    pub const fn new(bias: i64, multiplier: i32, shift: i8) -> WideChannel {
        WideChannel { low: bias as u32, multiplier, high: (bias >> 32) as i16, shift }
    }

    /// What is added to the accumulator.
    #[inline]
    pub const fn bias(&self) -> i64 {
        (self.high as i64) << 32 | self.low as i64
    }

    /// `input scale * weight scale / output scale`.
    #[inline]
    pub const fn factor(&self) -> Factor {
        Factor { multiplier: self.multiplier, shift: self.shift }
    }

    /// The stored value of a sum of products: with the bias, times the factor, of which 16 bits count and whose shift is 7 at
    /// most, rounded once, ties towards positive infinity, and cut. So LiteRT's reference kernels of CONV_2D and
    /// DEPTHWISE_CONV_2D have it.
    ///
    /// ```
    /// use microception::quantized::WideChannel;
    /// let half = WideChannel::new(0, 1 << 30, 0);
    /// assert_eq!([7, -7, 1 << 40].map(|sum| half.store(sum, [-32768, 32767])), [4, -3, 32767]);
    /// ```
    #[inline]
    pub const fn store(&self, sum: i64, clamp: [i16; 2]) -> i16 {
        // 8 to 46
        let exponent = (15 - self.shift as i32) as u32 & 63;
        let half = 1i64 << (exponent.wrapping_sub(1) & 63);
        let product = sum.wrapping_add(self.bias()).wrapping_mul((self.multiplier >> 16) as i64);
        let result = product.wrapping_add(half) >> exponent;
        saturate_i16(
            if result > i32::MAX as i64 {
                i32::MAX
            } else if result < i32::MIN as i64 {
                i32::MIN
            } else {
                result as i32
            },
            clamp,
        )
    }

    /// The stored value of a sum of products, where the bias has 32 bits: so have the accumulator, which wraps, and the factor, and
    /// the product is rounded twice. So LiteRT's reference kernel of CONV_2D has it.
    ///
    /// ```
    /// use microception::quantized::WideChannel;
    /// let half = WideChannel::new(1, 1 << 30, 0);
    /// assert_eq!([6, -8].map(|sum| half.store_twice(sum, [-32768, 32767])), [4, -3]);
    /// ```
    #[inline]
    pub const fn store_twice(&self, sum: i64, clamp: [i16; 2]) -> i16 {
        saturate_i16(self.factor().of((sum as i32).wrapping_add(self.low.cast_signed())), clamp)
    }

    /// The same of FULLY_CONNECTED: as [`store_once`](WideChannel::store_once), of an accumulator of 32 bits.
    ///
    /// ```
    /// use microception::quantized::WideChannel;
    /// let half = WideChannel::new(1, 1 << 30, 0);
    /// assert_eq!([6, -8].map(|sum| half.store_once_narrow(sum, [-32768, 32767])), [4, -4]);
    /// ```
    #[inline]
    pub const fn store_once_narrow(&self, sum: i64, clamp: [i16; 2]) -> i16 {
        saturate_i16(self.factor().once((sum as i32).wrapping_add(self.low.cast_signed())), clamp)
    }

    /// Whether sums of products from `-largest` to `largest` can be stored in the short form of
    /// [`store_bounded`](WideChannel::store_bounded): with the bias they are numbers of 32 bits, and the factor is a quarter or
    /// less.
    pub const fn is_bounded(&self, largest: i64) -> bool {
        self.shift <= -2 && largest.saturating_add(self.bias().saturating_abs()) < 1 << 31
    }

    /// As [`store`](WideChannel::store), to the bit, for a [bounded](WideChannel::is_bounded) sum and a multiplier whose lower 16
    /// bits are zero: one product of 32 bits by 32, of which the high half is shifted.
    ///
    /// ```
    /// use microception::quantized::WideChannel;
    /// assert_eq!(WideChannel::new(6, 1 << 30, -2).store_bounded(74, [-32768, 32767]), 10);
    /// ```
    #[inline]
    pub const fn store_bounded(&self, sum: i32, clamp: [i16; 2]) -> i16 {
        let sum = sum.wrapping_add(self.low.cast_signed());
        // What falls away with the low half, less than a step of the high one, changes no result.
        let product = ((sum as i64 * self.multiplier as i64) >> 32) as i32;
        let last = (-2i32).wrapping_sub(self.shift as i32) as u32 & 31;
        saturate_i16(product.wrapping_add(1i32 << last) >> last >> 1, clamp)
    }

    /// The stored value of a sum of products, as LiteRT's reference kernel of FULLY_CONNECTED has it: all bits of the factor
    /// count, and the product is rounded once, ties away from zero.
    ///
    /// ```
    /// use microception::quantized::WideChannel;
    /// let half = WideChannel::new(0, 1 << 30, 0);
    /// assert_eq!([7, -7, -(1 << 40)].map(|sum| half.store_once(sum, [-32768, 32767])), [4, -4, -32768]);
    /// ```
    #[inline]
    pub const fn store_once(&self, sum: i64, clamp: [i16; 2]) -> i16 {
        let sum = sum.wrapping_add(self.bias());
        let (magnitude, multiplier) = (sum.unsigned_abs(), self.multiplier as u64);
        // The product in two words, of up to 47 bits and of 32.
        let low = (magnitude & 0xFFFF_FFFF).wrapping_mul(multiplier);
        let high = (magnitude >> 32).wrapping_mul(multiplier).wrapping_add(low >> 32);
        // 1 to 62
        let exponent = (31 - self.shift as i32) as u32 & 63;
        let rounded = if exponent > 32 {
            high.wrapping_add(1 << (exponent.wrapping_sub(33) & 63)) >> (exponent.wrapping_sub(32) & 63)
        } else if high >> 31 == 0 {
            (high << 32 | low & 0xFFFF_FFFF).wrapping_add(1 << (exponent.wrapping_sub(1) & 63)) >> exponent
        } else {
            i32::MAX as u64
        };
        let result = if rounded > i32::MAX as u64 { i32::MAX } else { rounded as i32 };
        saturate_i16(if sum < 0 { -result } else { result }, clamp)
    }
}

/// Where int8 results lie: the output's zero point, and the range that the fused activation leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Range {
    /// The stored value that stands for zero.
    pub zero_point: i32,
    /// Least and greatest stored value: -128 and 127, or less where an activation cuts.
    pub clamp: [i8; 2],
}

impl Range {
    /// The stored value of an accumulator: scaled, moved to the zero point, cut.
    ///
    /// ```
    /// use microception::quantized::{Factor, Range};
    /// let range = Range { zero_point: -10, clamp: [-10, 127] };
    /// assert_eq!(range.requantize(80, Factor { multiplier: 1 << 30, shift: -1 }), 10);
    /// assert_eq!(range.requantize(-80, Factor { multiplier: 1 << 30, shift: -1 }), -10);
    /// ```
    #[inline]
    pub fn requantize(&self, accumulator: i32, factor: Factor) -> i8 {
        self.store(factor.of(accumulator))
    }

    /// As [`requantize`](Range::requantize), to the bit, for a [bounded](Factor::is_bounded) factor and
    /// accumulator: rounding and zero point are one constant, added before the one shift.
    ///
    /// ```
    /// use microception::quantized::{Factor, Range};
    /// let range = Range { zero_point: -10, clamp: [-10, 127] };
    /// assert_eq!(range.requantize_bounded(80, Factor { multiplier: 1 << 30, shift: -1 }), 10);
    /// assert_eq!(range.requantize_bounded(-80, Factor { multiplier: 1 << 30, shift: -1 }), -10);
    /// ```
    #[inline]
    pub fn requantize_bounded(&self, accumulator: i32, factor: Factor) -> i8 {
        // With e the shift to the right, `(h + sign + 2^(e-1) + zero point * 2^e) >> e`: the sign of the
        // accumulator, 0 or -1, makes ties of negative numbers round down. Where h, the rounded
        // product, is 0 of a negative accumulator, it changes nothing.
        let last = !factor.shift as u32 & 31;
        let constant = (2 * self.zero_point + 1).wrapping_shl(last);
        let product = doubling_high_product(accumulator, factor.multiplier);
        let shifted = (product.wrapping_add(accumulator >> 31).wrapping_add(constant) >> last) >> 1;
        saturate(shifted, self.clamp)
    }

    /// The stored value of a number that has the output's scale already: moved to the zero
    /// point, cut.
    #[inline]
    pub fn store(&self, scaled: i32) -> i8 {
        saturate(scaled.wrapping_add(self.zero_point), self.clamp)
    }
}

/// `value`, brought into a range of int8.
///
/// ```
/// assert_eq!(microception::quantized::saturate(300, [-128, 100]), 100);
/// ```
#[inline]
pub fn saturate(value: i32, [least, greatest]: [i8; 2]) -> i8 {
    value.min(i32::from(greatest)).max(i32::from(least)) as i8
}

/// `value`, brought into a range of int16.
///
/// ```
/// assert_eq!(microception::quantized::saturate_i16(40_000, [-32768, 32767]), 32767);
/// ```
#[inline]
pub const fn saturate_i16(value: i32, [least, greatest]: [i16; 2]) -> i16 {
    let (least, greatest) = (least as i32, greatest as i32);
    (if value > greatest {
        greatest
    } else if value < least {
        least
    } else {
        value
    }) as i16
}

//! The inner loops with the DSP instructions of Armv7E-M (Cortex-M4, M7), which Armv8-M cores can have too (Cortex-M33):
//! `tile` multiplies columns with filters, `winograd` transformed ones, `depthwise` each channel by itself,
//! `int16` columns of 16 bits, `dot` one column with one filter, `elementwise` adds tensors, `pool` pixels.

use core::arch::asm;

/// The core, for the assembler of naked functions: it knows the target's name and forgets the target CPU. Of Armv7E-M
/// the name says enough.
#[cfg(not(microception_armv8m))]
macro_rules! core {
    () => {
        ""
    };
}

/// As above: the first core of Armv8-M with the instructions.
#[cfg(microception_armv8m)]
macro_rules! core {
    () => {
        ".cpu cortex-m33"
    };
}

/// Twice a sum becomes a result: see [`Range::requantize_bounded`].
macro_rules! requantize_doubled {
    ($sum:literal, $multiplier:literal, $last:literal, $constant:literal, $scratch:literal) => {
        concat!(
            "add ",
            $scratch,
            ", ",
            $constant,
            ", ",
            $sum,
            ", asr #31\n",
            "smmlar ",
            $sum,
            ", ",
            $sum,
            ", ",
            $multiplier,
            ", ",
            $scratch,
            "\n",
            "asr ",
            $sum,
            ", ",
            $sum,
            ", ",
            $last,
            "\n",
            "ssat ",
            $sum,
            ", #8, ",
            $sum,
            ", asr #1",
        )
    };
}

/// A sum becomes a result. `doubled` is the shift that makes twice the sum of what is there: of 256 times the sum one to
/// the right.
#[cfg(not(microception_helium))]
macro_rules! requantize {
    ($sum:literal, $multiplier:literal, $last:literal, $constant:literal, $scratch:literal) => {
        requantize!($sum, $multiplier, $last, $constant, $scratch, "lsl #1")
    };
    ($sum:literal, $multiplier:literal, $last:literal, $constant:literal, $scratch:literal, $doubled:literal) => {
        concat!(
            "mov ",
            $sum,
            ", ",
            $sum,
            ", ",
            $doubled,
            "\n",
            requantize_doubled!($sum, $multiplier, $last, $constant, $scratch),
        )
    };
}

// Behind the macros that they use. Helium has tiles and elements of its own.
mod depthwise;
#[cfg(not(microception_helium))]
mod dot;
#[cfg(not(microception_helium))]
mod elementwise;
mod int16;
#[cfg(not(microception_helium))]
mod memory;
#[cfg(not(microception_helium))]
mod pool;
#[cfg(not(microception_helium))]
mod tile;
pub mod winograd;

pub use depthwise::{convolve_3x3, dot_pixels};
#[cfg(not(microception_helium))]
pub use dot::dot_i8;
#[cfg(not(microception_helium))]
pub use elementwise::add_bytes;
pub use int16::{dot_pixels_i16, multiply_columns_i16};
#[cfg(not(microception_helium))]
pub use memory::{copy, set};
#[cfg(not(microception_helium))]
pub use pool::{add_pixels, maximum};
#[cfg(not(microception_helium))]
pub use tile::{multiply_tile, multiply_tile_int4, widen};

/// Brings every value into a range, four at once.
#[inline(never)]
fn clamp(values: &mut [i8], [least, greatest]: [i8; 2]) {
    let (words, rest) = values.as_chunks_mut::<4>();
    let [least_word, greatest_word] = [least, greatest].map(|value| i32::from_ne_bytes([value.cast_unsigned(); 4]));
    for word in words {
        let mut value = i32::from_ne_bytes(word.map(i8::cast_unsigned));
        // SAFETY: the instructions compute on registers.
        unsafe {
            asm!(
                "ssub8 {scratch}, {value}, {least}",
                "sel {value}, {value}, {least}",
                "ssub8 {scratch}, {greatest}, {value}",
                "sel {value}, {value}, {greatest}",
                value = inout(reg) value,
                least = in(reg) least_word,
                greatest = in(reg) greatest_word,
                scratch = out(reg) _,
                options(pure, nomem, nostack),
            );
        }
        *word = value.to_ne_bytes().map(u8::cast_signed);
    }
    for value in rest {
        *value = crate::quantized::saturate(i32::from(*value), [least, greatest]);
    }
}

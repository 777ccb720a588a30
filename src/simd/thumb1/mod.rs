//! The inner loops for Armv6-M (Cortex-M0, M0+): one multiplication, of 32 bits, into one of its factors; two-operand
//! instructions on eight registers, of which six others only hold and add.

use super::front::clamp;

/// A sum in r0 becomes a result in r4: see [`Range::requantize_bounded`](crate::quantized::Range::requantize_bounded).
/// r7 is the last shift, r10 the constant, r11 the multiplier's upper 16 bits, lr its lower 15. r1 to r3 and r5 are lost.
///
/// The sum, of 24 bits, is `256 * upper + lower`, `lower` from -128 to 127, and so no part of the product needs more than
/// 32 bits: `(sum * multiplier + 2^30) >> 23` is the product of the upper parts, plus 2^7, plus the rest shifted by 15, and
/// the rest is within 2^31 - 2^15.
macro_rules! requantize {
    () => {
        "sxtb r1, r0
        asrs r2, r0, #31
        add r2, r10
        subs r0, r0, r1
        asrs r0, r0, #8
        mov r3, lr
        mov r5, r1
        muls r5, r3, r5
        asrs r5, r5, #8
        mov r4, r11
        muls r1, r4, r1
        lsls r1, r1, #7
        adds r1, r1, r5
        muls r3, r0, r3
        adds r3, r3, r1
        asrs r3, r3, #15
        muls r4, r0, r4
        adds r4, r4, r3
        adds r4, #128
        asrs r4, r4, #8
        adds r4, r4, r2
        asrs r4, r7
        asrs r4, r4, #1
        sxtb r5, r4
        cmp r5, r4
        beq 9f
        asrs r4, r4, #31
        movs r5, #127
        eors r4, r5
        9:\n"
    };
}

/// Of the channel that r4 points to r7, r11 and lr for [`requantize`], and of twice the zero point and one in r1 r10.
/// r2 and r3 are lost.
macro_rules! factor {
    () => {
        "ldr r2, [r4, #{multiplier}]
        lsrs r3, r2, #15
        mov r11, r3
        lsls r3, r3, #15
        subs r2, r2, r3
        mov lr, r2
        ldrb r3, [r4, #{shift}]
        movs r7, #255
        subs r7, r7, r3
        lsls r1, r7
        mov r10, r1\n"
    };
}

// Behind the macros, which they use.
mod depthwise;
mod tile;

pub use depthwise::convolve_row;
pub(super) use tile::words;
pub use tile::{multiply_tile, widen};

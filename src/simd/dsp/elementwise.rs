//! Sums of tensors, element by element.

use core::arch::naked_asm;
use core::mem::offset_of;

use super::clamp;
use crate::simd::Sum;
use crate::simd::sums::Addition;

/// The sum of a value of the second input and one of the first, each the lowest byte of its operand, brought to one
/// scale. The product is that of the value shifted by 20 bits; twice the value takes the doubled product's high half.
macro_rules! add_element {
    ($sum:literal, $second:literal, $first:literal) => {
        concat!(
            "sxtb ",
            $sum,
            ", ",
            $second,
            "\n",
            "add ",
            $sum,
            ", r6, ",
            $sum,
            ", lsl #21\n",
            "add r11, r8, ",
            $sum,
            ", asr #31\n",
            "smmlar ",
            $sum,
            ", ",
            $sum,
            ", r7, r11\n",
            "sxtb r11, ",
            $first,
            "\n",
            "asr ",
            $sum,
            ", ",
            $sum,
            ", r9\n",
            "add r11, r10, r11, lsl #19\n",
            "add ",
            $sum,
            ", ",
            $sum,
            ", r11",
        )
    };
}

/// Adds `length` bytes: four sums in 66 instructions.
///
/// # Safety
/// Either input must hold as many, and `output` room for them, of which nothing else has a reference; it may be an input.
#[inline(never)]
pub unsafe fn add_bytes(sum: &Sum, first: *const i8, second: *const i8, output: *mut i8, length: usize) {
    let done = length / 4 * 4;
    let mut arguments = Addition::of(sum, output.wrapping_add(done));
    if done != 0 {
        // SAFETY: the function reads `done` bytes, whole words and at least one, from either input and writes as many to
        // `output`, each word after the same of the inputs has been read. LDR and STR work at any alignment.
        unsafe { add_words(&arguments, first, second, output) };
    }
    if length != done {
        // The last word is put together aside.
        let mut words = [[0i8; 4]; 3];
        let [first_word, second_word, sums] = &mut words;
        // Places one by one: the compiler would make a loop over what is left a call of `memcpy`.
        for place in 0..3 {
            if place < length.wrapping_sub(done) {
                // SAFETY: the byte is among the first `length`.
                let [first, second] = unsafe { [first.add(done + place).read(), second.add(done + place).read()] };
                (first_word[place], second_word[place]) = (first, second);
            }
        }
        arguments.end = sums.as_mut_ptr().wrapping_add(4);
        // SAFETY: as above, with one word of each.
        unsafe { add_words(&arguments, first_word.as_ptr(), second_word.as_ptr(), sums.as_mut_ptr()) };
        for (place, &sum) in sums.iter().take(3).enumerate() {
            if place < length.wrapping_sub(done) {
                // SAFETY: as above.
                unsafe { output.add(done + place).write(sum) };
            }
        }
    }
    if sum.range.clamp != [i8::MIN, i8::MAX] {
        // SAFETY: `output` holds `length` bytes, which nothing else refers to, and is no null pointer.
        clamp(unsafe { core::slice::from_raw_parts_mut(output, length) }, sum.range.clamp);
    }
}

/// Adds words of four values. r1 and r2 read, r3 writes; r6 to r10 hold what brings inputs to one scale, then r6 to r8
/// what requantizes; r0, r12, lr and r5 become the sums.
///
/// # Safety
/// See [`add_bytes`].
#[unsafe(naked)]
unsafe extern "C" fn add_words(arguments: &Addition, first: *const i8, second: *const i8, output: *mut i8) {
    naked_asm!(
        core!(),
        "push {{r4-r11, lr}}",
        "ldm r0, {{r4-r12}}",
        "sub sp, sp, #{bytes}",
        "stm sp, {{r4-r12}}",
        "2:",
        "ldr r4, [r1], #4",
        "ldr r5, [r2], #4",
        "ldm sp, {{r6-r10}}",
        add_element!("r0", "r5", "r4"),
        add_element!("r12", "r5, ror #8", "r4, ror #8"),
        add_element!("lr", "r5, ror #16", "r4, ror #16"),
        add_element!("r5", "r5, ror #24", "r4, ror #24"),
        "ldr r6, [sp, #{output_multiplier}]",
        "ldr r7, [sp, #{last}]",
        "ldr r8, [sp, #{constant}]",
        requantize!("r0", "r6", "r7", "r8", "r11"),
        requantize!("r12", "r6", "r7", "r8", "r11"),
        requantize!("lr", "r6", "r7", "r8", "r11"),
        requantize!("r5", "r6", "r7", "r8", "r11"),
        "bfi r0, r12, #8, #8",
        "bfi r0, lr, #16, #8",
        "bfi r0, r5, #24, #8",
        "str r0, [r3], #4",
        "ldr r6, [sp, #{end}]",
        "cmp r3, r6",
        "bne 2b",
        "add sp, sp, #{bytes}",
        "pop {{r4-r11, pc}}",
        bytes = const size_of::<Addition>(),
        output_multiplier = const offset_of!(Addition, output_multiplier),
        last = const offset_of!(Addition, last),
        constant = const offset_of!(Addition, constant),
        end = const offset_of!(Addition, end),
    )
}

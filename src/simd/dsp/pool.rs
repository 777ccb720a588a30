//! Pixels of a line become one: their largest values, their sums.

use core::arch::asm;

use crate::simd::portable;

/// Channels in a round of [`maximum`].
const ROUND: usize = 8;

/// As [`portable::maximum`], to the bit: eight channels at a time. Where their number is no multiple of that the last
/// eight are the ones that end the pixel: some are compared twice.
#[inline(never)]
pub fn maximum(pixels: &[i8], largest: &mut [i8]) {
    let channels = largest.len();
    let count = pixels.len().checked_div(channels).unwrap_or(0);
    if channels < ROUND || count == 0 {
        return portable::maximum(pixels, largest);
    }
    let last = channels.wrapping_sub(ROUND);
    let mut channel = 0;
    loop {
        // SAFETY: `channel` is at most `channels - 8`, so that the eight channels from it on are there in each of the
        // `count` (at least one) pixels, `channels` bytes apart, and in `largest`, of which alone it writes them. LDR and
        // STR work at any alignment.
        unsafe {
            let largest = largest.as_mut_ptr().wrapping_add(channel);
            asm!(
                "ldr {a}, [{largest}]",
                "ldr {b}, [{largest}, #4]",
                "2:",
                "ldr {c}, [{pixel}]",
                "ldr {d}, [{pixel}, #4]",
                "add {pixel}, {pixel}, {channels}",
                "subs {count}, {count}, #1",
                "ssub8 {e}, {a}, {c}",
                "sel {a}, {a}, {c}",
                "ssub8 {e}, {b}, {d}",
                "sel {b}, {b}, {d}",
                "bne 2b",
                "str {a}, [{largest}]",
                "str {b}, [{largest}, #4]",
                largest = in(reg) largest,
                pixel = inout(reg) pixels.as_ptr().wrapping_add(channel) => _,
                channels = in(reg) channels,
                count = inout(reg) count => _,
                a = out(reg) _,
                b = out(reg) _,
                c = out(reg) _,
                d = out(reg) _,
                e = out(reg) _,
                options(nostack),
            );
        }
        if channel >= last {
            break;
        }
        channel = channel.wrapping_add(ROUND).min(last);
    }
}

/// Pixels whose sums 16 bits hold.
const MOST_PIXELS: usize = 256;

/// As [`portable::add_pixels`], to the bit: four channels at a time.
#[inline(never)]
pub fn add_pixels(pixels: &[i8], sums: &mut [i32]) {
    let channels = sums.len();
    let (quads, _) = sums.as_chunks_mut::<4>();
    if !channels.is_multiple_of(4) {
        return portable::add_pixels(pixels, sums);
    }
    for pixels in pixels.chunks(channels.wrapping_mul(MOST_PIXELS).max(1)) {
        let count = pixels.len().checked_div(channels).unwrap_or(0);
        if count == 0 {
            return;
        }
        for (quad, [sum0, sum1, sum2, sum3]) in quads.iter_mut().enumerate() {
            let (mut even, mut odd) = (0i32, 0i32);
            // SAFETY: the loop reads `count` (at least one) words, `channels` bytes apart, from channel 4 * quad on, which
            // is at most `channels` - 4: `pixels` has as many pixels. LDR works at any alignment. It writes registers only.
            unsafe {
                asm!(
                    "2:",
                    "ldr {value}, [{pixel}]",
                    "subs {count}, {count}, #1",
                    "add {pixel}, {pixel}, {channels}",
                    "sxtab16 {even}, {even}, {value}",
                    "sxtab16 {odd}, {odd}, {value}, ror #8",
                    "bne 2b",
                    pixel = inout(reg) pixels.as_ptr().wrapping_add(quad.wrapping_mul(4)) => _,
                    channels = in(reg) channels,
                    count = inout(reg) count => _,
                    value = out(reg) _,
                    even = inout(reg) even,
                    odd = inout(reg) odd,
                    options(readonly, nostack),
                );
            }
            *sum0 = sum0.wrapping_add(i32::from(even as i16));
            *sum1 = sum1.wrapping_add(i32::from(odd as i16));
            *sum2 = sum2.wrapping_add(even >> 16);
            *sum3 = sum3.wrapping_add(odd >> 16);
        }
    }
}

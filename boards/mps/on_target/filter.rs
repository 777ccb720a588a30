//! Filters against loops over the whole picture: the same bits for random kernels, pictures and borders. On the host
//! the filters are compared with SciPy.

use microception::filter::{Border, Filter, Kernel, Sample, kernel};
use microception_mps::on_target_tests;

use crate::random::Random;

/// Pictures per kernel.
const CASES: usize = 300;

/// The most elements of a picture along an axis, and channels of a pixel.
const MOST: [usize; 3] = [9, 20, 4];

const ELEMENTS: usize = MOST[0] * MOST[1] * MOST[2];

/// Steps back towards the picture until it is reached.
fn source(border: Border<impl Copy>, mut place: isize, extent: usize) -> Option<usize> {
    let last = extent as isize - 1;
    while place < 0 || place > last {
        let (before, beyond) = (place < 0, place > last);
        place = match border {
            Border::Constant(_) => return None,
            Border::Nearest if before => 0,
            Border::Nearest => last,
            Border::Reflect if before => -1 - place,
            Border::Reflect => 2 * last + 1 - place,
            Border::Mirror if last == 0 => 0,
            Border::Mirror if beyond => 2 * last - place,
            Border::Mirror => -place,
        };
    }
    Some(place as usize)
}

/// What a picture of that type becomes, sample by sample.
trait Naive: Sample + core::fmt::Debug {
    fn of_random(random: &mut Random, extreme: bool) -> Self;
    fn filtered<const N: usize>(kernel: &Kernel<N>, seen: impl Fn(usize, usize) -> Self) -> Self;
}

/// Rounded to nearest by comparing remainders, ties away from zero.
fn integer<const N: usize>(kernel: &Kernel<N>, seen: impl Fn(usize, usize) -> i64) -> i64 {
    let mut sum = 0;
    for (row, taps) in kernel.taps.iter().enumerate() {
        for (column, &tap) in taps.iter().enumerate() {
            sum += i64::from(tap) * seen(row, column);
        }
    }
    let divisor = i64::from(kernel.divisor.get());
    sum / divisor + if 2 * (sum % divisor).abs() >= divisor { sum.signum() } else { 0 }
}

impl Naive for u8 {
    fn of_random(random: &mut Random, extreme: bool) -> u8 {
        let value = random.next() as u8;
        if extreme { if value < 128 { 0 } else { 255 } } else { value }
    }

    fn filtered<const N: usize>(kernel: &Kernel<N>, seen: impl Fn(usize, usize) -> u8) -> u8 {
        integer(kernel, |row, column| i64::from(seen(row, column))).clamp(0, 255) as u8
    }
}

impl Naive for i8 {
    fn of_random(random: &mut Random, extreme: bool) -> i8 {
        u8::of_random(random, extreme).wrapping_sub(128) as i8
    }

    fn filtered<const N: usize>(kernel: &Kernel<N>, seen: impl Fn(usize, usize) -> i8) -> i8 {
        integer(kernel, |row, column| i64::from(seen(row, column))).clamp(-128, 127) as i8
    }
}

impl Naive for f32 {
    fn of_random(random: &mut Random, _: bool) -> f32 {
        random.next() as i32 as f32 / 1e7
    }

    /// What a constant border adds comes first, then the taps in their order, as the filter adds them.
    fn filtered<const N: usize>(kernel: &Kernel<N>, seen: impl Fn(usize, usize) -> f32) -> f32 {
        let mut sum = 0.0;
        for (row, taps) in kernel.taps.iter().enumerate() {
            for (column, &tap) in taps.iter().enumerate().filter(|(_, tap)| **tap != 0) {
                sum += f32::from(tap) * seen(row, column);
            }
        }
        sum / f32::from(kernel.divisor.get())
    }
}

fn compare<T: Naive, const N: usize>(random: &mut Random, kernel: Kernel<N>, memory: &mut [T]) {
    for case in 0..CASES {
        let [height, width, channels] = MOST.map(|most| 1 + random.below(most));
        let extreme = random.next().is_multiple_of(4);
        let mut picture = [T::default(); ELEMENTS];
        picture.iter_mut().for_each(|sample| *sample = T::of_random(random, extreme));
        // A constant other than 0 would change the order of a sum in f32.
        let borders = [Border::Constant(T::default()), Border::Nearest, Border::Reflect, Border::Mirror];
        let border = borders[random.below(4)];
        let mut filter = Filter::new(kernel, border, width, channels, memory).unwrap();
        let rows = picture.chunks_exact(width * channels).take(height).map(Some);
        let mut made = 0;
        // The rows, then as often as there may be something left.
        for row in rows.chain([None; N]) {
            let Some(found) = (match row {
                Some(row) => filter.push_row(row),
                None => filter.finish(),
            }) else {
                continue;
            };
            for (element, &found) in found.iter().enumerate() {
                let (column, channel) = (element / channels, element % channels);
                let expected = T::filtered(&kernel, |down, right| {
                    let reach = (N / 2) as isize;
                    let row = source(border, made as isize + down as isize - reach, height);
                    let column = source(border, column as isize + right as isize - reach, width);
                    match (row, column) {
                        (Some(row), Some(column)) => picture[(row * width + column) * channels + channel],
                        _ => T::default(),
                    }
                });
                assert_eq!(found, expected, "case {case}: {height}x{width}x{channels}, row {made}, {border:?}");
            }
            made += 1;
        }
        assert_eq!(made, height, "case {case}");
    }
}

/// A kernel without any symmetry.
fn any<const N: usize>(random: &mut Random) -> Kernel<N> {
    let taps = [(); N].map(|()| [(); N].map(|()| (random.next() >> 24) as i16 - 128));
    Kernel::new(taps, 1 + random.below(500) as u16).unwrap()
}

fn compare_kernels<T: Naive>(seed: u32) {
    const LONGEST: usize = kernel::GAUSSIAN_5X5.memory(MOST[1], MOST[2]);
    let (mut random, mut memory) = (Random(seed), [T::default(); LONGEST]);
    for kernel in [
        kernel::IDENTITY,
        kernel::EDGES_DIAGONAL,
        kernel::EDGES_CROSS,
        kernel::EDGES,
        kernel::SHARPEN,
        kernel::BOX_BLUR,
        kernel::GAUSSIAN_3X3,
    ] {
        compare(&mut random, kernel, &mut memory);
    }
    for kernel in [kernel::GAUSSIAN_5X5, kernel::UNSHARP_5X5] {
        compare(&mut random, kernel, &mut memory);
    }
    let kernel = any::<1>(&mut random);
    compare(&mut random, kernel, &mut memory);
    let kernel = any::<3>(&mut random);
    compare(&mut random, kernel, &mut memory);
    let kernel = any::<5>(&mut random);
    compare(&mut random, kernel, &mut memory);
}

on_target_tests! {
    fn pixels_are_filtered_as_in_the_whole_picture() {
        compare_kernels::<u8>(1);
    }

    fn signed_samples_are_filtered_as_in_the_whole_picture() {
        compare_kernels::<i8>(2);
    }

    fn real_samples_are_filtered_as_in_the_whole_picture() {
        compare_kernels::<f32>(3);
    }
}

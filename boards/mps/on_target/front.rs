//! Front ends against whole numbers: the same bits on every core. On the host they are compared with Keras and with f64.

use microception::front::colour::{ByteOrder, Colours, Format, Pixel, Range};
use microception::front::{Bilinear, Nearest, Stage, resize};
use microception_mps::on_target_tests;

use crate::random::Random;

/// The most rows and columns, and channels.
const MOST: usize = 12;
const CHANNELS: usize = 3;

/// A place in units of one in `2 output`, from the first pixel's middle; the pixels on both sides, and how far between.
fn place(extent: usize, output: usize, pixel: usize) -> (usize, usize, u64) {
    let parts = 2 * output as i32;
    let place = ((2 * pixel as i32 + 1) * extent as i32 - output as i32).clamp(0, (extent as i32 - 1) * parts);
    let before = (place / parts) as usize;
    (before, (before + 1).min(extent - 1), (place % parts) as u64)
}

/// The picture and what it becomes, both random.
fn resized(random: &mut Random, check: impl Fn([usize; 4], &[u8], usize, &[u8], bool)) {
    for _ in 0..100 {
        let [height, width, rows, columns] = [(); 4].map(|()| 1 + random.below(MOST));
        let mut picture = [0; MOST * MOST * CHANNELS];
        picture.iter_mut().for_each(|sample| *sample = random.next() as u8);
        let mut memory = [0; resize::memory(MOST, MOST, CHANNELS)];
        let mut made = 0;
        let mut stage = Bilinear::new([height, width], [rows, columns], CHANNELS, &mut memory).unwrap();
        for row in picture.chunks_exact(width * CHANNELS).take(height) {
            stage.push_row(row, |found| {
                check([height, width, rows, columns], &picture, made, found, true);
                made += 1;
            });
        }
        assert_eq!(made, rows);
        let mut stage = Nearest::new([height, width], [rows, columns], CHANNELS, &mut memory).unwrap();
        for row in picture.chunks_exact(width * CHANNELS).take(height) {
            stage.push_row(row, |found| {
                check([height, width, rows, columns], &picture, made - rows, found, false);
                made += 1;
            });
        }
        assert_eq!(made, 2 * rows);
    }
}

on_target_tests! {
    fn pictures_of_another_size_are_what_whole_numbers_say() {
        resized(&mut Random(5), |[height, width, rows, columns], picture, row, found, bilinear| {
            assert_eq!(found.len(), columns * CHANNELS);
            for (element, &found) in found.iter().enumerate() {
                let (column, channel) = (element / CHANNELS, element % CHANNELS);
                let at = |row: usize, column: usize| u64::from(picture[(row * width + column) * CHANNELS + channel]);
                let expected = if bilinear {
                    let (top, bottom, down) = place(height, rows, row);
                    let (left, right, along) = place(width, columns, column);
                    let (up, all) = (2 * rows as u64 - down, 2 * columns as u64);
                    let sum = (at(top, left) * up + at(bottom, left) * down) * (all - along)
                        + (at(top, right) * up + at(bottom, right) * down) * along;
                    (2 * sum + 2 * rows as u64 * all) / (4 * rows as u64 * all)
                } else {
                    at((2 * row + 1) * height / (2 * rows), (2 * column + 1) * width / (2 * columns))
                };
                assert_eq!(u64::from(found), expected);
            }
        });
    }

    fn colours_are_what_whole_numbers_say() {
        let mut line = [0; 2 * CHANNELS];
        let mut rgb = Colours::new(Format::Rgb565(ByteOrder::LowFirst), Pixel::Rgb, &mut line);
        for pixel in 0..=u16::MAX {
            rgb.push_row(&pixel.to_le_bytes(), |found| {
                let parts = [(pixel >> 11, 31), (pixel >> 5 & 63, 63), (pixel & 31, 31)];
                let expected = parts.map(|(part, most)| ((2 * 255 * u32::from(part) + most) / (2 * most)) as u8);
                assert_eq!(found, expected);
            });
        }
        let (mut random, mut line) = (Random(6), [0; 2 * CHANNELS]);
        let mut yuv = Colours::new(Format::Yuyv(Range::Full), Pixel::Rgb, &mut line);
        for _ in 0..5000 {
            let [y, u, second, v] = random.next().to_le_bytes();
            yuv.push_row(&[y, u, second, v], |found| {
                for (found, y) in found.chunks_exact(3).zip([y, second]) {
                    // In millionths; 2 * 0.886 * 0.114 / 0.587 and 2 * 0.701 * 0.299 / 0.587 of them.
                    let (y, u, v) = (i64::from(y) * 1_000_000, i64::from(u) - 128, i64::from(v) - 128);
                    let real = [y + 1_402_000 * v, y - 344_136 * u - 714_136 * v, y + 1_772_000 * u];
                    for (&found, real) in found.iter().zip(real) {
                        let off = (i64::from(found) * 1_000_000 - real.clamp(0, 255_000_000)).abs();
                        assert!(off <= 500_300, "{found} for {real}");
                    }
                }
            });
        }
    }
}

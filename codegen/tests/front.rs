//! The runtime's front ends against Keras, against definitions in f64, and in a chain: rows come as soon as they can.

#[path = "common/arrays.rs"]
mod arrays;

use std::path::Path;

use arrays::Arrays;
use microception::filter::{Border, Filter, kernel};
use microception::front::colour::{ByteOrder, Colours, Format, Pixel, Range};
use microception::front::{Bilinear, Crop, Nearest, ResizeError, Stage, resize};

/// What 20 binary places can be off at the ends of the ranges, so that a number this near to the middle between two may
/// become either.
const NEARLY_HALF: f64 = 2e-4;

/// The rows that come out of a stage, each with the number of the row after which it came.
fn rows(stage: &mut impl Stage, picture: &[u8], row_bytes: usize) -> Vec<(usize, Vec<u8>)> {
    let mut rows = Vec::new();
    for (number, row) in picture.chunks_exact(row_bytes.max(1)).enumerate() {
        stage.push_row(row, |row| rows.push((number, row.to_vec())));
    }
    stage.finish(|row| rows.push((usize::MAX, row.to_vec())));
    rows
}

/// Whether a number is the real one in 0 to 255, rounded to nearest.
fn is_rounded(found: u8, real: f64) -> bool {
    (f64::from(found) - real.clamp(0.0, 255.0)).abs() <= 0.5 + NEARLY_HALF
}

fn fixture() -> Arrays {
    Arrays::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/front/front.npz"))
}

/// A picture of random numbers, or of extremes alone.
fn random_picture(random: &mut fastrand::Rng, samples: usize) -> Vec<u8> {
    let extreme = random.u8(..4) == 0;
    (0..samples).map(|_| if extreme { 255 * random.u8(..2) } else { random.u8(..) }).collect()
}

fn one_row(format: Format, pixel: Pixel, row: &[u8]) -> Vec<u8> {
    let mut line = vec![0; row.len() / 2 * pixel.channels()];
    let found = rows(&mut Colours::new(format, pixel, &mut line), row, row.len());
    assert_eq!(found.len(), 1);
    found[0].1.clone()
}

/// All of them, in both orders of their bytes.
#[test]
fn rgb565_is_rounded_to_nearest() {
    let fixture = fixture();
    for (order, bytes) in [
        (ByteOrder::HighFirst, u16::to_be_bytes as fn(u16) -> [u8; 2]),
        (ByteOrder::LowFirst, u16::to_le_bytes as fn(u16) -> [u8; 2]),
    ] {
        let row: Vec<u8> = (0..=u16::MAX).flat_map(bytes).collect();
        let rgb = one_row(Format::Rgb565(order), Pixel::Rgb, &row);
        assert_eq!(rgb, fixture.bytes("rgb565.rgb"));
        for (pixel, found) in rgb.chunks_exact(3).enumerate() {
            let parts = [(pixel >> 11, 31.0), (pixel >> 5 & 63, 63.0), (pixel & 31, 31.0)];
            assert_eq!(found, parts.map(|(part, most)| (part as f64 * 255.0 / most).round() as u8));
        }
        assert_eq!(one_row(Format::Rgb565(order), Pixel::Grey, &row), fixture.bytes("rgb565.grey"));
    }
}

/// Red, green and blue by the equations that every text has, in f64.
fn bt601([y, u, v]: [u8; 3], range: Range) -> [f64; 3] {
    let (y, u, v) = (f64::from(y), f64::from(u) - 128.0, f64::from(v) - 128.0);
    let (y, scale) = match range {
        Range::Full => (y, 1.0),
        Range::Limited => ((y - 16.0) * 255.0 / 219.0, 255.0 / 224.0),
    };
    let green = 0.114 * 1.772 / 0.587 * u + 0.299 * 1.402 / 0.587 * v;
    [y + 1.402 * scale * v, y - scale * green, y + 1.772 * scale * u]
}

/// All 16,777,216 of them, in either range.
#[test]
fn yuv_is_bt601_rounded_to_nearest() {
    for range in [Range::Full, Range::Limited] {
        for u in 0..=255 {
            let row: Vec<u8> =
                (0..=255).flat_map(|v| (0..=255).step_by(2).flat_map(move |y| [y, u, y + 1, v])).collect();
            let found = one_row(Format::Yuyv(range), Pixel::Rgb, &row);
            for (place, found) in found.chunks_exact(3).enumerate() {
                let pixel = [place as u8, u, (place >> 8) as u8];
                for (&found, real) in found.iter().zip(bt601(pixel, range)) {
                    assert!(is_rounded(found, real), "{pixel:?} {range:?}: {found} for {real}");
                }
            }
        }
    }
}

/// The fixture's equations go the other way round, from brightness as a sum; both orders of bytes and grey.
#[test]
fn yuv_is_what_the_fixture_has() {
    let fixture = fixture();
    let yuv = fixture.bytes("yuv");
    for (range, name) in [(Range::Full, "full"), (Range::Limited, "limited")] {
        let real = |part: &str| -> Vec<f64> { bytemuck::pod_collect_to_vec(&fixture.bytes(&format!("{name}.{part}"))) };
        let (rgb, grey) = (real("rgb"), real("grey"));
        for (pixel, (rgb, grey)) in yuv.chunks_exact(3).zip(rgb.chunks_exact(3).zip(grey)) {
            let &[y, u, v] = pixel else { unreachable!() };
            for (format, row) in [(Format::Yuyv(range), [y, u, 7, v]), (Format::Uyvy(range), [u, y, v, 7])] {
                let found = one_row(format, Pixel::Rgb, &row);
                assert!(found.iter().zip(rgb).all(|(&found, &real)| is_rounded(found, real)), "{pixel:?} {name}");
                assert!(is_rounded(one_row(format, Pixel::Grey, &row)[0], grey), "{pixel:?} {name}");
                let swapped = [row[2], row[3], row[0], row[1]];
                let second = if matches!(format, Format::Yuyv(_)) {
                    one_row(format, Pixel::Rgb, &[7, u, y, v])
                } else {
                    one_row(format, Pixel::Rgb, &[u, 7, v, y])
                };
                assert_eq!(second[3..], found[..3], "{swapped:?}");
            }
        }
    }
}

/// Along one axis: how far the output's pixel lies between which two.
fn place(extent: usize, output: usize, pixel: usize) -> (usize, usize, f64) {
    let place = (pixel as f64 + 0.5) * extent as f64 / output as f64 - 0.5;
    let limit = |place: f64| place.clamp(0.0, extent as f64 - 1.0) as usize;
    (limit(place.floor()), limit(place.floor() + 1.0), place - place.floor())
}

struct Sizes {
    picture: [usize; 2],
    output: [usize; 2],
    channels: usize,
}

fn bilinear(sizes: &Sizes, picture: &[u8], [row, column, channel]: [usize; 3]) -> f64 {
    let (top, bottom, down) = place(sizes.picture[0], sizes.output[0], row);
    let (left, right, along) = place(sizes.picture[1], sizes.output[1], column);
    let at = |row, column| f64::from(picture[(row * sizes.picture[1] + column) * sizes.channels + channel]);
    let upper = at(top, left) * (1.0 - along) + at(top, right) * along;
    let lower = at(bottom, left) * (1.0 - along) + at(bottom, right) * along;
    upper * (1.0 - down) + lower * down
}

/// Each output sample, and where it is.
fn samples(sizes: &Sizes) -> impl Iterator<Item = [usize; 3]> + use<> {
    let &Sizes { output: [height, width], channels, .. } = sizes;
    (0..height).flat_map(move |row| {
        (0..width).flat_map(move |column| (0..channels).map(move |channel| [row, column, channel]))
    })
}

fn check_bilinear(sizes: &Sizes, picture: &[u8], reference: impl Fn([usize; 3], usize) -> f64, allowed: f64) {
    let &Sizes { picture: extents, output, channels } = sizes;
    let mut memory = vec![0; resize::memory(extents[1], output[1], channels)];
    let mut stage = Bilinear::new(extents, output, channels, &mut memory).unwrap();
    // A second picture after the first: nothing is left of it.
    for _ in 0..2 {
        let found = rows(&mut stage, picture, extents[1] * channels);
        assert_eq!(found.len(), output[0], "{extents:?} to {output:?}");
        for (index, at) in samples(sizes).enumerate() {
            let sample = found[at[0]].1[at[1] * channels + at[2]];
            let real = reference(at, index);
            let off = (f64::from(sample) - real).abs();
            assert!(off <= 0.5 + allowed, "{extents:?} to {output:?} at {at:?}: {sample} for {real}");
        }
        for (row, (after, line)) in found.iter().enumerate() {
            assert_eq!(line.len(), output[1] * channels);
            let (top, bottom, part) = place(extents[0], output[0], row);
            // Whether f64 says so or not: a part of nearly 0 or 1 is none.
            let none = part.min(1.0 - part) < 1e-9;
            assert!(
                *after == bottom || none && *after == if part < 0.5 { top } else { bottom },
                "row {row} after {after}"
            );
        }
    }
}

#[test]
fn bilinear_is_what_loops_compute() {
    let mut random = fastrand::Rng::with_seed(1);
    for case in 0..1500 {
        let most = if case < 1000 { 12 } else { 60 };
        let mut extent = || if random.u8(..5) == 0 { 1 } else { random.usize(1..=most) };
        let sizes = Sizes { picture: [extent(), extent()], output: [extent(), extent()], channels: 1 + case % 4 };
        let picture = random_picture(&mut random, sizes.picture[0] * sizes.picture[1] * sizes.channels);
        check_bilinear(&sizes, &picture, |at, _| bilinear(&sizes, &picture, at), 1e-9);
    }
}

/// Halves go upwards: places a quarter and three quarters between whole numbers.
#[test]
fn bilinear_halves_go_upwards() {
    let mut memory = [0; resize::memory(2, 1, 1)];
    for (left, right, mean) in [(0, 1, 1), (254, 255, 255), (1, 2, 2), (3, 4, 4), (2, 4, 3)] {
        let mut stage = Bilinear::new([1, 2], [1, 1], 1, &mut memory).unwrap();
        assert_eq!(rows(&mut stage, &[left, right], 2), [(0, vec![mean])]);
    }
}

#[test]
fn nearest_is_what_whole_numbers_say() {
    let mut random = fastrand::Rng::with_seed(2);
    for case in 0..1500 {
        let most = if case < 1000 { 12 } else { 60 };
        let mut extent = || if random.u8(..5) == 0 { 1 } else { random.usize(1..=most) };
        let sizes = Sizes { picture: [extent(), extent()], output: [extent(), extent()], channels: 1 + case % 4 };
        let Sizes { picture: extents, output, channels } = sizes;
        let picture = random_picture(&mut random, extents[0] * extents[1] * channels);
        let mut memory = vec![0; resize::nearest_memory(output[1], channels)];
        let mut stage = Nearest::new(extents, output, channels, &mut memory).unwrap();
        for _ in 0..2 {
            let found = rows(&mut stage, &picture, extents[1] * channels);
            assert_eq!(found.len(), output[0]);
            let source = |axis: usize, pixel: usize| (2 * pixel + 1) * extents[axis] / (2 * output[axis]);
            for at @ [row, column, channel] in samples(&sizes) {
                let expected = picture[(source(0, row) * extents[1] + source(1, column)) * channels + channel];
                assert_eq!(found[row].1[column * channels + channel], expected, "{extents:?} to {output:?} at {at:?}");
                assert_eq!(found[row].0, source(0, row));
            }
        }
    }
}

#[test]
fn sizes_are_those_of_keras() {
    let fixture = fixture();
    for index in 0..16 {
        let (shape, picture) = fixture.array(&format!("picture.{index}")).unwrap();
        let of = |method: &str| {
            let (shape, bytes) = fixture.array(&format!("{method}.{index}")).unwrap();
            let values: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            ([shape[0] as usize, shape[1] as usize], values)
        };
        let (output, expected) = of("bilinear");
        let sizes = Sizes { picture: [shape[0] as usize, shape[1] as usize], output, channels: shape[2] as usize };
        // f32 keeps 24 bits of at most 255, in some steps.
        check_bilinear(&sizes, &picture, |_, index| f64::from(expected[index]), 1e-4);

        let (output, expected) = of("nearest");
        let mut memory = vec![0; resize::nearest_memory(output[1], sizes.channels)];
        let mut stage = Nearest::new(sizes.picture, output, sizes.channels, &mut memory).unwrap();
        let found = rows(&mut stage, &picture, sizes.picture[1] * sizes.channels);
        let found: Vec<f32> = found.iter().flat_map(|(_, row)| row.iter().map(|&sample| f32::from(sample))).collect();
        assert_eq!(found, expected, "{:?} to {output:?}", sizes.picture);
    }
}

#[test]
fn a_part_is_cut_out() {
    let picture: Vec<u8> = (0..5 * 7 * 2).collect();
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..500 {
        let (first, size) = ([random.usize(..7), random.usize(..9)], [random.usize(..7), random.usize(..9)]);
        let mut stage = Crop::new(5, first, size, 2);
        for _ in 0..2 {
            let found = rows(&mut stage, &picture, 14);
            let inside = |axis: usize, end: usize| first[axis].min(end)..(first[axis] + size[axis]).min(end);
            let expected: Vec<(usize, Vec<u8>)> = inside(0, 5)
                .map(|row| {
                    (row, inside(1, 7).flat_map(|column| [0, 1].map(|c| picture[row * 14 + column * 2 + c])).collect())
                })
                .collect();
            assert_eq!(found, expected, "{first:?} {size:?}");
        }
    }
    assert_eq!(Crop::centred([5, 7], [2, 4], 1), Crop::new(5, [1, 1], [2, 4], 1));
    assert_eq!(Crop::centred([5, 7], [9, 9], 1), Crop::new(5, [0, 0], [9, 9], 1));
}

/// YUYV rows through all stages, a filter among them, against one stage after the other over whole pictures.
#[test]
fn stages_go_one_after_the_other() {
    let mut random = fastrand::Rng::with_seed(4);
    let (height, width) = (11, 12);
    let picture = random_picture(&mut random, height * width * 2);
    let format = Format::Yuyv(Range::Full);
    let (mut line, mut small, mut lines) =
        (vec![0; width], vec![0; resize::memory(9, 7, 1)], vec![0; kernel::EDGES.memory(7, 1)]);
    let mut chain = Colours::new(format, Pixel::Grey, &mut line)
        .then(Crop::centred([height, width], [9, 9], 1))
        .then(Bilinear::new([9, 9], [8, 7], 1, &mut small).unwrap())
        .then(Filter::new(kernel::EDGES, Border::Nearest, 7, 1, &mut lines).unwrap());
    // Of a picture that breaks off nothing stays.
    for row in picture.chunks_exact(width * 2).rev().take(6) {
        chain.push_row(row, |_| ());
    }
    chain.reset();
    let found: Vec<u8> = rows(&mut chain, &picture, width * 2).into_iter().flat_map(|(_, row)| row).collect();

    let all = |rows: Vec<(usize, Vec<u8>)>| rows.into_iter().flat_map(|(_, row)| row).collect::<Vec<_>>();
    let grey: Vec<u8> = picture.chunks_exact(2).map(|two| two[0]).collect();
    let part: Vec<u8> = grey.chunks_exact(width).skip(1).take(9).flat_map(|row| row[1..10].to_vec()).collect();
    let mut memory = vec![0; resize::memory(9, 7, 1)];
    let resized = all(rows(&mut Bilinear::new([9, 9], [8, 7], 1, &mut memory).unwrap(), &part, 9));
    let expected = microception_codegen::filter::rows(&resized, 7, 1, kernel::EDGES, Border::Nearest);
    assert_eq!(found, expected);
    assert_eq!(found.len(), 8 * 7);
}

#[test]
fn what_cannot_be_resized_is_refused() {
    let needed = resize::memory(5, 4, 3);
    assert_eq!(needed, (5 + 5 + 4) * 3);
    let mut memory = vec![0; needed];
    let refused = Bilinear::new([4, 5], [3, 4], 3, &mut memory[1..]).unwrap_err();
    assert_eq!(refused, ResizeError::TooSmall { needed });
    assert!(refused.to_string().contains("42"), "{refused}");
    assert!(Bilinear::new([4, 5], [3, 4], 3, &mut memory).is_ok());
    let mut large = vec![0; 1 << 20];
    for (picture, output, error) in [
        ([0, 5], [3, 4], ResizeError::Empty),
        ([4, 5], [3, 0], ResizeError::Empty),
        ([4, 65_536], [3, 4], ResizeError::TooLarge),
        ([4, 5], [8191, 8191], ResizeError::TooLarge),
    ] {
        assert_eq!(Bilinear::new(picture, output, 1, &mut large).unwrap_err(), error);
    }
    assert_eq!(Nearest::new([1, 0], [1, 1], 1, &mut large).unwrap_err(), ResizeError::Empty);
    assert_eq!(Nearest::new([1, 1], [1, 65_536], 1, &mut large).unwrap_err(), ResizeError::TooLarge);
    assert_eq!(Nearest::new([1, 1], [1, 4], 1, &mut large[..3]).unwrap_err(), ResizeError::TooSmall { needed: 4 });
    assert_eq!(resize::memory(usize::MAX, 1, 1), usize::MAX, "no wrap-around");
}

/// The largest sums: white stays white at the limit.
#[test]
fn the_largest_pictures_do_not_overflow() {
    // 2047 and 2049 have nothing in common with 4: parts of 4094 and 4098.
    let mut memory = vec![0; resize::memory(4, 2049, 1)];
    let mut stage = Bilinear::new([4, 4], [2047, 2049], 1, &mut memory).unwrap();
    let found = rows(&mut stage, &[255; 16], 4);
    assert_eq!(found.len(), 2047);
    assert!(found.iter().all(|(_, row)| *row == [255; 2049]));
    // Of these the parts are few, however large the picture.
    let mut memory = vec![0; resize::memory(60_000, 6_000, 1)];
    let mut stage = Bilinear::new([10, 60_000], [1, 6_000], 1, &mut memory).unwrap();
    assert_eq!(rows(&mut stage, &vec![255; 600_000], 60_000), [(5, vec![255; 6_000])]);
}

#[test]
fn rows_of_other_lengths_do_no_harm() {
    for length in 0..9 {
        let row = &[7; 9][..length];
        for format in [Format::Rgb565(ByteOrder::LowFirst), Format::Yuyv(Range::Full), Format::Uyvy(Range::Limited)] {
            for pixel in [Pixel::Rgb, Pixel::Grey] {
                for room in 0..14 {
                    let mut line = vec![0; room];
                    let channels = pixel.channels();
                    let found = rows(&mut Colours::new(format, pixel, &mut line), row, length);
                    let pixels = (length / 2).min(room / channels);
                    assert_eq!(found.len(), usize::from(length > 0));
                    assert!(found.iter().all(|(_, row)| row.len() == pixels * channels));
                }
            }
        }
        let mut memory = vec![0; 100];
        let mut stage = Bilinear::new([3, 2], [2, 3], 2, &mut memory).unwrap().then(Crop::new(2, [0, 0], [2, 2], 2));
        let count = [row; 3].iter().map(|row| rows(&mut stage, row, length).len()).sum::<usize>();
        assert_eq!(count, if length > 0 { 2 } else { 0 });
        let mut stage = Nearest::new([1, 2], [2, 3], 0, &mut memory).unwrap();
        assert_eq!(rows(&mut stage, row, length).len(), if length > 0 { 2 } else { 0 });
    }
}

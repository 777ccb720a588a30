//! The runtime's filters against SciPy: every classic kernel and kernels without symmetry, every border and element
//! type, pictures down to one pixel. Integers are equal to the bit.

#[path = "common/arrays.rs"]
mod arrays;
#[path = "common/tolerance.rs"]
mod tolerance;

use std::path::Path;

use arrays::Arrays;
use microception::filter::{Border, Filter, Kernel, MemoryError, Sample, kernel};
use microception_codegen::filter::{KERNELS, Taps, rows};

/// What the fixture calls SciPy's modes, in its order; its constant goes with the element type.
fn borders<T>(constant: T) -> [Border<T>; 4] {
    [Border::Constant(constant), Border::Nearest, Border::Reflect, Border::Mirror]
}

/// Pictures of each type in the fixture.
const PICTURES: usize = 10;

fn fixture() -> Arrays {
    Arrays::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/filter/filter.npz"))
}

/// The kernel of that name in the fixture.
fn kernel_of<const N: usize>(fixture: &Arrays, name: &str) -> Kernel<N> {
    let (shape, bytes) = fixture.array(&format!("kernel.{name}")).unwrap();
    assert_eq!(shape, [N as u64; 2], "{name}");
    let mut taps = [[0; N]; N];
    let values = bytes.chunks_exact(2).map(|bytes| i16::from_le_bytes([bytes[0], bytes[1]]));
    taps.as_flattened_mut().iter_mut().zip(values).for_each(|(tap, value)| *tap = value);
    let divisor = fixture.bytes(&format!("divisor.{name}"));
    Kernel::new(taps, u16::from_le_bytes([divisor[0], divisor[1]])).unwrap()
}

/// Compares all pictures of one type under all borders, and says how many.
fn compare<T: Sample + bytemuck::Pod + std::fmt::Debug, const N: usize>(
    fixture: &Arrays,
    [function, kernel_name, element]: [&str; 3],
    kernel: Kernel<N>,
    constant: T,
    agrees: impl Fn(&[T], &[T], &[T]),
) -> usize {
    for index in 0..PICTURES {
        let picture = format!("{element}_{index}");
        let (shape, bytes) = fixture.array(&format!("picture.{picture}")).unwrap();
        let pixels: Vec<T> = bytemuck::pod_collect_to_vec(&bytes);
        let expected: Vec<T> =
            bytemuck::pod_collect_to_vec(&fixture.bytes(&format!("{function}.{kernel_name}.{picture}")));
        let expected = expected.chunks_exact(pixels.len());
        assert_eq!(expected.len(), 4);
        for (border, expected) in borders(constant).into_iter().zip(expected) {
            let found = rows(&pixels, shape[1] as usize, shape[2] as usize, kernel, border);
            println!("{function} {kernel_name} {picture} {shape:?} {border:?}");
            assert_eq!(found.len(), expected.len());
            agrees(&pixels, &found, expected);
        }
    }
    4 * PICTURES
}

fn compare_types<const N: usize>(fixture: &Arrays, function: &str, name: &str, kernel: Kernel<N>) -> usize {
    let equal_u8 = |_: &[u8], found: &[u8], expected: &[u8]| assert_eq!(found, expected);
    let equal_i8 = |_: &[i8], found: &[i8], expected: &[i8]| assert_eq!(found, expected);
    let near = |pixels: &[f32], found: &[f32], expected: &[f32]| {
        let taps: f64 = kernel.taps.as_flattened().iter().map(|&tap| f64::from(tap).abs()).sum();
        let largest = pixels.iter().fold(2.5f32, |largest, pixel| largest.max(pixel.abs()));
        let allowed = tolerance::F32_SUM * f64::from(largest) * taps / f64::from(kernel.divisor.get());
        for (&found, &expected) in found.iter().zip(expected) {
            assert!((f64::from(found) - f64::from(expected)).abs() <= allowed, "{found} and {expected}");
        }
    };
    compare(fixture, [function, name, "u8"], kernel, 0, equal_u8)
        + compare(fixture, [function, name, "i8"], kernel, -128, equal_i8)
        + compare(fixture, [function, name, "f32"], kernel, 2.5, near)
}

#[test]
fn the_constants_are_the_matrices_of_the_course() {
    let fixture = fixture();
    for named in KERNELS {
        let name = named.name.replace('-', "_");
        match named.taps {
            Taps::Three(kernel) => assert_eq!(kernel, kernel_of(&fixture, &name), "{name}"),
            Taps::Five(kernel) => assert_eq!(kernel, kernel_of(&fixture, &name), "{name}"),
        }
    }
}

#[test]
fn the_classic_kernels_give_what_scipy_correlates() {
    let fixture = fixture();
    let compared: usize = KERNELS
        .iter()
        .map(|named| {
            let name = named.name.replace('-', "_");
            match named.taps {
                Taps::Three(kernel) => compare_types(&fixture, "correlate", &name, kernel),
                Taps::Five(kernel) => compare_types(&fixture, "correlate", &name, kernel),
            }
        })
        .sum();
    assert_eq!(compared, 9 * 3 * 40);
}

/// Correlation as it is, and with the kernel turned what SciPy calls convolution.
fn both_ways<const N: usize>(fixture: &Arrays, name: &str) -> usize {
    let kernel = kernel_of::<N>(fixture, name);
    compare_types(fixture, "correlate", name, kernel) + compare_types(fixture, "convolve", name, kernel.turned())
}

#[test]
fn kernels_without_symmetry_give_what_scipy_correlates_and_turned_what_it_convolves() {
    let fixture = fixture();
    let compared = both_ways::<1>(&fixture, "random_0")
        + both_ways::<3>(&fixture, "random_1")
        + both_ways::<3>(&fixture, "random_2")
        + both_ways::<5>(&fixture, "random_3")
        + both_ways::<7>(&fixture, "random_4")
        + both_ways::<15>(&fixture, "random_5");
    assert_eq!(compared, 6 * 2 * 3 * 40);
}

#[test]
fn rows_come_as_soon_as_they_can() {
    let mut memory = [0u8; kernel::GAUSSIAN_5X5.memory(3, 1)];
    let mut filter = Filter::new(kernel::GAUSSIAN_5X5, Border::Reflect, 3, 1, &mut memory).unwrap();
    // A second picture after the first, and a third after one that was broken off: nothing is left of those before.
    let mut pictures = Vec::new();
    for broken_off in [false, true, false] {
        let mut made = Vec::new();
        for row in 0..6 {
            let filtered = filter.push_row(&[row * 10, row, 200]);
            assert_eq!(filtered.is_some(), row >= 2, "row {row}");
            made.extend(filtered.map(<[u8]>::to_vec));
        }
        if broken_off {
            assert!(filter.finish().is_some());
            continue;
        }
        made.extend([filter.finish().map(<[u8]>::to_vec), filter.finish().map(<[u8]>::to_vec)].into_iter().flatten());
        assert_eq!(made.len(), 6);
        assert_eq!(filter.finish(), None);
        assert_eq!(filter.finish(), None);
        pictures.push(made);
    }
    assert_eq!(pictures[0], pictures[1]);
    filter.push_row(&[1, 2, 3]);
    filter.reset();
    assert_eq!(filter.finish(), None, "no picture");
}

#[test]
fn memory_that_is_too_small_is_refused() {
    let needed = kernel::EDGES.memory(5, 2);
    assert_eq!(needed, 3 * (5 + 2) * 2);
    let mut memory = vec![0u8; needed];
    let (short, _) = memory.split_at_mut(needed - 1);
    let refused = Filter::new(kernel::EDGES, Border::Nearest, 5, 2, short).unwrap_err();
    assert_eq!(refused, MemoryError::TooSmall { needed });
    assert!(refused.to_string().contains("42"), "{refused}");
    let filter = Filter::new(kernel::EDGES, Border::Nearest, 5, 2, &mut memory).unwrap();
    assert_eq!(filter.into_memory().len(), needed);
    assert_eq!(kernel::EDGES.memory(usize::MAX, 3), usize::MAX, "no wrap-around");
}

#[test]
fn rows_of_other_lengths_and_pictures_without_pixels_do_no_harm() {
    let mut memory = [0u8; kernel::EDGES.memory(1, 4)];
    for (width, channels) in [(0, 1), (4, 0), (0, 0), (4, 1), (1, 4)] {
        let mut filter = Filter::new(kernel::EDGES, Border::Mirror, width, channels, &mut memory).unwrap();
        for length in 0..9 {
            let filtered = filter.push_row(&[7; 9][..length]).map(<[u8]>::len);
            assert_eq!(filtered, (length > 0).then_some(width * channels));
        }
        assert_eq!(filter.finish().map(<[u8]>::len), Some(width * channels));
    }
}

#[test]
fn an_infinite_sample_under_a_tap_of_zero_takes_no_part() {
    let picture = [1.0, f32::INFINITY, 3.0, 4.0, 5.0];
    let filtered = rows(&picture, 5, 1, kernel::IDENTITY, Border::Nearest);
    assert_eq!(filtered, picture);
}

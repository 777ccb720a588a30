//! The reader of `.onnx` files.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use microception_fuzz::{Format, Mutator, check, report_contained_panics};

fuzz_target!(init: report_contained_panics(), |bytes: &[u8]| {
    check(bytes);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    Mutator::new(seed).change(Format::Onnx, data, size, max_size)
});

//! Ranges files.

#![no_main]

use libfuzzer_sys::fuzz_target;
use microception_fuzz::ranges::check_ranges;

fuzz_target!(|bytes: &[u8]| {
    check_ranges(bytes);
});

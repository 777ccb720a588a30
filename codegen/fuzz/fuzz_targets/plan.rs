//! The planner, over graphs that are chosen by the bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use microception_fuzz::plan::check_plan;

fuzz_target!(|bytes: &[u8]| {
    check_plan(bytes);
});

//! The host's end of the serial line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use microception_fuzz::line::check_link;

fuzz_target!(|bytes: &[u8]| {
    check_link(bytes);
});

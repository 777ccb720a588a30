//! The board's end of the serial line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use microception_fuzz::line::check_board;

fuzz_target!(|bytes: &[u8]| {
    check_board(bytes);
});

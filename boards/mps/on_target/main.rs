//! Tests that run on the target, around the embedded model.

#![no_std]
#![no_main]

mod executor;
mod filter;
mod float;
mod front;
mod random;
mod simd;

microception_mps::test_program!(executor, filter, float, front, simd);

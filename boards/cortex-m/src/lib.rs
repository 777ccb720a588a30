//! What boards with a Cortex-M share, emulated or real.
//!
//! - [`embedded_model!`]: the model that a board's package is built around; `embed.rs`, its build script, puts it there.
//! - [`stack`]: how much stack a piece of work needs.
//! - [`silicon`]: of real boards the cycle counter, the LED, and the way to a debug probe.

#![no_std]

#[cfg(feature = "silicon")]
pub mod silicon;
pub mod stack;

pub use microception;
#[doc(hidden)]
pub use microception_app::Number;
pub use microception_app::protocol::Element;

/// Declares `model`, the module that the package's build script has made or been given, and the types of its input.
/// Built for a program without a model it declares nothing.
#[macro_export]
macro_rules! embedded_model {
    () => {
        include!(concat!(env!("OUT_DIR"), "/module.rs"));
    };
}

/// A pattern that is no plane and no edge: bytes 0, 37, 74, 111, ... modulo 256, or those numbers over 255 in f32.
pub const fn pattern<const WORDS: usize>(is_float: bool) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    let (mut place, mut byte) = (0, 0_u8);
    while place < WORDS {
        if is_float {
            words[place] = (byte as f32 / 255.0).to_bits();
            byte = byte.wrapping_add(37);
        } else {
            let next = [byte, byte.wrapping_add(37), byte.wrapping_add(2 * 37), byte.wrapping_add(3 * 37)];
            words[place] = u32::from_le_bytes(next);
            byte = byte.wrapping_add((4 * 37) as u8);
        }
        place += 1;
    }
    words
}

/// The types of the input of `model`, and what stands for a frame of it.
#[macro_export]
macro_rules! input_types {
    (one) => {
        $crate::input_types!();

        /// Words that hold a [`Frame`], so that a static of zeros can be one.
        pub type FrameWords = [u32; size_of::<Frame>().div_ceil(4)];
        /// Zeros.
        pub const NO_FRAME: FrameWords = [0; size_of::<Frame>().div_ceil(4)];
        /// What is no plane and no edge.
        pub const PATTERN: FrameWords =
            $crate::pattern(matches!(<Input as $crate::Number>::ELEMENT, $crate::Element::F32));

        /// The frame in its words.
        #[inline(always)]
        pub fn frame(words: &FrameWords) -> Option<&Frame> {
            let bytes: &[u8] = $crate::microception::bytemuck::must_cast_slice(words);
            bytes.get(..size_of::<Frame>()).and_then(|bytes| $crate::microception::bytemuck::try_from_bytes(bytes).ok())
        }

        /// Its rows.
        #[inline(always)]
        pub fn rows(words: &FrameWords) -> impl Iterator<Item = &Row> {
            let bytes: &[u8] = $crate::microception::bytemuck::must_cast_slice(words);
            let bytes = bytes.get(..size_of::<Frame>()).unwrap_or(&[]);
            $crate::microception::bytemuck::try_cast_slice(bytes).unwrap_or(&[]).iter()
        }
    };
    (several) => {
        $crate::input_types!();

        /// Frames of zeros.
        pub type FrameWords = Frame;
        /// Zeros.
        pub const NO_FRAME: FrameWords = Frame::ZERO;
        /// Zeros too.
        pub const PATTERN: FrameWords = Frame::ZERO;

        /// The frames.
        #[inline(always)]
        pub fn frame(frame: &FrameWords) -> Option<&Frame> {
            Some(frame)
        }

        /// Rows of zeros, without end.
        #[inline(always)]
        pub fn rows(_: &FrameWords) -> impl Iterator<Item = &'static Row> {
            static ROW: Row = [0; size_of::<Row>()];
            core::iter::repeat(&ROW)
        }
    };
    () => {
        /// What the embedded model takes.
        pub type Frame = <model::Network as $crate::microception::model::Model>::Frame;
        /// One row of it.
        pub type Row = <model::Network as $crate::microception::model::Model>::Row;
        /// Its elements.
        pub type Input = <model::Network as $crate::microception::model::Model>::Input;
    };
}

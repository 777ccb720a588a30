//! Filters whole pictures with the runtime's classic kernels, which have names here.
//!
//! ```
//! use microception::filter::Border;
//! use microception_codegen::data::picture::Picture;
//! use microception_codegen::filter;
//!
//! let grey = |pixels: [u8; 4]| Picture { height: 1, width: 4, channels: 1, pixels: pixels.into() };
//! let kernel = filter::named("sharpen").unwrap();
//! assert_eq!(filter::picture(&grey([40, 40, 80, 80]), kernel, Border::Nearest), grey([40, 0, 120, 80]));
//! ```

use microception::filter::kernel::{
    BOX_BLUR, EDGES, EDGES_CROSS, EDGES_DIAGONAL, GAUSSIAN_3X3, GAUSSIAN_5X5, IDENTITY, SHARPEN, UNSHARP_5X5,
};
use microception::filter::{Border, Filter, Kernel, Sample};

use crate::data::picture::Picture;

/// A kernel of either size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taps {
    /// 3x3.
    Three(Kernel<3>),
    /// 5x5.
    Five(Kernel<5>),
}

/// A kernel with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// The kernel.
    pub taps: Taps,
}

/// The runtime's constants.
pub const KERNELS: [Named; 9] = [
    Named { name: "identity", about: "the picture as it is", taps: Taps::Three(IDENTITY) },
    Named { name: "edges-diagonal", about: "edges that lie aslant, and corners", taps: Taps::Three(EDGES_DIAGONAL) },
    Named { name: "edges-cross", about: "edges, by the four nearest neighbours", taps: Taps::Three(EDGES_CROSS) },
    Named { name: "edges", about: "edges, by all eight neighbours", taps: Taps::Three(EDGES) },
    Named { name: "sharpen", about: "the picture and its edges", taps: Taps::Three(SHARPEN) },
    Named { name: "box-blur", about: "the mean of nine", taps: Taps::Three(BOX_BLUR) },
    Named { name: "gaussian-3x3", about: "a soft blur", taps: Taps::Three(GAUSSIAN_3X3) },
    Named { name: "gaussian-5x5", about: "a wider one", taps: Taps::Five(GAUSSIAN_5X5) },
    Named {
        name: "unsharp-5x5",
        about: "unsharp masking: sharper, and wider than sharpen",
        taps: Taps::Five(UNSHARP_5X5),
    },
];

/// The kernel of that name among [`KERNELS`].
pub fn named(name: &str) -> Option<&'static Named> {
    KERNELS.iter().find(|kernel| kernel.name == name)
}

/// The picture, filtered.
pub fn picture(picture: &Picture, kernel: &Named, border: Border<u8>) -> Picture {
    let &Picture { width, channels, ref pixels, .. } = picture;
    let pixels = match kernel.taps {
        Taps::Three(kernel) => rows(pixels, width, channels, kernel, border),
        Taps::Five(kernel) => rows(pixels, width, channels, kernel, border),
    };
    Picture { pixels, ..*picture }
}

/// Rows `[row][column][channel]` one after the other, filtered.
pub fn rows<T: Sample, const N: usize>(
    rows: &[T],
    width: usize,
    channels: usize,
    kernel: Kernel<N>,
    border: Border<T>,
) -> Vec<T> {
    let mut memory = vec![T::default(); kernel.memory(width, channels)];
    let mut filtered = Vec::with_capacity(rows.len());
    if let Ok(mut filter) = Filter::new(kernel, border, width, channels, &mut memory) {
        for row in rows.chunks_exact((width * channels).max(1)) {
            filtered.extend(filter.push_row(row).into_iter().flatten());
        }
        while let Some(row) = filter.finish() {
            filtered.extend(row);
        }
    }
    filtered
}

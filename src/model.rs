//! What generated code implements: the layers, and the plan that says when each runs and where
//! its rows lie.

use bytemuck::Pod;

use crate::window::Call;

/// The version of the contract between generated modules and this runtime. It changes whenever a
/// module made before would not compile or not compute the same.
pub const FORMAT: u32 = 3;

/// Fails to compile a module that was generated for another [`FORMAT`] of the runtime.
///
/// Generated modules begin with `const _: () = microception::model::require_format(..);`
///
/// ```compile_fail
/// const _: () = microception::model::require_format(0);
/// ```
pub const fn require_format(format: u32) {
    assert!(
        format == FORMAT,
        "this module was generated for another version of the microception runtime: \
         run `microception convert` of this version again, or depend on the runtime that the module's first line names"
    );
}

/// One step: one call of one layer. 8 bytes.
///
/// The step's addresses follow those of the step before in [`Plan::addresses`]: first the lines
/// of the first input, then the lines of the second, then the output, then the scratch
/// (the last two are always there, and unused when their length is zero).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Step {
    /// Index of the layer. The first [`Plan::inputs`] layers take a row from the caller.
    pub layer: u16,
    /// The first output row that the step makes; of a layer that consumes its input row by row
    /// (a running mean, a dense layer), the first input row that the step consumes.
    pub row: u16,
    /// How many output rows it makes, one after the other in memory. 0 for a layer that only
    /// consumes (a running mean before its last row).
    pub rows: u8,
    /// Where the first kernel tap of the first output row lies among the lines: 0 is the first
    /// line; negative where taps above it are padding.
    pub first: i8,
    /// How many lines of each input there are. A layer that folds a window's lines into its output row as they
    /// come has that row as its second input's only line from the second such step on.
    pub lines: [u8; 2],
}

impl Step {
    /// For generated modules, where hundreds of them stand in a row; the arguments are the fields
    /// in their order.
    pub const fn new(layer: u16, row: u16, rows: u8, first: i8, lines: [u8; 2]) -> Step {
        Step { layer, row, rows, first, lines }
    }
}

/// Bytes that lie on a multiple of 4, so that kernels read weights as words.
///
/// ```
/// use microception::model::Aligned;
/// static WEIGHTS: Aligned<[u8; 3]> = Aligned(*b"\x01\x02\xff");
/// assert_eq!(WEIGHTS.0.as_ptr().align_offset(4), 0);
/// ```
#[derive(Debug, Clone, Copy)]
#[repr(C, align(4))]
pub struct Aligned<T>(pub T);

/// The length in bytes of what a layer's steps read and write. 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct RowBytes {
    /// One line of each input; 0 where there is none. Of a layer that folds, the second is its own row.
    pub inputs: [u32; 2],
    /// One output row.
    pub output: u32,
    /// The scratch, or the running sums that a layer keeps from step to step.
    pub scratch: u32,
}

/// All that the executor replays. Sizes and addresses are checked when the plan is made, on the
/// host; here they are constants.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// How many of the first layers are inputs.
    pub inputs: usize,
    /// Per layer.
    pub rows: &'a [RowBytes],
    /// In the order of execution.
    pub steps: &'a [Step],
    /// Arena addresses in units of [`unit`](Plan::unit) bytes, in the order of the steps.
    pub addresses: &'a [u16],
    /// Bytes per address step: a power of two; 1 only where rows of odd lengths lie one after the other.
    pub unit: usize,
    /// Address of the output tensor, in units.
    pub output: u16,
    /// Bytes of the output tensor, whose rows lie one after the other.
    pub output_bytes: usize,
}

/// What makes a plan endless: its last steps repeat for ever, for a series that has no end.
///
/// The steps before them are those of the first rows, where windows still reach over the series' beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Period {
    /// Index in [`Plan::steps`] of the first step that repeats, an input's: after the last step this one runs again.
    pub step: usize,
    /// Index in [`Plan::addresses`] of that step's first address.
    pub address: usize,
    /// Index of the layer whose row is the output.
    pub output: u16,
    /// How many outputs are none, because their windows begin before the series does: those that come first.
    pub withheld: u16,
}

/// A run of elements that can be seen as bytes: arrays for generated models, slices on the host.
pub trait Elements<T> {
    /// The elements in memory order.
    fn elements(&self) -> &[T];
}

impl<T, const N: usize> Elements<T> for [T; N] {
    fn elements(&self) -> &[T] {
        self
    }
}

impl<T> Elements<T> for [T] {
    fn elements(&self) -> &[T] {
        self
    }
}

/// A model: its layers and its plan. Implemented by generated modules, whose every method
/// returns constants, and on the host by a graph in memory.
pub trait Model {
    /// What the caller hands over: `u8` pixels, `i8` quantized values or `f32`.
    type Input: Pod;
    /// What comes out: `i8` quantized values or `f32`.
    type Output: Pod;
    /// A whole input, `[row][column][channel]`; of an endless model, the rows that its first output needs.
    type Frame: Elements<Self::Input> + ?Sized;
    /// One row of the input, `[column][channel]`.
    type Row: Elements<Self::Input> + ?Sized;
    /// Bytes of arena that the plan uses, scratch included.
    const ARENA_BYTES: usize;

    /// The steps and their addresses.
    fn plan(&self) -> Plan<'_>;

    /// What repeats, of a model whose input is a series without an end. Others have no period, and an output once a frame.
    #[inline]
    fn period(&self) -> Option<Period> {
        None
    }

    /// Runs one step of one layer on the rows that the call shows.
    fn run(&self, layer: usize, call: Call<'_>);
}

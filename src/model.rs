//! What generated code implements: the layers, and the plan that says when each runs and where
//! its rows lie.

use core::marker::PhantomData;

use bytemuck::Pod;

use crate::quantized::{Channel, WideChannel};
use crate::window::Call;

/// The version of the contract between generated modules and this runtime. It changes whenever a
/// module made before would not compile or not compute the same.
pub const FORMAT: u32 = 5;

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

    /// Bits of a step.
    const BITS: usize = 64;

    /// Flips the bit with that number, modulo [`BITS`](Step::BITS).
    fn flip(&mut self, bit: usize) {
        let Step { layer, row, rows, first, lines: [one, two] } = self;
        match bit % Step::BITS {
            bit @ 0..16 => *layer ^= 1 << bit,
            bit @ 16..32 => *row ^= 1 << (bit - 16),
            bit @ 32..40 => *rows ^= 1 << (bit - 32),
            bit @ 40..48 => *first ^= 1 << (bit - 40),
            bit @ 48..56 => *one ^= 1 << (bit - 48),
            bit => *two ^= 1 << (bit - 56),
        }
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
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Plan<'a> {
    /// How many of the first layers are inputs; these stand in the order of the model's inputs.
    pub inputs: usize,
    /// Per layer.
    pub rows: &'a [RowBytes],
    /// In the order of execution.
    pub steps: &'a [Step],
    /// Arena addresses in units of [`unit`](Plan::unit) bytes, in the order of the steps.
    pub addresses: &'a [u16],
    /// Bytes per address step: a power of two; 1 only where rows of odd lengths lie one after the other.
    pub unit: usize,
    /// Where the model's outputs are, in their order.
    pub outputs: &'a [Tensor],
}

impl Plan<'_> {
    /// Bits of the steps and of the addresses behind them, for [`flip_plan_bit`].
    pub const fn bits(&self) -> usize {
        Step::BITS * self.steps.len() + u16::BITS as usize * self.addresses.len()
    }
}

/// Flips a bit of a plan's steps, and behind them of its addresses, as a damaged memory does: for tests of what comes of it. None
/// behind the last. Twice it is as it was.
///
/// ```
/// use microception::model::{Step, flip_plan_bit};
/// let (mut steps, mut addresses) = ([Step::new(0, 0, 0, 0, [0; 2])], [0, 0]);
/// flip_plan_bit(&mut steps, &mut addresses, 16);
/// assert_eq!(steps, [Step::new(0, 1, 0, 0, [0; 2])]);
/// flip_plan_bit(&mut steps, &mut addresses, 16);
/// flip_plan_bit(&mut steps, &mut addresses, 63);
/// flip_plan_bit(&mut steps, &mut addresses, 64 + 16);
/// assert_eq!((steps, addresses), ([Step::new(0, 0, 0, 0, [0, 128])], [0, 1]));
/// ```
pub fn flip_plan_bit(steps: &mut [Step], addresses: &mut [u16], bit: usize) {
    match bit.checked_sub(Step::BITS * steps.len()) {
        None => steps.iter_mut().skip(bit / Step::BITS).take(1).for_each(|step| step.flip(bit)),
        Some(bit) => addresses.iter_mut().skip(bit / 16).take(1).for_each(|address| *address ^= 1 << (bit % 16)),
    }
}

/// Where a whole tensor lies, its rows one after the other. 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Tensor {
    /// Address in units of [`Plan::unit`].
    pub address: u16,
    /// Bytes.
    pub bytes: u32,
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

/// What [`Executor::predict`](crate::executor::Executor::predict) takes: a whole frame of each input. An array is the
/// frame of a single input; of several, generated modules declare a struct with their names.
pub trait Frames {
    /// The bytes of the frame of the input with that index, `[row][column][channel]`.
    fn frame(&self, input: usize) -> &[u8];
}

impl<T: Pod, const N: usize> Frames for [T; N] {
    #[inline]
    fn frame(&self, _: usize) -> &[u8] {
        bytemuck::must_cast_slice(self)
    }
}

impl<T: Pod> Frames for [T] {
    #[inline]
    fn frame(&self, _: usize) -> &[u8] {
        bytemuck::must_cast_slice(self)
    }
}

/// One of several inputs, whose rows have `N` elements. Generated modules name theirs in `inputs`; what takes one is
/// [`Executor::push_row_of`](crate::executor::Executor::push_row_of).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Input<T, const N: usize> {
    index: usize,
    element: PhantomData<T>,
}

impl<T: Pod, const N: usize> Input<T, N> {
    /// The input with that index.
    pub const fn new(index: usize) -> Self {
        Input { index, element: PhantomData }
    }

    /// Its index: what [`Progress::NeedsRow`](crate::executor::Progress::NeedsRow) calls it.
    pub const fn index(self) -> usize {
        self.index
    }
}

/// One of several outputs. Generated modules name theirs in `outputs`; what takes one is
/// [`Executor::output_of`](crate::executor::Executor::output_of).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Output<T> {
    index: usize,
    element: PhantomData<T>,
}

impl<T: Pod> Output<T> {
    /// The output with that index.
    pub const fn new(index: usize) -> Self {
        Output { index, element: PhantomData }
    }

    /// Its index.
    pub const fn index(self) -> usize {
        self.index
    }
}

/// What one number is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Element {
    /// A pixel, 0 to 255.
    U8,
    /// Quantized to eight bits.
    I8,
    /// Quantized to sixteen bits.
    I16,
    /// IEEE single precision.
    F32,
}

impl Element {
    /// Bytes of one.
    pub const fn bytes(self) -> usize {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::I16 => 2,
            Element::F32 => 4,
        }
    }
}

/// An input or output as a generated module describes it, for programs that run whatever model they are given.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Port {
    /// Its name in the model.
    pub name: &'static str,
    /// Extents, channels last, without the batch.
    pub shape: &'static [usize],
    /// Its numbers.
    pub element: Element,
    /// `real = scale * (stored - zero_point)`; 1 in f32.
    pub scale: f32,
    /// The stored number that stands for zero; 0 in f32.
    pub zero_point: f32,
}

impl Port {
    /// Bytes of the whole tensor.
    pub fn bytes(&self) -> usize {
        self.shape.iter().fold(self.element.bytes(), |bytes, &extent| bytes.wrapping_mul(extent))
    }
}

/// A layer as a generated module describes it. What reads none of these takes no flash for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Layer {
    /// Its name in the model.
    pub name: &'static str,
    /// What it is, as `microception inspect` names it.
    pub kind: &'static str,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
}

/// One of the arrays that a generated module keeps in flash, for a check of what lies there. What reads none of these
/// takes no flash for their list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Weights {
    /// Weights and tables; words as they lie in memory, on every core with the lowest byte first.
    Bytes(&'static [u8]),
    /// Biases and factors.
    Channels(&'static [Channel]),
    /// The same of int16x8 layers.
    WideChannels(&'static [WideChannel]),
}

impl Weights {
    /// Hands the bytes of the array to `take`, in as many pieces as it likes: of a channel bias and multiplier, the lowest
    /// byte first, and the shift, without the padding that follows in memory; of a wide one the bias has 64 bits.
    ///
    /// ```
    /// use microception::model::Weights;
    /// use microception::quantized::Channel;
    /// static CHANNELS: [Channel; 1] = [Channel::new(-2, 0x4000_0000, -5)];
    /// let (mut bytes, mut count) = ([0; 9], 0);
    /// Weights::Channels(&CHANNELS).for_each_piece(|piece| {
    ///     bytes[count..][..piece.len()].copy_from_slice(piece);
    ///     count += piece.len();
    /// });
    /// assert_eq!(bytes, [0xFE, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0x40, 0xFB]);
    /// ```
    pub fn for_each_piece(self, mut take: impl FnMut(&[u8])) {
        match self {
            Weights::Bytes(bytes) => take(bytes),
            Weights::Channels(channels) => {
                for channel in channels {
                    take(&channel.bias.to_le_bytes());
                    take(&channel.factor.multiplier.to_le_bytes());
                    take(&channel.factor.shift.to_le_bytes());
                }
            }
            Weights::WideChannels(channels) => {
                for channel in channels {
                    take(&channel.bias().to_le_bytes());
                    take(&channel.factor().multiplier.to_le_bytes());
                    take(&channel.factor().shift.to_le_bytes());
                }
            }
        }
    }
}

/// A model: its layers and its plan. Implemented by generated modules, whose every method
/// returns constants, and on the host by a graph in memory.
pub trait Model {
    /// What the caller hands over: `u8` pixels, `i8` quantized values or `f32`. Of several inputs, bytes.
    type Input: Pod;
    /// What comes out: `i8` quantized values or `f32`. Of several outputs, the first's.
    type Output: Pod;
    /// A whole input, `[row][column][channel]`, or all of several; of an endless model, the rows that its first output
    /// needs.
    type Frame: Frames + ?Sized;
    /// One row of the input, `[column][channel]`. Of several inputs, as many bytes as the longest row of any has; a
    /// shorter row takes the first of them.
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

//! The messages.

use heapless::Vec;
use serde::{Deserialize, Serialize};

/// The version of the messages. Both sides must speak the same.
pub const VERSION: u16 = 4;

/// The most bytes of a tensor that one message carries.
pub const CHUNK: usize = 256;

/// The most bytes of a name; longer ones are clipped, see [`clip`].
pub const NAME_BYTES: usize = 64;

/// The most axes of a shape.
pub const RANK: usize = 4;

/// The most classes of [`Reply::Top`].
pub const TOP: usize = 5;

/// The most taps of a kernel: 5x5.
pub const TAPS: usize = 25;

/// A request or a reply, and the tag that pairs them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Packet<T> {
    /// Chosen by the host, 1 to 255; the answer repeats it.
    pub tag: u8,
    /// The message.
    pub body: T,
}

/// What the host asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Request<'a> {
    /// What runs there. Answered by [`Reply::Info`], or by [`Fault::UnknownVersion`].
    Info {
        /// The [`VERSION`] that the host speaks.
        version: u16,
    },
    /// The next bytes of the input frame `[row][column][channel]`, in the model's own input type,
    /// little endian. Pieces need not end where rows do. What an endless model takes is a series, of any length: a frame
    /// that does not end. Of several inputs the board [says](Reply::Taken::input) which one's row comes next, and a piece
    /// ends at the latest where its row does.
    Input {
        /// Which input they are of.
        input: u8,
        /// How many bytes of the frame came before, of all inputs; 0 begins a new frame, with a row of the first input.
        offset: u32,
        /// At most [`CHUNK`] bytes.
        bytes: &'a [u8],
    },
    /// A piece of an output tensor, once the whole frame was taken.
    Output {
        /// Which output.
        output: u8,
        /// Where the piece begins, in bytes.
        offset: u32,
    },
    /// The best elements of the first output, best first.
    Top {
        /// How many, at most [`TOP`].
        count: u8,
    },
    /// The name of a class.
    Label {
        /// Its index in the output.
        index: u16,
    },
    /// Runs inferences and measures them. Every row is the one that was pushed last, zeros
    /// before the first.
    Bench,
    /// Begins a picture that is filtered row by row. Its rows then come by [`Input`](Request::Input), in pieces
    /// that end at the latest where their row does, and each filtered row is asked for by
    /// [`Output`](Request::Output) before the next row comes.
    Filter(Filter),
    /// What one of several inputs or outputs is; of one alone [`Info`](Reply::Info) says it.
    Port {
        /// Whether it is an output.
        output: bool,
        /// Its index among these.
        index: u8,
    },
    /// What a layer of the plan is.
    Layer {
        /// Its index, as [`Reply::Step`] has it.
        index: u16,
    },
    /// How much memory there is and how much is used.
    Memory,
    /// Runs an inference on a made-up frame, and compares what comes out with what the host computed when the model was
    /// converted.
    SelfTest,
}

/// How a picture is filtered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Filter {
    /// Rows of the picture.
    pub rows: u32,
    /// Pixels of a row.
    pub width: u16,
    /// Bytes of a pixel.
    pub channels: u8,
    /// What the kernel sees beyond the picture.
    pub border: Border,
    /// `[row][column]` of a square, 3x3 or 5x5.
    pub taps: Vec<i16, TAPS>,
    /// What the sum is divided by; not 0.
    pub divisor: u16,
}

/// How a picture goes on beyond its first and last rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Border {
    /// With one number.
    Constant(u8),
    /// With the outermost row or column.
    Nearest,
    /// Backwards, the outermost row or column twice.
    Reflect,
    /// Backwards, the outermost row or column once.
    Mirror,
}

/// What the board answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reply<'a> {
    /// The request was not carried out.
    Error(Fault),
    /// What runs here.
    #[serde(borrow)]
    Info(Info<'a>),
    /// The bytes were taken, and the rows that they completed were computed.
    Taken {
        /// How many bytes of the frame were taken so far.
        next: u32,
        /// Which input the next bytes are of.
        input: u8,
        /// Whether the output is complete. Of an endless model: whether the last row that these bytes completed has led
        /// to one, which stays until the next bytes.
        complete: bool,
    },
    /// A piece of the output tensor `[row][column][channel]`, in the model's own output type,
    /// little endian.
    Output {
        /// Where the piece begins, in bytes.
        offset: u32,
        /// [`CHUNK`] bytes, or fewer at the end of the tensor.
        bytes: &'a [u8],
    },
    /// The best elements of the output, best first; of equal ones the one with the lower index.
    Top(Vec<Class, TOP>),
    /// The name of a class.
    Label(&'a str),
    /// One step of a measured inference.
    Step {
        /// Counts the steps from 0.
        index: u32,
        /// The layer that the step belongs to.
        layer: u16,
        /// Ticks that it took, without the [overhead](Reply::Bench::overhead) of measuring.
        ticks: u32,
    },
    /// The end of a measurement.
    Bench {
        /// How many [`Reply::Step`] went before.
        steps: u32,
        /// Ticks of one inference in one go, from its first row to its output, without the overhead
        /// of measuring.
        ticks: u32,
        /// Ticks that one measurement of nothing takes.
        overhead: u32,
        /// Bytes of stack that one inference needs; `None` where the board can't tell.
        stack_bytes: Option<u32>,
    },
    /// What an input or output is.
    #[serde(borrow)]
    Port(Port<'a>),
    /// What a layer is.
    Layer {
        /// Its name in the model.
        name: &'a str,
        /// What it is, as `microception inspect` names it.
        kind: &'a str,
        /// Multiply-accumulates of one inference.
        macs: u64,
    },
    /// The memory.
    Memory(Memory),
    /// The end of a self-test: the first difference; `None` where there is none.
    SelfTest(Option<Difference>),
}

/// A board's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Memory {
    /// The arena, scratch included.
    pub arena: u32,
    /// Weights, biases, factors and tables, in flash.
    pub weights: u32,
    /// What the linker has placed in RAM, the arena among it; `None` where the board can't tell.
    pub statics: Option<u32>,
    /// The stack; `None` where the board can't tell.
    pub stack: Option<Stack>,
}

/// A board's stack, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Stack {
    /// The most that was in use since reset, by whatever ran.
    pub used: u32,
    /// All that there is.
    pub size: u32,
}

/// Where a board computes another number than the host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Difference {
    /// One of the elements that are kept of an output; in f32 it is off by more than the tolerance.
    Element {
        /// Which output.
        output: u8,
        /// Which element of it.
        index: u32,
        /// What the board computes, as stored.
        found: f32,
        /// What the host computed.
        expected: f32,
    },
    /// None of these, but another: the CRC of all is not the host's, or in f32 the largest magnitude.
    Elsewhere {
        /// In which output.
        output: u8,
    },
}

impl core::fmt::Display for Difference {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Difference::Element { output, index, found, expected } => {
                write!(formatter, "element {index} of output {output} is {found}, where the host has {expected}")
            }
            Difference::Elsewhere { output } => {
                write!(formatter, "the first elements of output {output} are the host's, and others are not")
            }
        }
    }
}

/// One of several inputs or outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Port<'a> {
    /// Its name in the model.
    pub name: &'a str,
    /// Extents, channels last, without the batch; those past [`RANK`] are left out.
    pub shape: Vec<u32, RANK>,
    /// Element type.
    pub element: Element,
    /// What its elements stand for.
    pub quantization: Quantization,
    /// Bytes of the whole tensor.
    pub bytes: u32,
    /// Bytes of a row, of an input.
    pub row_bytes: u32,
}

/// What a board is and what runs on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Info<'a> {
    /// The [`VERSION`] that the board speaks.
    pub version: u16,
    /// The board.
    pub board: &'a str,
    /// The model.
    pub model: &'a str,
    /// How many inputs the model has. What is said of the input below is of the first.
    pub inputs: u8,
    /// How many outputs. What is said of the output below is of the first.
    pub outputs: u8,
    /// Extents of the input, channels last, without the batch; those past [`RANK`] are left out.
    pub input_shape: Vec<u32, RANK>,
    /// Extents of the output.
    pub output_shape: Vec<u32, RANK>,
    /// Element type of the input.
    pub input: Element,
    /// Element type of the output.
    pub output: Element,
    /// What the input's elements stand for.
    pub input_quantization: Quantization,
    /// What the output's elements stand for.
    pub output_quantization: Quantization,
    /// Bytes of one input frame.
    pub frame_bytes: u32,
    /// Bytes of one input row.
    pub row_bytes: u32,
    /// Bytes of the output tensor.
    pub output_bytes: u32,
    /// Bytes of arena, scratch included.
    pub arena_bytes: u32,
    /// Bytes of weights.
    pub weight_bytes: u32,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Layers of the plan; the [`layer`](Reply::Step::layer) of a step is below it.
    pub layers: u16,
    /// How many classes have a label.
    pub labels: u16,
    /// What one tick is.
    pub tick: Tick,
}

/// The element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Element {
    /// Pixels, 0 to 255.
    U8,
    /// Quantized to eight bits.
    I8,
    /// IEEE single precision.
    F32,
    /// Quantized to sixteen bits, the lowest byte first.
    I16,
}

impl Element {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::I16 => 2,
            Element::F32 => 4,
        }
    }
}

/// How stored numbers stand for real ones: `real = scale * (stored - zero_point)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Quantization {
    /// Real value of one step; 1 where nothing is quantized.
    pub scale: f32,
    /// The stored value that stands for zero, a whole number where int8 is stored; 0 where nothing is quantized.
    pub zero_point: f32,
}

/// What a board counts when it measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Tick {
    /// Cycles of the core.
    Cycle {
        /// The core's clock, per second.
        hz: u32,
    },
    /// A timer's ticks. In an emulator whose clock follows the instructions, that counts them.
    Time {
        /// Per second.
        hz: u32,
    },
}

/// One element of the output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Class {
    /// Its index.
    pub index: u16,
    /// Its real value.
    pub value: f32,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// The board speaks another version.
    UnknownVersion {
        /// The version that it speaks.
        board: u16,
    },
    /// A frame arrived damaged and was dropped: its CRC, COBS or postcard encoding does not hold,
    /// or it was longer than [`FRAME_BYTES`](crate::FRAME_BYTES). The tag of this answer is 0.
    BadFrame,
    /// The piece does not follow the one before.
    UnexpectedOffset {
        /// The offset that would: the bytes of the frame taken so far.
        expected: u32,
        /// The input that they would be of.
        input: u8,
    },
    /// The piece goes beyond the end of the frame, or holds nothing.
    WrongLength {
        /// The most bytes that would have fitted.
        room: u32,
    },
    /// There is no output yet: the frame is not complete.
    NoOutput,
    /// An index or offset beyond the end.
    OutOfRange {
        /// What it must stay below.
        end: u32,
    },
    /// The firmware does not serve that request: one with a model filters no pictures, and one that filters pictures has
    /// no model.
    NotServed,
    /// A row of the picture is longer than the firmware's memory takes, or the kernel is none that it knows.
    TooLarge {
        /// The most bytes of a row.
        row: u32,
        /// The most rows and columns of a kernel.
        kernel: u8,
    },
    /// The weights in flash are not those that the model was built with: flashing was cut short, or flash has lost bits.
    /// Every request but [`Info`](Request::Info) is answered so.
    DamagedWeights {
        /// The CRC-32 that the firmware was built with.
        stored: u32,
        /// That of what lies in flash.
        computed: u32,
    },
    /// The model's module holds no outputs to compare with: it was too large to be run when it was converted.
    NoGolden,
}

impl core::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Fault::UnknownVersion { board } => write!(
                formatter,
                "the board speaks protocol version {board}, this command version {VERSION}: flash the firmware of this version"
            ),
            Fault::BadFrame => formatter.write_str("a frame arrived damaged"),
            Fault::UnexpectedOffset { expected, input } => write!(
                formatter,
                "the board expected the piece of the frame that begins at byte {expected}, of input {input}"
            ),
            Fault::WrongLength { room } => {
                write!(formatter, "the piece does not fit the frame, of which {room} bytes are missing")
            }
            Fault::NoOutput => formatter.write_str("there is no output before a whole frame was sent"),
            Fault::OutOfRange { end } => write!(formatter, "out of range: there are only {end}"),
            Fault::NotServed => {
                formatter.write_str("its firmware does not serve this: models and filters each have their own")
            }
            Fault::TooLarge { row, kernel } => write!(
                formatter,
                "the picture or kernel is too large: a row has at most {row} bytes, a kernel at most {kernel}x{kernel} taps"
            ),
            Fault::DamagedWeights { stored, computed } => write!(
                formatter,
                "its weights are damaged: what lies in its flash has the CRC-32 {computed:08x} instead of {stored:08x}, as \
                 after flashing that was cut short; flash it again, and if that does not help, the flash is worn out"
            ),
            Fault::NoGolden => formatter.write_str(
                "its module has no outputs to compare with: the model takes too many multiply-accumulates to be run \
                 when it is converted",
            ),
        }
    }
}

impl core::error::Error for Fault {}

/// `name`, cut to at most [`NAME_BYTES`] bytes between two characters.
pub fn clip(name: &str) -> &str {
    let mut end = name.len().min(NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

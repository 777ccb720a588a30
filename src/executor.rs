//! Replays a plan.
//!
//! [`Executor::predict`], [`Executor::push_row`] and [`Executor::step`] run the same steps in the
//! same order and give the same bits. Nothing here panics, recurses or allocates; the loops are
//! bounded by the number of steps.

use bytemuck::Pod;

use crate::model::{Elements, Frames, Input, Model, Output, Period, Plan, RowBytes, Step, Tensor};
use crate::window::{Call, Span};

/// The memory that a model runs in: `N` bytes, aligned for every element type. Put it in a static
/// or on the stack; two models that do not run at once can share one that fits the larger.
///
/// ```
/// use microception::executor::Arena;
/// let arena = Arena::<1024>::new();
/// assert_eq!(size_of_val(&arena), 1024);
/// ```
#[derive(Debug, Clone)]
#[repr(C, align(16))]
pub struct Arena<const N: usize>([u8; N]);

impl<const N: usize> Arena<N> {
    /// An arena of zeros.
    pub const fn new() -> Arena<N> {
        Arena([0; N])
    }

    /// The bytes.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl<const N: usize> Default for Arena<N> {
    fn default() -> Self {
        Arena::new()
    }
}

/// Why [`Executor::over`] refused the memory it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ArenaError {
    /// Shorter than the plan needs.
    TooSmall {
        /// Bytes that the plan needs.
        needed: usize,
    },
    /// The first byte does not lie on a multiple of 4.
    Misaligned,
}

/// What one [`Executor::step`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Progress {
    /// It ran this layer.
    Ran {
        /// Index of the layer.
        layer: usize,
    },
    /// Nothing ran: the next step needs an input row, see [`Executor::push_row`].
    NeedsRow {
        /// Of which input; 0 where there is one.
        input: usize,
        /// Index of the row, from 0; of an endless model, modulo the rows of its period.
        row: usize,
    },
    /// Nothing ran: the output is complete. An endless model then takes the next row like any other.
    Done,
}

/// Runs a model in an arena.
///
/// After the last input row of a frame the output is complete; the next row begins the next
/// frame. The example stands in the [crate's documentation](crate).
///
/// A model with a [`Period`] takes a series that has no end. Here, by hand, what generated modules
/// look like: the largest of the last three numbers. Three rows live in the arena, and the steps of three rows repeat.
///
/// ```
/// use microception::executor::{Arena, Executor};
/// use microception::layers::{Geometry, input, max_pool};
/// use microception::model::{Model, Period, Plan, RowBytes, Step, Tensor};
/// use microception::window::Call;
///
/// struct Largest;
///
/// impl Model for Largest {
///     type Input = i8;
///     type Output = i8;
///     type Frame = [i8; 3];
///     type Row = [i8; 1];
///     const ARENA_BYTES: usize = 16;
///
///     fn plan(&self) -> Plan<'_> {
///         static ROWS: [RowBytes; 2] = [RowBytes { inputs: [1, 0], output: 1, scratch: 0 }; 2];
///         // Layer, row, rows made, first tap, lines of each input.
///         static STEPS: [Step; 6] = [
///             Step::new(0, 0, 1, 0, [0, 0]),
///             Step::new(1, 0, 1, 0, [3, 0]),
///             Step::new(0, 1, 1, 0, [0, 0]),
///             Step::new(1, 1, 1, 0, [3, 0]),
///             Step::new(0, 2, 1, 0, [0, 0]),
///             Step::new(1, 2, 1, 0, [3, 0]),
///         ];
///         // In units of 4 bytes: lines read, row written, scratch.
///         static ADDRESSES: [u16; 21] = [0, 0, 1, 2, 0, 3, 0, 1, 0, 2, 0, 1, 3, 0, 2, 0, 0, 1, 2, 3, 0];
///         static OUTPUTS: [Tensor; 1] = [Tensor { address: 3, bytes: 1 }];
///         Plan { inputs: 1, rows: &ROWS, steps: &STEPS, addresses: &ADDRESSES, unit: 4, outputs: &OUTPUTS }
///     }
///
///     fn period(&self) -> Option<Period> {
///         // The windows of the first two outputs begin before the series.
///         Some(Period { step: 0, address: 0, output: 1, withheld: 2 })
///     }
///
///     fn run(&self, layer: usize, call: Call<'_>) {
///         let geometry = Geometry {
///             width: 1, channels: 1, output_width: 1, kernel: [3, 1], stride: [1, 1], dilation: [1, 1], left: 0,
///         };
///         match layer {
///             0 => input::copy(call),
///             _ => max_pool::int8(&max_pool::MaxPool { geometry }, call),
///         }
///     }
/// }
///
/// let mut arena = Arena::<16>::new();
/// let mut largest = Executor::new(Largest, &mut arena);
/// let series = [[5], [1], [2], [4], [-3], [-4], [-5], [-6]];
/// let outputs = series.map(|row| largest.push_row(&row).map(|output| output[0]));
/// assert_eq!(outputs, [None, None, Some(5), Some(4), Some(4), Some(4), Some(-3), Some(-4)]);
///
/// largest.reset(); // another series
/// assert_eq!(largest.push_row(&[7]), None);
/// assert_eq!(largest.predict(&[1, 2, 3]), [3]);
/// ```
#[derive(Debug)]
pub struct Executor<'a, M> {
    model: M,
    arena: &'a mut [u8],
    /// Index of the next step.
    next: usize,
    /// Where the next step's addresses begin.
    cursor: usize,
    /// Of an endless model.
    series: Series,
}

/// Where it is; the arena's bytes are no text.
#[cfg(feature = "defmt")]
impl<M> defmt::Format for Executor<'_, M> {
    fn format(&self, formatter: defmt::Formatter<'_>) {
        defmt::write!(formatter, "Executor before step {=usize}", self.next);
    }
}

/// How far an endless model is.
#[derive(Debug, Clone, Copy)]
struct Series {
    /// Outputs that are still to be withheld.
    withheld: u16,
    /// Whether the last input row has led to an output.
    answered: bool,
}

impl Series {
    /// Before the first row.
    #[inline]
    fn begin(period: Option<Period>) -> Series {
        Series { withheld: period.map_or(0, |period| period.withheld), answered: false }
    }
}

impl<'a, M: Model> Executor<'a, M> {
    /// An executor over an arena whose size is checked when the program is compiled.
    ///
    /// ```compile_fail
    /// # use microception::{executor::{Arena, Executor}, model::{Model, Plan}, window::Call};
    /// # struct Large;
    /// # impl Model for Large {
    /// #     type Input = u8; type Output = i8; type Frame = [u8; 1]; type Row = [u8; 1];
    /// #     const ARENA_BYTES: usize = 64;
    /// #     fn plan(&self) -> Plan<'_> { unreachable!() }
    /// #     fn run(&self, _: usize, _: Call<'_>) {}
    /// # }
    /// let mut arena = Arena::<60>::new();
    /// Executor::new(Large, &mut arena); // Large::ARENA_BYTES is 64
    /// ```
    pub fn new<const N: usize>(model: M, arena: &'a mut Arena<N>) -> Self {
        const {
            assert!(N >= M::ARENA_BYTES, "the arena is smaller than the model's ARENA_BYTES");
        }
        let series = Series::begin(model.period());
        Executor { model, arena: arena.bytes(), next: 0, cursor: 0, series }
    }

    /// An executor over memory whose size is known only at run time, of which it uses
    /// `arena_bytes`.
    ///
    /// # Errors
    /// When the memory is shorter, or not aligned to 4 bytes.
    pub fn over(model: M, arena: &'a mut [u8], arena_bytes: usize) -> Result<Self, ArenaError> {
        if arena.as_ptr().align_offset(4) != 0 {
            return Err(ArenaError::Misaligned);
        }
        let series = Series::begin(model.period());
        match arena.get_mut(..arena_bytes) {
            Some(arena) => Ok(Executor { model, arena, next: 0, cursor: 0, series }),
            None => Err(ArenaError::TooSmall { needed: arena_bytes }),
        }
    }

    /// Runs the whole frame `[row][column][channel]` and returns the output
    /// `[row][column][channel]`, which stays until the next row is pushed. Rows pushed before are
    /// forgotten. The frame of an endless model is the rows that its first output needs, which is what comes out; rows
    /// that are pushed after it go on with the series.
    ///
    /// Of several inputs the frame has all. Of several outputs the first is returned;
    /// [`output_of`](Executor::output_of) has the others.
    pub fn predict(&mut self, frame: &M::Frame) -> &[M::Output] {
        self.reset();
        let mut rows = frame.frame(0).chunks_exact(self.row_bytes(0).max(1));
        while let Some(step) = self.upcoming() {
            if self.is_input(&step) {
                let row = if self.model.plan().inputs > 1 { self.row_of(frame, &step) } else { rows.next() };
                let Some(row) = row else { break };
                self.run(&step, row);
            } else {
                self.run(&step, &[]);
            }
        }
        self.output()
    }

    /// Takes one input row `[column][channel]`, runs every step that it makes possible, and
    /// returns the output when it is complete. After that, the next row begins a new frame.
    ///
    /// An endless model has no frames. It returns an output, one row, whenever a row has made one computable: from the
    /// first whose windows lie in the series on, one for as many rows as its strides multiply to.
    pub fn push_row(&mut self, row: &M::Row) -> Option<&[M::Output]> {
        self.begin_row(row);
        while let Progress::Ran { .. } = self.step() {}
        self.is_complete().then(|| self.output())
    }

    /// Takes one input row without running more than its own step; [`step`](Executor::step) does
    /// the rest. Does nothing while steps are left that need no row. Of several inputs it is a row of the one that the plan
    /// wants, whichever that is; [`begin_row_of`](Executor::begin_row_of) says whose it is.
    pub fn begin_row(&mut self, row: &M::Row) {
        if self.upcoming().is_none() {
            self.reset();
        }
        if let Some(step) = self.upcoming().filter(|step| self.is_input(step)) {
            let row = bytemuck::must_cast_slice(row.elements());
            let all = self.model.plan().inputs <= 1;
            let row = if all { row } else { row.get(..self.row_bytes(usize::from(step.layer))).unwrap_or(&[]) };
            self.run(&step, row);
        }
    }

    /// Takes one row `[column][channel]` of one of several inputs, and runs every step that it makes possible.
    ///
    /// The plan says in which order the inputs' rows are taken: [`Progress::NeedsRow`] names the next. The answer is that,
    /// or [`Progress::Done`] when all outputs are complete; the next row then begins a new frame. A frame begins with
    /// the first row of the first input. A row that is not the one that the plan wants is not taken.
    ///
    /// Here, by hand, what generated modules look like: the first input less the second.
    ///
    /// ```
    /// use microception::executor::{Arena, Executor, Progress};
    /// use microception::layers::{input, pairwise, subtract};
    /// use microception::model::{Frames, Input, Model, Plan, RowBytes, Step, Tensor};
    /// use microception::window::Call;
    ///
    /// struct Difference;
    ///
    /// struct Frame {
    ///     left: [f32; 2],
    ///     right: [f32; 2],
    /// }
    ///
    /// impl Frames for Frame {
    ///     fn frame(&self, input: usize) -> &[u8] {
    ///         bytemuck::must_cast_slice(if input == 0 { &self.left } else { &self.right })
    ///     }
    /// }
    ///
    /// impl Model for Difference {
    ///     type Input = u8;
    ///     type Output = f32;
    ///     type Frame = Frame;
    ///     type Row = [u8; 4];
    ///     const ARENA_BYTES: usize = 16;
    ///
    ///     fn plan(&self) -> Plan<'_> {
    ///         static ROWS: [RowBytes; 3] = [
    ///             RowBytes { inputs: [4, 0], output: 4, scratch: 0 },
    ///             RowBytes { inputs: [4, 0], output: 4, scratch: 0 },
    ///             RowBytes { inputs: [4, 4], output: 4, scratch: 0 },
    ///         ];
    ///         static STEPS: [Step; 6] = [
    ///             Step::new(0, 0, 1, 0, [0, 0]),
    ///             Step::new(1, 0, 1, 0, [0, 0]),
    ///             Step::new(2, 0, 1, 0, [1, 1]),
    ///             Step::new(0, 1, 1, 0, [0, 0]),
    ///             Step::new(1, 1, 1, 0, [0, 0]),
    ///             Step::new(2, 1, 1, 0, [1, 1]),
    ///         ];
    ///         static ADDRESSES: [u16; 16] = [0, 0, 1, 0, 0, 1, 2, 0, 0, 0, 1, 0, 0, 1, 3, 0];
    ///         static OUTPUTS: [Tensor; 1] = [Tensor { address: 2, bytes: 8 }];
    ///         Plan { inputs: 2, rows: &ROWS, steps: &STEPS, addresses: &ADDRESSES, unit: 4, outputs: &OUTPUTS }
    ///     }
    ///
    ///     fn run(&self, layer: usize, call: Call<'_>) {
    ///         match layer {
    ///             0 | 1 => input::copy(call),
    ///             _ => pairwise::same(&subtract::F32 { clamp: [f32::MIN, f32::MAX] }, call),
    ///         }
    ///     }
    /// }
    ///
    /// const LEFT: Input<f32, 1> = Input::new(0);
    /// const RIGHT: Input<f32, 1> = Input::new(1);
    ///
    /// let mut arena = Arena::<16>::new();
    /// let mut difference = Executor::new(Difference, &mut arena);
    /// assert_eq!(difference.predict(&Frame { left: [5.0, 7.0], right: [1.0, 2.0] }), [4.0, 5.0]);
    ///
    /// assert_eq!(difference.push_row_of(LEFT, &[8.0]), Progress::NeedsRow { input: 1, row: 0 });
    /// assert_eq!(difference.push_row_of(LEFT, &[9.0]), Progress::NeedsRow { input: 1, row: 0 }); // not taken
    /// assert_eq!(difference.push_row_of(RIGHT, &[3.0]), Progress::NeedsRow { input: 0, row: 1 });
    /// difference.push_row_of(LEFT, &[6.0]);
    /// assert_eq!(difference.push_row_of(RIGHT, &[4.0]), Progress::Done);
    /// assert_eq!(difference.output(), [5.0, 2.0]);
    /// ```
    pub fn push_row_of<T: Pod, const N: usize>(&mut self, input: Input<T, N>, row: &[T; N]) -> Progress {
        self.push_row_bytes(input.index(), bytemuck::must_cast_slice(row))
    }

    /// As [`push_row_of`](Executor::push_row_of) without running more than the row's own step; [`step`](Executor::step)
    /// does the rest.
    pub fn begin_row_of<T: Pod, const N: usize>(&mut self, input: Input<T, N>, row: &[T; N]) {
        self.begin_row_bytes(input.index(), bytemuck::must_cast_slice(row));
    }

    /// As [`push_row_of`](Executor::push_row_of), for programs that run whatever model they are given: the bytes of a row
    /// of the input with that index.
    pub fn push_row_bytes(&mut self, input: usize, row: &[u8]) -> Progress {
        self.begin_row_bytes(input, row);
        loop {
            match self.step() {
                Progress::Ran { .. } => {}
                progress => return progress,
            }
        }
    }

    /// As [`begin_row_of`](Executor::begin_row_of), with the bytes of a row.
    pub fn begin_row_bytes(&mut self, input: usize, row: &[u8]) {
        if self.upcoming().is_none() {
            self.reset();
        }
        let wanted = self.upcoming().filter(|step| self.is_input(step) && usize::from(step.layer) == input);
        if let Some(step) = wanted.filter(|_| row.len() == self.row_bytes(input)) {
            self.run(&step, row);
        }
    }

    /// Runs one step, if it needs no input row.
    pub fn step(&mut self) -> Progress {
        match self.upcoming() {
            None => Progress::Done,
            Some(step) if self.is_input(&step) && self.has_answered() => Progress::Done,
            Some(step) if self.is_input(&step) => {
                Progress::NeedsRow { input: usize::from(step.layer), row: usize::from(step.row) }
            }
            Some(step) => {
                self.run(&step, &[]);
                Progress::Ran { layer: usize::from(step.layer) }
            }
        }
    }

    /// Whether the model takes a series without an end: then it has an output for any row, and no last one.
    pub fn is_endless(&self) -> bool {
        self.model.period().is_some()
    }

    /// Forgets the rows pushed so far: the next one begins a frame, or a series.
    pub fn reset(&mut self) {
        self.next = 0;
        self.cursor = 0;
        self.series = Series::begin(self.model.period());
    }

    /// The output `[row][column][channel]`, of several the first; what it holds before it is complete is unspecified.
    pub fn output(&self) -> &[M::Output] {
        bytemuck::try_cast_slice(self.output_bytes(0)).unwrap_or(&[])
    }

    /// One of several outputs, `[row][column][channel]`. All are complete after the last row of a frame, and stay until
    /// the next.
    pub fn output_of<T: Pod>(&self, output: Output<T>) -> &[T] {
        bytemuck::try_cast_slice(self.output_bytes(output.index())).unwrap_or(&[])
    }

    /// The bytes of the output with that index; none where there is no such output.
    pub fn output_bytes(&self, output: usize) -> &[u8] {
        let plan = self.model.plan();
        let Tensor { address, bytes } = plan.outputs.get(output).copied().unwrap_or(Tensor { address: 0, bytes: 0 });
        let from = usize::from(address).wrapping_mul(plan.unit);
        self.arena.get(from..from.wrapping_add(bytes as usize)).unwrap_or(&[])
    }

    /// Whether the output is there and no step is left that needs no row.
    pub fn is_complete(&self) -> bool {
        match self.upcoming() {
            None => true,
            Some(step) => self.is_input(&step) && self.has_answered(),
        }
    }

    /// Whether the last input row of an endless model has led to an output. Never of others, in which the optimizer sees
    /// that nothing depends on it.
    fn has_answered(&self) -> bool {
        self.is_endless() && self.series.answered
    }

    /// The step that runs next.
    pub fn upcoming(&self) -> Option<Step> {
        self.model.plan().steps.get(self.next).copied()
    }

    /// The arena as it is now: on the host, to look at intermediate rows.
    pub fn arena(&self) -> &[u8] {
        self.arena
    }

    /// The arena, to be written between two steps: by tests of what a flipped bit does. Whatever it then holds, the steps
    /// that are left are the same and stay within it; only the numbers that come out are others.
    pub fn arena_mut(&mut self) -> &mut [u8] {
        self.arena
    }

    fn is_input(&self, step: &Step) -> bool {
        usize::from(step.layer) < self.model.plan().inputs
    }

    /// Bytes of a row of the input with that index.
    pub fn row_bytes(&self, input: usize) -> usize {
        self.model.plan().rows.get(input).map_or(0, |rows| rows.inputs[0] as usize)
    }

    /// The row of a frame that an input's step takes.
    fn row_of<'f>(&self, frame: &'f M::Frame, step: &Step) -> Option<&'f [u8]> {
        let input = usize::from(step.layer);
        let bytes = self.row_bytes(input);
        let from = usize::from(step.row).wrapping_mul(bytes);
        frame.frame(input).get(from..from.wrapping_add(bytes))
    }

    /// Runs `step`, the next one; an input step reads `row`.
    fn run(&mut self, step: &Step, row: &[u8]) {
        let Plan { rows, addresses, unit, .. } = self.model.plan();
        let layer = usize::from(step.layer);
        let bytes = rows.get(layer).copied().unwrap_or(RowBytes { inputs: [0; 2], output: 0, scratch: 0 });
        let [first_lines, second_lines] = step.lines.map(usize::from);
        let addresses = addresses.get(self.cursor..).unwrap_or(&[]);
        let (first, addresses) = addresses.split_at_checked(first_lines).unwrap_or_default();
        let (second, addresses) = addresses.split_at_checked(second_lines).unwrap_or_default();
        let address = |index: usize| addresses.get(index).map_or(0, |&address| usize::from(address).wrapping_mul(unit));
        let output = Span { address: address(0), length: (bytes.output as usize).wrapping_mul(usize::from(step.rows)) };
        let scratch = Span { address: address(1), length: bytes.scratch as usize };
        let line_bytes = bytes.inputs.map(|bytes| bytes as usize);
        let first_tap = isize::from(step.first);
        let mut call = Call::over(self.arena, [first, second], unit, line_bytes, first_tap, output, scratch);
        if !row.is_empty() {
            call = call.reading(row);
        }
        call.row = usize::from(step.row);
        call.rows = usize::from(step.rows);
        self.model.run(layer, call);
        self.next = self.next.wrapping_add(1);
        self.cursor = self.cursor.wrapping_add(first_lines).wrapping_add(second_lines).wrapping_add(2);
        if let Some(period) = self.model.period() {
            self.go_on(period, step.layer);
        }
    }

    /// After a step of `layer` of an endless model: counts its outputs, and goes back where the plan ends. Nothing here
    /// grows with the length of the series.
    fn go_on(&mut self, Period { step, address, output, withheld: _ }: Period, layer: u16) {
        if usize::from(layer) < self.model.plan().inputs {
            self.series.answered = false;
        }
        if layer == output {
            match self.series.withheld.checked_sub(1) {
                Some(left) => self.series.withheld = left,
                None => self.series.answered = true,
            }
        }
        if self.upcoming().is_none() {
            self.next = step;
            self.cursor = address;
            // An input's, which waits for a row; where a flipped bit made another of it the series ends, or it would run for ever.
            if self.upcoming().is_none_or(|step| !self.is_input(&step)) {
                self.next = self.model.plan().steps.len();
            }
        }
    }
}

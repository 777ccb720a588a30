//! Filters pictures that come over the line row by row; there is no model.

use core::marker::PhantomData;
use core::mem;

use embedded_io::{Read, Write};
use microception::filter::{self, Kernel};
use microception_protocol::{Border, CHUNK, Element, Fault, Filter, Info, Quantization, Reply, Request, VERSION, clip};

use crate::Board;
use crate::line::{Line, Sender};

/// The most rows and columns of a kernel.
const LARGEST: usize = 5;

/// The most bytes of a pixel.
const CHANNELS: usize = 4;

/// Bytes of lines that a [`FilterServer`] needs for rows of `row_bytes`, whatever the kernel.
pub const fn line_bytes(row_bytes: usize) -> usize {
    LARGEST * (row_bytes + (LARGEST - 1) * CHANNELS)
}

/// Filters pictures over one serial port, with the kernel that the host sends along.
///
/// A picture never lies in memory: there are the rows that the kernel needs, and one row that first is the one that
/// comes and then the filtered one that goes.
pub struct FilterServer<'a, P, B> {
    line: Line<P>,
    session: Session<'a, B>,
}

impl<'a, P: Read + Write, B: Board> FilterServer<'a, P, B> {
    /// A server for rows of as many bytes as `row` has; `lines` has [`line_bytes`] for them.
    pub fn new(row: &'a mut [u8], lines: &'a mut [u8], port: P, _board: B) -> Self {
        let picture = Picture { rows: 0, row_bytes: 0, taken: 0, made: 0 };
        let session = Session { stage: Stage::Idle(lines), row, picture, board: PhantomData };
        FilterServer { line: Line::new(port), session }
    }

    /// Answers requests until the port ends, which the port of a board never does.
    ///
    /// # Errors
    /// The port's.
    pub fn serve(&mut self) -> Result<(), P::Error> {
        let FilterServer { line, session } = self;
        line.serve(|tag, request, sender| session.answer(tag, request, sender))
    }
}

/// A filter of either size, or the memory for one.
enum Stage<'a> {
    Idle(&'a mut [u8]),
    Three(filter::Filter<'a, u8, 3>),
    Five(filter::Filter<'a, u8, LARGEST>),
}

impl<'a> Stage<'a> {
    fn into_memory(self) -> &'a mut [u8] {
        match self {
            Stage::Idle(memory) => memory,
            Stage::Three(filter) => filter.into_memory(),
            Stage::Five(filter) => filter.into_memory(),
        }
    }

    fn push_row(&mut self, row: &[u8]) -> Option<&[u8]> {
        match self {
            Stage::Idle(_) => None,
            Stage::Three(filter) => filter.push_row(row),
            Stage::Five(filter) => filter.push_row(row),
        }
    }

    fn finish(&mut self) -> Option<&[u8]> {
        match self {
            Stage::Idle(_) => None,
            Stage::Three(filter) => filter.finish(),
            Stage::Five(filter) => filter.finish(),
        }
    }
}

/// The current picture, and how far it is.
struct Picture {
    rows: usize,
    row_bytes: usize,
    /// Bytes of the picture taken so far.
    taken: usize,
    /// Filtered rows so far; the last one lies in the session's row.
    made: usize,
}

impl Picture {
    fn bytes(&self) -> usize {
        self.rows.saturating_mul(self.row_bytes)
    }
}

/// The filter and its picture.
struct Session<'a, B> {
    stage: Stage<'a>,
    row: &'a mut [u8],
    picture: Picture,
    board: PhantomData<B>,
}

impl<B: Board> Session<'_, B> {
    fn answer<P: Write>(&mut self, tag: u8, request: Request<'_>, sender: &mut Sender<P>) -> Result<(), P::Error> {
        let reply = match request {
            Request::Info { version } => self.info(version),
            Request::Filter(filter) => self.begin(&filter),
            Request::Input { input: _, offset, bytes } => self.take(offset as usize, bytes),
            Request::Output { output: _, offset } => self.output(offset as usize),
            Request::Top { .. }
            | Request::Label { .. }
            | Request::Port { .. }
            | Request::Layer { .. }
            | Request::Memory
            | Request::SelfTest
            | Request::Bench => Err(Fault::NotServed),
        };
        sender.send(tag, reply.unwrap_or_else(Reply::Error))
    }

    /// There is no model: nothing of one has any extent.
    fn info(&self, version: u16) -> Result<Reply<'static>, Fault> {
        if version != VERSION {
            return Err(Fault::UnknownVersion { board: VERSION });
        }
        let none = Quantization { scale: 1.0, zero_point: 0.0 };
        Ok(Reply::Info(Info {
            version: VERSION,
            board: clip(B::NAME),
            model: "",
            inputs: 0,
            outputs: 0,
            input_shape: heapless::Vec::new(),
            output_shape: heapless::Vec::new(),
            input: Element::U8,
            output: Element::U8,
            input_quantization: none,
            output_quantization: none,
            frame_bytes: 0,
            row_bytes: 0,
            output_bytes: 0,
            arena_bytes: 0,
            weight_bytes: 0,
            macs: 0,
            layers: 0,
            labels: 0,
            tick: B::TICK,
        }))
    }

    fn begin(&mut self, request: &Filter) -> Result<Reply<'static>, Fault> {
        let (width, channels) = (usize::from(request.width), usize::from(request.channels));
        let row_bytes = width.saturating_mul(channels);
        let too_large = Fault::TooLarge { row: self.row.len() as u32, kernel: LARGEST as u8 };
        self.picture = Picture { rows: request.rows as usize, row_bytes, taken: 0, made: 0 };
        let lines = mem::replace(&mut self.stage, Stage::Idle(&mut [])).into_memory();
        let border = match request.border {
            Border::Constant(value) => filter::Border::Constant(value),
            Border::Nearest => filter::Border::Nearest,
            Border::Reflect => filter::Border::Reflect,
            Border::Mirror => filter::Border::Mirror,
        };
        let fits = row_bytes <= self.row.len();
        self.stage = match (kernel(request), kernel(request)) {
            (Some(kernel), _) if fits && kernel.memory(width, channels) <= lines.len() => {
                filter::Filter::new(kernel, border, width, channels, lines).map_or(Stage::Idle(&mut []), Stage::Three)
            }
            (_, Some(kernel)) if fits && kernel.memory(width, channels) <= lines.len() => {
                filter::Filter::new(kernel, border, width, channels, lines).map_or(Stage::Idle(&mut []), Stage::Five)
            }
            _ => {
                self.stage = Stage::Idle(lines);
                self.picture.rows = 0;
                return Err(too_large);
            }
        };
        Ok(Reply::Taken { next: 0, input: 0, complete: false })
    }

    /// Takes the next bytes of the picture, which end at the latest where their row does.
    fn take(&mut self, offset: usize, bytes: &[u8]) -> Result<Reply<'static>, Fault> {
        let Picture { row_bytes, taken, .. } = self.picture;
        if offset != taken {
            return Err(Fault::UnexpectedOffset { expected: taken as u32, input: 0 });
        }
        let end = self.picture.bytes();
        let from = taken.checked_rem(row_bytes).unwrap_or(0);
        let room = end.saturating_sub(taken).min(row_bytes.saturating_sub(from));
        if bytes.is_empty() || bytes.len() > room {
            return Err(Fault::WrongLength { room: room as u32 });
        }
        let place = self.row.get_mut(from..from.saturating_add(bytes.len())).unwrap_or_default();
        for (place, &byte) in place.iter_mut().zip(bytes) {
            *place = byte;
        }
        self.picture.taken = taken.saturating_add(bytes.len());
        if bytes.len() == row_bytes.saturating_sub(from) {
            let row = self.row.get(..row_bytes).unwrap_or_default();
            if let Some(filtered) = self.stage.push_row(row) {
                keep(self.row, filtered);
                self.picture.made = self.picture.made.saturating_add(1);
            }
        }
        Ok(Reply::Taken { next: self.picture.taken as u32, input: 0, complete: self.picture.taken == end })
    }

    /// A piece of the filtered row that was made last, or of the one after it once all rows are there.
    fn output(&mut self, offset: usize) -> Result<Reply<'_>, Fault> {
        let row_bytes = self.picture.row_bytes;
        let row = offset.checked_div(row_bytes).ok_or(Fault::NoOutput)?;
        let all_taken = self.picture.taken == self.picture.bytes();
        if row == self.picture.made
            && all_taken
            && let Some(filtered) = self.stage.finish()
        {
            keep(self.row, filtered);
            self.picture.made = self.picture.made.saturating_add(1);
        }
        if row.checked_add(1) != Some(self.picture.made) {
            return Err(Fault::NoOutput);
        }
        let from = offset.checked_rem(row_bytes).unwrap_or(0);
        let rest = self.row.get(from..row_bytes).unwrap_or_default();
        Ok(Reply::Output { offset: offset as u32, bytes: rest.get(..CHUNK).unwrap_or(rest) })
    }
}

fn keep(row: &mut [u8], filtered: &[u8]) {
    for (place, &byte) in row.iter_mut().zip(filtered) {
        *place = byte;
    }
}

/// The kernel of the request, where it is `N` high and wide.
fn kernel<const N: usize>(request: &Filter) -> Option<Kernel<N>> {
    let mut taps = [[0; N]; N];
    let places = taps.as_flattened_mut();
    if places.len() != request.taps.len() {
        return None;
    }
    places.iter_mut().zip(&request.taps).for_each(|(place, &tap)| *place = tap);
    Kernel::new(taps, request.divisor)
}

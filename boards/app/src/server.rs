//! Serves a model.

use bytemuck::{Pod, Zeroable};
use embedded_io::{Read, Write};
use microception::executor::Executor;
use microception::model::Model;
use microception::top::top;
use microception_protocol::{CHUNK, Class, Fault, Info, RANK, Reply, Request, TOP, VERSION, clip};

use crate::line::{Line, Sender};
use crate::{Board, Facts, Number, measure};

/// Serves one model over one serial port.
pub struct Server<'a, M: Model, P, B>
where
    M::Row: Sized,
{
    line: Line<P>,
    session: Session<'a, M, B>,
}

impl<'a, M, P, B> Server<'a, M, P, B>
where
    M: Model<Input: Number, Output: Number, Frame: Sized, Row: Pod>,
    P: Read + Write,
    B: Board,
{
    /// A server that has received nothing.
    pub fn new(executor: Executor<'a, M>, facts: Facts, port: P, board: B) -> Self {
        Server {
            line: Line::new(port),
            session: Session { executor, facts, board, row: M::Row::zeroed(), taken: 0, complete: false },
        }
    }

    /// Answers requests until the port ends, which the port of a board never does.
    ///
    /// # Errors
    /// The port's.
    pub fn serve(&mut self) -> Result<(), P::Error> {
        #[cfg(feature = "defmt")]
        defmt::info!("serving {=str} on {=str}", self.session.facts.name, B::NAME);
        let Server { line, session } = self;
        line.serve(|tag, request, sender| session.answer(tag, request, sender))
    }
}

/// The model and how far the current frame is.
struct Session<'a, M: Model, B>
where
    M::Row: Sized,
{
    executor: Executor<'a, M>,
    facts: Facts,
    board: B,
    /// The row that is being filled.
    row: M::Row,
    /// Bytes of the current frame taken so far.
    taken: usize,
    /// Whether the output is that of a whole frame.
    complete: bool,
}

impl<M, B> Session<'_, M, B>
where
    M: Model<Input: Number, Output: Number, Frame: Sized, Row: Pod>,
    B: Board,
{
    fn answer<P: Write>(&mut self, tag: u8, request: Request<'_>, line: &mut Sender<P>) -> Result<(), P::Error> {
        let reply = match request {
            Request::Info { version } => self.info(version),
            Request::Input { offset, bytes } => self.take(offset as usize, bytes),
            Request::Output { offset } => self.output(offset),
            Request::Top { count } => self.top(count),
            Request::Label { index } => self.label(index),
            Request::Filter(_) => Err(Fault::NotServed),
            Request::Bench => {
                self.taken = 0;
                self.complete = false;
                return measure::bench(&mut self.executor, &self.row, &mut self.board, |reply| line.send(tag, reply));
            }
        };
        line.send(tag, reply.unwrap_or_else(Reply::Error))
    }

    fn info(&self, version: u16) -> Result<Reply<'static>, Fault> {
        if version != VERSION {
            return Err(Fault::UnknownVersion { board: VERSION });
        }
        let Facts { name, labels, .. } = self.facts;
        Ok(Reply::Info(Info {
            version: VERSION,
            board: clip(B::NAME),
            model: clip(name),
            input_shape: extents(self.facts.input_shape),
            output_shape: extents(self.facts.output_shape),
            input: M::Input::ELEMENT,
            output: M::Output::ELEMENT,
            input_quantization: self.facts.input_quantization,
            output_quantization: self.facts.output_quantization,
            frame_bytes: size_of::<M::Frame>() as u32,
            row_bytes: size_of::<M::Row>() as u32,
            output_bytes: size_of_val(self.executor.output()) as u32,
            arena_bytes: self.facts.arena_bytes as u32,
            weight_bytes: self.facts.weight_bytes as u32,
            macs: self.facts.macs,
            layers: self.facts.layers as u16,
            labels: labels.len() as u16,
            tick: B::TICK,
        }))
    }

    /// Takes the next bytes of the frame, or of an endless model's series, and computes the rows that they complete.
    fn take(&mut self, offset: usize, mut bytes: &[u8]) -> Result<Reply<'static>, Fault> {
        if offset != 0 && offset != self.taken {
            return Err(Fault::UnexpectedOffset { expected: self.taken as u32 });
        }
        // A series ends where offsets do.
        let end = if self.executor.is_endless() { u32::MAX as usize } else { size_of::<M::Frame>() };
        let room = end.saturating_sub(offset);
        if bytes.is_empty() || bytes.len() > room {
            return Err(Fault::WrongLength { room: room as u32 });
        }
        if offset == 0 {
            self.executor.reset();
            self.taken = 0;
        }
        self.complete = false;
        while !bytes.is_empty() {
            let row = bytemuck::bytes_of_mut(&mut self.row);
            let filled = self.taken % row.len().max(1);
            let place = row.get_mut(filled..).unwrap_or_default();
            let (now, later) = bytes.split_at(place.len().min(bytes.len()));
            let full = now.len() == place.len();
            for (place, &byte) in place.iter_mut().zip(now) {
                *place = byte;
            }
            self.taken = self.taken.saturating_add(now.len());
            bytes = later;
            if full {
                self.complete = self.executor.push_row(&self.row).is_some();
            }
        }
        Ok(Reply::Taken { next: self.taken as u32, complete: self.complete })
    }

    fn output(&self, offset: u32) -> Result<Reply<'_>, Fault> {
        let bytes: &[u8] = bytemuck::must_cast_slice(self.finished()?);
        let end = bytes.len();
        let rest = bytes.get(offset as usize..).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or(Fault::OutOfRange { end: end as u32 })?;
        Ok(Reply::Output { offset, bytes: rest.get(..CHUNK).unwrap_or(rest) })
    }

    fn top(&self, count: u8) -> Result<Reply<'static>, Fault> {
        let quantization = self.facts.output_quantization;
        let best = top::<TOP, M::Output>(self.finished()?, self.facts.labels);
        let classes = best.iter().take(usize::from(count));
        let classes = classes.map(|class| Class { index: class.index as u16, value: class.score.real(quantization) });
        Ok(Reply::Top(classes.collect()))
    }

    fn label(&self, index: u16) -> Result<Reply<'static>, Fault> {
        let labels = self.facts.labels;
        match labels.get(usize::from(index)) {
            Some(label) => Ok(Reply::Label(clip(label))),
            None => Err(Fault::OutOfRange { end: labels.len() as u32 }),
        }
    }

    fn finished(&self) -> Result<&[M::Output], Fault> {
        if self.complete { Ok(self.executor.output()) } else { Err(Fault::NoOutput) }
    }
}

/// A shape as the protocol has it.
fn extents(shape: &[usize]) -> heapless::Vec<u32, RANK> {
    shape.iter().take(RANK).map(|&extent| extent as u32).collect()
}

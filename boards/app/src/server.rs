//! Serves a model.

use bytemuck::{Pod, Zeroable};
use embedded_io::{Read, Write};
use microception::executor::Executor;
use microception::model::{self, Model, Port};
use microception::top::top;
use microception_protocol::{
    CHUNK, Class, Element, Fault, Info, Memory, Quantization, RANK, Reply, Request, TOP, VERSION, clip,
};

use crate::line::{Line, Sender};
use crate::{Board, Facts, Number, measure, self_test, weights};

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
    /// A server that has received nothing. Reads all weights, to see whether they are those of the model: a server of
    /// others computes nothing.
    pub fn new(executor: Executor<'a, M>, facts: Facts, port: P, mut board: B) -> Self {
        #[cfg(feature = "defmt")]
        defmt::info!(
            "{=str} in {=usize} bytes of arena, with {=usize} bytes of weights",
            facts.name,
            facts.arena_bytes,
            facts.weight_bytes
        );
        let damage = weights::check(&facts, &mut board).err();
        Server {
            line: Line::new(port),
            session: Session {
                executor,
                facts,
                board,
                row: M::Row::zeroed(),
                input: 0,
                filled: 0,
                taken: 0,
                complete: false,
                damage,
            },
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
    /// The row that is being filled, the input that it is of, and its bytes so far.
    row: M::Row,
    input: usize,
    filled: usize,
    /// Bytes of the current frame taken so far.
    taken: usize,
    /// Whether the output is that of a whole frame.
    complete: bool,
    /// Why nothing is computed.
    damage: Option<Fault>,
}

impl<M, B> Session<'_, M, B>
where
    M: Model<Input: Number, Output: Number, Frame: Sized, Row: Pod>,
    B: Board,
{
    fn answer<P: Write>(&mut self, tag: u8, request: Request<'_>, line: &mut Sender<P>) -> Result<(), P::Error> {
        if let Some(damage) = self.damage.filter(|_| !matches!(request, Request::Info { .. })) {
            return line.send(tag, Reply::Error(damage));
        }
        let reply = match request {
            Request::Info { version } => self.info(version),
            Request::Input { input, offset, bytes } => self.take(usize::from(input), offset as usize, bytes),
            Request::Output { output, offset } => self.output(usize::from(output), offset),
            Request::Port { output, index } => self.port(output, usize::from(index)),
            Request::Top { count } => self.top(count),
            Request::Label { index } => self.label(index),
            Request::Layer { index } => self.layer(usize::from(index)),
            Request::Memory => Ok(self.memory()),
            Request::SelfTest => {
                self.forget();
                let difference = self_test::run(&mut self.executor, &self.facts, &mut self.row);
                self.begin();
                #[cfg(feature = "defmt")]
                match difference {
                    Ok(None) => defmt::info!("self-test: computes what the host does"),
                    Ok(Some(difference)) => defmt::error!("self-test: {}", difference),
                    Err(fault) => defmt::warn!("self-test: {}", fault),
                }
                difference.map(Reply::SelfTest)
            }
            Request::Filter(_) => Err(Fault::NotServed),
            Request::Bench => {
                self.forget();
                return measure::bench(&mut self.executor, &self.row, &mut self.board, |reply| line.send(tag, reply));
            }
        };
        line.send(tag, reply.unwrap_or_else(Reply::Error))
    }

    fn info(&self, version: u16) -> Result<Reply<'static>, Fault> {
        if version != VERSION {
            return Err(Fault::UnknownVersion { board: VERSION });
        }
        let Facts { name, labels, inputs, outputs, .. } = self.facts;
        let [input, output] = [inputs, outputs].map(|ports| ports.first().copied().unwrap_or(NONE));
        Ok(Reply::Info(Info {
            version: VERSION,
            board: clip(B::NAME),
            model: clip(name),
            inputs: inputs.len() as u8,
            outputs: outputs.len() as u8,
            input_shape: extents(input.shape),
            output_shape: extents(output.shape),
            input: element(input.element),
            output: element(output.element),
            input_quantization: quantization(input),
            output_quantization: quantization(output),
            frame_bytes: input.bytes() as u32,
            row_bytes: self.executor.row_bytes(0) as u32,
            output_bytes: self.executor.output_bytes(0).len() as u32,
            arena_bytes: self.facts.arena_bytes as u32,
            weight_bytes: self.facts.weight_bytes as u32,
            macs: self.facts.macs,
            layers: self.facts.layers.len() as u16,
            labels: labels.len() as u16,
            tick: B::TICK,
        }))
    }

    fn port(&self, output: bool, index: usize) -> Result<Reply<'static>, Fault> {
        let ports = if output { self.facts.outputs } else { self.facts.inputs };
        let port = ports.get(index).copied().ok_or(Fault::OutOfRange { end: ports.len() as u32 })?;
        Ok(Reply::Port(microception_protocol::Port {
            name: clip(port.name),
            shape: extents(port.shape),
            element: element(port.element),
            quantization: quantization(port),
            bytes: port.bytes() as u32,
            row_bytes: if output { 0 } else { self.executor.row_bytes(index) as u32 },
        }))
    }

    fn layer(&self, index: usize) -> Result<Reply<'static>, Fault> {
        let layers = self.facts.layers;
        let layer = layers.get(index).ok_or(Fault::OutOfRange { end: layers.len() as u32 })?;
        Ok(Reply::Layer { name: clip(layer.name), kind: clip(layer.kind), macs: layer.macs })
    }

    fn memory(&self) -> Reply<'static> {
        Reply::Memory(Memory {
            arena: self.facts.arena_bytes as u32,
            weights: self.facts.weight_bytes as u32,
            statics: self.board.statics_bytes(),
            stack: self.board.stack(),
        })
    }

    /// Forgets the frame that was begun, and the output.
    fn forget(&mut self) {
        self.begin();
        self.complete = false;
    }

    /// Waits for a frame's first row.
    fn begin(&mut self) {
        self.executor.reset();
        (self.taken, self.input, self.filled) = (0, 0, 0);
    }

    /// Takes the next bytes of the frame, or of an endless model's series, and computes the rows that they complete.
    fn take(&mut self, input: usize, offset: usize, mut bytes: &[u8]) -> Result<Reply<'static>, Fault> {
        let wanted = if offset == 0 { 0 } else { self.input };
        if offset != 0 && offset != self.taken || input != wanted {
            return Err(Fault::UnexpectedOffset { expected: self.taken as u32, input: self.input as u8 });
        }
        // A series ends where offsets do.
        let inputs = self.facts.inputs;
        let frame = || inputs.iter().fold(0_usize, |bytes, input| bytes.saturating_add(input.bytes()));
        let end = if self.executor.is_endless() { u32::MAX as usize } else { frame() };
        let filled = if offset == 0 { 0 } else { self.filled };
        let of_row = if inputs.len() > 1 { self.executor.row_bytes(input).saturating_sub(filled) } else { usize::MAX };
        let room = end.saturating_sub(offset).min(of_row);
        if bytes.is_empty() || bytes.len() > room {
            return Err(Fault::WrongLength { room: room as u32 });
        }
        if offset == 0 {
            self.begin();
        }
        self.complete = false;
        while !bytes.is_empty() {
            let row = bytemuck::bytes_of_mut(&mut self.row);
            let place = row.get_mut(self.filled..self.executor.row_bytes(self.input)).unwrap_or_default();
            let (now, later) = bytes.split_at(place.len().min(bytes.len()));
            let full = now.len() == place.len();
            for (place, &byte) in place.iter_mut().zip(now) {
                *place = byte;
            }
            self.filled = self.filled.saturating_add(now.len());
            self.taken = self.taken.saturating_add(now.len());
            bytes = later;
            if full {
                self.board.busy(true);
                self.complete = self.executor.push_row(&self.row).is_some();
                self.board.busy(false);
                self.filled = 0;
                self.input = self.executor.upcoming().map_or(0, |step| usize::from(step.layer));
            }
        }
        Ok(Reply::Taken { next: self.taken as u32, input: self.input as u8, complete: self.complete })
    }

    fn output(&self, output: usize, offset: u32) -> Result<Reply<'_>, Fault> {
        self.finished()?;
        let bytes = self.executor.output_bytes(output);
        let end = bytes.len();
        let rest = bytes.get(offset as usize..).filter(|rest| !rest.is_empty());
        let rest = rest.ok_or(Fault::OutOfRange { end: end as u32 })?;
        Ok(Reply::Output { offset, bytes: rest.get(..CHUNK).unwrap_or(rest) })
    }

    fn top(&self, count: u8) -> Result<Reply<'static>, Fault> {
        let quantization = quantization(self.facts.outputs.first().copied().unwrap_or(NONE));
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

/// What stands for an input or output that a module does not name.
const NONE: Port = Port { name: "", shape: &[], element: model::Element::U8, scale: 1.0, zero_point: 0.0 };

/// An element type as the protocol has it.
fn element(element: model::Element) -> Element {
    match element {
        model::Element::U8 => Element::U8,
        model::Element::I8 => Element::I8,
        model::Element::I16 => Element::I16,
        model::Element::F32 => Element::F32,
    }
}

/// What a port's elements stand for.
fn quantization(Port { scale, zero_point, .. }: Port) -> Quantization {
    Quantization { scale, zero_point }
}

/// A shape as the protocol has it.
fn extents(shape: &[usize]) -> heapless::Vec<u32, RANK> {
    shape.iter().take(RANK).map(|&extent| extent as u32).collect()
}

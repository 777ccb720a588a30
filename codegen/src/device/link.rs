//! The host's end of the serial protocol, over any port.
//!
//! A line may damage, cut, double and delay what goes over it, in both directions:
//!
//! - What was damaged is sent again, under a new tag. Of the answers only that to the last tag counts, so that one that comes
//!   late is never taken for another's; a request that comes late the board itself drops.
//! - What was cut leaves silence, as a long computation does. To tell them apart a small request goes after it: a board that
//!   is still computing answers the first one first, one that has lost it answers the second at once. The zero in front of
//!   the second also ends what was cut. Pauses between these double, and a board that answers none of them is dead.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use microception_protocol::frame::{Damage, Receiver, encode};
use microception_protocol::{
    CHUNK, Difference, Element, FRAME_BYTES, Fault, Filter, Memory, Packet, Quantization, Reply, Request, Tick,
    VERSION, frame,
};

use crate::data::{Input, Interface, Output};
use crate::error::Error;
use crate::graph::{self, Shape};

/// How often a request is sent before the line counts as too bad.
///
/// Where one frame in twenty suffers in each direction, an attempt fails once in ten times; and what it leaves on the line, as
/// the answer that a cut request was damaged, can spoil the next one. With two in ten, sixteen in a row come once in
/// 10^11 requests, three in a row once in 125.
const ATTEMPTS: u32 = 16;

/// How many pauses there are while nothing answers: the first is a 256th of the patience, each is twice the one before, and
/// all together are the patience.
const PAUSES: u32 = 8;

/// What became of an answer when that to a later request came first.
const LOST: &str = "an answer got lost";

/// How many tags are skipped to be ahead of the newest that the board knows: half of those by which it knows what is newer, so
/// that what came before stays late.
const SKIPPED: u8 = 64;

/// How many of the bytes that are no answer are kept, to be shown.
const STRANGE: usize = 64;

/// A serial port, or what stands in for one.
pub trait Port: Read + Write {
    /// How long a read or a write may take from now on before it fails.
    ///
    /// # Errors
    /// When the port does not take it.
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// The error, with what the port knows beyond the line: its name, what the program at the other end said last.
    fn explain(&mut self, error: Error) -> Error {
        error
    }
}

impl<P: Port + ?Sized> Port for Box<P> {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        (**self).set_timeout(timeout)
    }

    fn explain(&mut self, error: Error) -> Error {
        (**self).explain(error)
    }
}

/// An input or output of the model on a board.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// Its name; empty where there is one.
    pub name: String,
    /// Extents, channels last, without the batch.
    pub shape: Vec<usize>,
    /// Element type.
    pub element: Element,
    /// What its elements stand for.
    pub quantization: Quantization,
    /// Bytes of the whole tensor.
    pub bytes: usize,
    /// Bytes of a row, of an input.
    pub row_bytes: usize,
}

impl End {
    /// The element type, as the rest of this library has it.
    pub fn element(&self) -> graph::Element {
        match self.element {
            Element::U8 => graph::Element::U8,
            Element::I8 => graph::Element::I8,
            Element::I16 => graph::Element::I16,
            Element::F32 => graph::Element::F32,
        }
    }

    /// What the numbers of a quantized tensor stand for.
    fn quantization(&self) -> Option<graph::Quantization> {
        let Quantization { scale, zero_point } = self.quantization;
        matches!(self.element, Element::I8 | Element::I16)
            .then_some(graph::Quantization { scale, zero_point: zero_point as i32 })
    }
}

/// What a board is and what runs on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// The board.
    pub board: String,
    /// The model.
    pub model: String,
    /// The inputs: none without a model.
    pub inputs: Vec<End>,
    /// The outputs.
    pub outputs: Vec<End>,
    /// Bytes of arena, scratch included.
    pub arena_bytes: usize,
    /// Bytes of weights.
    pub weight_bytes: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Layers of the plan.
    pub layers: usize,
    /// How many classes have a label.
    pub labels: usize,
    /// What one tick is.
    pub tick: Tick,
}

impl Info {
    fn of(info: &microception_protocol::Info<'_>) -> Info {
        let alone = |count: u8, shape: &[u32], element, quantization, bytes: u32, row_bytes: u32| {
            let (name, shape) = (String::new(), extents(shape));
            let (bytes, row_bytes) = (bytes as usize, row_bytes as usize);
            // Of several, each is asked for.
            (count == 1).then_some(End { name, shape, element, quantization, bytes, row_bytes }).into_iter().collect()
        };
        let (input, output) = (info.input_quantization, info.output_quantization);
        Info {
            board: info.board.to_owned(),
            model: info.model.to_owned(),
            inputs: alone(info.inputs, &info.input_shape, info.input, input, info.frame_bytes, info.row_bytes),
            outputs: alone(info.outputs, &info.output_shape, info.output, output, info.output_bytes, 0),
            arena_bytes: info.arena_bytes as usize,
            weight_bytes: info.weight_bytes as usize,
            macs: info.macs,
            layers: usize::from(info.layers),
            labels: usize::from(info.labels),
            tick: info.tick,
        }
    }
}

fn extents(shape: &[u32]) -> Vec<usize> {
    shape.iter().map(|&extent| extent as usize).collect()
}

/// What [`Link::bench`] measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// Ticks of one inference in one go, rows pushed one by one.
    pub ticks: u64,
    /// Of each step of another inference the layer and the ticks, each measured by itself.
    pub steps: Vec<(usize, u64)>,
    /// Bytes of stack that one inference needs; `None` where the board can't tell.
    pub stack_bytes: Option<usize>,
}

/// A layer of the model on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its name in the model, of a long one the [beginning](microception_protocol::NAME_BYTES).
    pub name: String,
    /// What it is.
    pub kind: String,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
}

/// The sums over each of `layers` layers of what its `steps` took.
pub fn by_layer(layers: usize, steps: impl IntoIterator<Item = (usize, u64)>) -> Vec<u64> {
    let mut sums = vec![0; layers];
    for (layer, count) in steps {
        if let Some(sum) = sums.get_mut(layer) {
            *sum += count;
        }
    }
    sums
}

/// A board at the other end of a serial line.
///
/// A request that is damaged on the way, or whose answer is, is sent again: see [the module](self).
#[derive(Debug)]
pub struct Link<P> {
    port: P,
    receiver: Receiver,
    /// Bytes that were read and not yet looked at.
    unread: VecDeque<u8>,
    /// How many of them came before the last request was sent.
    before: usize,
    /// The first bytes since the last answer that were none.
    strange: Vec<u8>,
    tag: u8,
    patience: Duration,
    info: Info,
}

/// What an answer means for the request.
enum Answer<T> {
    /// It is complete.
    Complete(T),
    /// More answers follow.
    More,
    /// It can't be the answer to this request, or an answer before it is missing.
    Wrong,
}

/// Why one attempt failed.
enum Failure {
    /// Worth another attempt.
    Line(&'static str),
    /// Nothing answers, whatever is asked.
    Silence,
    /// The board understood the request and refused it.
    Refused(Fault),
    /// The port itself failed.
    Port(io::Error),
}

impl<P: Port> Link<P> {
    /// Asks the board at the other end of `port` what it is. Each answer may take up to `patience`.
    ///
    /// # Errors
    /// When nothing answers, or another firmware, or one of another version of the protocol.
    pub fn open(port: P, patience: Duration) -> Result<Link<P>, Error> {
        let info = Info {
            board: String::new(),
            model: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            arena_bytes: 0,
            weight_bytes: 0,
            macs: 0,
            layers: 0,
            labels: 0,
            tick: Tick::Cycle { hz: 0 },
        };
        let (unread, strange) = (VecDeque::new(), Vec::new());
        let mut link = Link { port, receiver: Receiver::new(), unread, before: 0, strange, tag: 0, patience, info };
        let (info, inputs, outputs) = link.ask(&Request::Info { version: VERSION }, |reply| match reply {
            Reply::Info(info) => Answer::Complete((Info::of(&info), info.inputs, info.outputs)),
            _ => Answer::Wrong,
        })?;
        link.info = info;
        // Ahead of whatever another host has asked.
        for _ in 0..2 {
            link.skip();
            link.ask(&Request::Info { version: VERSION }, |reply| match reply {
                Reply::Info(_) => Answer::Complete(()),
                _ => Answer::Wrong,
            })?;
        }
        if inputs > 1 {
            link.info.inputs = (0..inputs).map(|index| link.port_of(false, index)).collect::<Result<_, _>>()?;
        }
        if outputs > 1 {
            link.info.outputs = (0..outputs).map(|index| link.port_of(true, index)).collect::<Result<_, _>>()?;
        }
        Ok(link)
    }

    /// What one of several inputs or outputs is.
    fn port_of(&mut self, output: bool, index: u8) -> Result<End, Error> {
        self.ask(&Request::Port { output, index }, |reply| match reply {
            Reply::Port(port) => Answer::Complete(End {
                name: port.name.to_owned(),
                shape: extents(&port.shape),
                element: port.element,
                quantization: port.quantization,
                bytes: port.bytes as usize,
                row_bytes: port.row_bytes as usize,
            }),
            _ => Answer::Wrong,
        })
    }

    /// What the board is and what runs on it.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// How long an answer may take from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The port itself.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// The port itself, to be used in another way.
    pub fn into_port(self) -> P {
        self.port
    }

    /// The same over a port of any kind.
    pub fn boxed(self) -> Link<Box<dyn Port>>
    where
        P: 'static,
    {
        let Link { port, receiver, unread, before, strange, tag, patience, info } = self;
        Link { port: Box::new(port), receiver, unread, before, strange, tag, patience, info }
    }

    /// Runs the model on one frame `[row][column][channel]` in its own input type, little endian, and
    /// returns the output tensor's bytes, likewise. The frames of several inputs stand one after the other, and so do
    /// several outputs.
    ///
    /// # Errors
    /// When the frame does not have the bytes of all inputs, or the line fails.
    pub fn infer(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        let expected: usize = self.info.inputs.iter().map(|input| input.bytes).sum();
        if frame.len() != expected {
            let inputs: Vec<_> = self.info.inputs.iter().map(|input| (&input.shape, input.element)).collect();
            return Err(Error::model(format!(
                "an input of {} bytes for the model {:?} on {}, which takes {expected} bytes, {inputs:?}",
                frame.len(),
                self.info.model,
                self.info.board,
            )));
        }
        let complete = if self.info.inputs.len() > 1 { self.send_rows(frame)? } else { self.send_frame(frame)? };
        if !complete {
            return Err(Error::model(format!("{} took a whole frame and has no output", self.info.board)));
        }
        let mut outputs = Vec::new();
        for index in 0..self.info.outputs.len() {
            outputs.extend(self.output(index)?);
        }
        Ok(outputs)
    }

    /// Sends the frame of the only input; whether the output is complete.
    fn send_frame(&mut self, frame: &[u8]) -> Result<bool, Error> {
        let mut complete = false;
        for (index, bytes) in frame.chunks(CHUNK).enumerate() {
            let is_last = index * CHUNK + bytes.len() == frame.len();
            complete = self.send(0, index * CHUNK, bytes)?.0.unwrap_or(is_last);
        }
        Ok(complete)
    }

    /// Sends the frames of several inputs, row by row as the board asks for them.
    fn send_rows(&mut self, frames: &[u8]) -> Result<bool, Error> {
        let mut rest = frames;
        let mut frames: Vec<&[u8]> = Vec::new();
        for input in &self.info.inputs {
            let (frame, behind) = rest.split_at(input.bytes);
            frames.push(frame);
            rest = behind;
        }
        let total: usize = frames.iter().map(|frame| frame.len()).sum();
        let row_bytes: Vec<usize> = self.info.inputs.iter().map(|input| input.row_bytes.max(1)).collect();
        let (mut input, mut sent, mut complete) = (0, 0, false);
        let mut left = frames.clone();
        while sent < total {
            let place = frames.get(input).map_or(0, |frame| frame.len()) - left.get(input).map_or(0, |left| left.len());
            let Some(rest) = left.get_mut(input).filter(|left| !left.is_empty()) else {
                return Err(Error::model(format!(
                    "{} asks for more rows of input {input} than it has",
                    self.info.board
                )));
            };
            let row = row_bytes[input] - place % row_bytes[input];
            let (piece, behind) = rest.split_at(rest.len().min(row).min(CHUNK));
            *rest = behind;
            let (done, next) = self.send(input, sent, piece)?;
            sent += piece.len();
            (input, complete) = (next, done.unwrap_or(sent == total));
        }
        Ok(complete)
    }

    /// Pushes the rows of a series, from its beginning, into an endless model, and hands each output to `output`.
    ///
    /// # Errors
    /// When the series is no whole number of [rows](End::row_bytes), is 4 GiB or longer, the model takes frames, or the line
    /// fails.
    pub fn stream(&mut self, series: &[u8], mut output: impl FnMut(Vec<u8>)) -> Result<(), Error> {
        let row_bytes = self.info.inputs.first().map_or(0, |input| input.row_bytes);
        if row_bytes == 0 || !series.len().is_multiple_of(row_bytes) || u32::try_from(series.len()).is_err() {
            return Err(Error::model(format!(
                "a series of {} bytes for the model {:?} on {}, which takes rows of {row_bytes} bytes, less than 4 GiB in all",
                series.len(),
                self.info.model,
                self.info.board,
            )));
        }
        for (index, row) in series.chunks_exact(row_bytes).enumerate() {
            let mut complete = Some(false);
            for (piece, bytes) in row.chunks(CHUNK).enumerate() {
                complete = self.send(0, index * row_bytes + piece * CHUNK, bytes)?.0;
            }
            let complete = match complete {
                Some(complete) => complete,
                None => self.has_output()?,
            };
            if complete {
                output(self.output(0)?);
            }
        }
        Ok(())
    }

    /// Whether the last row has led to an output.
    fn has_output(&mut self) -> Result<bool, Error> {
        let first = self.attempt(&Request::Output { output: 0, offset: 0 }, |reply| match reply {
            Reply::Output { .. } => Answer::Complete(true),
            _ => Answer::Wrong,
        });
        match first {
            Err(Failure::Refused(Fault::NoOutput)) => Ok(false),
            other => other.map_err(|failure| self.error(failure)),
        }
    }

    /// Sends one piece of a frame: whether the output is complete after it, if the answer that says so arrived, and the
    /// input whose bytes come next.
    fn send(&mut self, input: usize, from: usize, bytes: &[u8]) -> Result<(Option<bool>, usize), Error> {
        let end = (from + bytes.len()) as u32;
        let request = Request::Input { input: input as u8, offset: from as u32, bytes };
        let taken = self.attempt(&request, |reply| match reply {
            Reply::Taken { next, input, complete } if next == end => {
                Answer::Complete((Some(complete), usize::from(input)))
            }
            _ => Answer::Wrong,
        });
        match taken {
            // The piece arrived before, only the answer was lost.
            Err(Failure::Refused(Fault::UnexpectedOffset { expected, input })) if expected == end => {
                Ok((None, usize::from(input)))
            }
            other => other.map_err(|failure| self.error(failure)),
        }
    }

    fn output(&mut self, index: usize) -> Result<Vec<u8>, Error> {
        let bytes = self.info.outputs.get(index).map_or(0, |output| output.bytes);
        let mut output = Vec::new();
        self.extend(index, &mut output, bytes)?;
        Ok(output)
    }

    /// Asks for more of an output, until there are `end` bytes of it.
    fn extend(&mut self, index: usize, output: &mut Vec<u8>, end: usize) -> Result<(), Error> {
        while output.len() < end {
            let from = output.len();
            let request = Request::Output { output: index as u8, offset: from as u32 };
            let piece = self.ask(&request, |reply| match reply {
                Reply::Output { offset, bytes }
                    if offset as usize == from && !bytes.is_empty() && bytes.len() <= end - from =>
                {
                    Answer::Complete(bytes.to_vec())
                }
                _ => Answer::Wrong,
            })?;
            output.extend(piece);
        }
        Ok(())
    }

    /// Has a picture filtered, `[row][column][channel]`, by a firmware that does so instead of serving a model. Each
    /// filtered row comes back before the next row goes, as many rows later as the kernel reaches down.
    ///
    /// # Errors
    /// When the picture is not as large as `filter` says, the board refuses it, or the line fails.
    pub fn filter(&mut self, filter: &Filter, pixels: &[u8]) -> Result<Vec<u8>, Error> {
        let row_bytes = usize::from(filter.width) * usize::from(filter.channels);
        if pixels.is_empty() || pixels.len() != row_bytes * filter.rows as usize {
            return Err(Error::model(format!("a picture of {} bytes, which is not {filter:?}", pixels.len())));
        }
        self.ask(&Request::Filter(filter.clone()), |reply| match reply {
            Reply::Taken { next: 0, .. } => Answer::Complete(()),
            _ => Answer::Wrong,
        })?;
        let below = filter.taps.len().isqrt() / 2;
        let mut filtered = Vec::with_capacity(pixels.len());
        for (index, row) in pixels.chunks_exact(row_bytes).enumerate() {
            for (piece, bytes) in row.chunks(CHUNK).enumerate() {
                self.send(0, index * row_bytes + piece * CHUNK, bytes)?;
            }
            if let Some(made) = index.checked_sub(below) {
                self.extend(0, &mut filtered, (made + 1) * row_bytes)?;
            }
        }
        while filtered.len() < pixels.len() {
            let end = filtered.len() + row_bytes;
            self.extend(0, &mut filtered, end)?;
        }
        Ok(filtered)
    }

    /// The names of the classes.
    ///
    /// # Errors
    /// When the line fails.
    pub fn labels(&mut self) -> Result<Vec<String>, Error> {
        (0..self.info.labels)
            .map(|index| {
                self.ask(&Request::Label { index: index as u16 }, |reply| match reply {
                    Reply::Label(label) => Answer::Complete(label.to_owned()),
                    _ => Answer::Wrong,
                })
            })
            .collect()
    }

    /// What the model takes and answers with, its classes' names asked for.
    ///
    /// # Errors
    /// When the line fails, or there is no model.
    pub fn interface(&mut self) -> Result<Interface, Error> {
        if self.info.inputs.is_empty() {
            let reason = format!("{} filters pictures and has no model", self.info.board);
            return Err(self.port.explain(Error::model(reason)));
        }
        let labels = self.labels()?;
        let input = |end: &End| {
            let (shape, element) = (Shape(end.shape.clone()), end.element());
            (end.name.clone(), Input { shape, element, quantization: end.quantization() })
        };
        let output = |end: &End| {
            let (shape, element) = (Shape(end.shape.clone()), end.element());
            (end.name.clone(), Output { shape, element, quantization: end.quantization() })
        };
        let Info { inputs, outputs, .. } = &self.info;
        Ok(Interface {
            inputs: inputs.iter().map(input).collect(),
            outputs: outputs.iter().map(output).collect(),
            labels,
        })
    }

    /// The `count` best classes of the last output, at most [`microception_protocol::TOP`]: index and
    /// real value, best first.
    ///
    /// # Errors
    /// When there is no output yet, or the line fails.
    pub fn top(&mut self, count: usize) -> Result<Vec<(usize, f32)>, Error> {
        let count = u8::try_from(count).unwrap_or(u8::MAX);
        self.ask(&Request::Top { count }, |reply| match reply {
            Reply::Top(best) => {
                Answer::Complete(best.iter().map(|class| (usize::from(class.index), class.value)).collect())
            }
            _ => Answer::Wrong,
        })
    }

    /// Measures an inference on the board. Forgets a frame that was begun.
    ///
    /// # Errors
    /// When the line fails.
    pub fn bench(&mut self) -> Result<Bench, Error> {
        let layers = self.info.layers;
        let mut measured = Vec::new();
        self.ask(&Request::Bench, |reply| match reply {
            Reply::Step { index, layer, ticks } => {
                if index == 0 {
                    measured.clear();
                }
                if usize::from(layer) >= layers || index as usize != measured.len() {
                    return Answer::Wrong;
                }
                measured.push((usize::from(layer), u64::from(ticks)));
                Answer::More
            }
            Reply::Bench { steps, ticks, stack_bytes, .. } if steps as usize == measured.len() => {
                let steps = std::mem::take(&mut measured);
                let ticks = unwrapped(u64::from(ticks), steps.iter().map(|(_, ticks)| ticks).sum());
                Answer::Complete(Bench { ticks, steps, stack_bytes: stack_bytes.map(|bytes| bytes as usize) })
            }
            _ => Answer::Wrong,
        })
    }

    /// The layers of the plan, in the order of [`by_layer`].
    ///
    /// # Errors
    /// When the line fails.
    pub fn layers(&mut self) -> Result<Vec<Layer>, Error> {
        (0..self.info.layers)
            .map(|index| {
                self.ask(&Request::Layer { index: index as u16 }, |reply| match reply {
                    Reply::Layer { name, kind, macs } => {
                        Answer::Complete(Layer { name: name.to_owned(), kind: kind.to_owned(), macs })
                    }
                    _ => Answer::Wrong,
                })
            })
            .collect()
    }

    /// How much memory there is and how much is used.
    ///
    /// # Errors
    /// When the line fails.
    pub fn memory(&mut self) -> Result<Memory, Error> {
        self.ask(&Request::Memory, |reply| match reply {
            Reply::Memory(memory) => Answer::Complete(memory),
            _ => Answer::Wrong,
        })
    }

    /// Runs an inference on a frame that the board makes up, and compares it with what the host computed when the model was
    /// converted: the first difference, or `None`. Forgets a frame that was begun.
    ///
    /// # Errors
    /// When the module holds nothing to compare with, or the line fails.
    pub fn self_test(&mut self) -> Result<Option<Difference>, Error> {
        self.ask(&Request::SelfTest, |reply| match reply {
            Reply::SelfTest(difference) => Answer::Complete(difference),
            _ => Answer::Wrong,
        })
    }

    fn ask<T>(&mut self, request: &Request<'_>, read: impl FnMut(Reply<'_>) -> Answer<T>) -> Result<T, Error> {
        self.attempt(request, read).map_err(|failure| self.error(failure))
    }

    /// Sends the request until it is answered.
    fn attempt<T>(
        &mut self,
        request: &Request<'_>,
        mut read: impl FnMut(Reply<'_>) -> Answer<T>,
    ) -> Result<T, Failure> {
        let mut last = Failure::Line("");
        for attempt in 1..=ATTEMPTS {
            match self.exchange(request, &mut read) {
                Err(failure @ Failure::Line(why)) => {
                    if why == LOST && attempt % 2 == 0 {
                        // Perhaps the board takes it for late.
                        self.skip();
                    }
                    last = failure;
                }
                result => return result,
            }
        }
        Err(last)
    }

    fn exchange<T>(
        &mut self,
        request: &Request<'_>,
        read: &mut impl FnMut(Reply<'_>) -> Answer<T>,
    ) -> Result<T, Failure> {
        let ours = self.write(request)?;
        self.before = self.unread.len();
        // What is being measured must not be disturbed.
        let first = if matches!(request, Request::Bench) { PAUSES - 2 } else { 0 };
        let mut pause = first;
        let mut later = Vec::new();
        let mut end = self.after(pause);
        loop {
            let heard = self.receive(end, |packet| match packet {
                Err(_) => Err(Failure::Line("the answer arrived damaged")),
                Ok(Packet { tag: 0, body: Reply::Error(Fault::BadFrame) }) => {
                    Err(Failure::Line("the request arrived damaged"))
                }
                Ok(Packet { tag, body: Reply::Error(fault) }) if tag == ours => Err(Failure::Refused(fault)),
                Ok(Packet { tag, body }) if tag == ours => Ok(Some(read(body))),
                Ok(Packet { tag, .. }) if later.contains(&tag) => Err(Failure::Line(LOST)),
                // The answer to a request that was given up.
                Ok(_) => Ok(None),
            })?;
            match heard.transpose()? {
                Some(Some(Answer::Complete(value))) => return Ok(value),
                Some(Some(Answer::More)) => {
                    pause = first;
                    end = self.after(pause);
                }
                Some(Some(Answer::Wrong)) => {
                    return Err(Failure::Line("an answer is missing or does not fit the request"));
                }
                Some(None) => {}
                None if pause + 1 == PAUSES => return Err(Failure::Silence),
                None => {
                    later.push(self.write(&Request::Info { version: VERSION })?);
                    pause += 1;
                    end = self.after(pause);
                }
            }
        }
    }

    /// Goes on with tags that are further ahead.
    fn skip(&mut self) {
        self.tag = self.tag.checked_add(SKIPPED).unwrap_or(self.tag.wrapping_add(SKIPPED + 1));
    }

    /// Sends a request under a new tag.
    fn write(&mut self, request: &Request<'_>) -> Result<u8, Failure> {
        self.tag = self.tag.checked_add(1).unwrap_or(1);
        let mut buffer = [0; FRAME_BYTES];
        let frame = encode(&Packet { tag: self.tag, body: request }, &mut buffer);
        let frame = frame.map_err(|frame::TooLong| Failure::Line("a request does not fit a frame"))?;
        self.port.set_timeout(self.patience).map_err(Failure::Port)?;
        match self.port.write_all(frame).and_then(|()| self.port.flush()) {
            Ok(()) => Ok(self.tag),
            Err(error) if is_timeout(error.kind()) => Err(Failure::Silence),
            Err(error) => Err(Failure::Port(error)),
        }
    }

    /// When the pause of that number ends.
    fn after(&self, pause: u32) -> Instant {
        Instant::now() + self.patience / (1 << (PAUSES - pause))
    }

    /// Hands the next packet, or what was wrong with it, to `read`; `None` where there is none before the `end`.
    fn receive<T>(
        &mut self,
        end: Instant,
        read: impl FnOnce(Result<Packet<Reply<'_>>, Damage>) -> T,
    ) -> Result<Option<T>, Failure> {
        loop {
            while let Some(byte) = self.unread.pop_front() {
                if self.strange.len() < STRANGE {
                    self.strange.push(byte);
                }
                let is_before = self.before > 0;
                self.before = self.before.saturating_sub(1);
                if let Some(packet) = self.receiver.push(byte) {
                    if packet.is_ok() {
                        self.strange.clear();
                    }
                    // What was damaged before the request was sent is not the request, nor its answer.
                    let damaged = matches!(packet, Err(_) | Ok(Packet { tag: 0, body: Reply::Error(Fault::BadFrame) }));
                    if !(is_before && damaged) {
                        return Ok(Some(read(packet)));
                    }
                }
            }
            if !self.fill(end)? {
                return Ok(None);
            }
        }
    }

    /// Reads what has come in, waiting for the first byte; whether there was one before the `end`.
    fn fill(&mut self, end: Instant) -> Result<bool, Failure> {
        let mut bytes = [0; 4096];
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        self.port.set_timeout(left).map_err(Failure::Port)?;
        match self.port.read(&mut bytes) {
            Ok(0) => Err(Failure::Port(ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                self.unread.extend(&bytes[..count]);
                Ok(true)
            }
            Err(error) if is_timeout(error.kind()) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(Failure::Port(error)),
        }
    }

    fn error(&mut self, failure: Failure) -> Error {
        let known = !self.info.board.is_empty();
        let board = if known { &self.info.board } else { "the board" };
        let strange = String::from_utf8_lossy(&self.strange);
        let error = Error::model(match failure {
            Failure::Silence | Failure::Line(_) if !known && !self.strange.is_empty() => format!(
                "what answers is not microception's firmware, or its serial line has another speed: it says {strange:?}"
            ),
            Failure::Silence if known => format!("{board} does not answer any more: nothing answers on its port"),
            Failure::Silence => "nothing answers: is the port the right one, and does microception's firmware run \
                                 there? Press the board's reset button, or flash it"
                .to_owned(),
            Failure::Line(why) => {
                format!("{board} does not answer over its serial line ({why}, {ATTEMPTS} times)")
            }
            Failure::Refused(fault) => format!("{board} refuses: {fault}"),
            Failure::Port(error) if error.kind() == ErrorKind::NotConnected => format!("{board} was unplugged"),
            Failure::Port(error) if is_closed(error.kind()) => {
                format!("the serial line of {board} was closed")
            }
            Failure::Port(error) => format!("the serial line of {board} fails: {error}"),
        });
        self.port.explain(error)
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

fn is_closed(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// What a 32-bit counter that may have wrapped around counted, when it was about `expected`.
pub(super) fn unwrapped(ticks: u64, expected: u64) -> u64 {
    const WRAP: u64 = 1 << 32;
    ticks + (expected + WRAP / 2).saturating_sub(ticks) / WRAP * WRAP
}

#[cfg(test)]
mod tests {
    use super::unwrapped;

    #[test]
    fn a_counter_that_wrapped_around_is_put_right() {
        for expected in [0, 1, 1 << 31, (1 << 32) - 1, 1 << 32, 10 << 32] {
            for ticks in [expected, expected + expected / 25, expected - expected / 25] {
                assert_eq!(unwrapped(ticks & 0xFFFF_FFFF, expected), ticks, "about {expected}");
            }
        }
    }
}

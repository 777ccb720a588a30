//! The host's end of the serial protocol, over any port.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use microception_protocol::frame::{Damage, Receiver, encode};
use microception_protocol::{
    CHUNK, Difference, Element, FRAME_BYTES, Fault, Filter, Memory, Packet, Quantization, Reply, Request, Tick,
    VERSION, frame,
};

use crate::error::Error;

/// How often a request is sent before the line counts as dead.
const ATTEMPTS: u32 = 3;

/// A serial port, or what stands in for one.
pub trait Port: Read + Write {
    /// How long a read or a write may take from now on before it fails.
    ///
    /// # Errors
    /// When the port does not take it.
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()>;
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
    /// Ticks of each layer of the plan: the sum over its steps, each measured by itself.
    pub layers: Vec<u64>,
    /// How many steps there are.
    pub steps: usize,
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

/// A board at the other end of a serial line.
///
/// A request that is damaged on the way, or whose answer is, is sent again.
#[derive(Debug)]
pub struct Link<P> {
    port: P,
    receiver: Receiver,
    /// Bytes that were read and not yet looked at.
    unread: VecDeque<u8>,
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
    /// The board understood the request and refused it.
    Refused(Fault),
    /// The port itself failed.
    Port(io::Error),
}

impl<P: Port> Link<P> {
    /// Asks the board at the other end of `port` what it is. Each answer may take up to `patience`.
    ///
    /// # Errors
    /// When nothing answers, or in another version of the protocol.
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
        let mut link = Link { port, receiver: Receiver::new(), unread: VecDeque::new(), tag: 0, patience, info };
        let (info, inputs, outputs) = link.ask(&Request::Info { version: VERSION }, |reply| match reply {
            Reply::Info(info) => Answer::Complete((Info::of(&info), info.inputs, info.outputs)),
            _ => Answer::Wrong,
        })?;
        link.info = info;
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

    /// The port itself.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
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
        let mut output = Vec::with_capacity(bytes);
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
        let count = self.info.layers;
        let mut layers = vec![0; count];
        let mut seen = 0;
        self.ask(&Request::Bench, |reply| match reply {
            Reply::Step { index, layer, ticks } => {
                if index == 0 {
                    layers.fill(0);
                    seen = 0;
                }
                match layers.get_mut(usize::from(layer)) {
                    Some(sum) if index == seen => {
                        *sum += u64::from(ticks);
                        seen += 1;
                        Answer::More
                    }
                    _ => Answer::Wrong,
                }
            }
            Reply::Bench { steps, ticks, stack_bytes, .. } if steps == seen => Answer::Complete(Bench {
                ticks: u64::from(ticks),
                layers: std::mem::take(&mut layers),
                steps: steps as usize,
                stack_bytes: stack_bytes.map(|bytes| bytes as usize),
            }),
            _ => Answer::Wrong,
        })
    }

    /// The layers of the plan, in the order of [`Bench::layers`].
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
        for _ in 0..ATTEMPTS {
            match self.exchange(request, &mut read) {
                Err(failure @ Failure::Line(_)) => last = failure,
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
        self.tag = self.tag.checked_add(1).unwrap_or(1);
        let mut buffer = [0; FRAME_BYTES];
        let frame = encode(&Packet { tag: self.tag, body: request }, &mut buffer);
        let frame = frame.map_err(|frame::TooLong| Failure::Line("a request does not fit a frame"))?;
        self.port.set_timeout(self.patience).map_err(Failure::Port)?;
        self.port.write_all(frame).and_then(|()| self.port.flush()).map_err(Failure::Port)?;
        let mut end = Instant::now() + self.patience;
        let ours = self.tag;
        loop {
            let answer = self.receive(end, |packet| match packet {
                Err(_) => Err(Failure::Line("the answer arrived damaged")),
                Ok(Packet { tag: 0, body: Reply::Error(Fault::BadFrame) }) => {
                    Err(Failure::Line("the request arrived damaged"))
                }
                Ok(Packet { tag, body: Reply::Error(fault) }) if tag == ours => Err(Failure::Refused(fault)),
                Ok(Packet { tag, body }) if tag == ours => Ok(Some(read(body))),
                // The answer to a request that was given up.
                Ok(_) => Ok(None),
            })??;
            match answer {
                Some(Answer::Complete(value)) => return Ok(value),
                Some(Answer::More) => end = Instant::now() + self.patience,
                Some(Answer::Wrong) => {
                    return Err(Failure::Line("an answer is missing or does not fit the request"));
                }
                None => {}
            }
        }
    }

    /// Hands the next packet, or what was wrong with it, to `read`.
    fn receive<T>(
        &mut self,
        end: Instant,
        read: impl FnOnce(Result<Packet<Reply<'_>>, Damage>) -> T,
    ) -> Result<T, Failure> {
        loop {
            while let Some(byte) = self.unread.pop_front() {
                if let Some(packet) = self.receiver.push(byte) {
                    return Ok(read(packet));
                }
            }
            self.fill(end)?;
        }
    }

    /// Reads what has come in, waiting for the first byte.
    fn fill(&mut self, end: Instant) -> Result<(), Failure> {
        let mut bytes = [0; 4096];
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Line("nothing answers"));
        }
        self.port.set_timeout(left).map_err(Failure::Port)?;
        match self.port.read(&mut bytes) {
            Ok(0) => Err(Failure::Port(ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                self.unread.extend(&bytes[..count]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                Err(Failure::Line("nothing answers"))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Failure::Port(error)),
        }
    }

    fn error(&self, failure: Failure) -> Error {
        let board = if self.info.board.is_empty() { "the board" } else { &self.info.board };
        Error::model(match failure {
            Failure::Line(why) => format!(
                "{board} does not answer over its serial line ({why}, {ATTEMPTS} times): \
                 is the port the right one, and does microception's firmware run there?"
            ),
            Failure::Refused(fault) => format!("{board} refuses: {fault}"),
            Failure::Port(error) if is_closed(error.kind()) => {
                format!("the serial line of {board} was closed")
            }
            Failure::Port(error) => format!("the serial line of {board} fails: {error}"),
        })
    }
}

fn is_closed(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

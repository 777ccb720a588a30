//! The host's end of the serial protocol, over any port.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use microception_protocol::frame::{Damage, Receiver, encode};
use microception_protocol::{
    CHUNK, Element, FRAME_BYTES, Fault, Filter, Packet, Quantization, Reply, Request, Tick, VERSION, frame,
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

/// What a board is and what runs on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// The board.
    pub board: String,
    /// The model.
    pub model: String,
    /// Extents of the input, channels last, without the batch.
    pub input_shape: Vec<usize>,
    /// Extents of the output.
    pub output_shape: Vec<usize>,
    /// Element type of the input.
    pub input: Element,
    /// Element type of the output.
    pub output: Element,
    /// What the input's elements stand for.
    pub input_quantization: Quantization,
    /// What the output's elements stand for.
    pub output_quantization: Quantization,
    /// Bytes of one input frame.
    pub frame_bytes: usize,
    /// Bytes of one input row.
    pub row_bytes: usize,
    /// Bytes of the output tensor.
    pub output_bytes: usize,
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
        let extents = |shape: &[u32]| shape.iter().map(|&extent| extent as usize).collect();
        Info {
            board: info.board.to_owned(),
            model: info.model.to_owned(),
            input_shape: extents(&info.input_shape),
            output_shape: extents(&info.output_shape),
            input: info.input,
            output: info.output,
            input_quantization: info.input_quantization,
            output_quantization: info.output_quantization,
            frame_bytes: info.frame_bytes as usize,
            row_bytes: info.row_bytes as usize,
            output_bytes: info.output_bytes as usize,
            arena_bytes: info.arena_bytes as usize,
            weight_bytes: info.weight_bytes as usize,
            macs: info.macs,
            layers: usize::from(info.layers),
            labels: usize::from(info.labels),
            tick: info.tick,
        }
    }
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
            input_shape: Vec::new(),
            output_shape: Vec::new(),
            input: Element::U8,
            output: Element::U8,
            input_quantization: Quantization { scale: 1.0, zero_point: 0.0 },
            output_quantization: Quantization { scale: 1.0, zero_point: 0.0 },
            frame_bytes: 0,
            row_bytes: 0,
            output_bytes: 0,
            arena_bytes: 0,
            weight_bytes: 0,
            macs: 0,
            layers: 0,
            labels: 0,
            tick: Tick::Cycle { hz: 0 },
        };
        let mut link = Link { port, receiver: Receiver::new(), unread: VecDeque::new(), tag: 0, patience, info };
        link.info = link.ask(&Request::Info { version: VERSION }, |reply| match reply {
            Reply::Info(info) => Answer::Complete(Info::of(&info)),
            _ => Answer::Wrong,
        })?;
        Ok(link)
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
    /// returns the output tensor's bytes, likewise.
    ///
    /// # Errors
    /// When the frame does not have [`Info::frame_bytes`], or the line fails.
    pub fn infer(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        if frame.len() != self.info.frame_bytes {
            return Err(Error::model(format!(
                "an input of {} bytes for the model {:?} on {}, which takes {} bytes, {:?} {:?}",
                frame.len(),
                self.info.model,
                self.info.board,
                self.info.frame_bytes,
                self.info.input_shape,
                self.info.input,
            )));
        }
        let mut complete = false;
        for (index, bytes) in frame.chunks(CHUNK).enumerate() {
            let is_last = index * CHUNK + bytes.len() == frame.len();
            complete = self.send(index * CHUNK, bytes)?.unwrap_or(is_last);
        }
        if !complete {
            return Err(Error::model(format!("{} took a whole frame and has no output", self.info.board)));
        }
        self.output()
    }

    /// Pushes the rows of a series, from its beginning, into an endless model, and hands each output to `output`.
    ///
    /// # Errors
    /// When the series is no whole number of [`Info::row_bytes`], is 4 GiB or longer, the model takes frames, or the line
    /// fails.
    pub fn stream(&mut self, series: &[u8], mut output: impl FnMut(Vec<u8>)) -> Result<(), Error> {
        let row_bytes = self.info.row_bytes;
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
                complete = self.send(index * row_bytes + piece * CHUNK, bytes)?;
            }
            let complete = match complete {
                Some(complete) => complete,
                None => self.has_output()?,
            };
            if complete {
                output(self.output()?);
            }
        }
        Ok(())
    }

    /// Whether the last row has led to an output.
    fn has_output(&mut self) -> Result<bool, Error> {
        let first = self.attempt(&Request::Output { offset: 0 }, |reply| match reply {
            Reply::Output { .. } => Answer::Complete(true),
            _ => Answer::Wrong,
        });
        match first {
            Err(Failure::Refused(Fault::NoOutput)) => Ok(false),
            other => other.map_err(|failure| self.error(failure)),
        }
    }

    /// Sends one piece of a frame; whether the output is complete after it, if the answer that says so arrived.
    fn send(&mut self, from: usize, bytes: &[u8]) -> Result<Option<bool>, Error> {
        let end = (from + bytes.len()) as u32;
        let taken = self.attempt(&Request::Input { offset: from as u32, bytes }, |reply| match reply {
            Reply::Taken { next, complete } if next == end => Answer::Complete(Some(complete)),
            _ => Answer::Wrong,
        });
        match taken {
            // The piece arrived before, only the answer was lost.
            Err(Failure::Refused(Fault::UnexpectedOffset { expected })) if expected == end => Ok(None),
            other => other.map_err(|failure| self.error(failure)),
        }
    }

    fn output(&mut self) -> Result<Vec<u8>, Error> {
        let mut output = Vec::with_capacity(self.info.output_bytes);
        self.extend(&mut output, self.info.output_bytes)?;
        Ok(output)
    }

    /// Asks for more of the output, until there are `end` bytes of it.
    fn extend(&mut self, output: &mut Vec<u8>, end: usize) -> Result<(), Error> {
        while output.len() < end {
            let from = output.len();
            let piece = self.ask(&Request::Output { offset: from as u32 }, |reply| match reply {
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
                self.send(index * row_bytes + piece * CHUNK, bytes)?;
            }
            if let Some(made) = index.checked_sub(below) {
                self.extend(&mut filtered, (made + 1) * row_bytes)?;
            }
        }
        while filtered.len() < pixels.len() {
            let end = filtered.len() + row_bytes;
            self.extend(&mut filtered, end)?;
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

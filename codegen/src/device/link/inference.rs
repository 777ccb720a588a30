//! Frames, series and pictures through what runs on the board.

use microception_protocol::{CHUNK, Fault, Filter, Reply, Request};

use super::exchange::{Answer, Failure};
use super::{Link, Port};
use crate::error::Error;

impl<P: Port> Link<P> {
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
    /// When the series is no whole number of [rows](super::End::row_bytes), is 4 GiB or longer, the model takes frames, or
    /// the line fails.
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
}

//! A request and its answer, over a line that loses either.

use std::io::{self, ErrorKind};
use std::time::Instant;

use microception_protocol::frame::{Damage, encode};
use microception_protocol::{FRAME_BYTES, Fault, Packet, Reply, Request, VERSION, frame};

use super::{Link, Port};
use crate::error::Error;

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

/// What an answer means for the request.
pub(super) enum Answer<T> {
    /// It is complete.
    Complete(T),
    /// More answers follow.
    More,
    /// It can't be the answer to this request, or an answer before it is missing.
    Wrong,
}

/// Why one attempt failed.
pub(super) enum Failure {
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
    /// Sends the request until it is answered, and hands every answer to `read`.
    ///
    /// # Errors
    /// When the board refuses, nothing answers, or the line is too bad.
    pub(super) fn ask<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnMut(Reply<'_>) -> Answer<T>,
    ) -> Result<T, Error> {
        self.attempt(request, read).map_err(|failure| self.error(failure))
    }

    /// As [`ask`](Link::ask), with what failed left to the caller.
    pub(super) fn attempt<T>(
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
    pub(super) fn skip(&mut self) {
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

    /// What failed, in words, with what the port knows of it.
    pub(super) fn error(&mut self, failure: Failure) -> Error {
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

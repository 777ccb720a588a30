//! A port whose line damages, cuts, doubles and delays frames, in both directions.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::mem;
use std::time::Duration;

use fastrand::Rng;
use microception_codegen::device::link::Port;
use microception_codegen::error::Error;

/// What can happen to a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Some of its bytes are others.
    Corrupted,
    /// Its end is missing, or all of it.
    Truncated,
    /// It comes twice, one right after the other.
    Doubled,
    /// It comes behind some that were sent later.
    Late,
    /// It comes, and behind some that were sent later again.
    Again,
}

/// All of them.
pub const MISHAPS: [Mishap; 5] = [Mishap::Corrupted, Mishap::Truncated, Mishap::Doubled, Mishap::Late, Mishap::Again];

/// A port and the noise on its line.
#[derive(Debug)]
pub struct Noisy<P> {
    port: P,
    sent: Lane,
    received: Lane,
}

impl<P> Noisy<P> {
    /// In each direction `percent` of all frames suffer, chosen by the `seed`.
    pub fn new(port: P, seed: u64, percent: u32) -> Noisy<P> {
        let lane = |seed| Lane {
            random: Rng::with_seed(seed),
            percent,
            frame: Vec::new(),
            ready: VecDeque::new(),
            late: Vec::new(),
            frames: 0,
            mishaps: [0; MISHAPS.len()],
        };
        Noisy { port, sent: lane(seed), received: lane(!seed) }
    }

    /// How many frames went either way.
    pub fn frames(&self) -> [usize; 2] {
        [self.sent.frames, self.received.frames]
    }

    /// How many of them suffered each of the [`MISHAPS`].
    pub fn mishaps(&self) -> [[usize; MISHAPS.len()]; 2] {
        [self.sent.mishaps, self.received.mishaps]
    }
}

/// One direction.
#[derive(Debug)]
struct Lane {
    random: Rng,
    percent: u32,
    /// The frame that has not ended yet.
    frame: Vec<u8>,
    /// Bytes that have come through.
    ready: VecDeque<u8>,
    /// Frames on their way, and how many others they let go first.
    late: Vec<(usize, Vec<u8>)>,
    frames: usize,
    mishaps: [usize; MISHAPS.len()],
}

impl Lane {
    fn push(&mut self, byte: u8) {
        self.frame.push(byte);
        if byte == 0 && self.frame.iter().any(|&byte| byte != 0) {
            self.end();
        }
    }

    fn end(&mut self) {
        self.frames += 1;
        let mut frame = mem::take(&mut self.frame);
        if self.random.u32(..100) < self.percent {
            let index = self.random.usize(..MISHAPS.len());
            self.mishaps[index] += 1;
            match MISHAPS[index] {
                Mishap::Corrupted => {
                    for _ in 0..self.random.usize(1..4) {
                        let place = self.random.usize(..frame.len());
                        frame[place] ^= self.random.u8(1..);
                    }
                }
                Mishap::Truncated => frame.truncate(self.random.usize(..frame.len())),
                Mishap::Doubled => frame = frame.repeat(2),
                Mishap::Late => self.late.push((self.random.usize(1..5), mem::take(&mut frame))),
                Mishap::Again => self.late.push((self.random.usize(1..20), frame.clone())),
            }
        }
        self.ready.extend(frame);
        for (others, late) in &mut self.late {
            match others.checked_sub(1) {
                Some(left) => *others = left,
                None => self.ready.extend(mem::take(late)),
            }
        }
        self.late.retain(|(_, late)| !late.is_empty());
    }
}

impl<P: Read> Read for Noisy<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = [0; 512];
        while self.received.ready.is_empty() {
            let count = self.port.read(&mut bytes)?;
            if count == 0 {
                return Ok(0);
            }
            bytes[..count].iter().for_each(|&byte| self.received.push(byte));
        }
        self.received.ready.read(buffer)
    }
}

impl<P: Write> Write for Noisy<P> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        buffer.iter().for_each(|&byte| self.sent.push(byte));
        self.port.write_all(self.sent.ready.make_contiguous())?;
        self.sent.ready.clear();
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.port.flush()
    }
}

impl<P: Port> Port for Noisy<P> {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.port.set_timeout(timeout)
    }

    fn explain(&mut self, error: Error) -> Error {
        self.port.explain(error)
    }
}

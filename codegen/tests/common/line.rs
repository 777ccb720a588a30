//! A serial line in memory, between the host and a board in a thread.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use microception_app::Board;
use microception_app::protocol::{Stack, Tick};
use microception_codegen::device::link::Port;

/// The board's end.
pub struct Far {
    pub input: Receiver<u8>,
    pub output: Sender<u8>,
}

impl embedded_io::ErrorType for Far {
    type Error = Infallible;
}

impl embedded_io::Read for Far {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        // The host has gone: the port ends.
        Ok(self.input.recv().map_or(0, |byte| {
            buffer[0] = byte;
            1
        }))
    }
}

impl embedded_io::Write for Far {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Infallible> {
        buffer.iter().for_each(|&byte| self.output.send(byte).unwrap_or_default());
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Does something to the byte of that number: replaces it, or loses it.
pub type Damage = fn(u8) -> Option<u8>;

/// The host's end. The numbered byte, counted over both directions, suffers the damage.
#[derive(Debug)]
pub struct Near {
    input: Receiver<u8>,
    output: Sender<u8>,
    timeout: Duration,
    /// How many bytes went either way.
    pub count: usize,
    damage: Option<(usize, Damage)>,
}

impl Near {
    fn suffer(&mut self, byte: u8) -> Option<u8> {
        let number = self.count;
        self.count += 1;
        match self.damage {
            Some((place, damage)) if place == number => damage(byte),
            _ => Some(byte),
        }
    }
}

impl Read for Near {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.input.recv_timeout(self.timeout) {
                Ok(byte) => {
                    if let Some(byte) = self.suffer(byte) {
                        buffer[0] = byte;
                        return Ok(1);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(io::ErrorKind::TimedOut.into()),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

impl Write for Near {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        for &byte in buffer {
            if let Some(byte) = self.suffer(byte) {
                self.output.send(byte).map_err(|_| io::ErrorKind::BrokenPipe)?;
            }
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Port for Near {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.timeout = timeout;
        Ok(())
    }
}

/// A clock that is 100 ticks further at each reading.
pub struct Clock(pub u32);

impl Board for Clock {
    const NAME: &'static str = "thread";
    const TICK: Tick = Tick::Cycle { hz: 1 };

    fn ticks(&mut self) -> u32 {
        self.0 += 100;
        self.0
    }

    fn stack_bytes(&mut self, work: &mut dyn FnMut()) -> Option<u32> {
        work();
        Some(64)
    }

    fn stack(&self) -> Option<Stack> {
        Some(Stack { used: 100, size: 1000 })
    }

    fn statics_bytes(&self) -> Option<u32> {
        Some(700)
    }
}

/// The two ends of a line.
pub fn line(damage: Option<(usize, Damage)>) -> (Near, Far) {
    let (host_output, board_input) = channel();
    let (board_output, host_input) = channel();
    let near = Near { input: host_input, output: host_output, timeout: Duration::ZERO, count: 0, damage };
    (near, Far { input: board_input, output: board_output })
}

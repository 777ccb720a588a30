//! Runs a board's program in QEMU.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use microception_protocol::Tick;

use super::board::Board;
use super::link::{Link, Port, unwrapped};
use super::logs::Lines;
use crate::error::Error;

/// How long QEMU may take to start.
const START: Duration = Duration::from_secs(20);

/// How long an answer may take: a large model in f32, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the emulated clocks follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The host's time: fastest.
    Host,
    /// The instructions, each of which takes [`INSTRUCTION_NANOSECONDS`]: ticks count them.
    Instructions,
}

/// What an instruction takes under [`Clock::Instructions`]: QEMU's `-icount shift=8`, long enough
/// that [`instructions`] is exact.
pub const INSTRUCTION_NANOSECONDS: u64 = 1 << INSTRUCTION_SHIFT;

const INSTRUCTION_SHIFT: u32 = 8;

/// The instructions in `ticks` that a board measured under [`Clock::Instructions`], exactly: `ticks` is
/// the difference of two differences of readings, each reading cut to a tick, and so less than two ticks
/// off, which is less than half an instruction. `None` when the board's ticks are longer than a quarter
/// of an instruction, or are no time.
pub fn instructions(ticks: u64, tick: Tick) -> Option<u64> {
    const NANOSECONDS: u128 = 1_000_000_000;
    let Tick::Time { hz } = tick else { return None };
    let (hz, instruction) = (u128::from(hz), u128::from(INSTRUCTION_NANOSECONDS));
    if 4 * NANOSECONDS > instruction * hz {
        return None;
    }
    u64::try_from((u128::from(ticks) * NANOSECONDS + instruction * hz / 2) / (instruction * hz)).ok()
}

/// A running program that serves a model, and its serial line.
#[derive(Debug)]
pub struct Device {
    /// The serial line.
    pub link: Link<Serial>,
}

impl Device {
    /// Starts the program `elf`, which serves a model, and asks it what it is.
    ///
    /// # Errors
    /// When QEMU is not installed or does not start, or the program does not answer.
    pub fn start(board: &Board, elf: &Path, clock: Clock) -> Result<Device, Error> {
        Ok(Device { link: Link::open(Serial::start(board, elf, clock)?, PATIENCE)? })
    }

    /// The instructions in `ticks`; `None` unless the clock follows the instructions.
    pub fn instructions(&mut self, ticks: u64) -> Option<u64> {
        let counts = self.link.port().emulator.clock == Clock::Instructions;
        counts.then(|| instructions(ticks, self.link.info().tick)).flatten()
    }

    /// The program's log so far, decoded.
    pub fn log(&mut self) -> Vec<String> {
        self.link.port().emulator.output.so_far()
    }

    /// Hands the lines of the program's log so far to `show`, and from now on each as it comes.
    pub fn show_log(&mut self, show: fn(&str)) {
        self.link.port().emulator.output.show(show);
    }
}

/// The serial line of a running program, which ends when this is dropped.
#[derive(Debug)]
pub struct Serial {
    stream: TcpStream,
    emulator: Emulator,
}

impl Serial {
    /// Starts the program `elf`. Reading and writing give up after two minutes.
    ///
    /// # Errors
    /// When QEMU is not installed or does not start.
    pub fn start(board: &Board, elf: &Path, clock: Clock) -> Result<Serial, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|error| Error::model(format!("no local port for the serial line: {error}")))?;
        let port = listener.local_addr().map_err(|error| Error::model(error.to_string()))?.port();
        let serial = format!("tcp:127.0.0.1:{port},server=off,nodelay=on");
        let mut emulator = Emulator::start(board, elf, clock, &serial)?;
        let stream = emulator.serial(&listener)?;
        let mut serial = Serial { stream, emulator };
        serial.set_timeout(PATIENCE).map_err(|error| Error::model(error.to_string()))?;
        Ok(serial)
    }
}

impl Read for Serial {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Serial {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Port for Serial {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(timeout)).and_then(|()| self.stream.set_write_timeout(Some(timeout)))
    }

    fn explain(&mut self, error: Error) -> Error {
        self.emulator.explain(error)
    }
}

/// What a board's bench program measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Instructions of one `predict`, input conversion and softmax included.
    pub instructions: u64,
    /// Of each step of an inference by rows the layer and the instructions.
    pub steps: Vec<(usize, u64)>,
    /// Layers of the plan; those of `steps` are below it.
    pub layers: usize,
    /// Bytes of stack that `predict` needs.
    pub stack_bytes: u64,
    /// Bytes of arena, scratch included.
    pub arena_bytes: u64,
    /// Bytes of weights, biases, factors and tables.
    pub weight_bytes: u64,
    /// The output tensor, as stored; for the input whose bytes are 37 times their index, modulo 256
    /// (in f32, over 255).
    pub output: Vec<f32>,
}

impl Measured {
    /// Reads what the bench program prints, one `name value` a line.
    fn read(printed: &str) -> Option<Measured> {
        let values = |name: &'static str| {
            printed.lines().filter_map(move |line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' ')))
        };
        let number = |name| values(name).next()?.parse::<u64>().ok();
        let tick = Tick::Time { hz: number("ticks_per_second")?.try_into().ok()? };
        let layers = number("layers")?.try_into().ok()?;
        let step = |line: &str| {
            let (layer, ticks) = line.split_once(' ')?;
            let layer = layer.parse().ok().filter(|layer| *layer < layers)?;
            Some((layer, ticks.parse().ok()?))
        };
        let steps: Vec<(usize, u64)> = values("step").map(step).collect::<Option<_>>()?;
        let ticks = unwrapped(number("ticks")?, steps.iter().map(|(_, ticks)| ticks).sum());
        let exact = |(layer, ticks): (usize, u64)| Some((layer, instructions(ticks, tick)?));
        Some(Measured {
            instructions: instructions(ticks, tick)?,
            steps: steps.into_iter().map(exact).collect::<Option<_>>()?,
            layers,
            stack_bytes: number("stack_bytes")?,
            arena_bytes: number("arena_bytes")?,
            weight_bytes: number("weight_bytes")?,
            output: values("output").next()?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?,
        })
    }
}

/// Runs the program `elf`, a [`Program::Bench`](super::firmware::Program::Bench), and reads what it
/// measured: the same figures every time.
///
/// # Errors
/// As [`run`], or when the program fails or prints something else.
pub fn bench(board: &Board, elf: &Path) -> Result<Measured, Error> {
    let finished = run(board, elf, Clock::Instructions, PATIENCE)?;
    let measured = if finished.code == Some(0) { Measured::read(&finished.output) } else { None };
    measured
        .ok_or_else(|| Error::file(elf, format!("measured nothing in QEMU:\n{}{}", finished.output, finished.errors)))
}

/// What a program that ran to its end left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub output: String,
    /// What it printed on the standard error output, and what QEMU has to say.
    pub errors: String,
}

/// Runs the program `elf` to its end, without a serial line.
///
/// # Errors
/// When QEMU is not installed or does not start, or the program does not end within `limit`.
pub fn run(board: &Board, elf: &Path, clock: Clock, limit: Duration) -> Result<Finished, Error> {
    let mut emulator = Emulator::start(board, elf, clock, "null")?;
    let end = Instant::now() + limit;
    let status = loop {
        let status = emulator.child.try_wait().map_err(|error| Error::model(format!("QEMU is lost: {error}")))?;
        if let Some(status) = status {
            break status;
        }
        if Instant::now() > end {
            let error = Error::file(elf, format!("did not end within {} s in QEMU", limit.as_secs()));
            return Err(emulator.explain(error));
        }
        thread::sleep(Duration::from_millis(2));
    };
    let [output, errors] = [&mut emulator.output, &mut emulator.errors].map(|lines| lines.all().join("\n"));
    Ok(Finished { code: status.code(), output, errors })
}

/// QEMU, ended when this is dropped.
#[derive(Debug)]
struct Emulator {
    clock: Clock,
    child: Child,
    output: Lines,
    errors: Lines,
}

impl Emulator {
    fn start(board: &Board, elf: &Path, clock: Clock, serial: &str) -> Result<Emulator, Error> {
        let machine = board.machine.ok_or_else(|| {
            Error::model(format!("{} is a real board, which QEMU does not emulate: flash it instead", board.name))
        })?;
        let program = fs::read(elf).map_err(|error| Error::file(elf, error.to_string()))?;
        let mut command = Command::new("qemu-system-arm");
        command.args(["-machine", machine, "-display", "none", "-monitor", "none", "-serial", serial]);
        command.args(["-semihosting-config", "enable=on,target=native"]);
        if clock == Clock::Instructions {
            command.args(["-icount", &format!("shift={INSTRUCTION_SHIFT}")]);
        }
        command.arg("-kernel").arg(elf);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                Error::model("QEMU is not installed; run `cargo xtask setup`, or `apt-get install qemu-system-arm`")
            }
            _ => Error::model(format!("QEMU does not start: {error}")),
        })?;
        let output = child.stdout.take().map(|source| Lines::collect(source, &program)).unwrap_or_default();
        let errors = child.stderr.take().map(|source| Lines::collect(source, &[])).unwrap_or_default();
        Ok(Emulator { clock, child, output, errors })
    }

    /// Waits until QEMU has opened the serial line.
    fn serial(&mut self, listener: &TcpListener) -> Result<TcpStream, Error> {
        let failed = |error: io::Error| Error::model(format!("QEMU's serial line does not open: {error}"));
        listener.set_nonblocking(true).map_err(failed)?;
        let end = Instant::now() + START;
        loop {
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false).and_then(|()| stream.set_nodelay(true)).map_err(failed)?;
                    return Ok(stream);
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(failed(error)),
                Err(_) if Instant::now() > end || !matches!(self.child.try_wait(), Ok(None)) => {
                    return Err(self.explain(Error::model("QEMU did not open its serial line")));
                }
                Err(_) => thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// The error, with what the program and QEMU said last.
    fn explain(&mut self, mut error: Error) -> Error {
        let ended = !matches!(self.child.try_wait(), Ok(None));
        let said = [&mut self.output, &mut self.errors].map(|lines| if ended { lines.all() } else { lines.so_far() });
        let said = said.concat();
        for line in said.iter().rev().take(10).rev() {
            error.reason.push('\n');
            error.reason.push_str(line);
        }
        error
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_exact_wherever_the_readings_are_cut() {
        for hz in [15_625_000, 20_000_000, 25_000_000, 32_000_000, 168_000_000] {
            let tick = Tick::Time { hz };
            let reading =
                |start: u64, count: u64| ((start + count * INSTRUCTION_NANOSECONDS) * u64::from(hz)) / 1_000_000_000;
            for start in 0..500 {
                for (count, overhead, other) in [(1, 0, 17), (7, 3, 311), (1_000, 8, 5), (123_456, 9, 0)] {
                    let work = reading(start, count + overhead) - reading(start, 0);
                    let nothing = reading(start + other, overhead) - reading(start + other, 0);
                    assert_eq!(instructions(work - nothing, tick), Some(count), "{hz} Hz, from {start} ns");
                }
            }
        }
        assert_eq!(instructions(1, Tick::Time { hz: 15_624_999 }), None);
        assert_eq!(instructions(1, Tick::Time { hz: 0 }), None);
        assert_eq!(instructions(1, Tick::Cycle { hz: 168_000_000 }), None);
    }
}

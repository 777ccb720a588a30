//! Runs a board's program in QEMU.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use microception_protocol::Tick;

use super::board::Board;
use super::link::{Link, Port};
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

/// What an instruction takes under [`Clock::Instructions`].
pub const INSTRUCTION_NANOSECONDS: u64 = 64;

/// The instructions in `ticks` of a board's timer under [`Clock::Instructions`]; `None` when the
/// board counts something else.
pub fn instructions(ticks: u64, tick: Tick) -> Option<u64> {
    let Tick::Time { hz } = tick else { return None };
    let nanoseconds = u128::from(ticks) * 1_000_000_000 / u128::from(hz).max(1);
    let per = u128::from(INSTRUCTION_NANOSECONDS);
    u64::try_from((nanoseconds + per / 2) / per).ok()
}

/// A running program, and its serial line.
#[derive(Debug)]
pub struct Device {
    /// The serial line.
    pub link: Link<TcpStream>,
    emulator: Emulator,
}

impl Device {
    /// Starts the program `elf`, which serves a model, and asks it what it is.
    ///
    /// # Errors
    /// When QEMU is not installed or does not start, or the program does not answer.
    pub fn start(board: &Board, elf: &Path, clock: Clock) -> Result<Device, Error> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|error| Error::model(format!("no local port for the serial line: {error}")))?;
        let port = listener.local_addr().map_err(|error| Error::model(error.to_string()))?.port();
        let serial = format!("tcp:127.0.0.1:{port},server=off,nodelay=on");
        let mut emulator = Emulator::start(board, elf, clock, &serial)?;
        let stream = emulator.serial(&listener)?;
        let link = Link::open(stream, PATIENCE).map_err(|error| emulator.explain(error))?;
        Ok(Device { link, emulator })
    }

    /// The instructions in `ticks`; `None` unless the clock follows the instructions.
    pub fn instructions(&self, ticks: u64) -> Option<u64> {
        let counts = self.emulator.clock == Clock::Instructions;
        counts.then(|| instructions(ticks, self.link.info().tick)).flatten()
    }

    /// An error of the serial line, with what the program and QEMU said last.
    pub fn explain(&mut self, error: Error) -> Error {
        self.emulator.explain(error)
    }

    /// The program's log so far, decoded.
    pub fn log(&self) -> Vec<String> {
        self.emulator.output.so_far()
    }
}

/// What a board's bench program measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Instructions of one `predict`, input conversion and softmax included.
    pub instructions: u64,
    /// Bytes of stack that `predict` needs.
    pub stack_bytes: usize,
    /// The output tensor, as stored; for the input whose bytes are 37 times their index, modulo 256
    /// (in f32, over 255).
    pub output: Vec<f32>,
}

/// Runs the program `elf`, a [`Program::Bench`](super::firmware::Program::Bench), and reads what it
/// measured.
///
/// # Errors
/// As [`run`], or when the program fails or prints something else.
pub fn bench(board: &Board, elf: &Path) -> Result<Measured, Error> {
    let finished = run(board, elf, Clock::Instructions, PATIENCE)?;
    let failed = || Error::file(elf, format!("measured nothing in QEMU:\n{}{}", finished.output, finished.errors));
    let value = |name: &str| -> Option<&str> {
        finished.output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    };
    let number = |name: &str| value(name)?.parse::<u64>().ok();
    let measured = || {
        let output = value("output")?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let tick = Tick::Time { hz: number("ticks_per_second")?.try_into().ok()? };
        let instructions = instructions(number("ticks")?, tick)?;
        Some(Measured { instructions, stack_bytes: number("stack_bytes")?.try_into().ok()?, output })
    };
    if finished.code != Some(0) {
        return Err(failed());
    }
    measured().ok_or_else(failed)
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
            command.args(["-icount", "shift=6"]);
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

impl Port for TcpStream {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(timeout)).and_then(|()| self.set_write_timeout(Some(timeout)))
    }
}

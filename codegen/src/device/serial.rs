//! Serial ports of this computer, at which flashed boards are.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use microception_protocol::Tick;
use serde::Serialize;
use serialport::{SerialPort, SerialPortType};

use super::link::{Info, Link, Port};
use crate::error::Error;

/// Bits a second, with 8 data bits, no parity, one stop bit, no flow control: the same on every board.
pub const BAUD: u32 = 115_200;

/// How long a board may take to say what it is.
const HELLO: Duration = Duration::from_secs(3);

/// How long any other answer may take, beside what it computes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Cycles of a multiply-accumulate, at most: the portable loops in f32 without an FPU, from slow flash, several times over,
/// since a measurement runs three inferences before its first answer.
const CYCLES_PER_MAC: u64 = 500;

/// A port of this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// What it is opened by, as `/dev/ttyACM0` or `COM3`.
    pub name: String,
    /// What its USB device says of itself: maker and product. `None` of ports that are not on USB.
    pub usb: Option<String>,
}

/// The serial ports of this computer, those on USB first.
///
/// # Errors
/// When the system does not tell.
pub fn ports() -> Result<Vec<Found>, Error> {
    let ports = serialport::available_ports();
    let ports = ports.map_err(|error| Error::model(format!("the system does not list its serial ports: {error}")))?;
    let mut found: Vec<Found> = ports
        .into_iter()
        .map(|port| {
            let usb = match port.port_type {
                SerialPortType::UsbPort(usb) => {
                    let ids = format!("{:04x}:{:04x}", usb.vid, usb.pid);
                    let names: Vec<_> = usb.manufacturer.into_iter().chain(usb.product).chain([ids]).collect();
                    Some(names.join(" "))
                }
                _ => None,
            };
            Found { name: port.port_name, usb }
        })
        .collect();
    found.sort_by(|one, other| (one.usb.is_none(), &one.name).cmp(&(other.usb.is_none(), &other.name)));
    Ok(found)
}

/// Opens the port of that name, for nobody else as long as it is open, and asks the board there what it is.
///
/// # Errors
/// When there is no such port, it is busy or not permitted, or no board with firmware of this version answers. Each says what
/// to do.
pub fn open(name: &str) -> Result<Link<Serial>, Error> {
    let opened = serialport::new(name, BAUD).timeout(HELLO).open();
    let port = opened.map_err(|error| Error::file(name, refused(name, &error)))?;
    // What came before was for somebody else.
    let _ = port.clear(serialport::ClearBuffer::Input);
    let mut link = Link::open(Serial { port, name: name.to_owned() }, HELLO)?;
    let patience = patience(link.info());
    link.set_patience(patience);
    Ok(link)
}

/// How long an answer of that board may take.
fn patience(info: &Info) -> Duration {
    match info.tick {
        Tick::Cycle { hz } => {
            PATIENCE + Duration::from_secs(info.macs.saturating_mul(CYCLES_PER_MAC) / u64::from(hz.max(1)))
        }
        Tick::Time { .. } => 6 * PATIENCE,
    }
}

/// Why a port does not open, and what to do.
fn refused(name: &str, error: &serialport::Error) -> String {
    use serialport::ErrorKind as Kind;
    let missing = matches!(error.kind, Kind::Io(ErrorKind::NotFound)) || cfg!(unix) && !Path::new(name).exists();
    match error.kind {
        _ if missing => format!("there is no such port: {}", those_there_are()),
        Kind::Io(ErrorKind::PermissionDenied) => {
            let group = group(name).unwrap_or_else(|| "dialout".to_owned());
            format!(
                "opening it is not permitted: on Linux, `sudo usermod -aG {group} $USER` makes you one of the group that it \
                 belongs to, from the next login on"
            )
        }
        Kind::NoDevice => "is busy: another program has it open, such as a terminal or a debugger's console".to_owned(),
        _ => format!("does not open as a serial port: {error}"),
    }
}

/// The ports of this computer, in a sentence.
fn those_there_are() -> String {
    let ports = ports().unwrap_or_default();
    let ports: Vec<_> = ports
        .into_iter()
        .map(|port| port.usb.map_or_else(|| port.name.clone(), |usb| format!("{} ({usb})", port.name)))
        .collect();
    match ports.as_slice() {
        [] => "there is none at all; is the board plugged in, with a cable that carries data?".to_owned(),
        ports => format!("there are {}", ports.join(", ")),
    }
}

/// The name of the group that a file belongs to.
#[cfg(unix)]
fn group(name: &str) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let number = fs::metadata(name).ok()?.gid().to_string();
    let groups = fs::read_to_string("/etc/group").ok()?;
    let mut fields = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = fields.find(|fields| fields.get(2) == Some(&number.as_str()))?;
    found.first().filter(|group| **group != "root").map(|group| (*group).to_owned())
}

#[cfg(not(unix))]
fn group(_name: &str) -> Option<String> {
    None
}

/// An open serial port.
#[derive(Debug)]
pub struct Serial {
    port: Box<dyn SerialPort>,
    name: String,
}

/// What a port's error means: whatever is no timeout is a board that is gone.
fn unplugged(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted => error,
        _ => io::Error::new(ErrorKind::NotConnected, error),
    }
}

impl Read for Serial {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.port.read(buffer).map_err(unplugged)? {
            // A serial line has no end.
            0 => Err(ErrorKind::NotConnected.into()),
            count => Ok(count),
        }
    }
}

impl Write for Serial {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.port.write(buffer).map_err(unplugged)
    }

    /// Nothing: the system sends by itself, and waiting until it has sent knows no timeout.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Port for Serial {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        self.port.set_timeout(timeout).map_err(|error| unplugged(error.into()))
    }

    fn explain(&mut self, error: Error) -> Error {
        error.in_file(&self.name)
    }
}

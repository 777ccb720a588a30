//! What must hold of both ends of the serial line, whatever comes over it: [`check_board`] and [`check_link`].

#[path = "../../../boards/app/tests/models/doubler.rs"]
mod doubler;
#[path = "../../../boards/app/tests/models/pixels.rs"]
mod pixels;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use microception::executor::Executor;
use microception_app::filter::{FilterServer, line_bytes};
use microception_app::protocol::frame::{Receiver, encode};
use microception_app::protocol::{FRAME_BYTES, Packet, Reply, Request, Tick, VERSION};
use microception_app::{Board, Server, facts};
use microception_codegen::device::link::{Link, Port};
use serde::ser::SerializeTuple;
use serde::{Serialize, Serializer};

/// Bytes of a row that the board which filters pictures has room for.
const ROW_BYTES: usize = 24;

/// Bytes on the line, in both directions.
#[derive(Debug, Default)]
struct Wire {
    to_board: VecDeque<u8>,
    to_host: VecDeque<u8>,
}

/// The board's end, which ends where there is no more to read for now.
#[derive(Debug, Clone, Default)]
struct Far(Rc<RefCell<Wire>>);

impl embedded_io::ErrorType for Far {
    type Error = Infallible;
}

impl embedded_io::Read for Far {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.0.borrow_mut().to_board.read(buffer).unwrap_or(0))
    }
}

impl embedded_io::Write for Far {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Infallible> {
        self.0.borrow_mut().to_host.extend(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A clock that goes on at each reading.
struct Clock(u32);

impl Board for Clock {
    const NAME: &'static str = "fuzzed";
    const TICK: Tick = Tick::Cycle { hz: 1 };

    fn ticks(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x1234_5678);
        self.0
    }
}

/// A packet's bytes as they are.
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| tuple.serialize_element(byte))?;
        tuple.end()
    }
}

/// A frame around them.
fn framed(packet: &[u8]) -> Vec<u8> {
    encode(&Raw(packet), &mut [0; 1024]).unwrap_or_default().to_vec()
}

/// A piece of the file: whether it is a packet or bytes of the line, whether the packet has its own tag, and the bytes.
struct Piece<'a> {
    is_packet: bool,
    has_tag: bool,
    bytes: &'a [u8],
}

/// The pieces of a file, each behind two bytes: nine bits of length, then what it is.
fn pieces(mut bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    std::iter::from_fn(move || {
        let (header, rest) = bytes.split_first_chunk()?;
        let header = u16::from_le_bytes(*header);
        let (piece, behind) = rest.split_at(usize::from(header & 0x1FF).min(rest.len()));
        bytes = behind;
        Some(Piece { is_packet: header & 0x8000 != 0, has_tag: header & 0x4000 != 0, bytes: piece })
    })
}

/// A board answers whatever comes with whole frames, and a good request behind it with what it is. The first byte of the file
/// says which firmware it has.
///
/// # Panics
///
/// Where that does not hold: a finding.
pub fn check_board(bytes: &[u8]) {
    let Some((&firmware, bytes)) = bytes.split_first() else { return };
    let far = Far::default();
    {
        let mut wire = far.0.borrow_mut();
        for Piece { is_packet, bytes, .. } in pieces(bytes) {
            if is_packet { wire.to_board.extend(framed(bytes)) } else { wire.to_board.extend(bytes) }
        }
        let request = Packet { tag: 77, body: Request::Info { version: VERSION } };
        wire.to_board.extend(encode(&request, &mut [0; FRAME_BYTES]).unwrap_or_default());
    }
    let Ok(()) = match firmware % 3 {
        0 => {
            let mut arena = pixels::Arena::new();
            let executor = Executor::new(pixels::NETWORK, &mut arena);
            Server::new(executor, facts!(crate::line::pixels), far.clone(), Clock(0)).serve()
        }
        1 => {
            let mut arena = doubler::Arena::new();
            let executor = Executor::new(doubler::NETWORK, &mut arena);
            Server::new(executor, facts!(crate::line::doubler), far.clone(), Clock(0)).serve()
        }
        _ => {
            let (mut row, mut lines) = ([0; ROW_BYTES], [0; line_bytes(ROW_BYTES)]);
            FilterServer::new(&mut row, &mut lines, far.clone(), Clock(0)).serve()
        }
    };
    let mut receiver = Receiver::new();
    let mut last = None;
    for &byte in &far.0.borrow().to_host {
        if let Some(answer) = receiver.push::<Packet<Reply<'_>>>(byte) {
            let answer = answer.expect("an answer arrives whole");
            last = Some(matches!(answer.body, Reply::Info(info) if answer.tag == 77 && info.board == "fuzzed"));
        }
    }
    assert_eq!(last, Some(true), "the last answer is the one to the good request");
}

/// The host's end of a line at whose other end the file answers.
struct Impostor<'a> {
    pieces: VecDeque<Piece<'a>>,
    /// What is yet to be read.
    answer: VecDeque<u8>,
    /// The tag of the last request.
    tag: u8,
    /// Whether nothing comes at the end of the file, or the port ends.
    silent: bool,
}

impl Read for Impostor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.answer.is_empty() {
            match self.pieces.pop_front() {
                None if self.silent => return Err(ErrorKind::TimedOut.into()),
                None => return Ok(0),
                Some(Piece { bytes: [], .. }) => return Err(ErrorKind::TimedOut.into()),
                Some(Piece { is_packet: true, has_tag, bytes }) => {
                    let mut packet = bytes.to_vec();
                    if let (false, [tag, ..]) = (has_tag, packet.as_mut_slice()) {
                        *tag = self.tag;
                    }
                    self.answer.extend(framed(&packet));
                }
                Some(Piece { bytes, .. }) => self.answer.extend(bytes),
            }
        }
        self.answer.read(buffer)
    }
}

impl Write for Impostor<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        // 0 COBS(tag ..) 0: the tag stands behind the first code.
        self.tag = buffer.get(2).copied().unwrap_or(0);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Port for Impostor<'_> {
    fn set_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }
}

/// The host's end of a line on which the file says what happens to each frame, as long as it goes; at the other end is a board.
struct Bad<'a, S> {
    wire: Far,
    /// Lets the board answer what has come.
    serve: S,
    script: &'a [u8],
    /// Frames that come late, and how many others they let go first: to the board, to the host.
    late: [Vec<(u8, Vec<u8>)>; 2],
    ready: VecDeque<u8>,
}

impl<S: FnMut()> Bad<'_, S> {
    /// What comes through of a frame.
    fn through(&mut self, direction: usize, mut frame: Vec<u8>) -> Vec<u8> {
        let mut next = || {
            let (&byte, rest) = self.script.split_first()?;
            self.script = rest;
            Some(byte)
        };
        let place = |byte: u8, frame: &[u8]| usize::from(byte) * frame.len() / 256;
        match next().map_or(0, |what| what % 8) {
            1 => frame.clear(),
            2 => frame.truncate(place(next().unwrap_or(0), &frame)),
            3 => {
                let place = place(next().unwrap_or(0), &frame);
                frame[place] ^= next().unwrap_or(0x80);
            }
            4 => frame = frame.repeat(2),
            // Fewer others than tags by which the board knows it.
            5 => self.late[direction].push((next().unwrap_or(0) % 4, std::mem::take(&mut frame))),
            6 => self.late[direction].push((next().unwrap_or(0) % 4, frame.clone())),
            7 => frame.splice(0..0, std::iter::from_fn(next).take(4)).for_each(drop),
            _ => {}
        }
        for (others, late) in &mut self.late[direction] {
            match others.checked_sub(1) {
                Some(left) => *others = left,
                None => frame.append(late),
            }
        }
        self.late[direction].retain(|(_, late)| !late.is_empty());
        frame
    }
}

impl<S: FnMut()> Read for Bad<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            (self.serve)();
            let answers: Vec<u8> = self.wire.0.borrow_mut().to_host.drain(..).collect();
            // 0 COBS 0, one after the other.
            for frame in answers.split_inclusive(|&byte| byte == 0).filter(|frame| frame.len() > 1) {
                let whole = [&[0], frame].concat();
                let through = self.through(1, whole);
                self.ready.extend(through);
            }
        }
        match self.ready.read(buffer) {
            Ok(0) => Err(ErrorKind::TimedOut.into()),
            read => read,
        }
    }
}

impl<S: FnMut()> Write for Bad<'_, S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let through = self.through(0, buffer.to_vec());
        self.wire.0.borrow_mut().to_board.extend(through);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: FnMut()> Port for Bad<'_, S> {
    fn set_timeout(&mut self, _: Duration) -> io::Result<()> {
        Ok(())
    }
}

/// Time plays no part: what does not come says so at once.
const PATIENCE: Duration = Duration::from_secs(1 << 20);

/// The host's end asks for all there is to ask and comes to an end, in an error or an answer. The first byte of the file says
/// who answers: the rest of the file, or a board over a line on which the rest of the file says what goes wrong. Then an
/// answer is the right one, and the line works as soon as nothing goes wrong any more.
///
/// # Panics
///
/// Where that does not hold: a finding.
pub fn check_link(bytes: &[u8]) {
    let Some((&mode, bytes)) = bytes.split_first() else { return };
    if mode & 1 == 0 { check_lies(mode & 2 != 0, bytes) } else { check_noise(bytes) }
}

fn check_lies(silent: bool, bytes: &[u8]) {
    let pieces = pieces(bytes).collect();
    let port = Impostor { pieces, answer: VecDeque::new(), tag: 0, silent };
    let Ok(mut link) = Link::open(port, PATIENCE) else { return };
    let frame: usize = link.info().inputs.iter().map(|input| input.bytes).sum();
    let row = link.info().inputs.first().map_or(0, |input| input.row_bytes);
    // Of one answer only, so that the file does not end before the others are asked for.
    match link.info().layers % 4 {
        0 if frame <= 1 << 12 => drop(link.infer(&vec![0; frame])),
        1 if row <= 1 << 10 => drop(link.stream(&vec![0; 2 * row], drop)),
        2 => drop(link.bench()),
        _ => drop(link.interface().map(|_| link.top(3))),
    }
}

fn check_noise(script: &[u8]) {
    let wire = Far::default();
    let mut arena = pixels::Arena::new();
    let executor = Executor::new(pixels::NETWORK, &mut arena);
    let mut server = Server::new(executor, facts!(crate::line::pixels), wire.clone(), Clock(0));
    let serve = || server.serve().unwrap_or_else(|never| match never {});
    let port = Bad { wire, serve, script, late: Default::default(), ready: VecDeque::new() };
    let Ok(mut link) = Link::open(port, PATIENCE) else { return };
    let infer = |link: &mut Link<_>, frame: u8| {
        let pixels = [0, 1, 2, 3, 4, 5, 6, 7].map(|place| 100 + 8 * frame + place);
        // In the middle of the range nothing saturates.
        let expected = pixels.map(|pixel| (2 * (i32::from(pixel) - 128) - 4) as u8);
        let found = link.infer(&pixels);
        assert!(found.as_ref().map_or(true, |found| *found == expected), "{found:?} for {pixels:?}");
        found.is_ok()
    };
    for frame in 0..4 {
        infer(&mut link, frame);
    }
    if let Ok(labels) = link.labels() {
        assert_eq!(labels, pixels::LABELS);
    }
    let mut port = link.into_port();
    port.script = &[];
    let mut link = Link::open(port, PATIENCE).expect("the line is good again");
    assert!(infer(&mut link, 5), "a good line gives the answer");
}

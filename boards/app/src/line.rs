//! The board's end of the serial line: requests come in, answers go out.

use embedded_io::{Read, Write};
use microception_protocol::frame::{Receiver, encode};
use microception_protocol::{FRAME_BYTES, Fault, Packet, Reply, Request};

/// How many tags ahead of the newest request's are those of requests that are newer: half of all.
const AHEAD: u8 = 127;

/// A port with what is half received.
pub(crate) struct Line<P> {
    receiver: Receiver,
    /// The tag of the newest request.
    newest: Option<u8>,
    sender: Sender<P>,
}

impl<P: Read + Write> Line<P> {
    /// A line over which nothing came yet.
    pub(crate) fn new(port: P) -> Line<P> {
        Line { receiver: Receiver::new(), newest: None, sender: Sender { port, buffer: [0; FRAME_BYTES] } }
    }

    /// Hands each request with its tag to `answer`, until the port ends. One that comes late is dropped: it could begin a
    /// frame again of which the host has already sent more, or is taking the output.
    pub(crate) fn serve(
        &mut self,
        mut answer: impl FnMut(u8, Request<'_>, &mut Sender<P>) -> Result<(), P::Error>,
    ) -> Result<(), P::Error> {
        let mut bytes = [0; 32];
        loop {
            let count = self.sender.port.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            for &byte in bytes.iter().take(count) {
                match self.receiver.push(byte) {
                    None => {}
                    Some(Ok(Packet { tag, body })) => {
                        let is_late = self.newest.is_some_and(|newest| ahead(tag, newest) > AHEAD);
                        if !is_late {
                            self.newest = Some(tag);
                        }
                        if !is_late || matches!(body, Request::Info { .. }) {
                            answer(tag, body, &mut self.sender)?;
                        }
                    }
                    Some(Err(_damage)) => {
                        #[cfg(feature = "defmt")]
                        defmt::warn!("dropped a frame: {}", _damage);
                        self.sender.send(0, Reply::Error(Fault::BadFrame))?;
                    }
                }
            }
        }
    }
}

/// How many tags `tag` is ahead of the `newest`; they go from 1 to 255 and round again.
fn ahead(tag: u8, newest: u8) -> u8 {
    if tag >= newest { tag.wrapping_sub(newest) } else { tag.wrapping_add(u8::MAX.wrapping_sub(newest)) }
}

/// The way back to the host.
pub(crate) struct Sender<P> {
    port: P,
    buffer: [u8; FRAME_BYTES],
}

impl<P: Write> Sender<P> {
    /// Sends one answer.
    pub(crate) fn send(&mut self, tag: u8, body: Reply<'_>) -> Result<(), P::Error> {
        // Every reply fits: names are clipped and pieces end at `CHUNK`, see the protocol's tests.
        let frame = encode(&Packet { tag, body }, &mut self.buffer).unwrap_or_default();
        self.port.write_all(frame)?;
        self.port.flush()
    }
}

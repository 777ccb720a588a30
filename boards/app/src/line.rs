//! The board's end of the serial line: requests come in, answers go out.

use embedded_io::{Read, Write};
use microception_protocol::frame::{Receiver, encode};
use microception_protocol::{FRAME_BYTES, Fault, Packet, Reply, Request};

/// How many tags before the newest request's are those of requests that come late. Fewer than all, so that a host whose
/// requests got lost for a while is heard again.
const LATE: u8 = 32;

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
                        let begins = matches!(body, Request::Info { .. });
                        if begins || !self.newest.is_some_and(|newest| is_late(tag, newest)) {
                            self.newest = Some(tag);
                            answer(tag, body, &mut self.sender)?;
                        }
                    }
                    Some(Err(_damage)) => {
                        #[cfg(feature = "defmt")]
                        defmt::warn!("dropped a frame: {}", defmt::Debug2Format(&_damage));
                        self.sender.send(0, Reply::Error(Fault::BadFrame))?;
                    }
                }
            }
        }
    }
}

/// Whether `tag` is one of those before the `newest`; they go from 1 to 255 and round again.
fn is_late(tag: u8, newest: u8) -> bool {
    let behind = if tag <= newest { newest.wrapping_sub(tag) } else { newest.wrapping_add(u8::MAX.wrapping_sub(tag)) };
    (1..=LATE).contains(&behind)
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

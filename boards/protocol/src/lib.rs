//! The serial protocol between the host command and the firmware of a board, defined once for both.
//!
//! The host asks, the board answers; nothing is sent unasked. A [`Packet`] carries one
//! [`Request`] or [`Reply`] and a tag that the answer repeats, so that an answer that comes too
//! late is never taken for another's. On the line a packet is a *frame*: the packet in postcard's
//! encoding, a CRC-32 (little endian), COBS, and a zero byte on either side. See [`frame`].
//!
//! No request carries more than [`CHUNK`] bytes of a tensor, so that the board needs one buffer of
//! [`FRAME_BYTES`] and the row that is being filled, whatever the size of the model. The board takes
//! no further byte off the line until it has answered, so the host sends the next request only after
//! the answer: a serial port without flow control loses nothing.
//!
//! The crate `postcard-rpc` (0.12) is near to this: postcard and COBS. Its serial frames have no checksum, its host side needs an
//! asynchronous runtime, and a frame that is lost is the caller's matter; here lines are expected to damage some.
//!
//! # Requests
//!
//! | request | answer | meaning |
//! | --- | --- | --- |
//! | [`Info`](Request::Info) | [`Info`](Reply::Info) | what runs there; refused when the versions differ |
//! | [`Input`](Request::Input) | [`Taken`](Reply::Taken) | the next bytes of a frame; offset 0 begins a new one, each full row is computed at once; which input comes next |
//! | [`Output`](Request::Output) | [`Output`](Reply::Output) | a piece of an output tensor |
//! | [`Top`](Request::Top) | [`Top`](Reply::Top) | the best elements of the first output, dequantized |
//! | [`Label`](Request::Label) | [`Label`](Reply::Label) | the name of a class |
//! | [`Filter`](Request::Filter) | [`Taken`](Reply::Taken) | begins a picture that is filtered, by a firmware without a model |
//! | [`Port`](Request::Port) | [`Port`](Reply::Port) | what one of several inputs or outputs is |
//! | [`Bench`](Request::Bench) | [`Step`](Reply::Step) for each step, then [`Bench`](Reply::Bench) | ticks of each step and of a whole inference, and its stack |
//! | [`Layer`](Request::Layer) | [`Layer`](Reply::Layer) | name, kind and multiply-accumulates of a layer of the plan |
//! | [`Memory`](Request::Memory) | [`Memory`](Reply::Memory) | arena, weights, statics, and the stack's high-water mark since reset |
//! | [`SelfTest`](Request::SelfTest) | [`SelfTest`](Reply::SelfTest) | an inference on a made-up frame, compared with the host's |
//!
//! Every request may be answered by [`Error`](Reply::Error) instead. A frame that arrives damaged
//! is dropped, changes nothing, and is answered by [`Fault::BadFrame`] with tag 0, which no
//! request uses; sending the same request again, under a new tag, is always safe. Tags count up from 1 to 255 and round again,
//! so that the board knows a request that comes late, after others that were sent later: one that is not among the 127 ahead of
//! the newest is dropped without an answer. [`Info`](Request::Info) is always answered, but does not make an older tag the newest:
//! another host asks for it three times, 64 tags apart, of which one is ahead of whatever came before.
//!
//! # Versions
//!
//! [`VERSION`] changes with any change to a message. [`Request::Info`] is the first variant and
//! [`Fault::UnknownVersion`] the first fault of the first reply in every version, so that each side
//! understands a refusal.
//!
//! # Example
//!
//! ```
//! use microception_protocol::{FRAME_BYTES, Packet, Request, frame::{Receiver, encode}};
//!
//! let packet = Packet { tag: 7, body: Request::Input { input: 0, offset: 0, bytes: &[0, 1, 2] } };
//! let mut line = [0; FRAME_BYTES];
//! let frame = encode(&packet, &mut line)?;
//!
//! let mut receiver = Receiver::new();
//! let (last, rest) = frame.split_last().unwrap();
//! assert!(rest.iter().all(|&byte| receiver.push::<Packet<Request<'_>>>(byte).is_none()));
//! assert_eq!(receiver.push(*last), Some(Ok(packet)));
//! # Ok::<(), microception_protocol::frame::TooLong>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

pub mod frame;
mod message;

pub use frame::{FRAME_BYTES, PACKET_BYTES};
pub use message::{
    Border, CHUNK, Class, Difference, Element, Fault, Filter, Info, Memory, NAME_BYTES, Packet, Port, Quantization,
    RANK, Reply, Request, Stack, TAPS, TOP, Tick, VERSION, clip,
};

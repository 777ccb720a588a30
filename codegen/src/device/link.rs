//! The host's end of the serial protocol, over any port.
//!
//! A line may damage, cut, double and delay what goes over it, in both directions:
//!
//! - What was damaged is sent again, under a new tag. Of the answers only that to the last tag counts, so that one that comes
//!   late is never taken for another's; a request that comes late the board itself drops.
//! - What was cut leaves silence, as a long computation does. To tell them apart a small request goes after it: a board that
//!   is still computing answers the first one first, one that has lost it answers the second at once. The zero in front of
//!   the second also ends what was cut. Pauses between these double, and a board that answers none of them is dead.

mod board;
mod exchange;
mod inference;

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::time::Duration;

use board::extents;
pub use board::{Bench, End, Info, Layer, by_layer};
use exchange::Answer;
use microception_protocol::frame::Receiver;
use microception_protocol::{Difference, Memory, Reply, Request, Tick, VERSION};

use crate::data::{Input, Interface, Output};
use crate::error::Error;
use crate::graph::Shape;

/// A serial port, or what stands in for one.
pub trait Port: Read + Write {
    /// How long a read or a write may take from now on before it fails.
    ///
    /// # Errors
    /// When the port does not take it.
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()>;

    /// The error, with what the port knows beyond the line: its name, what the program at the other end said last.
    fn explain(&mut self, error: Error) -> Error {
        error
    }
}

impl<P: Port + ?Sized> Port for Box<P> {
    fn set_timeout(&mut self, timeout: Duration) -> io::Result<()> {
        (**self).set_timeout(timeout)
    }

    fn explain(&mut self, error: Error) -> Error {
        (**self).explain(error)
    }
}

/// A board at the other end of a serial line.
///
/// A request that is damaged on the way, or whose answer is, is sent again: see [the module](self).
#[derive(Debug)]
pub struct Link<P> {
    port: P,
    receiver: Receiver,
    /// Bytes that were read and not yet looked at.
    unread: VecDeque<u8>,
    /// How many of them came before the last request was sent.
    before: usize,
    /// The first bytes since the last answer that were none.
    strange: Vec<u8>,
    tag: u8,
    patience: Duration,
    info: Info,
}

impl<P: Port> Link<P> {
    /// Asks the board at the other end of `port` what it is. Each answer may take up to `patience`.
    ///
    /// # Errors
    /// When nothing answers, or another firmware, or one of another version of the protocol.
    pub fn open(port: P, patience: Duration) -> Result<Link<P>, Error> {
        let info = Info {
            board: String::new(),
            model: String::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            arena_bytes: 0,
            weight_bytes: 0,
            macs: 0,
            layers: 0,
            labels: 0,
            tick: Tick::Cycle { hz: 0 },
        };
        let (unread, strange) = (VecDeque::new(), Vec::new());
        let mut link = Link { port, receiver: Receiver::new(), unread, before: 0, strange, tag: 0, patience, info };
        let (info, inputs, outputs) = link.ask(&Request::Info { version: VERSION }, |reply| match reply {
            Reply::Info(info) => Answer::Complete((Info::of(&info), info.inputs, info.outputs)),
            _ => Answer::Wrong,
        })?;
        link.info = info;
        // Ahead of whatever another host has asked.
        for _ in 0..2 {
            link.skip();
            link.ask(&Request::Info { version: VERSION }, |reply| match reply {
                Reply::Info(_) => Answer::Complete(()),
                _ => Answer::Wrong,
            })?;
        }
        if inputs > 1 {
            link.info.inputs = (0..inputs).map(|index| link.port_of(false, index)).collect::<Result<_, _>>()?;
        }
        if outputs > 1 {
            link.info.outputs = (0..outputs).map(|index| link.port_of(true, index)).collect::<Result<_, _>>()?;
        }
        Ok(link)
    }

    /// What one of several inputs or outputs is.
    fn port_of(&mut self, output: bool, index: u8) -> Result<End, Error> {
        self.ask(&Request::Port { output, index }, |reply| match reply {
            Reply::Port(port) => Answer::Complete(End {
                name: port.name.to_owned(),
                shape: extents(&port.shape),
                element: port.element,
                quantization: port.quantization,
                bytes: port.bytes as usize,
                row_bytes: port.row_bytes as usize,
            }),
            _ => Answer::Wrong,
        })
    }

    /// What the board is and what runs on it.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// How long an answer may take from now on.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// The port itself.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// The port itself, to be used in another way.
    pub fn into_port(self) -> P {
        self.port
    }

    /// The same over a port of any kind.
    pub fn boxed(self) -> Link<Box<dyn Port>>
    where
        P: 'static,
    {
        let Link { port, receiver, unread, before, strange, tag, patience, info } = self;
        Link { port: Box::new(port), receiver, unread, before, strange, tag, patience, info }
    }

    /// The names of the classes.
    ///
    /// # Errors
    /// When the line fails.
    pub fn labels(&mut self) -> Result<Vec<String>, Error> {
        (0..self.info.labels)
            .map(|index| {
                self.ask(&Request::Label { index: index as u16 }, |reply| match reply {
                    Reply::Label(label) => Answer::Complete(label.to_owned()),
                    _ => Answer::Wrong,
                })
            })
            .collect()
    }

    /// What the model takes and answers with, its classes' names asked for.
    ///
    /// # Errors
    /// When the line fails, or there is no model.
    pub fn interface(&mut self) -> Result<Interface, Error> {
        if self.info.inputs.is_empty() {
            let reason = format!("{} filters pictures and has no model", self.info.board);
            return Err(self.port.explain(Error::model(reason)));
        }
        let labels = self.labels()?;
        let input = |end: &End| {
            let (shape, element) = (Shape(end.shape.clone()), end.element());
            (end.name.clone(), Input { shape, element, quantization: end.quantization() })
        };
        let output = |end: &End| {
            let (shape, element) = (Shape(end.shape.clone()), end.element());
            (end.name.clone(), Output { shape, element, quantization: end.quantization() })
        };
        let Info { inputs, outputs, .. } = &self.info;
        Ok(Interface {
            inputs: inputs.iter().map(input).collect(),
            outputs: outputs.iter().map(output).collect(),
            labels,
        })
    }

    /// The `count` best classes of the last output, at most [`microception_protocol::TOP`]: index and
    /// real value, best first.
    ///
    /// # Errors
    /// When there is no output yet, or the line fails.
    pub fn top(&mut self, count: usize) -> Result<Vec<(usize, f32)>, Error> {
        let count = u8::try_from(count).unwrap_or(u8::MAX);
        self.ask(&Request::Top { count }, |reply| match reply {
            Reply::Top(best) => {
                Answer::Complete(best.iter().map(|class| (usize::from(class.index), class.value)).collect())
            }
            _ => Answer::Wrong,
        })
    }

    /// Measures an inference on the board. Forgets a frame that was begun.
    ///
    /// # Errors
    /// When the line fails.
    pub fn bench(&mut self) -> Result<Bench, Error> {
        let layers = self.info.layers;
        let mut measured = Vec::new();
        self.ask(&Request::Bench, |reply| match reply {
            Reply::Step { index, layer, ticks } => {
                if index == 0 {
                    measured.clear();
                }
                if usize::from(layer) >= layers || index as usize != measured.len() {
                    return Answer::Wrong;
                }
                measured.push((usize::from(layer), u64::from(ticks)));
                Answer::More
            }
            Reply::Bench { steps, ticks, stack_bytes, .. } if steps as usize == measured.len() => {
                let steps = std::mem::take(&mut measured);
                let ticks = unwrapped(u64::from(ticks), steps.iter().map(|(_, ticks)| ticks).sum());
                Answer::Complete(Bench { ticks, steps, stack_bytes: stack_bytes.map(|bytes| bytes as usize) })
            }
            _ => Answer::Wrong,
        })
    }

    /// The layers of the plan, in the order of [`by_layer`].
    ///
    /// # Errors
    /// When the line fails.
    pub fn layers(&mut self) -> Result<Vec<Layer>, Error> {
        (0..self.info.layers)
            .map(|index| {
                self.ask(&Request::Layer { index: index as u16 }, |reply| match reply {
                    Reply::Layer { name, kind, macs } => {
                        Answer::Complete(Layer { name: name.to_owned(), kind: kind.to_owned(), macs })
                    }
                    _ => Answer::Wrong,
                })
            })
            .collect()
    }

    /// How much memory there is and how much is used.
    ///
    /// # Errors
    /// When the line fails.
    pub fn memory(&mut self) -> Result<Memory, Error> {
        self.ask(&Request::Memory, |reply| match reply {
            Reply::Memory(memory) => Answer::Complete(memory),
            _ => Answer::Wrong,
        })
    }

    /// Runs an inference on a frame that the board makes up, and compares it with what the host computed when the model was
    /// converted: the first difference, or `None`. Forgets a frame that was begun.
    ///
    /// # Errors
    /// When the module holds nothing to compare with, or the line fails.
    pub fn self_test(&mut self) -> Result<Option<Difference>, Error> {
        self.ask(&Request::SelfTest, |reply| match reply {
            Reply::SelfTest(difference) => Answer::Complete(difference),
            _ => Answer::Wrong,
        })
    }
}

/// What a 32-bit counter that may have wrapped around counted, when it was about `expected`.
pub(super) fn unwrapped(ticks: u64, expected: u64) -> u64 {
    const WRAP: u64 = 1 << 32;
    ticks + (expected + WRAP / 2).saturating_sub(ticks) / WRAP * WRAP
}

#[cfg(test)]
mod tests {
    use super::unwrapped;

    #[test]
    fn a_counter_that_wrapped_around_is_put_right() {
        for expected in [0, 1, 1 << 31, (1 << 32) - 1, 1 << 32, 10 << 32] {
            for ticks in [expected, expected + expected / 25, expected - expected / 25] {
                assert_eq!(unwrapped(ticks & 0xFFFF_FFFF, expected), ticks, "about {expected}");
            }
        }
    }
}

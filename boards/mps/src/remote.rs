//! A camera's buses over the serial line: the host plays what is on them.
//!
//! A transaction begins with `s`, for the chip on SPI, or with `i` and the address of one on I2C. Then come `w`, a length of 16
//! bits, the lower byte first, and as many bytes to write; `r` and a length, which the host answers with as many; or `t`, a
//! length and bytes, answered by as many. `.` ends it. `o`, a length and bytes are text for whoever reads along.

use core::cell::RefCell;
use core::convert::Infallible;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{self, I2c};
use embedded_hal::spi::{self, SpiDevice};
use embedded_io::{ErrorType, Read, Write};

/// Both buses and the text, over one port.
#[derive(Debug)]
pub struct Remote<'a, P>(&'a RefCell<P>);

impl<'a, P> Remote<'a, P> {
    /// Over this port.
    pub const fn new(port: &'a RefCell<P>) -> Self {
        Remote(port)
    }
}

impl<P> Clone for Remote<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for Remote<'_, P> {}

/// A kind and a length.
fn head(port: &mut impl Write<Error = Infallible>, kind: u8, length: usize) {
    let [low, high] = (length as u16).to_le_bytes();
    let Ok(()) = port.write_all(&[kind, low, high]);
}

fn write(port: &mut impl Write<Error = Infallible>, kind: u8, bytes: &[u8]) {
    head(port, kind, bytes.len());
    let Ok(()) = port.write_all(bytes);
}

/// What the host answers. A port that ends leaves the rest as it is.
fn answer(port: &mut impl Read<Error = Infallible>, bytes: &mut [u8]) {
    let _ = port.read_exact(bytes);
}

impl<P> spi::ErrorType for Remote<'_, P> {
    type Error = Infallible;
}

impl<P: Read<Error = Infallible> + Write<Error = Infallible>> SpiDevice for Remote<'_, P> {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), Infallible> {
        let port = &mut *self.0.borrow_mut();
        port.write_all(b"s")?;
        for operation in operations {
            match operation {
                spi::Operation::Write(bytes) => write(port, b'w', bytes),
                spi::Operation::Read(bytes) => {
                    head(port, b'r', bytes.len());
                    answer(port, bytes);
                }
                spi::Operation::TransferInPlace(bytes) => {
                    write(port, b't', bytes);
                    answer(port, bytes);
                }
                spi::Operation::Transfer(read, written) => {
                    // The longer of the two goes on alone.
                    let common = read.len().min(written.len());
                    let (read, more) = read.split_at_mut(common);
                    write(port, b't', &written[..common]);
                    answer(port, read);
                    write(port, b'w', &written[common..]);
                    head(port, b'r', more.len());
                    answer(port, more);
                }
                spi::Operation::DelayNs(_) => {}
            }
        }
        port.write_all(b".")
    }
}

impl<P> i2c::ErrorType for Remote<'_, P> {
    type Error = Infallible;
}

impl<P: Read<Error = Infallible> + Write<Error = Infallible>> I2c for Remote<'_, P> {
    fn transaction(&mut self, address: u8, operations: &mut [i2c::Operation<'_>]) -> Result<(), Infallible> {
        let port = &mut *self.0.borrow_mut();
        port.write_all(&[b'i', address])?;
        for operation in operations {
            match operation {
                i2c::Operation::Write(bytes) => write(port, b'w', bytes),
                i2c::Operation::Read(bytes) => {
                    head(port, b'r', bytes.len());
                    answer(port, bytes);
                }
            }
        }
        port.write_all(b".")
    }
}

/// What the host plays needs no time.
impl<P> DelayNs for Remote<'_, P> {
    fn delay_ns(&mut self, _: u32) {}
}

impl<P> ErrorType for Remote<'_, P> {
    type Error = Infallible;
}

impl<P: Write<Error = Infallible>> Write for Remote<'_, P> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        write(&mut *self.0.borrow_mut(), b'o', bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.0.borrow_mut().flush()
    }
}

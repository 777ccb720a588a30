//! The ArduCAM Mini 2MP: an OV2640 sensor, set up over I2C, and a controller (ArduChip) that keeps a frame in a queue of its
//! own, read over SPI.
//!
//! A [`Camera`] gives a frame row by row, uncompressed: the memory it takes is the caller's one row.
//!
//! ```
//! use embedded_hal::{delay::DelayNs, i2c::I2c, spi::SpiDevice};
//! use microception_arducam::{Camera, Error, Settings};
//!
//! fn brightest<S: SpiDevice, I: I2c>(spi: S, i2c: I, delay: impl DelayNs) -> Result<u8, Error<S::Error, I::Error>> {
//!     const SETTINGS: Settings = Settings::QQVGA_YUYV;
//!     let mut camera = Camera::new(spi, i2c, delay, SETTINGS)?;
//!     let mut row = [0; SETTINGS.row_bytes()];
//!     let mut brightest = 0;
//!     camera.capture()?;
//!     while camera.read_row(&mut row)? {
//!         brightest = row.iter().step_by(2).fold(brightest, |most, &y| most.max(y));
//!     }
//!     Ok(brightest)
//! }
//! ```
//!
//! Registers are those of the controller's and the sensor's public descriptions. The sensor has its defaults after reset but
//! for the size and the format, with exposure, gain and white balance automatic. The driver has been tested against
//! recorded transactions and an emulated camera, and on no camera yet.
//!
//! The controller takes SPI mode 0 at up to 8 MHz; the sensor's bus is I2C without a repeated start, at up to 400 kHz.

#![no_std]
#![forbid(unsafe_code)]

mod registers;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::{Operation, SpiDevice};

use registers::{controller, dsp, sensor};

/// How long a frame may take: at the slowest exposure the sensor gives about two a second.
const PATIENCE_MS: u32 = 2000;

/// Extents of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Size {
    /// 160x120.
    Qqvga,
    /// 320x240.
    Qvga,
}

/// What a pixel is: two bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Format {
    /// 5 bits of red, 6 of green, 5 of blue, the byte with red first.
    Rgb565,
    /// Brightness of each pixel, colour of two: Y U Y V.
    Yuyv,
}

/// What the camera gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Settings {
    /// Extents.
    pub size: Size,
    /// Pixels.
    pub format: Format,
    /// Whether a byte comes before the frame's first, as of controllers with older firmware. If this is wrong, the bytes of
    /// each pixel are exchanged.
    pub leading_byte: bool,
}

impl Settings {
    /// 160x120 pixels of RGB565.
    pub const QQVGA_RGB565: Settings = Settings { size: Size::Qqvga, format: Format::Rgb565, leading_byte: true };
    /// 160x120 pixels of YUYV.
    pub const QQVGA_YUYV: Settings = Settings { size: Size::Qqvga, format: Format::Yuyv, leading_byte: true };

    /// Rows of a frame.
    pub const fn rows(self) -> usize {
        match self.size {
            Size::Qqvga => 120,
            Size::Qvga => 240,
        }
    }

    /// Pixels of a row.
    pub const fn columns(self) -> usize {
        match self.size {
            Size::Qqvga => 160,
            Size::Qvga => 320,
        }
    }

    /// Bytes of a row.
    pub const fn row_bytes(self) -> usize {
        2 * self.columns()
    }
}

/// Why there is no picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Error<S, I> {
    /// The SPI bus failed.
    Spi(S),
    /// The I2C bus failed: a sensor that is not there does not acknowledge.
    I2c(I),
    /// The controller does not keep what is written into its test register.
    NoController {
        /// What came back instead.
        read: u8,
    },
    /// The sensor is no OV2640, whose number begins with 0x26.
    NoSensor {
        /// The product number it gave.
        id: u16,
    },
    /// No frame came within two seconds.
    TimedOut,
    /// The queue does not hold one frame: at least its bytes, and less than a row more.
    WrongLength {
        /// Bytes that it holds.
        bytes: u32,
    },
}

impl<S: core::fmt::Debug, I: core::fmt::Debug> core::fmt::Display for Error<S, I> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::Spi(error) => write!(formatter, "the camera's SPI bus failed: {error:?}"),
            Error::I2c(error) => write!(formatter, "the camera's I2C bus failed: {error:?}"),
            Error::NoController { read } => write!(formatter, "no ArduChip: its test register gave {read:#04x}"),
            Error::NoSensor { id } => write!(formatter, "no OV2640: the sensor's number is {id:#06x}"),
            Error::TimedOut => formatter.write_str("the camera took no frame within two seconds"),
            Error::WrongLength { bytes } => write!(formatter, "the camera's queue holds {bytes} bytes, not one frame"),
        }
    }
}

impl<S: core::fmt::Debug, I: core::fmt::Debug> core::error::Error for Error<S, I> {}

/// The camera. The example stands in the [crate's documentation](crate).
#[derive(Debug)]
pub struct Camera<S, I, D> {
    spi: S,
    i2c: I,
    delay: D,
    settings: Settings,
    /// Rows of the captured frame that were not read yet.
    left: usize,
}

impl<S: SpiDevice, I: I2c, D: DelayNs> Camera<S, I, D> {
    /// Looks for controller and sensor, and sets them up.
    ///
    /// # Errors
    /// When a bus fails, or one of the two is not there.
    pub fn new(spi: S, i2c: I, delay: D, settings: Settings) -> Result<Self, Error<S::Error, I::Error>> {
        let mut camera = Camera { spi, i2c, delay, settings, left: 0 };
        camera.probe()?;
        camera.configure()?;
        Ok(camera)
    }

    /// What it was set up for.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    fn probe(&mut self) -> Result<(), Error<S::Error, I::Error>> {
        const ANY: u8 = 0x55;
        self.write(controller::RESET, controller::RESET_ON)?;
        self.delay.delay_ms(100);
        self.write(controller::RESET, 0)?;
        self.delay.delay_ms(100);
        self.write(controller::TEST, ANY)?;
        let read = self.read(controller::TEST)?;
        if read != ANY {
            return Err(Error::NoController { read });
        }
        self.set(sensor::BANK)?;
        let id = u16::from_be_bytes([self.get(sensor::PRODUCT)?, self.get(sensor::VERSION)?]);
        if id >> 8 != sensor::OV2640 {
            return Err(Error::NoSensor { id });
        }
        Ok(())
    }

    fn configure(&mut self) -> Result<(), Error<S::Error, I::Error>> {
        self.set(sensor::RESET)?;
        self.delay.delay_ms(10);
        self.write(controller::TIMING, controller::VSYNC_LOW)?;
        self.write(controller::FRAMES, controller::ONE_FRAME)?;
        for register in dsp::setup(self.settings) {
            self.set(register)?;
        }
        // Exposure and white balance settle.
        self.delay.delay_ms(300);
        Ok(())
    }

    /// Takes a frame, and waits until the queue holds it. Rows of the frame before are lost.
    ///
    /// # Errors
    /// When the bus fails, the frame does not come, or the queue holds something else.
    pub fn capture(&mut self) -> Result<(), Error<S::Error, I::Error>> {
        self.left = 0;
        self.write(controller::QUEUE, controller::CLEAR)?;
        self.write(controller::QUEUE, controller::START)?;
        let mut waited = 0;
        while self.read(controller::STATE)? & controller::DONE == 0 {
            if waited == PATIENCE_MS {
                return Err(Error::TimedOut);
            }
            self.delay.delay_ms(1);
            waited += 1;
        }
        let [low, middle, high] = controller::LENGTH;
        let bytes = u32::from_le_bytes([self.read(low)?, self.read(middle)?, self.read(high)? & 0x7f, 0]);
        let row = self.settings.row_bytes() as u32;
        let frame = row * self.settings.rows() as u32;
        if bytes < frame || bytes - frame >= row {
            return Err(Error::WrongLength { bytes });
        }
        self.left = self.settings.rows();
        Ok(())
    }

    /// Reads the next row `[column][byte]` of the captured frame into `row`, which has [`Settings::row_bytes`], and says
    /// whether there was one. What a longer `row` has beyond that stays as it is; after a shorter one the next begins where
    /// it ended.
    ///
    /// # Errors
    /// When the bus fails.
    pub fn read_row(&mut self, row: &mut [u8]) -> Result<bool, Error<S::Error, I::Error>> {
        if self.left == 0 {
            return Ok(false);
        }
        let end = row.len().min(self.settings.row_bytes());
        let row = row.get_mut(..end).unwrap_or(&mut []);
        let command = [controller::READ, 0];
        let leads = self.left == self.settings.rows() && self.settings.leading_byte;
        // What comes while the second byte goes out is the byte before the frame.
        let command = command.get(..if leads { 2 } else { 1 }).unwrap_or(&command);
        let mut operations = [Operation::Write(command), Operation::Read(row)];
        self.spi.transaction(&mut operations).map_err(Error::Spi)?;
        self.left -= 1;
        Ok(true)
    }

    /// Gives the buses back.
    pub fn release(self) -> (S, I, D) {
        (self.spi, self.i2c, self.delay)
    }

    /// Writes a register of the controller.
    fn write(&mut self, register: u8, value: u8) -> Result<(), Error<S::Error, I::Error>> {
        self.spi.write(&[register | controller::WRITE, value]).map_err(Error::Spi)
    }

    /// Reads a register of the controller.
    fn read(&mut self, register: u8) -> Result<u8, Error<S::Error, I::Error>> {
        let mut value = [register, 0];
        self.spi.transfer_in_place(&mut value).map_err(Error::Spi)?;
        Ok(value[1])
    }

    /// Writes a register of the sensor.
    fn set(&mut self, (register, value): (u8, u8)) -> Result<(), Error<S::Error, I::Error>> {
        self.i2c.write(sensor::ADDRESS, &[register, value]).map_err(Error::I2c)
    }

    /// Reads a register of the sensor, which knows no repeated start.
    fn get(&mut self, register: u8) -> Result<u8, Error<S::Error, I::Error>> {
        let mut value = [0];
        self.i2c.write(sensor::ADDRESS, &[register]).map_err(Error::I2c)?;
        self.i2c.read(sensor::ADDRESS, &mut value).map_err(Error::I2c)?;
        Ok(value[0])
    }
}

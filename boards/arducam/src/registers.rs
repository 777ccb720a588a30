//! Registers of the controller and of the sensor, by their public descriptions.

/// The ArduChip's, over SPI.
pub mod controller {
    /// Set in the register's number to write it.
    pub const WRITE: u8 = 0x80;
    /// Keeps whatever is written.
    pub const TEST: u8 = 0x00;
    /// How many frames a capture takes.
    pub const FRAMES: u8 = 0x01;
    pub const ONE_FRAME: u8 = 0;
    /// The sensor's signals.
    pub const TIMING: u8 = 0x03;
    pub const VSYNC_LOW: u8 = 0x02;
    /// The queue's commands.
    pub const QUEUE: u8 = 0x04;
    pub const CLEAR: u8 = 0x01;
    pub const START: u8 = 0x02;
    pub const RESET: u8 = 0x07;
    pub const RESET_ON: u8 = 0x80;
    /// Bytes of the queue from here on, as long as the chip is selected; the next command goes on behind them.
    pub const READ: u8 = 0x3c;
    pub const STATE: u8 = 0x41;
    pub const DONE: u8 = 0x08;
    /// Bytes in the queue, 23 bits, the lowest first.
    pub const LENGTH: [u8; 3] = [0x42, 0x43, 0x44];
}

/// The OV2640's, over I2C, in the bank of its sensor: register and value.
pub mod sensor {
    pub const ADDRESS: u8 = 0x30;
    pub const BANK: (u8, u8) = (0xff, 1);
    pub const PRODUCT: u8 = 0x0a;
    pub const VERSION: u8 = 0x0b;
    /// The product number's first byte.
    pub const OV2640: u16 = 0x26;
    pub const RESET: (u8, u8) = (0x12, 0x80);
}

/// Those of its signal processor, which scales and makes the formats.
pub mod dsp {
    use super::sensor;
    use crate::{Format, Settings, Size};

    /// Pixels of the sensor in its full size, from which the processor scales down.
    const COLUMNS: usize = 1600;
    const ROWS: usize = 1200;

    /// What sets the sensor to its full size, then the processor to the picture's.
    pub fn setup(settings: Settings) -> [(u8, u8); 21] {
        // Halved twice, to 400x300, or three times; the zoom does the rest.
        let halvings = match settings.size {
            Size::Qvga => 2,
            Size::Qqvga => 3,
        };
        let format = match settings.format {
            Format::Rgb565 => 0x08,
            Format::Yuyv => 0x00,
        };
        [
            sensor::BANK,
            // The clock as it comes; the full size.
            (0x11, 0x00),
            (0x12, 0x00),
            // The bank of the processor.
            (0xff, 0),
            // It is held in reset.
            (0xe0, 0x04),
            // The sensor's extents, in eights.
            (0xc0, (COLUMNS / 8) as u8),
            (0xc1, (ROWS / 8) as u8),
            (0x8c, 0),
            // Scaling, colour adjustments and the colour matrix are on.
            (0x86, 0x3d),
            // The part that is taken: all, in fours; then where it begins, then its extents' ninth bits.
            (0x51, (COLUMNS / 4) as u8),
            (0x52, (ROWS / 4) as u8),
            (0x53, 0),
            (0x54, 0),
            (0x55, (((ROWS / 4) >> 8) << 7 | ((COLUMNS / 4) >> 8) << 3) as u8),
            (0x50, 0x80 | halvings << 3 | halvings),
            // The picture's extents, in fours.
            (0x5a, (settings.columns() / 4) as u8),
            (0x5b, (settings.rows() / 4) as u8),
            (0x5c, 0),
            // A quarter of the pixel clock.
            (0xd3, 4),
            (0xda, format),
            // It runs.
            (0xe0, 0),
        ]
    }
}

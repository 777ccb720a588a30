//! Looks through the board's camera, again and again, and writes what the embedded model sees onto the serial port. The
//! largest piece of a picture that lies in memory is two rows.

#![no_std]
#![no_main]

use board::{Row, model};
use cortex_m_rt::entry;
use embedded_io::Write;
use microception::executor::Executor;
use microception::front::colour::{ByteOrder, Colours, Format, Pixel};
use microception::front::{Bilinear, Crop, Stage};
use microception_app::arducam::{Camera, Settings};
use microception_app::camera::{look, part, report};
use static_cell::ConstStaticCell;

const SETTINGS: Settings = Settings::QQVGA_RGB565;
const PICTURE: [usize; 2] = [SETTINGS.rows(), SETTINGS.columns()];
/// Bytes of a row in red, green and blue.
const LINE_BYTES: usize = 3 * PICTURE[1];

static ARENA: ConstStaticCell<model::Arena> = ConstStaticCell::new(model::Arena::new());
static ROW: ConstStaticCell<[u8; SETTINGS.row_bytes()]> = ConstStaticCell::new([0; _]);
static LINE: ConstStaticCell<[u8; LINE_BYTES]> = ConstStaticCell::new([0; _]);
static RESIZED: ConstStaticCell<[u8; 2 * LINE_BYTES + size_of::<Row>()]> = ConstStaticCell::new([0; _]);

#[entry]
fn main() -> ! {
    let (mut port, spi, i2c, delay) = board::start_with_camera();
    let &[rows, columns, channels] = model::INPUTS[0].shape else { panic!("the model takes no picture") };
    let pixel = if channels == 1 { Pixel::Grey } else { Pixel::Rgb };
    let part = part(PICTURE, [rows, columns]);
    let resized = Bilinear::new(part, [rows, columns], channels, RESIZED.take()).expect("the camera's rows fit");
    let mut front = Colours::new(Format::Rgb565(ByteOrder::HighFirst), pixel, LINE.take())
        .then(Crop::centred(PICTURE, part, channels))
        .then(resized);
    let mut network = Executor::new(model::NETWORK, ARENA.take());
    let row = ROW.take();
    let mut camera = Camera::new(spi, i2c, delay, SETTINGS).unwrap_or_else(|error| panic!("{error}"));
    loop {
        // What the port complains about is noise on its line.
        let _ = match look(&mut camera, row, &mut front, &mut network) {
            Ok(()) => report(&mut port, network.output(), &model::LABELS),
            Err(error) => writeln!(port, "{error}"),
        };
    }
}

board::on_panic!();

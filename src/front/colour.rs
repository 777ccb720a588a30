//! The colours of a camera's rows.

use super::Stage;
use crate::layers::copy;

/// What a camera's pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Format {
    /// 16 bits a pixel: 5 of red, the uppermost, 6 of green, 5 of blue. `v` of `n` bits becomes `255 v / (2^n - 1)`, rounded
    /// to nearest.
    Rgb565(ByteOrder),
    /// YUV 4:2:2 in the order Y U Y V: four bytes for two pixels, which share U (blue less brightness, Cb) and V (red less
    /// brightness, Cr). The matrix is that of ITU-R BT.601.
    Yuyv(Range),
    /// The same in the order U Y V Y.
    Uyvy(Range),
}

/// Which byte of 16 bits comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ByteOrder {
    /// The one with red.
    HighFirst,
    /// The one with blue.
    LowFirst,
}

/// Which numbers Y, U and V are. What a camera gives is a matter of its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Range {
    /// 0 to 255, as in JPEG files: red is `Y + 1.402 (V - 128)`.
    Full,
    /// Y from 16 to 235, U and V from 16 to 240, as in television: red is `255/219 (Y - 16) + 255/224 1.402 (V - 128)`.
    Limited,
}

/// What becomes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Pixel {
    /// Red, green and blue.
    Rgb,
    /// Brightness: of RGB565 what [Pillow's mode `L`][pillow], by which Keras loads grey pictures, makes of red, green
    /// and blue, `(19595 R + 38470 G + 7471 B + 32768) / 65536`, the weights of BT.601. Of YUV it is Y.
    ///
    /// [pillow]: https://pillow.readthedocs.io/en/stable/reference/Image.html#PIL.Image.Image.convert
    Grey,
}

impl Pixel {
    /// Channels of a pixel.
    pub const fn channels(self) -> usize {
        match self {
            Pixel::Rgb => 3,
            Pixel::Grey => 1,
        }
    }
}

/// Turns a camera's rows into rows of red, green and blue, or of grey. Sums of YUV are of 20 binary places: the result is
/// the real number rounded to nearest, but for those within 0.0002 of the middle between two numbers.
///
/// ```
/// use microception::front::colour::{ByteOrder, Colours, Format, Pixel, Range};
/// use microception::front::Stage;
///
/// let mut line = [0; 2 * 3];
/// let mut colours = Colours::new(Format::Rgb565(ByteOrder::HighFirst), Pixel::Rgb, &mut line);
/// colours.push_row(&[0xf8, 0x00, 0x07, 0xe0], |row| assert_eq!(row, [255, 0, 0, 0, 255, 0]));
///
/// let mut colours = Colours::new(Format::Yuyv(Range::Full), Pixel::Rgb, &mut line);
/// colours.push_row(&[76, 85, 150, 255], |row| assert_eq!(row, [254, 0, 0, 255, 74, 74]));
///
/// let mut colours = Colours::new(Format::Yuyv(Range::Full), Pixel::Grey, &mut line);
/// colours.push_row(&[76, 85, 150, 255], |row| assert_eq!(row, [76, 150]));
/// ```
#[derive(Debug)]
pub struct Colours<'a> {
    format: Format,
    pixel: Pixel,
    line: &'a mut [u8],
}

impl<'a> Colours<'a> {
    /// Turns pixels of `format` into `pixel`s, as many of a row as `line` has room for.
    pub fn new(format: Format, pixel: Pixel, line: &'a mut [u8]) -> Colours<'a> {
        Colours { format, pixel, line }
    }
}

impl Stage for Colours<'_> {
    fn push_row(&mut self, row: &[u8], mut next: impl FnMut(&[u8])) {
        let channels = self.pixel.channels().max(1);
        let made = row.len().wrapping_div(2).wrapping_mul(channels);
        let room = self.line.len().wrapping_sub(self.line.len() % channels);
        let line = self.line.get_mut(..made.min(room)).unwrap_or(&mut []);
        match (self.format, self.pixel) {
            (Format::Rgb565(order), pixel) => {
                for (made, &two) in line.chunks_exact_mut(channels).zip(row.as_chunks::<2>().0) {
                    let pixel565 = match order {
                        ByteOrder::HighFirst => u16::from_be_bytes(two),
                        ByteOrder::LowFirst => u16::from_le_bytes(two),
                    };
                    match pixel {
                        Pixel::Rgb => copy(made, &rgb(pixel565)),
                        Pixel::Grey => copy(made, &[grey(rgb(pixel565))]),
                    }
                }
            }
            (Format::Yuyv(range), Pixel::Rgb) => yuv(line, row, range, |[first, u, second, v]| [first, second, u, v]),
            (Format::Uyvy(range), Pixel::Rgb) => yuv(line, row, range, |[u, first, v, second]| [first, second, u, v]),
            (Format::Yuyv(range), Pixel::Grey) => brightness(line, row, range, |[y, _]| y),
            (Format::Uyvy(range), Pixel::Grey) => brightness(line, row, range, |[_, y]| y),
        }
        next(line);
    }
}

/// Products that round 255 / 31 and 255 / 63 times a whole number to nearest.
#[inline]
fn rgb(pixel: u16) -> [u8; 3] {
    let pixel = u32::from(pixel);
    let (red, green, blue) = (pixel >> 11, pixel >> 5 & 63, pixel & 31);
    let five = |value: u32| (value.wrapping_mul(527).wrapping_add(23) >> 6) as u8;
    [five(red), (green.wrapping_mul(259).wrapping_add(33) >> 6) as u8, five(blue)]
}

#[inline]
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    let weighted = |value: u8, weight: u32| u32::from(value).wrapping_mul(weight);
    let sum = weighted(red, 19595).wrapping_add(weighted(green, 38470)).wrapping_add(weighted(blue, 7471));
    (sum.wrapping_add(1 << 15) >> 16) as u8
}

/// Binary places of the factors and sums.
const PLACES: u32 = 20;

/// What Y, and what U and V are multiplied by.
struct Matrix {
    least: i32,
    brightness: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

/// BT.601: brightness is 0.299 red, 0.587 green and 0.114 blue.
const fn matrix(least: i32, y_extent: f64, uv_extent: f64) -> Matrix {
    const RED: f64 = 0.299;
    const BLUE: f64 = 0.114;
    const GREEN: f64 = 1.0 - RED - BLUE;
    let one = (1 << PLACES) as f64;
    let uv = one * 255.0 / uv_extent;
    Matrix {
        least,
        brightness: (one * 255.0 / y_extent + 0.5) as i32,
        red_v: (uv * 2.0 * (1.0 - RED) + 0.5) as i32,
        green_u: (uv * 2.0 * (1.0 - BLUE) * BLUE / GREEN + 0.5) as i32,
        green_v: (uv * 2.0 * (1.0 - RED) * RED / GREEN + 0.5) as i32,
        blue_u: (uv * 2.0 * (1.0 - BLUE) + 0.5) as i32,
    }
}

const FULL: Matrix = matrix(0, 255.0, 255.0);
const LIMITED: Matrix = matrix(16, 219.0, 224.0);

impl Range {
    #[inline]
    fn matrix(self) -> &'static Matrix {
        match self {
            Range::Full => &FULL,
            Range::Limited => &LIMITED,
        }
    }
}

impl Matrix {
    /// Y in the sum's places, with half of one.
    #[inline]
    fn y(&self, y: u8) -> i32 {
        let above = i32::from(y).wrapping_sub(self.least);
        above.wrapping_mul(self.brightness).wrapping_add(1 << (PLACES - 1))
    }
}

#[inline]
fn sample(sum: i32) -> u8 {
    (sum >> PLACES).clamp(0, 255) as u8
}

/// `order` gives the two Y, then U and V.
#[inline]
fn yuv(line: &mut [u8], row: &[u8], range: Range, order: impl Fn([u8; 4]) -> [u8; 4]) {
    let matrix = range.matrix();
    // The line may end with one pixel of two, and so may the row, whose V is then missing.
    for (made, four) in line.chunks_mut(6).zip(row.chunks(4)) {
        let mut bytes = [128; 4];
        copy(&mut bytes, four);
        let [first, second, u, v] = order(bytes);
        let (u, v) = (i32::from(u).wrapping_sub(128), i32::from(v).wrapping_sub(128));
        let red = v.wrapping_mul(matrix.red_v);
        let green = u.wrapping_mul(matrix.green_u).wrapping_add(v.wrapping_mul(matrix.green_v));
        let blue = u.wrapping_mul(matrix.blue_u);
        for (made, y) in made.as_chunks_mut::<3>().0.iter_mut().zip([first, second]) {
            let y = matrix.y(y);
            *made = [y.wrapping_add(red), y.wrapping_sub(green), y.wrapping_add(blue)].map(sample);
        }
    }
}

#[inline]
fn brightness(line: &mut [u8], row: &[u8], range: Range, y: impl Fn([u8; 2]) -> u8) {
    let matrix = range.matrix();
    for (made, &two) in line.iter_mut().zip(row.as_chunks::<2>().0) {
        *made = sample(matrix.y(y(two)));
    }
}

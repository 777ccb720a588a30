//! Pictures of numbers: sheets of tiles, in grey or from blue over white to red.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use crate::data::picture::Picture;
use crate::graph::Shape;

/// The most pixels of a sheet: what does not fit is left out.
const MOST_PIXELS: usize = 1 << 17;

/// How many times as wide as high a sheet is about.
const ASPECT: f64 = 2.5;

/// A picture in a page; serialized, the data URI of a PNG.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image(pub Picture);

/// How numbers become pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Colours {
    /// From black, the first number, to white, the second.
    Grey([f32; 2]),
    /// Zero is white, negative numbers are blue and positive ones red, of full colour at this magnitude.
    Signed(f32),
}

impl Colours {
    /// Red, green and blue of a number. One that is not finite is black.
    pub fn pixel(self, value: f32) -> [u8; 3] {
        match self {
            Colours::Grey([black, white]) => {
                let span = if white > black { white - black } else { 1.0 };
                [((value - black) / span * 255.0).round() as u8; 3]
            }
            Colours::Signed(largest) => {
                let part = if largest > 0.0 { (value / largest).clamp(-1.0, 1.0) } else { 0.0 };
                let faded = (255.0 * (1.0 - part.abs())).round() as u8;
                // Full colours that also differ in brightness, for those who don't tell red from blue.
                let towards = |full: u8| full + ((255 - full) as f32 * (1.0 - part.abs())).round() as u8;
                if part < 0.0 { [faded, towards(90), towards(181)] } else { [towards(178), faded, towards(24)] }
            }
        }
    }
}

/// A sheet of tiles.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The picture.
    pub image: Image,
    /// How many tiles are shown.
    pub tiles: usize,
}

impl Image {
    /// As a data URI.
    pub fn uri(&self) -> String {
        format!("data:image/png;base64,{}", STANDARD.encode(self.0.png().unwrap_or_default()))
    }

    /// A frame `[row][column][channel]` of real numbers, black at the first and white at the second of `range`; of two or more
    /// than three channels, and of one, the first in grey.
    ///
    /// ```
    /// use microception_codegen::report::image::Image;
    /// let image = Image::of_frame(&[0.0, 0.5, 1.0, 2.0], [1, 4, 1], [0.0, 1.0]);
    /// assert_eq!(image.0.pixels, [0, 128, 255, 255]);
    /// ```
    pub fn of_frame(values: &[f32], [height, width, channels]: [usize; 3], range: [f32; 2]) -> Image {
        let shown = if channels == 3 { 3 } else { 1 };
        let pixels = values.chunks_exact(channels.max(1)).flat_map(|pixel| &pixel[..shown]);
        let pixels = pixels.map(|&value| Colours::Grey(range).pixel(value)[0]).collect();
        Image(Picture { height, width, channels: shown, pixels })
    }

    /// Numbers `[row][column]`.
    pub fn of_map(values: &[f32], [height, width]: [usize; 2], colours: Colours) -> Image {
        let pixels = values.iter().flat_map(|&value| colours.pixel(value)).collect();
        Image(Picture { height, width, channels: 3, pixels })
    }
}

impl Serialize for Image {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.uri())
    }
}

impl Sheet {
    /// The channels of a tensor `[row][line][column][channel]` as tiles, in reading order, with a pixel of grey between. A
    /// volume's planes are tiles of their own, a series is one tile with a channel in each row, a flat tensor one row.
    pub fn of(values: &[f32], shape: &Shape, colours: Colours) -> Sheet {
        let channels = shape.channels();
        let (rows, lines, pixels) = (shape.rows(), shape.lines(), shape.width());
        let rank = shape.0.len();
        let ([height, width], tiles) = match rank {
            0 | 1 => ([1, channels], 1),
            2 => ([channels, rows], 1),
            3 => ([rows, pixels], channels),
            _ => ([lines, pixels], channels * rows),
        };
        let place = |tile: usize, row: usize, column: usize| match rank {
            0 | 1 => column,
            2 => column * channels + row,
            3 => (row * width + column) * channels + tile,
            _ => ((tile % rows * lines + row) * width + column) * channels + tile / rows,
        };
        let tile = |tile: usize| -> Vec<[u8; 3]> {
            let places = (0..height * width).map(|at| place(tile, at / width, at % width));
            places.map(|at| values.get(at).map_or([0; 3], |&value| colours.pixel(value))).collect()
        };
        let shown = (MOST_PIXELS / ((height + 1) * (width + 1)).max(1)).clamp(1, tiles.max(1));
        let tiles: Vec<_> = (0..shown).map(tile).collect();
        Sheet { image: tiled(&tiles, [height, width]), tiles: shown }
    }
}

/// Tiles `[row][column]` of one size, in rows of a sheet.
pub fn tiled(tiles: &[Vec<[u8; 3]>], [height, width]: [usize; 2]) -> Image {
    let across = ((tiles.len() * (height + 1)) as f64 * ASPECT / (width + 1) as f64).sqrt().ceil() as usize;
    let across = across.clamp(1, tiles.len().max(1));
    // About so many, and few places without a tile.
    let cost = |count: &usize| tiles.len().next_multiple_of(*count) - tiles.len() + count.abs_diff(across);
    let across = (across * 3 / 4..=across * 3 / 2).filter(|&count| count > 0).min_by_key(cost).unwrap_or(across);
    let down = tiles.len().div_ceil(across);
    let (sheet_height, sheet_width) = (down * (height + 1) - 1, across * (width + 1) - 1);
    let mut pixels = vec![128; sheet_height * sheet_width * 3];
    for (index, tile) in tiles.iter().enumerate() {
        let (top, left) = (index / across * (height + 1), index % across * (width + 1));
        for (row, line) in tile.chunks_exact(width.max(1)).enumerate() {
            let from = ((top + row) * sheet_width + left) * 3;
            pixels[from..from + 3 * width].copy_from_slice(line.as_flattened());
        }
    }
    Image(Picture { height: sheet_height, width: sheet_width, channels: 3, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_tiles_side_by_side() {
        // Two channels of a 2x2 picture: 0 1 / 2 3 and 3 2 / 1 0.
        let values = [0.0, 3.0, 1.0, 2.0, 2.0, 1.0, 3.0, 0.0];
        let sheet = Sheet::of(&values, &Shape(vec![2, 2, 2]), Colours::Grey([0.0, 3.0]));
        assert_eq!((sheet.tiles, sheet.image.0.height, sheet.image.0.width), (2, 2, 5));
        let grey: Vec<u8> = sheet.image.0.pixels.chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!(grey, [0, 85, 128, 255, 170, 170, 255, 128, 85, 0]);
    }

    #[test]
    fn a_series_has_time_along_its_width() {
        // Three steps of two channels.
        let sheet = Sheet::of(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &Shape(vec![3, 2]), Colours::Grey([0.0, 5.0]));
        let grey: Vec<u8> = sheet.image.0.pixels.chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!((sheet.image.0.width, grey), (3, vec![0, 102, 204, 51, 153, 255]));
    }

    #[test]
    fn signs_have_colours_of_their_own() {
        let colours = Colours::Signed(2.0);
        assert_eq!(colours.pixel(0.0), [255; 3]);
        assert_eq!([-2.0, 2.0, 9.0].map(|value| colours.pixel(value)), [[0, 90, 181], [178, 0, 24], [178, 0, 24]]);
    }
}

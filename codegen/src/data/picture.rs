//! Pictures: PNG, JPEG and BMP files become frames of a model, or just pictures.

use std::io::Cursor;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageEncoder, ImageReader, Limits};

use crate::data::array::{Numbers, load};
use crate::data::input::Input;
use crate::data::write::whole;
use crate::error::Error;

/// Endings of the pictures in a folder. What a file holds is then told by its content.
const ENDINGS: [&str; 4] = ["png", "jpg", "jpeg", "bmp"];

/// Photographs have fewer places along an axis.
const LARGEST_EXTENT: u32 = 1 << 16;

/// What decoding may take; a photograph of 100 megapixels has 300 MB.
const MOST_MEMORY: u64 = 1 << 30;

/// What to do with a picture that has not the model's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// Refuse it. What a model is measured with must be what it was trained with.
    Exact,
    /// Turn it upright as its camera says, cut the largest centred part of the model's proportions out of it,
    /// and resize that.
    Resize,
}

/// Whether a folder's file of that name counts as a picture.
pub(super) fn is_picture_name(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// Whether these bytes begin as a picture does.
pub(super) fn is_picture(bytes: &[u8]) -> bool {
    [b"\x89PNG".as_slice(), b"\xff\xd8\xff", b"BM"].iter().any(|signature| bytes.starts_with(signature))
}

/// Reads the picture at `path` as a frame for `input`, in the model's number of channels: three are red,
/// green and blue, one is brightness, four have the opacity last.
///
/// # Errors
/// When the file is no picture or damaged, has another size than the model's and may not be resized, or the
/// model does not take pictures.
pub fn frame(path: &Path, input: &Input, fit: Fit) -> Result<Vec<u8>, Error> {
    decode(load(path)?, input, fit)
        .and_then(|pixels| input.encode(&Numbers::U8(pixels)))
        .map_err(|reason| Error::file(path, reason))
}

/// A picture as it lies in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Rows.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
    /// 3 of a coloured picture, red, green and blue; 1 of a grey one.
    pub channels: usize,
    /// `[row][column][channel]`.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// Reads the picture at `path`, turned upright as its camera says. Opacity is left out.
    ///
    /// # Errors
    /// When the file is no picture, or damaged.
    pub fn read(path: &Path) -> Result<Picture, Error> {
        let (decoder, orientation) = decoder(load(path)?).map_err(|reason| Error::file(path, reason))?;
        let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| Error::file(path, damaged(&error)))?;
        picture.apply_orientation(orientation);
        let [height, width] = [picture.height() as usize, picture.width() as usize];
        let grey = matches!(picture.color(), ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16);
        let (channels, pixels) =
            if grey { (1, picture.to_luma8().into_raw()) } else { (3, picture.to_rgb8().into_raw()) };
        Ok(Picture { height, width, channels, pixels })
    }

    /// Writes it to `path`, as PNG.
    ///
    /// # Errors
    /// When the file can't be written, or the picture is none: it has no pixels, or two channels.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let bytes = self.png().map_err(|reason| Error::file(path, format!("cannot be written: {reason}")))?;
        whole(path, &bytes)
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    /// The reason, when the picture is none: it has no pixels, or two channels.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let color = if self.channels == 1 { ColorType::L8 } else { ColorType::Rgb8 };
        PngEncoder::new(&mut bytes)
            .write_image(&self.pixels, self.width as u32, self.height as u32, color.into())
            .map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

fn damaged(error: &image::ImageError) -> String {
    format!("cannot be decoded: {error}")
}

/// What decodes the picture, and how the camera was held.
fn decoder(bytes: Vec<u8>) -> Result<(impl ImageDecoder, Orientation), String> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| format!("cannot be decoded: {error}"))?;
    if reader.format().is_none() {
        return Err("is not a picture that is known: PNG, JPEG and BMP are read".to_owned());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_EXTENT);
    limits.max_image_height = Some(LARGEST_EXTENT);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| damaged(&error))?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, orientation))
}

fn decode(bytes: Vec<u8>, input: &Input, fit: Fit) -> Result<Vec<u8>, String> {
    let &[height, width, channels] = input.shape.0.as_slice() else {
        return Err(format!("is a picture, and the model takes {}", input.shape));
    };
    if !matches!(channels, 1 | 3 | 4) {
        return Err(format!("is a picture, and the model takes {channels} channels; pictures have 1, 3 or 4"));
    }
    let (decoder, orientation) = decoder(bytes)?;
    let (found_width, found_height) = decoder.dimensions();
    if fit == Fit::Exact && (found_width as usize, found_height as usize) != (width, height) {
        return Err(format!(
            "is a picture of {found_width}x{found_height}, the model takes {width}x{height}: resize it as the training data \
             was, or for a prediction give run --resize"
        ));
    }
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| damaged(&error))?;
    if fit == Fit::Resize {
        // Training pipelines leave the camera's note of what is up unread, so a picture of the model's own
        // size is taken as it lies; a photograph is looked at by a person, who expects it upright.
        picture.apply_orientation(orientation);
        let (width, height) = (width as u32, height as u32);
        if (picture.width(), picture.height()) != (width, height) {
            picture = picture.resize_to_fill(width, height, FilterType::CatmullRom);
        }
    }
    Ok(match channels {
        1 => picture.to_luma8().into_raw(),
        3 => picture.to_rgb8().into_raw(),
        _ => picture.to_rgba8().into_raw(),
    })
}

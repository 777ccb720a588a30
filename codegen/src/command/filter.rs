//! `microception filter`.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Args, ValueEnum};
use microception::filter;
use microception_codegen::data::picture::Picture;
use microception_codegen::data::write;
use microception_codegen::device;
use microception_codegen::error::Error;
use microception_codegen::filter::{KERNELS, picture};

use super::runner::{HOST, names};

/// Filters a picture with one of the runtime's classic kernels
#[derive(Debug, Args)]
pub struct Filter {
    /// The picture: PNG, JPEG or BMP. It is turned upright; opacity is left out
    photo: PathBuf,
    /// The kernel
    #[arg(long, value_name = "KERNEL", value_parser = kernels())]
    kernel: String,
    /// What the kernel sees beyond the picture's border
    #[arg(long, value_name = "BORDER", default_value = "nearest")]
    border: Border,
    /// Where the filtered picture goes
    #[arg(short, long, value_name = "FILE.png")]
    output: PathBuf,
    /// Where it is filtered. A board gets the picture row by row and gives it back likewise
    #[arg(long, value_name = "BOARD", default_value = HOST, value_parser = names())]
    board: String,
}

/// What the kernel sees beyond the picture's border, by SciPy's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Border {
    /// Black
    Constant,
    /// The outermost pixel
    Nearest,
    /// The picture backwards, the outermost pixel twice
    Reflect,
    /// The picture backwards, the outermost pixel once
    Mirror,
}

impl From<Border> for filter::Border<u8> {
    fn from(border: Border) -> filter::Border<u8> {
        match border {
            Border::Constant => filter::Border::Constant(0),
            Border::Nearest => filter::Border::Nearest,
            Border::Reflect => filter::Border::Reflect,
            Border::Mirror => filter::Border::Mirror,
        }
    }
}

/// The names that `--kernel` takes.
fn kernels() -> PossibleValuesParser {
    PossibleValuesParser::new(KERNELS.iter().map(|kernel| PossibleValue::new(kernel.name).help(kernel.about)))
}

impl Filter {
    pub fn run(self) -> Result<String, Error> {
        let Filter { photo, kernel, border, output, board } = self;
        write::check(&output)?;
        if !output.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
            return Err(Error::file(&output, "cannot be written: pictures are written as PNG, call it FILE.png"));
        }
        if write::is_same_file(&photo, &output) {
            return Err(Error::file(&output, "cannot be written: it is read from"));
        }
        let read = Picture::read(&photo)?;
        let named = microception_codegen::filter::named(&kernel);
        let named = named.ok_or_else(|| Error::model(format!("there is no kernel named {kernel:?}")))?;
        let filtered = if board == HOST {
            picture(&read, named, border.into())
        } else {
            let filtered = device::filter::picture(device::board::named(&board)?, &read, named, border.into());
            filtered.map_err(|error| error.in_file(&photo))?
        };
        filtered.write(&output)?;
        Ok(format!("wrote {}: {}x{}, {kernel}", output.display(), filtered.width, filtered.height))
    }
}

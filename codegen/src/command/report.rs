//! `microception report`.
//!
//! `models`: the model in float and as it is reported, and frames for both. `timing`, `classified`, `quantization` and
//! `pictures` measure and draw what the page has beside the figures of the conversion.

mod classified;
mod models;
mod pictures;
mod quantization;
mod timing;

use std::path::PathBuf;

use clap::Args;
use microception_codegen::data::picture::Fit;
use microception_codegen::data::write;
use microception_codegen::device::board;
use microception_codegen::error::Error;
use microception_codegen::report::memory::Memory;
use microception_codegen::report::overview::Overview;
use microception_codegen::report::{self, filters};
use microception_codegen::visualize::ascent;

use self::models::{Frames, Models};
use super::runner::board_names;
use super::settings::{Plan, Settings, warn};
use super::table::grouped;

/// Shows what a model is made of, what it takes, where it loses and what it looks for, on one page that needs no other
#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    settings: Settings,
    /// The page
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Frames: an .npz, an .npy or a folder of pictures. With labels they are classified; the first are what precisions are
    /// compared over
    #[arg(long, value_name = "DATA")]
    data: Option<PathBuf>,
    /// Takes only so many, from the front
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), requires = "data")]
    limit: Option<u64>,
    /// The frame whose feature maps are shown, a picture or an array; without it the first of --data
    #[arg(long, value_name = "FRAME")]
    input: Option<PathBuf>,
    /// Counts the instructions of each layer on an emulated board
    #[arg(long, value_name = "BOARD", value_parser = board_names())]
    board: Option<String>,
    /// Measures each layer on a board with this very model, at that serial port
    #[arg(long, value_name = "PORT", conflicts_with = "board")]
    port: Option<String>,
    /// Makes a picture that excites a channel of a layer, beside those of the classes. May be given several times
    #[arg(long, value_names = ["LAYER", "CHANNEL"], num_args = 2)]
    excite: Vec<String>,
    /// Steps of gradient ascent; 0 leaves out what takes gradients
    #[arg(long, value_name = "N", default_value_t = ascent::Settings::default().steps)]
    steps: usize,
    /// Prints every figure and picture as one JSON object
    #[arg(long)]
    json: bool,
}

impl Report {
    pub fn run(self) -> Result<String, Error> {
        self.check()?;
        let models = Models::of(&self.settings)?;
        let optimize = self.board.as_deref().map(board::named).transpose()?.map(|board| board.core.optimize());
        let conversion = self.settings.conversion(optimize.unwrap_or_default())?;
        let (module, summary) = conversion.to_module_of(&models.shown)?;
        warn(&summary.warnings);
        let in_file = |error: Error| error.in_file(&self.settings.model);
        let overview = Overview::of(&models.shown.graph, &summary);
        let memory = Memory::of(&models.shown.graph, conversion.goal()).map_err(in_file)?;
        let mut report = report::Report::new(overview, memory);
        report.timing = self.timing(&module.text, &summary)?;
        if report.timing.is_none() {
            report.left_out.push("Time: --board counts instructions, --port measures a flashed board.".to_owned());
        }
        let frames =
            self.data.as_deref().map(|data| Frames::open(data, &models, Fit::Exact)).transpose().map_err(in_file)?;
        self.classify(&mut report, &models, frames.as_ref(), conversion.goal()).map_err(in_file)?;
        self.quantization(&mut report, &models, frames.as_ref()).map_err(in_file)?;
        let one = self
            .input
            .as_deref()
            .map(|input| Frames::open(input, &models, Fit::Resize))
            .transpose()
            .map_err(in_file)?;
        let frame = one.as_ref().or(frames.as_ref());
        self.feature_maps(&mut report, &models, frame).map_err(in_file)?;
        if let Some(float) = &models.float {
            report.filters = filters::of(float);
            self.excite(&mut report, float, &models, frame).map_err(in_file)?;
        } else {
            report.left_out.push("Filters and feature visualization: they are of float models.".to_owned());
        }
        let page = report.page();
        write::whole(&self.out, page.as_bytes())?;
        if self.json {
            return serde_json::to_string(&report).map_err(|error| Error::model(error.to_string()));
        }
        let left_out: String = report.left_out.iter().map(|reason| format!("\nleft out  {reason}")).collect();
        Ok(format!("wrote {}: {} bytes{left_out}", self.out.display(), grouped(page.len())))
    }

    /// Says early what can't be done.
    fn check(&self) -> Result<(), Error> {
        let frames = [self.data.as_deref(), self.input.as_deref()].into_iter().flatten();
        write::check_apart(&self.out, self.settings.files().chain(frames))?;
        if self.settings.plan == Some(Plan::Endless) && (self.data.is_some() || self.input.is_some()) {
            return Err(Error::model("--plan endless has no frames: leave --data and --input out"));
        }
        Ok(())
    }
}

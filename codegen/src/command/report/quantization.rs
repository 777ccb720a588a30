//! What rounding loses.

use microception_codegen::convert::Precision;
use microception_codegen::data::picture::Fit;
use microception_codegen::error::Error;
use microception_codegen::report;
use microception_codegen::report::quantization::Quantization;

use super::Report;
use super::models::{Frames, Models};
use crate::command::progress;

/// Frames that both precisions are compared over.
const COMPARED: usize = 64;

impl Report {
    /// What both precisions make of the same frames.
    pub(super) fn quantization(
        &self,
        report: &mut report::Report,
        models: &Models,
        frames: Option<&Frames>,
    ) -> Result<(), Error> {
        let shown = &models.shown.graph;
        let mut left_out = |reason: &str| report.left_out.push(format!("Quantization: {reason}"));
        let Some(float) = models.float.as_ref().filter(|_| Precision::of(shown) != Precision::F32) else {
            left_out("a float model with --calibration has two precisions to compare.");
            return Ok(());
        };
        // Frames of the calibration serve as well; a ranges file has none.
        let calibration = self.settings.calibration.as_deref();
        let calibration = || calibration.and_then(|data| Frames::open(data, models, Fit::Exact).ok());
        let opened = if frames.is_none() { calibration() } else { None };
        let Some(Frames { float: Some(for_float), shown: for_shown }) = frames.or(opened.as_ref()) else {
            left_out("--data, or --calibration with data, gives frames to compare precisions over.");
            return Ok(());
        };
        let count = for_shown.len().min(COMPARED);
        let frame = |index| Ok([for_float.frame(index)?.into_owned(), for_shown.frame(index)?.into_owned()]);
        let bar = progress::bar("comparing", 2 * count);
        let measured = Quantization::measure(float, shown, count, frame, |done, _| bar.set_position(done as u64));
        bar.finish_and_clear();
        report.quantization = Some(measured?);
        Ok(())
    }
}

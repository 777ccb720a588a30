//! The models that a report is of, and frames for them.

use std::path::Path;

use microception_codegen::convert::{Precision, Prepared};
use microception_codegen::data::picture::Fit;
use microception_codegen::data::{Examples, Interface};
use microception_codegen::error::Error;
use microception_codegen::graph::Graph;
use microception_codegen::quantize::equalize;

use crate::command::frames;
use crate::command::settings::{self, Settings};

/// The model in float and as it is reported.
pub(super) struct Models {
    pub(super) shown: Prepared,
    /// None of a model that is quantized already.
    pub(super) float: Option<Graph>,
}

/// Frames for the float and for the reported model: numbers that one takes may be bytes of another kind for the other.
pub(super) struct Frames {
    pub(super) float: Option<Examples>,
    pub(super) shown: Examples,
}

impl Models {
    /// What `settings` ask for, and the same in float.
    pub(super) fn of(settings: &Settings) -> Result<Models, Error> {
        let shown = settings.prepare()?;
        if Precision::of(&shown.graph) == Precision::F32 {
            let float = Some(shown.graph.clone());
            return Ok(Models { shown, float });
        }
        let mut settings = settings.clone();
        settings.precision = Some(settings::Precision::F32);
        (settings.calibration, settings.auto_mixed, settings.keep) = (None, None, Vec::new());
        // Of a model that is quantized already there is no float one; what else is wrong was said before.
        let float = settings.prepare().ok().map(|prepared| match &shown.ranges {
            Some(ranges) if ranges.equalized => equalize(&prepared.graph),
            _ => prepared.graph,
        });
        Ok(Models { shown, float })
    }
}

impl Frames {
    pub(super) fn open(path: &Path, models: &Models, fit: Fit) -> Result<Frames, Error> {
        let open = |graph: &Graph| frames::open(path, &Interface::of(graph), fit);
        let shown = open(&models.shown.graph)?;
        // Numbers that are quantized already are none for the float model.
        let float = models.float.as_ref().and_then(|float| open(float).ok());
        Ok(Frames { float, shown })
    }

    /// The name of the first.
    pub(super) fn name(&self) -> String {
        let file = self.shown.file(0).unwrap_or(self.shown.source());
        let name = file.file_name().map_or_else(String::new, |name| name.display().to_string());
        if self.shown.len() > 1 && self.shown.file(0).is_none() { format!("the first frame of {name}") } else { name }
    }
}

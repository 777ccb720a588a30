//! What a model is made of, what it takes and where it loses: figures and pictures for a person, on one [`mod@page`].
//!
//! A [`Report`] is data; each part is a file of its own that knows nothing of HTML, and parts for which there is no data are
//! left out:
//!
//! - [`overview`]: the layers that run, with what was folded into each.
//! - [`classified`]: accuracy, confusion, the pictures that are taken for something else.
//! - [`memory`]: the plan, every row and scratch a rectangle of time and bytes.
//! - [`timing`]: what each layer takes.
//! - [`quantization`]: what rounding loses, layer by layer, and what to try.
//! - [`feature_maps`]: what every channel makes of a picture.
//! - [`filters`]: trained kernels beside the classic ones.
//! - [`excited`]: what a class or a channel looks for, and where it looks.
//!
//! [`comparison`] puts two models beside each other. [`mod@image`] and [`mod@text`]: numbers as pictures and as words.

pub mod classified;
pub mod comparison;
pub mod excited;
pub mod feature_maps;
pub mod filters;
pub mod image;
pub mod memory;
pub mod overview;
pub mod page;
pub mod quantization;
pub mod text;
pub mod timing;

use serde::Serialize;

use classified::Classified;
use excited::Excited;
use feature_maps::FeatureMaps;
use filters::LayerFilters;
use memory::Memory;
use overview::Overview;
use quantization::Quantization;
use timing::Timing;

/// A report, as data; serialized, every figure and picture of the page.
///
/// ```
/// use microception_codegen::convert::Convert;
/// use microception_codegen::report::Report;
/// use microception_codegen::report::memory::Memory;
/// use microception_codegen::report::overview::Overview;
///
/// let convert = Convert::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models/xception_lite/xlite.keras"));
/// let prepared = convert.prepare()?;
/// let (_, summary) = convert.to_module_of(&prepared)?;
/// let overview = Overview::of(&prepared.graph, &summary);
/// let report = Report::new(overview, Memory::of(&prepared.graph, convert.goal())?);
/// assert!(report.page().starts_with("<!DOCTYPE html>"));
/// # Ok::<(), microception_codegen::error::Error>(())
/// ```
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The model, its layers and its figures.
    pub overview: Overview,
    /// Where rows lie in the arena, and when.
    pub memory: Memory,
    /// How labelled data is classified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classified: Option<Classified>,
    /// What each layer takes on a board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// What quantization loses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization: Option<Quantization>,
    /// What the channels make of one frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature_maps: Option<FeatureMaps>,
    /// The first kernels.
    pub filters: Vec<LayerFilters>,
    /// What classes and channels look for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excited: Option<Excited>,
    /// What is left out, and what would bring it in.
    pub left_out: Vec<String>,
}

impl Report {
    /// A report of what every model has.
    pub fn new(overview: Overview, memory: Memory) -> Report {
        Report {
            overview,
            memory,
            classified: None,
            timing: None,
            quantization: None,
            feature_maps: None,
            filters: Vec::new(),
            excited: None,
            left_out: Vec::new(),
        }
    }

    /// The page: one HTML file that needs no other.
    pub fn page(&self) -> String {
        page::page(self)
    }
}

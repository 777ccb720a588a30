//! The model's figures and its layers as they run.

use maud::{Markup, html};

use super::graph;
use crate::report::Report;
use crate::report::text::grouped;

fn figure(name: &str, value: &str, unit: &str) -> Markup {
    html! { div class="figure" { dt { (name) } dd { (value) @if !unit.is_empty() { " " small { (unit) } } } } }
}

/// What every report begins with.
pub fn section(report: &Report) -> Markup {
    let overview = &report.overview;
    let figures = &overview.figures;
    let runs = report.classified.iter().flat_map(|classified| &classified.runs);
    html! {
        dl class="figures" {
            (figure("Parameters", &grouped(figures.parameters), ""))
            (figure("MACs", &grouped(figures.macs), "an inference"))
            (figure("Weights", &grouped(figures.weight_bytes), "bytes of flash"))
            (figure("Plan", &grouped(figures.step_bytes), "bytes of flash"))
            @if let Some(code) = report.timing.as_ref().and_then(|timing| timing.code_bytes) {
                (figure("Code with the plan", &grouped(code), "bytes of flash"))
            }
            (figure("Arena", &grouped(figures.arena_bytes), "bytes of RAM"))
            @if let Some(stack) = report.timing.as_ref().and_then(|timing| timing.stack_bytes) {
                (figure("Stack", &grouped(stack), "bytes of RAM"))
            }
            @for run in runs {
                (figure(&format!("Accuracy in {}", run.precision.name()), &format!("{:.2}%", 100.0 * run.accuracy), ""))
            }
            @if let Some(timing) = &report.timing {
                (figure(&format!("On {}", timing.board), &grouped(timing.inference), &timing.unit))
            }
        }
        @for warning in &overview.warnings { p class="warning" { (warning) } }
        p { "The layers as they run, with the tensors between them as lines. A click unfolds a layer: what it reads and makes, \
             and the layers of the model file that were folded into it." }
        (graph::list(overview))
    }
}

//! How labelled data is classified: accuracy, confusion, the frames that went most wrong.

use maud::{Markup, html};

use super::img;
use crate::report::classified::Classified;
use crate::report::overview::Overview;
use crate::report::text::grouped;

/// The answers to labelled data.
pub fn section(classified: &Classified, overview: &Overview) -> Markup {
    html! {
        p { "Labelled data: " (classified.data) "." }
        table {
            thead { tr { th scope="col" { "precision" } th scope="col" class="number" { "right" } th scope="col" class="number" { "accuracy" } } }
            tbody {
                @for run in &classified.runs {
                    tr {
                        th scope="row" { (run.precision.name()) }
                        td class="number" { (grouped(run.correct)) " of " (grouped(run.total)) }
                        td class="number" { (format!("{:.2}%", 100.0 * run.accuracy)) }
                    }
                }
            }
        }
        @if let Some(run) = classified.runs.last() {
            h3 { "Confusion in " (run.precision.name()) }
            p { "A row for each class, a column for what its frames are taken for." }
            div class="scroll" tabindex="0" role="group" aria-label="Confusion matrix" {
                table class="confusion" {
                    thead {
                        tr { th scope="col" { "is \\ taken for" } @for class in 0..run.confusion.len() { th scope="col" { span { (overview.label(class)) } } } }
                    }
                    tbody {
                        @for (class, row) in run.confusion.iter().enumerate() {
                            tr {
                                th scope="row" { (overview.label(class)) }
                                @for (other, &count) in row.iter().enumerate() {
                                    (cell(count, row.iter().sum(), class == other))
                                }
                            }
                        }
                    }
                }
            }
        }
        @if !classified.worst.is_empty() {
            h3 { "Most wrong" }
            ul class="tiles" {
                @for wrong in &classified.worst {
                    li {
                        @if let Some(picture) = &wrong.picture {
                            (img(picture, &format!("frame {}", wrong.frame), "thumb"))
                        }
                        span { (overview.label(wrong.class)) " " small { (format!("{:.2}", wrong.value)) } }
                        span { "taken for " (overview.label(wrong.taken_for)) " " small { (format!("{:.2}", wrong.taken_value)) } }
                        small { "frame " (wrong.frame) }
                    }
                }
            }
        }
    }
}

/// A cell of the confusion matrix, the darker the more of its row's frames are in it.
fn cell(count: usize, total: usize, right: bool) -> Markup {
    let part = (100.0 * (count as f64 / total.max(1) as f64).sqrt()).round();
    let class = if right { "right" } else { "wrong" };
    html! {
        td class=(class) style=(format!("--part:{part}%")) { @if count > 0 { (count) } }
    }
}

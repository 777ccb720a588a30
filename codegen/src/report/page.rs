//! The page: HTML that needs no other file and no network, light or dark as its reader has it, and to be printed.
//!
//! Every chart has a table or a text beside it that says the same. The script only changes between light and dark and folds
//! everything out for the printer: without it nothing is missing.
//!
//! Each section is a file of its own, named as the part of the report that it shows. `chart` and `graph`: what is drawn
//! in them.

mod chart;
mod classified;
mod excited;
mod feature_maps;
mod filters;
mod graph;
mod memory;
mod overview;
mod quantization;
mod timing;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Report;
use super::image::Image;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// Renders a report.
pub fn page(report: &Report) -> String {
    let overview = &report.overview;
    let sections: [(&str, &str, Option<Markup>); 8] = [
        ("overview", "Overview", Some(overview::section(report))),
        ("answers", "Answers", report.classified.as_ref().map(|classified| classified::section(classified, overview))),
        ("memory", "Memory", Some(memory::section(&report.memory, overview))),
        ("time", "Time", report.timing.as_ref().map(timing::section)),
        ("quantization", "Quantization", report.quantization.as_ref().map(quantization::section)),
        ("maps", "Feature maps", report.feature_maps.as_ref().map(feature_maps::section)),
        ("filters", "Filters", Some(filters::section(&report.filters)).filter(|_| !report.filters.is_empty())),
        ("excited", "Feature visualization", report.excited.as_ref().map(excited::section)),
    ];
    let sections = sections.iter().filter_map(|(id, name, body)| Some((id, name, body.as_ref()?)));
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (overview.model) " \u{b7} microception report" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#overview" { "To the report" }
                header {
                    h1 { (overview.model) }
                    p { "in " (overview.precision.name()) ", by microception " (env!("CARGO_PKG_VERSION")) }
                    nav aria-label="Sections" {
                        @for (id, name, _) in sections.clone() { a href=(format!("#{id}")) { (name) } }
                        button id="theme" type="button" { "Light or dark" }
                    }
                }
                main {
                    @for (id, name, body) in sections {
                        section id=(id) aria-labelledby=(format!("{id}-name")) {
                            h2 id=(format!("{id}-name")) { (name) }
                            (body)
                        }
                    }
                    @if !report.left_out.is_empty() {
                        section id="left-out" {
                            h2 { "Left out" }
                            ul { @for reason in &report.left_out { li { (reason) } } }
                        }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

/// The head of a table, of columns with these names.
fn table_head(names: &[&str]) -> Markup {
    html! { thead { tr { @for name in names { th scope="col" { (name) } } } } }
}

/// A picture; `class` is the page's style for it, `alt` says what it shows.
fn img(image: &Image, alt: &str, class: &str) -> Markup {
    let (width, height) = (image.0.width, image.0.height);
    html! { img class=(class) src=(image.uri()) alt=(alt) width=(width) height=(height) loading="lazy"; }
}

//! The page: HTML that needs no other file and no network, light or dark as its reader has it, and to be printed.
//!
//! Every chart has a table or a text beside it that says the same. The script only changes between light and dark and folds
//! everything out for the printer: without it nothing is missing.

mod chart;
mod graph;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::chart::Bar;
use super::Report;
use super::classified::Classified;
use super::excited::Excited;
use super::feature_maps::FeatureMaps;
use super::filters::LayerFilters;
use super::image::Image;
use super::memory::{Arena, Memory};
use super::overview::Overview;
use super::quantization::{LayerLoss, Quantization};
use super::text::{decibels, extents, grouped, short};
use super::timing::Timing;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// Renders a report.
pub fn page(report: &Report) -> String {
    let overview = &report.overview;
    let sections: [(&str, &str, Option<Markup>); 8] = [
        ("overview", "Overview", Some(self::overview(report))),
        ("answers", "Answers", report.classified.as_ref().map(|classified| answers(classified, overview))),
        ("memory", "Memory", Some(memory(&report.memory, overview))),
        ("time", "Time", report.timing.as_ref().map(time)),
        ("quantization", "Quantization", report.quantization.as_ref().map(quantization)),
        ("maps", "Feature maps", report.feature_maps.as_ref().map(feature_maps)),
        ("filters", "Filters", Some(filters(&report.filters)).filter(|_| !report.filters.is_empty())),
        ("excited", "Feature visualization", report.excited.as_ref().map(excited)),
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

fn figure(name: &str, value: &str, unit: &str) -> Markup {
    html! { div class="figure" { dt { (name) } dd { (value) @if !unit.is_empty() { " " small { (unit) } } } } }
}

fn overview(report: &Report) -> Markup {
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

fn answers(classified: &Classified, overview: &Overview) -> Markup {
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

fn memory(memory: &Memory, overview: &Overview) -> Markup {
    let names: Vec<&str> = overview.layers.iter().map(|layer| layer.name.as_str()).collect();
    let planned = &memory.planned;
    let figure = |title: &str, arena: &Arena, beside: Option<(&str, usize)>| {
        let about = about_arena(title, arena);
        html! {
            figure {
                figcaption { (title) }
                (PreEscaped(chart::arena(arena, &names, beside, &about)))
                p { (about) }
            }
        }
    };
    html! {
        p { "Time goes to the right, addresses upwards. Each rectangle is rows, sums or scratch of a layer, for as long as they \
             live; grey is scratch. Vertical lines end a segment: there the plan waits until a tensor is whole. The line on top is \
             the arena, the dashed one the most bytes that live at once: no addresses can need less." }
        (figure("As planned", planned, None))
        @match &memory.whole {
            Some(whole) => (figure("The same network with whole tensors", whole, Some(("arena as planned", planned.bytes)))),
            None => p { "With whole tensors its addresses would be beyond the runtime's reach." },
        }
        details {
            summary { "Every rectangle as a table" }
            div class="scroll" tabindex="0" role="group" aria-label="Rectangles of the plan" {
                table {
                    thead { tr { @for name in ["layer", "holds", "rows", "address", "bytes", "from step", "to step"] { th scope="col" { (name) } } } }
                    tbody {
                        @for block in &memory.planned.blocks {
                            tr {
                                td { (names.get(block.layer).copied().unwrap_or("?")) }
                                td { (format!("{:?}", block.holds).to_lowercase()) }
                                td { @if block.rows > 0 { (block.row) @if block.rows > 1 { " to " (block.row + block.rows - 1) } } }
                                td class="number" { (grouped(block.address)) }
                                td class="number" { (grouped(block.bytes)) }
                                td class="number" { (block.from) }
                                td class="number" { (block.until) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn about_arena(title: &str, arena: &Arena) -> String {
    let segments = match arena.cuts.len() {
        0 => String::new(),
        cuts => format!(", in {} segments", cuts + 1),
    };
    let in_use = arena.in_use();
    let mean = in_use.iter().sum::<usize>() / in_use.len().max(1);
    format!(
        "{title}: {} bytes of arena, {} of which live at once at most; {} in the mean over {} steps{segments}.",
        grouped(arena.bytes),
        grouped(arena.floor_bytes),
        grouped(mean),
        grouped(arena.steps),
    )
}

fn time(timing: &Timing) -> Markup {
    let bars = timing.layers.iter().map(|layer| {
        let macs = |per: f64| format!(", {} MACs, {per:.2} each", short(layer.macs as f64));
        let label = short(layer.count as f64) + &layer.per_mac().map_or_else(String::new, macs);
        Bar { name: layer.name.clone(), value: layer.count as f64, label }
    });
    let bars: Vec<Bar> = bars.collect();
    let per_mac = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
    let total: u64 = timing.layers.iter().map(|layer| layer.count).sum();
    let about = format!("{} of each layer on {}", timing.unit, timing.board);
    html! {
        p {
            "One inference on " (timing.board) ": " (grouped(timing.inference)) " " (timing.unit) ", "
            (per_mac((timing.macs > 0).then(|| timing.inference as f64 / timing.macs as f64))) " per MAC."
        }
        (PreEscaped(chart::bars(&bars, &timing.unit, &about)))
        details {
            summary { "As a table" }
            table {
                thead { tr { @for name in ["layer", "kind", "MACs", &timing.unit, "per MAC", "part"] { th scope="col" { (name) } } } }
                tbody {
                    @for layer in &timing.layers {
                        tr {
                            th scope="row" { (layer.name) }
                            td { (layer.kind) }
                            td class="number" { (grouped(layer.macs)) }
                            td class="number" { (grouped(layer.count)) }
                            td class="number" { (per_mac(layer.per_mac())) }
                            td class="number" { (format!("{:.1}%", 100.0 * layer.count as f64 / total.max(1) as f64)) }
                        }
                    }
                }
            }
        }
    }
}

fn quantization(quantization: &Quantization) -> Markup {
    let worst = quantization.worst_first();
    let bar = |layer: &LayerLoss| {
        let label =
            decibels(layer.snr_db) + &layer.lost_db.map_or_else(String::new, |lost| format!(", {lost:+.1} lost"));
        layer.snr_db.map(|value| Bar { name: layer.name.clone(), value, label })
    };
    let bars: Vec<Bar> = quantization.layers.iter().filter_map(bar).collect();
    html! {
        p { "Both models ran " (grouped(quantization.frames)) " frames. The signal-to-noise ratio says how far a layer's values \
             are from the float ones: 6 dB are one bit." }
        h3 { "What to try" }
        ul { @for advice in &quantization.advice { li { (advice) } } }
        h3 { "Signal to noise" }
        (PreEscaped(chart::bars(&bars, "dB", "Signal-to-noise ratio of each layer")))
        h3 { "Ranges" }
        p { "Layers that add most noise to what they read come first. How many values lie where, on a logarithmic scale, and, \
             shaded, the range that the steps cover." }
        div class="scroll" tabindex="0" role="group" aria-label="Layers and their ranges" {
            table class="losses" {
                thead { tr { @for name in ["layer", "signal to noise", "lost here", "values", "weights"] { th scope="col" { (name) } } } }
                tbody {
                    @for layer in worst {
                        tr {
                            th scope="row" { (layer.name) br; span class="kind" { (layer.kind) " " (layer.element) } }
                            td class="number" { (decibels(layer.snr_db)) }
                            td class="number" { (lost(layer)) }
                            td {
                                (PreEscaped(chart::histogram(&layer.values, layer.range, &format!("Values of {}", layer.name))))
                                small { (span_of(layer)) }
                            }
                            td {
                                @if let Some(weights) = &layer.weights {
                                    @let reach = [-weights.reach[1], weights.reach[1]];
                                    (PreEscaped(chart::histogram(&weights.values, Some(reach), &format!("Weights of {}", layer.name))))
                                    small {
                                        (decibels(weights.snr_db)) ", channels reach " (short(weights.reach[0].into())) " to " (short(weights.reach[1].into()))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn lost(layer: &LayerLoss) -> String {
    layer.lost_db.map_or_else(String::new, |lost| format!("{lost:.1} dB"))
}

fn span_of(layer: &LayerLoss) -> String {
    let seen = format!("seen {} to {}", short(layer.seen[0].into()), short(layer.seen[1].into()));
    match layer.range {
        Some([least, greatest]) => format!(
            "{seen}, covered {} to {}, {:.3}% cut off",
            short(least.into()),
            short(greatest.into()),
            100.0 * layer.clipped
        ),
        None => seen,
    }
}

fn img(image: &Image, alt: &str, class: &str) -> Markup {
    let (width, height) = (image.0.width, image.0.height);
    html! { img class=(class) src=(image.uri()) alt=(alt) width=(width) height=(height) loading="lazy"; }
}

fn feature_maps(maps: &FeatureMaps) -> Markup {
    html! {
        p {
            "What every channel makes of " (maps.frame) ". Black is the least value of a layer, white the greatest. Beside it the \
             quantized model's, and the difference: blue is too little, red too much."
        }
        @if let Some(picture) = &maps.picture { (img(picture, &maps.frame, "thumb")) }
        @for layer in &maps.layers {
            details class="maps" open[maps.layers.len() <= 8] {
                summary {
                    span class="name" { (layer.name) }
                    span class="shape" { (extents(&layer.shape)) }
                    small {
                        (short(layer.range[0].into())) " to " (short(layer.range[1].into()))
                        @if let Some(largest) = layer.largest_difference { ", at most " (short(largest.into())) " off" }
                        @if layer.shape.len() >= 3 && layer.tiles < layer.shape.last().copied().unwrap_or(0) {
                            ", the first " (layer.tiles) " channels"
                        }
                    }
                }
                div class="sheets" {
                    figure { (img(&layer.sheet, &format!("Channels of {}", layer.name), "sheet")) figcaption { "float" } }
                    @if let Some(image) = &layer.quantized {
                        figure { (img(image, &format!("Channels of {}, quantized", layer.name), "sheet")) figcaption { "quantized" } }
                    }
                    @if let Some(image) = &layer.difference {
                        figure { (img(image, &format!("Difference in {}", layer.name), "sheet")) figcaption { "difference" } }
                    }
                }
            }
        }
    }
}

fn filters(layers: &[LayerFilters]) -> Markup {
    html! {
        p { "The first trained kernels: blue taps are negative, red ones positive. Below, the classic kernel that each resembles \
             most, turned and signed as it fits best; 1 is the same but for a factor." }
        @for layer in layers {
            h3 { (layer.name) }
            p {
                (layer.kind) ", " (extents(&layer.size)) ", " (layer.kernels) " kernels"
                @if layer.shown.len() < layer.kernels { ", the first " (layer.shown.len()) }
            }
            ul class="tiles" {
                @for filter in &layer.shown {
                    li {
                        div class="beside" {
                            (img(&filter.image, &format!("Kernel {}", filter.channel), "kernel"))
                            @if let Some(colours) = &filter.colours {
                                (img(colours, &format!("Kernel {} in colours", filter.channel), "kernel"))
                            }
                        }
                        @if let Some(like) = &filter.resembles {
                            (img(&like.image, like.name, "kernel classic"))
                            span { (like.name) " " small { (format!("{:.2}", like.similarity)) } }
                        } @else { small { "like none" } }
                    }
                }
            }
        }
    }
}

fn excited(excited: &Excited) -> Markup {
    html! {
        @if !excited.pictures.is_empty() {
            p { "What excites each class or channel most: made from noise by gradient ascent on the float model." }
            ul class="tiles large" {
                @for exciting in &excited.pictures {
                    li {
                        (img(&exciting.image, &exciting.name, "large"))
                        span { (exciting.name) }
                        small { "reaches " (short(exciting.activation.into())) }
                    }
                }
            }
        }
        @if let Some(looked_at) = &excited.looked_at {
            h3 { "Where it looks" }
            p { "Why the frame is taken for " (looked_at.class) ": where its value changes fastest with a pixel (SmoothGrad, bright), \
                 and by how much it falls where a square is covered (red; at most " (short(looked_at.largest_fall.into())) ")." }
            ul class="tiles large" {
                li { (img(&looked_at.frame, "the frame", "large")) span { "the frame" } }
                li { (img(&looked_at.gradient, "gradient", "large")) span { "gradient" } }
                li { (img(&looked_at.occlusion, "occlusion", "large")) span { "occlusion" } }
            }
        }
    }
}

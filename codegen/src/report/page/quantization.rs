//! What quantization loses, layer by layer, and what to try.

use maud::{Markup, PreEscaped, html};

use super::chart::{self, Bar};
use super::table_head;
use crate::report::quantization::{LayerLoss, Quantization};
use crate::report::text::{decibels, grouped, short};

/// Both precisions beside each other.
pub fn section(quantization: &Quantization) -> Markup {
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
                (table_head(&["layer", "signal to noise", "lost here", "values", "weights"]))
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

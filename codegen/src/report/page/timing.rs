//! What each layer takes on a board.

use maud::{Markup, PreEscaped, html};

use super::chart::{self, Bar};
use super::table_head;
use crate::report::text::{grouped, short};
use crate::report::timing::Timing;

/// A bar and a row for each layer.
pub fn section(timing: &Timing) -> Markup {
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
                (table_head(&["layer", "kind", "MACs", &timing.unit, "per MAC", "part"]))
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

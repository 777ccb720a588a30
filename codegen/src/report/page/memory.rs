//! The plan as rectangles of time and bytes.

use maud::{Markup, PreEscaped, html};

use super::{chart, table_head};
use crate::report::memory::{Arena, Memory};
use crate::report::overview::Overview;
use crate::report::text::grouped;

/// The arena as planned, and with whole tensors.
pub fn section(memory: &Memory, overview: &Overview) -> Markup {
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
                    (table_head(&["layer", "holds", "rows", "address", "bytes", "from step", "to step"]))
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

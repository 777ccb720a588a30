//! The first trained kernels beside the classic ones.

use maud::{Markup, html};

use super::img;
use crate::report::filters::LayerFilters;
use crate::report::text::extents;

/// A tile for each kernel.
pub fn section(layers: &[LayerFilters]) -> Markup {
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

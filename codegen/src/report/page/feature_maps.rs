//! What every channel makes of a frame.

use maud::{Markup, html};

use super::img;
use crate::report::feature_maps::FeatureMaps;
use crate::report::text::{extents, short};

/// A sheet of channels for each layer.
pub fn section(maps: &FeatureMaps) -> Markup {
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

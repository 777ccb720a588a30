//! What classes and channels look for, and where the frame is looked at.

use maud::{Markup, html};

use super::img;
use crate::report::excited::Excited;
use crate::report::text::short;

/// A tile for each picture.
pub fn section(excited: &Excited) -> Markup {
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

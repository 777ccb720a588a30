//! From the graph as read to the graph that is planned: an ordered list of passes, each with its
//! reason.
//!
//! [`run`] applies [`PASSES`] in their order. Each pass is a file of its own, takes a graph whose
//! shapes are known, and leaves one. What a pass can't do exactly it leaves alone: no pass changes
//! what the model computes, but for the rounding of folded weights, which are computed in f64.
//! Graphs that are quantized already are only checked and cleaned: to fold there would change
//! results that must stay bit-exact.

mod absorb_flatten;
mod absorb_rescaling;
pub(crate) mod channels;
mod check_limits;
mod check_numbers;
mod drop_unread;
mod fold_backwards;
mod fold_forwards;
mod fold_padding;
mod fuse_activations;
pub(crate) mod infer_shapes;
mod merge_scale_shifts;
mod remove_identities;
mod renumber;
mod rewire;
mod single_channel;
mod sink_transposes;
mod split_scale_shifts;
mod stand_alone;

use crate::error::Error;
use crate::graph::Graph;

pub use check_limits::MOST_ENDS;

/// One rewriting of a graph.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// The name of its file.
    pub name: &'static str,
    /// Why it is there, and why at this place.
    pub reason: &'static str,
    /// Rewrites the graph, or says what is wrong with it.
    pub apply: fn(&mut Graph) -> Result<(), Error>,
}

/// All passes in the order in which [`run`] applies them.
pub const PASSES: &[Pass] = &[
    Pass {
        name: "infer_shapes",
        reason: "the passes below ask for shapes; a model whose layers do not fit together goes no further",
        apply: infer_shapes::apply,
    },
    Pass {
        name: "check_numbers",
        reason: "a NaN would spread through every fold, and then nobody could say which layer had it",
        apply: check_numbers::apply,
    },
    Pass {
        name: "remove_identities",
        reason: "layers that only work in training cost nothing, and neighbours that they kept apart can fold",
        apply: remove_identities::apply,
    },
    Pass {
        name: "drop_unread",
        reason: "a layer that no output depends on would count as a reader and keep others from folding",
        apply: drop_unread::apply,
    },
    Pass {
        name: "sink_transposes",
        reason: "of a model with channels first none is left, and what it kept apart can fold",
        apply: sink_transposes::apply,
    },
    Pass {
        name: "absorb_rescaling",
        reason: "the caller hands over pixels; before other scales merge with the Rescaling, which then is not uniform",
        apply: absorb_rescaling::apply,
    },
    Pass {
        name: "merge_scale_shifts",
        reason: "two scales and shifts in a row are one",
        apply: merge_scale_shifts::apply,
    },
    Pass {
        name: "split_scale_shifts",
        reason: "behind a concatenation, before each part that can takes its own",
        apply: split_scale_shifts::apply,
    },
    Pass {
        name: "fold_backwards",
        reason: "a batch norm after a layer with weights is free; exact whatever the padding, so tried first",
        apply: fold_backwards::apply,
    },
    Pass {
        name: "absorb_flatten",
        reason: "a dense layer consumes rows, so the flat tensor need not exist; a scale before it now meets the layer",
        apply: absorb_flatten::apply,
    },
    Pass {
        name: "fold_forwards",
        reason: "a batch norm before a layer with weights, where nothing before it could take it",
        apply: fold_forwards::apply,
    },
    Pass {
        name: "absorb_flatten",
        reason: "again: a scale between a flatten and a dense layer is folded by now",
        apply: absorb_flatten::apply,
    },
    Pass {
        name: "fold_padding",
        reason: "padded rows need not exist; after the batch norms, which padding would keep from folding forwards",
        apply: fold_padding::apply,
    },
    Pass {
        name: "single_channel",
        reason: "a convolution's kernel is faster; before standing scales become depthwise layers, which stay such",
        apply: single_channel::apply,
    },
    Pass {
        name: "stand_alone",
        reason: "what could not fold is computed: a 1x1 depthwise layer is a scale and a shift per channel",
        apply: stand_alone::apply,
    },
    Pass {
        name: "fuse_activations",
        reason: "a clamp costs nothing where the result is written; last, for a scale and shift does not commute with it",
        apply: fuse_activations::apply,
    },
    Pass {
        name: "renumber",
        reason: "tensors of removed layers go, and tensor i is what layer i makes",
        apply: renumber::apply,
    },
    Pass { name: "infer_shapes", reason: "proves that the passes fit together", apply: infer_shapes::apply },
    Pass { name: "check_numbers", reason: "products of folded weights may be beyond f32", apply: check_numbers::apply },
    Pass {
        name: "check_limits",
        reason: "what the runtime's descriptions can't hold is said here, with the layer's name",
        apply: check_limits::apply,
    },
];

/// Applies all [`PASSES`].
///
/// # Errors
/// When the graph is no graph ([`Graph::check`]), its layers do not fit together, weights are not
/// finite, or extents are beyond the runtime's.
pub fn run(mut graph: Graph) -> Result<Graph, Error> {
    graph.check()?;
    for pass in PASSES {
        (pass.apply)(&mut graph)?;
    }
    graph.check()?;
    Ok(graph)
}

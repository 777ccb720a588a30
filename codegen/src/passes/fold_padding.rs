//! Folds a Pad of zeros into the convolutions after it, as their padding.
//!
//! Frameworks that pad on the left as much as on the right write a layer of padding and a convolution without:
//! the padded rows need not exist. Only where every reader can take it: convolutions and depthwise layers whose own
//! padding is none or explicit, and with more than one tap: one reads its place where it lies. In f32 only: of a model that is quantized already, every tensor of its file stays.

use super::check_limits::{MOST_ABOVE, MOST_U8 as MOST_LEFT};
use super::rewire::{fold_layer, is_float, only_readers};
use crate::error::Error;
use crate::graph::{Graph, Operator, Padding, Taps, Window};

/// Folds every such Pad.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut index = 0;
    while index < graph.layers.len() {
        match takers(graph, index) {
            Some((readers, around)) => {
                for &reader in &readers {
                    if let Some(window) = window(&mut graph.layers[reader].operator) {
                        *window = with(window, around).unwrap_or(*window);
                    }
                }
                fold_layer(graph, index, &readers);
            }
            None => index += 1,
        }
    }
    Ok(())
}

/// Places before and behind along rows, lines and columns.
type Around = [[usize; 3]; 2];

/// The readers of the Pad at `index`, and its places, when all of them can take it.
fn takers(graph: &mut Graph, index: usize) -> Option<(Vec<usize>, Around)> {
    let layer = &graph.layers[index];
    let Operator::Pad { before: [before @ .., 0], after: [after @ .., 0], value: 0.0 } = &layer.operator else {
        return None;
    };
    let (around, output) = ([*before, *after], layer.output);
    let readers = only_readers(graph, output).filter(|readers| !readers.is_empty() && is_float(graph, output))?;
    let takes = |reader: &usize| {
        let window = window(&mut graph.layers[*reader].operator);
        window.is_some_and(|window| with(window, around).is_some())
    };
    readers.iter().all(takes).then_some((readers, around))
}

/// The window of a layer for which a padded place is zero.
fn window(operator: &mut Operator) -> Option<&mut Window> {
    match operator {
        Operator::Convolution { window, .. } | Operator::Depthwise { window, .. } if window.taps() != 1 => Some(window),
        _ => None,
    }
}

/// A window with more places around its input, if the runtime's kernels take as many.
fn with(window: &Window, [before, after]: Around) -> Option<Window> {
    let plus = |own: [usize; 2], more: [usize; 2]| [own[0] + more[0], own[1] + more[1]];
    let vertical = if window.depth.is_some() { 1 } else { 0 };
    let pair = |places: [usize; 3]| [places[vertical], places[2]];
    let (own_before, own_after) = match window.padding {
        Padding::Valid => ([0; 2], [0; 2]),
        Padding::Explicit { before, after } => (before, after),
        Padding::Same => return None,
    };
    let padding = Padding::Explicit { before: plus(own_before, pair(before)), after: plus(own_after, pair(after)) };
    let depth =
        window.depth.map(|depth| Taps { before: depth.before + before[0], after: depth.after + after[0], ..depth });
    let [above, left] = plus(own_before, pair(before));
    let above = depth.map_or(above, |depth| depth.before.max(above));
    (above <= MOST_ABOVE && left <= MOST_LEFT).then_some(Window { padding, depth, ..*window })
}

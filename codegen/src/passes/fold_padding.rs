//! Folds a Pad of zeros into the convolutions after it, as their padding.
//!
//! Frameworks that pad on the left as much as on the right write a layer of padding and a convolution without:
//! the padded rows need not exist. Only where every reader can take it: convolutions and depthwise layers whose own
//! padding is none or explicit, and with more than one tap: one reads its place where it lies. In f32 only: of a model that is quantized already, every tensor of its file stays.

use super::check_limits::{MOST_ABOVE, MOST_U8 as MOST_LEFT};
use super::rewire::{is_float, only_readers, remove_layer};
use crate::error::Error;
use crate::graph::{Graph, Operator, Padding, Window};

/// Folds every such Pad.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    let mut index = 0;
    while index < graph.layers.len() {
        match takers(graph, index) {
            Some((readers, before, after)) => {
                for reader in readers {
                    if let Some(window) = window(&mut graph.layers[reader].operator) {
                        window.padding = with(window.padding, before, after).unwrap_or(window.padding);
                    }
                }
                remove_layer(graph, index);
            }
            None => index += 1,
        }
    }
    Ok(())
}

/// The readers of the Pad at `index`, and its places `[vertical, horizontal]`, when all of them can take it.
fn takers(graph: &mut Graph, index: usize) -> Option<(Vec<usize>, [usize; 2], [usize; 2])> {
    let layer = &graph.layers[index];
    let &Operator::Pad { before: [above, left, 0], after: [below, right, 0], value: 0.0 } = &layer.operator else {
        return None;
    };
    let output = layer.output;
    let readers = only_readers(graph, output).filter(|readers| !readers.is_empty() && is_float(graph, output))?;
    let (before, after) = ([above, left], [below, right]);
    let takes = |reader: &usize| {
        let window = window(&mut graph.layers[*reader].operator);
        window.is_some_and(|window| with(window.padding, before, after).is_some())
    };
    readers.iter().all(takes).then_some((readers, before, after))
}

/// The window of a layer for which a padded place is zero.
fn window(operator: &mut Operator) -> Option<&mut Window> {
    match operator {
        Operator::Convolution { window, .. } | Operator::Depthwise { window, .. } if window.size != [1, 1] => {
            Some(window)
        }
        _ => None,
    }
}

/// A padding with more places around it, if the runtime's kernels take as many.
fn with(padding: Padding, before: [usize; 2], after: [usize; 2]) -> Option<Padding> {
    let plus = |own: [usize; 2], more: [usize; 2]| [own[0] + more[0], own[1] + more[1]];
    let (before, after) = match padding {
        Padding::Valid => (before, after),
        Padding::Explicit { before: own_before, after: own_after } => {
            (plus(own_before, before), plus(own_after, after))
        }
        Padding::Same => return None,
    };
    (before[0] <= MOST_ABOVE && before[1] <= MOST_LEFT).then_some(Padding::Explicit { before, after })
}

//! Finds activation ranges by running the f32 graph on frames.

use super::check_names;
use super::observe::Observer;
use super::ranges::{Method, Ranges};
use crate::error::Error;
use crate::graph::Graph;
use crate::host::Machine;
use crate::plan::Strategy;

/// Runs a graph that has gone through the [passes](crate::passes) over `frames`, each the bytes
/// of the model's input, and returns the range of every tensor. `progress` is told after each frame
/// how many are done.
///
/// The frames should be what the model was trained on, or like it; never those it is tested on.
///
/// # Errors
/// When there is no frame, a frame can't be had or has not the model's length, or a layer makes
/// values that are not finite.
pub fn calibrate(
    graph: &Graph,
    frames: impl IntoIterator<Item = Result<Vec<u8>, Error>>,
    method: Method,
    mut progress: impl FnMut(usize),
) -> Result<Ranges, Error> {
    check_names(graph)?;
    // Looked at as they are made, rows need not stay: a large model's tensors would not all fit the addresses.
    let mut machine = Machine::new(graph, Strategy::Eager)?;
    let mut observer = Observer::new(graph, method);
    for (index, frame) in frames.into_iter().enumerate() {
        observer.begin_frame();
        // Rows lie at multiples of four bytes, so that bytes can be seen as f32.
        machine.watch(&frame?, |layer, rows| observer.rows(layer, bytemuck::try_cast_slice(rows).unwrap_or(&[])))?;
        progress(index + 1);
    }
    let mut ranges = observer.ranges()?;
    for layer in &graph.layers {
        let name = &graph.tensor(layer.output).name;
        // Of what a crop leaves out wholly no row is made: nothing is ever stored there.
        if ranges.get(name).is_none() {
            ranges.set(name, [0.0; 2])?;
        }
    }
    Ok(ranges)
}

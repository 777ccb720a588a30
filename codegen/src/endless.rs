//! Models for a series that has no end, as [`Strategy::Endless`](crate::plan::Strategy::Endless) runs them: each output
//! row depends on a window of input rows, and the window slides on for ever.
//!
//! A model is read with an input of some length. [`windowed`] makes of it the model of one window: the input is the
//! rows that the first output row needs, and the output is that row. Layers that need the whole input, however long,
//! have no endless form; each is an error that says what to do instead. A layer over all rows of a tensor that has
//! only one, as at the end of convolutions that leave one row, is none of them.

use std::collections::BTreeSet;

use crate::error::Error;
use crate::graph::{Axis, Graph, Layer, Operator, Padding, Window};
use crate::lower;
use crate::passes::infer_shapes;
use crate::plan::endless::rates;

/// The graph of one window of an endless series, of a graph that has gone through the [passes](crate::passes).
///
/// # Errors
/// When a layer has no endless form: the message names it, and says why and what to do. When there are several inputs or
/// outputs.
pub fn windowed(graph: &Graph) -> Result<Graph, Error> {
    for (what, count) in [("inputs", graph.inputs().len()), ("outputs", graph.outputs.len())] {
        if count > 1 {
            return Err(Error::model(format!("has {count} {what}: an endless plan takes one series and gives one")));
        }
    }
    for layer in &graph.layers {
        check(graph, layer).map_err(|reason| Error::layer(&layer.name, reason))?;
    }
    let layers = lower::rows(graph, &BTreeSet::new())?;
    let rates = rates(&layers)?;
    let last = rates[lower::outputs(graph)?[0]].delay;
    let mut windowed = graph.clone();
    for (layer, rate) in windowed.layers.iter_mut().zip(&rates) {
        let rows = ((last - rate.delay).max(0) as usize) / rate.stride + 1;
        let shape = &mut windowed.tensors[layer.output.0].shape;
        if Axis::Rows.place(shape).is_some() {
            shape.0[0] = rows;
        }
        match &mut layer.operator {
            Operator::Reshape { shape: to } | Operator::Crop { shape: to, .. } => to.clone_from(shape),
            Operator::ResizeNearest { size: [size, ..], .. } | Operator::ResizeBilinear { size: [size, _], .. } => {
                *size = rows
            }
            _ => {}
        }
    }
    infer_shapes::apply(&mut windowed)?;
    Ok(windowed)
}

/// Errors, with the reason and what to do, unless a layer can go on for ever.
fn check(graph: &Graph, layer: &Layer) -> Result<(), String> {
    let rows = |index: usize| layer.inputs.get(index).map_or(1, |&input| graph.tensor(input).shape.rows());
    let output = &graph.tensor(layer.output).shape;
    let whole = |instead: &str| match rows(0) {
        1 => Ok(()),
        rows => {
            Err(format!("needs all rows of its input ({rows} here), and an endless series has no last one: {instead}"))
        }
    };
    match &layer.operator {
        Operator::Input { .. } if Axis::Rows.place(output).is_none() => {
            Err(format!("is an input of shape {output}, not a series of rows: an endless plan needs [rows, channels]"))
        }
        Operator::Convolution { window, .. }
        | Operator::Depthwise { window, .. }
        | Operator::MaxPool { window }
        | Operator::AveragePool { window } => check_window(window, rows(0)),
        Operator::Pad { after, .. } if after[0] > 0 => Err(format!(
            "pads {} rows after the last, and an endless series has no last one: pad before the first alone",
            after[0]
        )),
        Operator::GlobalAveragePool { .. } => whole("take AveragePooling over a number of rows, with strides of 1"),
        Operator::GlobalMaxPool { .. } => whole("take MaxPooling over a number of rows, with strides of 1"),
        Operator::Flatten | Operator::Dense { .. } => {
            whole("take a convolution over as many rows (Conv1D, padding valid), whose weights are the same numbers")
        }
        Operator::Pairwise { constant: Some(constant), .. }
            if constant.shape.0.len() == output.0.len() && constant.shape.rows() > 1 =>
        {
            Err(format!(
                "holds numbers of its own for each of {} rows, and an endless series has no such rows: share them along \
                 the rows (PReLU: shared_axes=[1])",
                constant.shape.rows()
            ))
        }
        Operator::Pairwise { constant: None, .. } if rows(0) != rows(1) => {
            Err("repeats one row for all the others, and it would need all of them first".to_owned())
        }
        Operator::Concatenate { axis: Axis::Rows } => {
            Err("puts rows behind the last, and an endless series has none: concatenate along the channels".to_owned())
        }
        Operator::Reshape { .. } if graph.tensor(layer.inputs[0]).shape.row_elements() != output.row_elements() => {
            Err("makes rows of another length: an endless plan takes each row as it is".to_owned())
        }
        Operator::Transpose { axes } if axes.first() != Some(&0) => {
            Err("puts the rows in another place among the axes, for which it would need all of them".to_owned())
        }
        &(Operator::ResizeNearest { size: [size, ..], .. } | Operator::ResizeBilinear { size: [size, _], .. })
            if size != rows(0) =>
        {
            Err(format!("makes {size} rows of {}: an endless plan takes each row as it is", rows(0)))
        }
        _ => Ok(()),
    }
}

fn check_window(window: &Window, rows: usize) -> Result<(), String> {
    let taps = window.slide(0, rows);
    let (back, before, after) = (taps.reach() - 1, taps.before, taps.after);
    // Of a volume the planes' padding is given in numbers.
    if window.padding == Padding::Same && window.depth.is_none() && back > 0 {
        return Err(
            "has same padding, which depends on where the series ends, and an endless one does not: train it with \
                    padding=\"causal\" or \"valid\""
                .to_owned(),
        );
    }
    if after > 0 {
        return Err(format!(
            "is padded by {after} rows after the last, and an endless series has no last one: pad before the first alone \
             (padding=\"causal\")"
        ));
    }
    if before > back {
        return Err(format!(
            "is padded by {before} rows before the first, where its window reaches back over {back}: an endless plan has no \
             outputs before the first row"
        ));
    }
    Ok(())
}

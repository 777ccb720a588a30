//! Resize: nearest and between the nearest.

use super::Builder;
use super::message::Node;
use crate::error::Error;
use crate::graph::{Linear, Nearest, Operator};

/// The largest extent that is looked at.
const LARGEST: f64 = (1 << 24) as f64;

impl<'a> Builder<'a> {
    /// Resize over spatial axes, whose channels come first in the file.
    pub(super) fn resize(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.channels_last(node, &view)?;
        let shape = self.graph.tensor(view.id).shape.clone();
        let spatial = view.axes.len() - 1;
        let (extents, scales) = self.resized(node, &self.extents(&view))?;
        if extents[0] != shape.channels() {
            return Err(node.error("resizes the channels, which is not supported"));
        }
        // The order of rows, lines and columns is the file's.
        let inputs = &shape.0[..spatial];
        let outputs = &extents[1..];
        let scales = &scales[1..];
        // Of each place is written down which it takes.
        self.budget.take(outputs.iter().sum(), size_of::<usize>())?;
        let places = node.text("coordinate_transformation_mode", "half_pixel")?;
        let mode = node.text("mode", "nearest")?;
        let options = [(false, true), (false, false), (true, false)];
        let operator = match mode.as_str() {
            "nearest" => {
                let rounding = node.text("nearest_mode", "round_prefer_floor")?;
                let sources = (0..spatial).map(|axis| {
                    let source = |place: usize| {
                        let at = source_of(place, outputs[axis], inputs[axis], scales[axis], &places)?;
                        let near = match rounding.as_str() {
                            "floor" => at.floor(),
                            "ceil" => at.ceil(),
                            "round_prefer_ceil" => (at + 0.5).floor(),
                            _ => (at - 0.5).ceil(),
                        };
                        Some(near.clamp(0.0, inputs[axis] as f64 - 1.0) as usize)
                    };
                    (0..outputs[axis]).map(source).collect::<Option<Vec<usize>>>()
                });
                let sources: Option<Vec<Vec<usize>>> = sources.collect();
                let fits = |nearest: &Nearest| {
                    sources.as_ref().is_some_and(|sources| {
                        sources.iter().enumerate().all(|(axis, sources)| {
                            let ours =
                                (0..outputs[axis]).map(|place| nearest.source(place, outputs[axis], inputs[axis]));
                            ours.eq(sources.iter().copied())
                        })
                    })
                };
                let found = options
                    .map(|(align_corners, half_pixel_centers)| Nearest { align_corners, half_pixel_centers })
                    .into_iter()
                    .find(fits);
                let nearest = found.ok_or_else(|| {
                    node.error(format!("takes other places ({places}, {rounding}) than TensorFlow's three ways would"))
                })?;
                let size = match *outputs {
                    [rows] => [rows, 1, 1],
                    [rows, columns] => [rows, 1, columns],
                    [rows, lines, columns] => [rows, lines, columns],
                    _ => return Err(node.error("resizes so many axes")),
                };
                Operator::ResizeNearest { size, nearest }
            }
            "linear" => {
                let size = match *outputs {
                    [rows] => [rows, 1],
                    [rows, columns] => [rows, columns],
                    _ => return Err(node.error("resizes volumes between places, which is not supported")),
                };
                if node.integer("antialias", 0)? != 0 {
                    return Err(node.error("smooths what it makes smaller (antialias), which is not supported"));
                }
                let fits = |linear: &Linear| {
                    (0..spatial).all(|axis| {
                        (0..outputs[axis]).all(|place| {
                            let at = source_of(place, outputs[axis], inputs[axis], scales[axis], &places);
                            let at = at.map(|at| at.clamp(0.0, inputs[axis] as f64 - 1.0));
                            let between = linear.between(place, outputs[axis], inputs[axis]);
                            let ours = between.places[0] as f64
                                + f64::from(between.weight) * f64::from(between.places[0] != between.places[1]);
                            at.is_some_and(|at| (at - ours).abs() < 1e-4)
                        })
                    })
                };
                let found = options
                    .map(|(align_corners, half_pixel_centers)| Linear { align_corners, half_pixel_centers })
                    .into_iter()
                    .find(fits);
                let linear = found.ok_or_else(|| {
                    node.error(format!("takes other places ({places}) than TensorFlow's three ways would"))
                })?;
                Operator::ResizeBilinear { size, linear }
            }
            other => {
                let reason =
                    format!("has the mode {:?}; supported are nearest and linear", other.escape_debug().to_string());
                return Err(node.error(reason));
            }
        };
        self.emit(index, node, operator, vec![view.id], view)
    }

    /// The extents that a Resize makes, without the batch, and its scales.
    fn resized(&mut self, node: &'a Node, extents: &[usize]) -> Result<(Vec<usize>, Vec<f64>), Error> {
        let wrong = || node.error("has scales or sizes that do not fit its input");
        let all: Vec<usize> = [1].into_iter().chain(extents.iter().copied()).collect();
        if node.integers("axes")?.is_some() || node.text("keep_aspect_ratio_policy", "stretch")? != "stretch" {
            return Err(node.error("resizes some axes by name or by its aspect ratio, which is not supported"));
        }
        let scales = self.constant(node, 2)?.filter(|constant| constant.len() > 0);
        if let Some(scales) = scales {
            let scales = scales.floats().filter(|scales| scales.len() == all.len()).ok_or_else(wrong)?;
            let scales: Vec<f64> = scales.iter().map(|&scale| f64::from(scale)).collect();
            let made: Vec<f64> =
                all.iter().zip(&scales).map(|(&extent, scale)| (extent as f64 * scale).floor()).collect();
            if scales[0] != 1.0 || made.iter().any(|made| !(1.0..LARGEST).contains(made)) {
                return Err(wrong());
            }
            return Ok((made[1..].iter().map(|&extent| extent as usize).collect(), scales[1..].to_vec()));
        }
        let sizes = self.whole_numbers(node, 3, "sizes")?.ok_or_else(wrong)?;
        let fits =
            sizes.len() == all.len() && sizes[0] == 1 && sizes.iter().all(|&size| size > 0 && (size as f64) < LARGEST);
        if !fits {
            return Err(wrong());
        }
        let made: Vec<usize> = sizes[1..].iter().map(|&size| size as usize).collect();
        let scales = made.iter().zip(extents).map(|(&made, &extent)| made as f64 / extent as f64).collect();
        Ok((made, scales))
    }
}

/// Where an output place lies among the input's, as ONNX computes it. With corners aligned and a scale that makes no whole extent the specification
/// and onnxruntime differ in which the last place is: such a layer is none that is known.
fn source_of(place: usize, outputs: usize, inputs: usize, scale: f64, places: &str) -> Option<f64> {
    let place = place as f64;
    match places {
        "half_pixel" => Some((place + 0.5) / scale - 0.5),
        "pytorch_half_pixel" => Some(if outputs > 1 { (place + 0.5) / scale - 0.5 } else { 0.0 }),
        "asymmetric" => Some(place / scale),
        "align_corners" if (inputs as f64 * scale - outputs as f64).abs() > 1e-4 => None,
        "align_corners" if outputs > 1 => Some(place * (inputs as f64 - 1.0) / (outputs as f64 - 1.0)),
        "align_corners" => Some(0.0),
        "tf_half_pixel_for_nn" => Some((place + 0.5) / scale),
        _ => None,
    }
}

//! `run --tensors`: every tensor that a model's layers make, to be compared with another program's layer by layer.

use std::path::Path;

use microception_codegen::data::write::Npz;
use microception_codegen::data::{Examples, Output};
use microception_codegen::error::Error;
use microception_codegen::graph::Graph;
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;
use rayon::prelude::*;

use super::progress;
use super::table::grouped;

/// The most that is collected before it is written: two gigabytes.
const MOST_BYTES: usize = 1 << 31;

/// Runs `examples` on the host under a plan that keeps all tensors, and writes them to the `.npz` at `path`; the
/// names of its arrays are the layers'. Quantized ones are written as stored unless `dequantize` asks for real numbers. Returns what
/// was done.
pub fn save(path: &Path, graph: &Graph, examples: &Examples, dequantize: bool) -> Result<String, Error> {
    let frames = examples.len();
    let tensors: Vec<Output> = graph.layers.iter().map(|layer| Output::of_tensor(graph.tensor(layer.output))).collect();
    let element_bytes = |tensor: &Output| if dequantize { size_of::<f32>() } else { tensor.element.bytes() };
    let frame_bytes: usize = tensors.iter().map(|tensor| tensor.shape.elements() * element_bytes(tensor)).sum();
    if frame_bytes.saturating_mul(frames) > MOST_BYTES {
        let reason = format!(
            "cannot be written: all tensors of {} frames take {} bytes; give it no more than {} frames",
            grouped(frames as u64),
            grouped(frame_bytes.saturating_mul(frames) as u64),
            grouped((MOST_BYTES / frame_bytes) as u64)
        );
        return Err(Error::file(path, reason));
    }

    let machine = Machine::new(graph, Strategy::Everything)?;
    let bar = progress::bar("running", frames);
    let runs: Result<Vec<Vec<Vec<u8>>>, Error> = (0..frames)
        .into_par_iter()
        .map_init(
            || machine.clone(),
            |machine, index| {
                machine.run(examples.frame(index)?.as_ref())?;
                bar.inc(1);
                let kept = graph.layers.iter().map(|layer| machine.tensor(graph, layer.output).map(<[u8]>::to_vec));
                kept.collect::<Option<_>>().ok_or_else(|| Error::model("the plan does not keep every tensor"))
            },
        )
        .collect();
    bar.finish_and_clear();
    let runs = runs?;

    let mut npz = Npz::new();
    for (index, (layer, tensor)) in graph.layers.iter().zip(&tensors).enumerate() {
        let mut shape = if examples.is_list() { vec![frames] } else { Vec::new() };
        shape.extend(&tensor.shape.0);
        let values = runs.iter().map(|tensors| &tensors[index]);
        let name = &graph.tensor(layer.output).name;
        npz.numbers(name, &shape, tensor.numbers(values, dequantize)).map_err(|error| error.in_file(path))?;
    }
    npz.write(path)?;
    Ok(format!("wrote {}: {} tensors, {} frames", path.display(), tensors.len(), grouped(frames as u64)))
}

//! Mixed precision by itself: the layers whose rounding costs most are kept in more bits, one after the other, until a model
//! answers as its f32 graph does but for so many frames.

use super::mixed::Elements;
use super::ranges::Ranges;
use super::{quantize_mixed, shared};
use crate::data::{Input, Interface, Output};
use crate::error::Error;
use crate::graph::{Element, Graph, Operator};
use crate::host::Machine;
use crate::plan::Strategy;

/// Frames by which layers are put in their order: the loss is measured on all.
const RANKED_BY: usize = 100;

/// Layers that were kept, and what is lost then.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The element types, with those that were kept.
    pub elements: Elements,
    /// Points lost before any layer was kept: of 100 frames, how many are taken for another class than in f32.
    pub before: f64,
    /// Points lost with them.
    pub after: f64,
}

/// Keeps layers in int16 and then in f32, beginning with those that bring the answers nearest to those of f32, until less than
/// `points` are lost.
///
/// `elements` says what else is asked for, `frames` are the bytes of the f32 graph's inputs. `progress` is told how many trials of
/// how many are done.
///
/// # Errors
/// When there are no frames, one can't be run, or the model answers with other than one value for each class.
pub fn choose(
    graph: &Graph,
    ranges: &Ranges,
    elements: &Elements,
    frames: &[Vec<u8>],
    points: f64,
    mut progress: impl FnMut(usize, usize),
) -> Result<Chosen, Error> {
    if Interface::of(graph).output_of_classes().is_none() {
        return Err(Error::model(
            "answers with other than one value for each class, by which precision could be mixed",
        ));
    }
    if frames.is_empty() {
        return Err(Error::model("has no frames to mix precision by"));
    }
    let trial = Trial::new(graph, ranges, frames)?;
    let before = trial.lost(elements)?;
    let mut chosen = Chosen { elements: elements.clone(), before, after: before };
    let candidates = candidates(graph, elements);
    let trials = 2 * candidates.len();
    let mut done = 0;
    for element in [Element::I16, Element::F32] {
        if chosen.after < points {
            break;
        }
        let mut ranked = Vec::new();
        for &layer in &candidates {
            let mut kept = chosen.elements.clone();
            kept.keep(layer, element);
            ranked.push((trial.error(&kept)?, layer));
            done += 1;
            progress(done, trials);
        }
        ranked.sort_by(|(first, _), (second, _)| first.total_cmp(second));
        for (_, layer) in ranked {
            if chosen.after < points {
                break;
            }
            chosen.elements.keep(layer, element);
            chosen.after = trial.lost(&chosen.elements)?;
        }
    }
    progress(trials, trials);
    Ok(chosen)
}

/// The layers that do more than pass on what others make, and are not kept already.
fn candidates<'a>(graph: &'a Graph, elements: &Elements) -> Vec<&'a str> {
    let computes = |operator: &Operator| !shared::copies(operator) && !matches!(operator, Operator::Input { .. });
    let kept = |name: &str| elements.kept().any(|(kept, _)| kept == name);
    let layers = graph.layers.iter().filter(|layer| computes(&layer.operator) && !kept(&layer.name));
    layers.map(|layer| layer.name.as_str()).collect()
}

/// What a mixed graph is compared with.
struct Trial<'a> {
    graph: &'a Graph,
    ranges: &'a Ranges,
    frames: &'a [Vec<u8>],
    inputs: Vec<(String, Input)>,
    /// The f32 graph's answers.
    answers: Vec<Vec<f32>>,
}

impl<'a> Trial<'a> {
    fn new(graph: &'a Graph, ranges: &'a Ranges, frames: &'a [Vec<u8>]) -> Result<Trial<'a>, Error> {
        let mut machine = Machine::new(graph, Strategy::Balanced)?;
        let output = Output::of(graph);
        let answers = frames.iter().map(|frame| machine.run(frame).map(|bytes| output.real(&bytes)));
        let answers = answers.collect::<Result<_, _>>()?;
        Ok(Trial { graph, ranges, frames, inputs: Input::all(graph), answers })
    }

    /// Calls `look` with the answers of f32 and of the mixed graph for each of the first `count` frames.
    fn each(&self, elements: &Elements, count: usize, mut look: impl FnMut(&[f32], &[f32])) -> Result<(), Error> {
        let mixed = quantize_mixed(self.graph, self.ranges, elements)?;
        let (inputs, output) = (Input::all(&mixed), Output::of(&mixed));
        let mut machine = Machine::new(&mixed, Strategy::Balanced)?;
        for (frame, answer) in self.frames.iter().zip(&self.answers).take(count) {
            let (mut rest, mut bytes) = (frame.as_slice(), Vec::new());
            for ((_, from), (name, to)) in self.inputs.iter().zip(&inputs) {
                let (own, others) = rest.split_at_checked(from.frame_bytes()).unwrap_or((rest, &[]));
                rest = others;
                let encoded = from.numbers(own).map_or_else(|| Ok(own.to_vec()), |numbers| to.encode(&numbers));
                bytes.extend(encoded.map_err(|reason| Error::layer(name, reason))?);
            }
            look(answer, &output.real(&machine.run(&bytes)?));
        }
        Ok(())
    }

    /// Of 100 frames, how many are taken for another class.
    fn lost(&self, elements: &Elements) -> Result<f64, Error> {
        let mut differ = 0;
        self.each(elements, self.frames.len(), |answer, found| differ += usize::from(class(answer) != class(found)))?;
        Ok(100.0 * differ as f64 / self.frames.len() as f64)
    }

    /// The mean square of the difference of all answers to some frames.
    fn error(&self, elements: &Elements) -> Result<f64, Error> {
        let mut sum = 0.0;
        self.each(elements, RANKED_BY, |answer, found| {
            sum += answer.iter().zip(found).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        })?;
        Ok(sum)
    }
}

/// The first of the largest values; of a single one, whether it is a half or more.
fn class(values: &[f32]) -> usize {
    match values {
        [value] => usize::from(*value >= 0.5),
        values => (0..values.len()).fold(0, |best, class| if values[class] > values[best] { class } else { best }),
    }
}

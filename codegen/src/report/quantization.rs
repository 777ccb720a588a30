//! What rounding to fewer bits loses: of every layer the signal-to-noise ratio, what its numbers are like and which of them its
//! range covers, and what to try.

use serde::Serialize;

use crate::data::Output;
use crate::error::Error;
use crate::graph::{Element, Graph, Layer, Operator, Quantization as Steps, TensorId, Weights};
use crate::host::Machine;
use crate::plan::Strategy;

/// Bins of a histogram.
const BINS: usize = 64;

/// Decibels: what a layer that is worth a word adds to the noise of what it reads.
const MUCH: f64 = 6.0;

/// Outliers are worth a word when all but one in a thousand values lie in so small a part of a range.
const OUTLYING: f64 = 0.4;

/// Layers that are named in what to try.
const NAMED: usize = 3;

/// A quantized model beside the float one.
#[derive(Debug, Clone, Serialize)]
pub struct Quantization {
    /// How many frames both have run.
    pub frames: usize,
    /// Those that compute, in the order of execution.
    pub layers: Vec<LayerLoss>,
    /// What to try, the most promising first.
    pub advice: Vec<String>,
}

/// What one layer loses.
#[derive(Debug, Clone, Serialize)]
pub struct LayerLoss {
    /// Its name in the model.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// What it makes is in memory.
    pub element: &'static str,
    /// Ten times the decimal logarithm of the float values' power over that of the difference; none where nothing is lost.
    pub snr_db: Option<f64>,
    /// How much lower that is than of the worst of its inputs; of an input, and where inputs lose nothing, none.
    pub lost_db: Option<f64>,
    /// Least and greatest float value.
    pub seen: [f32; 2],
    /// The range that its steps cover; none in f32.
    pub range: Option<[f32; 2]>,
    /// Of the float values, the part that lies outside of it.
    pub clipped: f64,
    /// Whether a max pool alone reads it: what lies below its range never comes through, and is cut off on purpose.
    pub pooled: bool,
    /// The least range around all values but one in two thousand at each end.
    pub bulk: [f32; 2],
    /// The float values.
    pub values: Histogram,
    /// The weights, as trained and folded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightLoss>,
}

/// What rounding loses of weights.
#[derive(Debug, Clone, Serialize)]
pub struct WeightLoss {
    /// As of values.
    pub snr_db: Option<f64>,
    /// The largest magnitude that a channel's steps cover: of the least such channel and of the greatest.
    pub reach: [f32; 2],
    /// The weights.
    pub values: Histogram,
}

/// How many numbers lie where.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// The lower end of the first bin.
    pub from: f32,
    /// The upper end of the last.
    pub to: f32,
    /// Numbers in each bin, all as wide.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// Empty bins between two numbers.
    ///
    /// ```
    /// use microception_codegen::report::quantization::Histogram;
    /// let mut histogram = Histogram::new([-1.0, 1.0]);
    /// histogram.add(&[-1.0, 0.99, 1.0]);
    /// assert_eq!((histogram.counts[0], histogram.counts[63]), (1, 2));
    /// ```
    pub fn new([from, to]: [f32; 2]) -> Histogram {
        let to = if to > from { to } else { from + 1.0 };
        Histogram { from, to, counts: vec![0; BINS] }
    }

    /// Counts numbers; those beyond the ends are in the bins there.
    pub fn add(&mut self, values: &[f32]) {
        let per_unit = BINS as f32 / (self.to - self.from);
        for &value in values {
            // `as` saturates.
            let bin = ((value - self.from) * per_unit) as usize;
            self.counts[bin.min(BINS - 1)] += 1;
        }
    }

    /// The least range of whole bins without more than this part of all numbers below, and as many above.
    fn without(&self, part: f64) -> [f32; 2] {
        let most = (self.counts.iter().sum::<u64>() as f64 * part) as u64;
        let skipped = |counts: &mut dyn Iterator<Item = &u64>| {
            let mut left_out = 0;
            let fits = |count: &&u64| {
                left_out += **count;
                left_out <= most
            };
            counts.take_while(fits).count()
        };
        let width = (self.to - self.from) / BINS as f32;
        let below = skipped(&mut self.counts.iter()).min(BINS - 1);
        let above = skipped(&mut self.counts.iter().rev()).min(BINS - 1);
        [self.from + width * below as f32, self.to - width * above as f32]
    }
}

/// Sums of squares.
#[derive(Debug, Clone, Copy, Default)]
struct Powers {
    signal: f64,
    noise: f64,
}

impl Powers {
    fn add(&mut self, float: f32, other: f32) {
        self.signal += f64::from(float).powi(2);
        self.noise += f64::from(float - other).powi(2);
    }

    fn snr_db(self) -> Option<f64> {
        (self.noise > 0.0).then(|| 10.0 * (self.signal.max(f64::MIN_POSITIVE) / self.noise).log10())
    }
}

impl Quantization {
    /// Runs both graphs over `count` frames, `frame` giving the bytes of each for the float and for the quantized model. Layers
    /// are found by their names; the float graph is the one that was quantized, equalized where that was done.
    ///
    /// # Errors
    /// When a graph can't be planned, or a frame is none of the model's.
    pub fn measure(
        float: &Graph,
        quantized: &Graph,
        count: usize,
        frame: impl Fn(usize) -> Result<[Vec<u8>; 2], Error>,
        progress: impl Fn(usize, usize),
    ) -> Result<Quantization, Error> {
        let pairs = pairs(float, quantized);
        let mut machine = Machine::new(float, Strategy::Everything)?;
        let mut other = Machine::new(quantized, Strategy::Everything)?;
        let real = |machine: &Machine, graph: &Graph, tensor: TensorId| {
            machine.tensor(graph, tensor).map(|bytes| Output::of_tensor(graph.tensor(tensor)).real(bytes))
        };

        let mut seen = vec![[f32::INFINITY, f32::NEG_INFINITY]; pairs.len()];
        for index in 0..count {
            machine.run(&frame(index)?[0])?;
            for ([least, greatest], &(layer, _)) in seen.iter_mut().zip(&pairs) {
                for value in real(&machine, float, float.layers[layer].output).unwrap_or_default() {
                    *least = least.min(value);
                    *greatest = greatest.max(value);
                }
            }
            progress(index + 1, 2 * count);
        }

        let ranges: Vec<_> = pairs.iter().map(|&(_, other)| range(quantized, &quantized.layers[other])).collect();
        let mut histograms: Vec<_> = seen.iter().map(|&seen| Histogram::new(seen)).collect();
        let mut powers = vec![Powers::default(); pairs.len()];
        let mut clipped = vec![[0u64; 2]; pairs.len()];
        for index in 0..count {
            let [for_float, for_quantized] = frame(index)?;
            machine.run(&for_float)?;
            other.run(&for_quantized)?;
            for (at, &(layer, stored)) in pairs.iter().enumerate() {
                let values = real(&machine, float, float.layers[layer].output).unwrap_or_default();
                let stored = real(&other, quantized, quantized.layers[stored].output).unwrap_or_default();
                histograms[at].add(&values);
                values.iter().zip(&stored).for_each(|(&value, &stored)| powers[at].add(value, stored));
                if let Some([least, greatest]) = ranges[at] {
                    // Half a step beyond the ends is still rounded to them.
                    let half = (greatest - least) / 510.0;
                    let outside = |value: &&f32| **value < least - half || **value > greatest + half;
                    clipped[at][0] += values.iter().filter(outside).count() as u64;
                }
                clipped[at][1] += values.len() as u64;
            }
            progress(count + index + 1, 2 * count);
        }

        let snr: Vec<Option<f64>> = powers.iter().map(|powers| powers.snr_db()).collect();
        let place = |tensor: TensorId| pairs.iter().position(|&(layer, _)| float.layers[layer].output == tensor);
        let worst_input = |layer: &Layer| {
            let inputs = layer.inputs.iter().filter_map(|&input| place(input)).filter_map(|place| snr[place]);
            inputs.reduce(f64::min)
        };
        let layers = pairs.iter().enumerate().map(|(at, &(layer, other))| {
            let (layer, stored) = (&float.layers[layer], &quantized.layers[other]);
            LayerLoss {
                name: layer.name.clone(),
                kind: layer.operator.name(),
                element: quantized.tensor(stored.output).element.name(),
                snr_db: snr[at],
                lost_db: snr[at].zip(worst_input(layer)).map(|(own, before)| before - own),
                seen: seen[at],
                range: ranges[at],
                clipped: clipped[at][0] as f64 / clipped[at][1].max(1) as f64,
                pooled: is_pooled(float, layer.output),
                bulk: histograms[at].without(0.0005),
                values: histograms[at].clone(),
                weights: weights(layer, stored, float, quantized),
            }
        });
        let layers: Vec<LayerLoss> = layers.collect();
        Ok(Quantization { frames: count, advice: advice(&layers), layers })
    }

    /// The layers, those first that add most noise to that of what they read.
    pub fn worst_first(&self) -> Vec<&LayerLoss> {
        let mut layers: Vec<&LayerLoss> = self.layers.iter().collect();
        let lost = |layer: &LayerLoss| layer.lost_db.unwrap_or(f64::NEG_INFINITY);
        layers.sort_by(|first, second| lost(second).total_cmp(&lost(first)));
        layers
    }
}

/// The indices of the layers of one name in both graphs.
fn pairs(float: &Graph, quantized: &Graph) -> Vec<(usize, usize)> {
    let places: std::collections::HashMap<_, _> =
        quantized.layers.iter().enumerate().map(|(index, layer)| (layer.name.as_str(), index)).collect();
    let layers = float.layers.iter().enumerate();
    layers.filter_map(|(index, layer)| Some((index, *places.get(layer.name.as_str())?))).collect()
}

/// Whether max pools alone read a tensor.
fn is_pooled(graph: &Graph, tensor: TensorId) -> bool {
    let mut readers = graph.layers.iter().filter(|layer| layer.inputs.contains(&tensor)).peekable();
    readers.peek().is_some()
        && !graph.outputs.contains(&tensor)
        && readers.all(|reader| matches!(reader.operator, Operator::MaxPool { .. } | Operator::GlobalMaxPool { .. }))
}

/// The real values that a layer's steps cover.
fn range(graph: &Graph, layer: &Layer) -> Option<[f32; 2]> {
    let tensor = graph.tensor(layer.output);
    let Steps { scale, zero_point } = tensor.quantization?;
    let stored = match tensor.element {
        Element::I8 => [-128, 127],
        Element::I16 => [-32768, 32767],
        Element::U8 | Element::F32 => return None,
    };
    Some(stored.map(|stored| scale * (stored - zero_point) as f32))
}

/// The weights of a layer in float and quantized; `None` where it has none, or keeps them.
fn weights(layer: &Layer, stored: &Layer, float: &Graph, quantized: &Graph) -> Option<WeightLoss> {
    let (Weights::F32(trained), _) = layer.operator.weights()? else { return None };
    let (numbers, scales) = stored.operator.weights()?.0.quantized()?;
    let (inputs, outputs) =
        (float.tensor(*layer.inputs.first()?).shape.channels(), quantized.tensor(stored.output).shape.channels());
    let channels = crate::passes::channels::Channels::of(&layer.operator, inputs, outputs)?;
    let mut powers = Powers::default();
    for (index, (&trained, &stored)) in trained.iter().zip(numbers).enumerate() {
        powers.add(trained, f32::from(stored) * scales[channels.output_of(index)]);
    }
    let largest = if matches!(stored.operator.weights()?.0, Weights::I4 { .. }) { 7.0 } else { 127.0 };
    let reach = scales.iter().map(|scale| scale * largest);
    let reach =
        reach.fold([f32::INFINITY, 0.0], |[least, greatest]: [f32; 2], reach| [least.min(reach), greatest.max(reach)]);
    let end = trained.iter().fold(0f32, |end, weight| end.max(weight.abs()));
    let mut values = Histogram::new([-end, end]);
    values.add(trained);
    Some(WeightLoss { snr_db: powers.snr_db(), reach, values })
}

/// What to try, in words, by what is seen.
fn advice(layers: &[LayerLoss]) -> Vec<String> {
    let mut advice = Vec::new();
    let width = |[least, greatest]: [f32; 2]| f64::from(greatest.max(0.0) - least.min(0.0));
    let outlying = |layer: &&LayerLoss| {
        layer.range.is_some_and(|range| width(layer.bulk) < OUTLYING * width(range))
            && layer.lost_db.is_some_and(|lost| lost > MUCH / 2.0)
    };
    let named = |layers: &[&LayerLoss]| {
        let names = layers.iter().take(NAMED).map(|layer| format!("\"{}\"", layer.name));
        let more = layers.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        names.collect::<Vec<_>>().join(", ") + &more
    };
    let rounded = |layer: &&LayerLoss| layer.element == "i8" && !matches!(layer.kind, "input" | "softmax");
    let mut losing: Vec<&LayerLoss> =
        layers.iter().filter(rounded).filter(|layer| layer.lost_db >= Some(MUCH)).collect();
    losing.sort_by(|first, second| second.lost_db.unwrap_or(0.0).total_cmp(&first.lost_db.unwrap_or(0.0)));
    if !losing.is_empty() {
        let keep: Vec<String> =
            losing.iter().take(NAMED).map(|layer| format!("--keep int16 \"{}\"", layer.name)).collect();
        advice.push(format!(
            "{}: more than {MUCH} dB are lost in each; {} gives them 16 bits, and --auto-mixed 0.5 finds by itself which layers need \
             them.",
            named(&losing),
            keep.join(" ")
        ));
    }
    let outliers: Vec<&LayerLoss> = layers.iter().filter(rounded).filter(outlying).collect();
    if !outliers.is_empty() {
        advice.push(format!(
            "{}: all but one in a thousand values lie in less than {:.0}% of the range; --range mse or --range percentile cuts the \
             few others off, and all steps get finer.",
            named(&outliers),
            100.0 * OUTLYING
        ));
    }
    let cut = |layer: &&LayerLoss| layer.clipped > 0.001 && !layer.pooled;
    let clipped: Vec<&LayerLoss> = layers.iter().filter(rounded).filter(cut).collect();
    if !clipped.is_empty() {
        advice.push(format!(
            "{}: more than one value in a thousand lies outside of the range that was chosen; calibrate with more frames, or with \
             --range minmax.",
            named(&clipped)
        ));
    }
    let uneven = |layer: &&LayerLoss| {
        let spread = layer.weights.as_ref().is_some_and(|weights| weights.reach[1] > 100.0 * weights.reach[0]);
        spread && layer.kind == "depthwise"
    };
    let uneven: Vec<&LayerLoss> = layers.iter().filter(uneven).collect();
    if !uneven.is_empty() {
        advice.push(format!(
            "{}: some channels' weights are more than a hundred times as large as others', and one scale has to serve all channels \
             of what they make; --equalize on evens them out.",
            named(&uneven)
        ));
    }
    if advice.is_empty() {
        advice.push("Nothing stands out: no layer adds much noise, and the ranges fit what is in them.".to_owned());
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_an_amplitude_is_twenty_decibels() {
        let mut powers = Powers::default();
        [1.0f32, -2.0, 3.0].into_iter().for_each(|value| powers.add(value, value * 1.1));
        assert!((powers.snr_db().unwrap() - 20.0).abs() < 1e-4);
        let mut same = Powers::default();
        same.add(1.0, 1.0);
        assert_eq!(same.snr_db(), None);
    }

    #[test]
    fn the_bulk_leaves_out_a_part_at_each_end() {
        let mut histogram = Histogram::new([0.0, 64.0]);
        histogram.add(&[0.5; 3]);
        histogram.add(&[10.5; 994]);
        histogram.add(&[63.5; 3]);
        assert_eq!(histogram.without(0.003), [10.0, 11.0]);
        assert_eq!(histogram.without(0.001), [0.0, 64.0]);
    }
}

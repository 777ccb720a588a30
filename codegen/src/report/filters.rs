//! The first kernels that look at more than one place, as pictures, beside the classic kernels that they resemble most.

use microception::filter::Kernel;
use serde::Serialize;

use super::image::{Colours, Image};
use crate::filter::{KERNELS, Taps};
use crate::graph::{Graph, Operator, Weights};

/// Layers that are shown: the first convolution, and the first depthwise one.
const LAYERS: usize = 2;

/// Kernels of a layer that are shown.
const SHOWN: usize = 64;

/// What a resemblance is worth a name from: as the cosine of an angle.
const ALIKE: f32 = 0.6;

/// The kernels of one layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerFilters {
    /// Its name in the model.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// Vertical and horizontal taps.
    pub size: [usize; 2],
    /// How many kernels there are.
    pub kernels: usize,
    /// The first of them.
    pub shown: Vec<Filter>,
}

/// One kernel.
#[derive(Debug, Clone, Serialize)]
pub struct Filter {
    /// The output channel that it makes.
    pub channel: usize,
    /// Its taps: blue is negative, white zero, red positive; of a convolution over red, green and blue the sum over these.
    pub image: Image,
    /// In the three colours, where it reads them: grey is zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colours: Option<Image>,
    /// The classic kernel that it resembles most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resembles: Option<Resemblance>,
}

/// How far a kernel is like a classic one.
#[derive(Debug, Clone, Serialize)]
pub struct Resemblance {
    /// The classic one's name.
    pub name: &'static str,
    /// The cosine of the angle between both, 0 to 1, over all quarter turns, reflections and signs.
    pub similarity: f32,
    /// The classic one, turned as it fits best.
    pub image: Image,
}

/// Classic kernels beside those that `microception filter` has.
const MORE: [(&str, [[i8; 3]; 3]); 5] = [
    ("sobel", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
    ("sobel aslant", [[-2, -1, 0], [-1, 0, 1], [0, 1, 2]]),
    ("line", [[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]]),
    ("difference of neighbours", [[0, 0, 0], [-1, 1, 0], [0, 0, 0]]),
    ("centre and surround", [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]),
];

/// The kernels of the first layers of a float graph; none of a quantized one.
pub fn of(graph: &Graph) -> Vec<LayerFilters> {
    let mut kinds: Vec<&str> = Vec::new();
    let filters = graph.layers.iter().filter_map(|layer| {
        let (Operator::Convolution { window, weights: Weights::F32(weights), .. }
        | Operator::Depthwise { window, weights: Weights::F32(weights), .. }) = &layer.operator
        else {
            return None;
        };
        let [height, width] = window.size;
        let is_depthwise = matches!(layer.operator, Operator::Depthwise { .. });
        let inputs = graph.tensor(*layer.inputs.first()?).shape.channels();
        if window.depth.is_some() || height < 2 || width < 2 || (!is_depthwise && inputs > 4) {
            return None;
        }
        // Of each kind the first alone: a picture of every kernel takes its time.
        if kinds.contains(&layer.operator.name()) {
            return None;
        }
        kinds.push(layer.operator.name());
        let kernels = graph.tensor(layer.output).shape.channels();
        let kernel = |channel: usize| {
            let taps = height * width;
            // `[vertical][horizontal][input]`
            let planes: Vec<f32> = match is_depthwise {
                true => (0..taps).map(|tap| weights[tap * kernels + channel]).collect(),
                false => weights[channel * taps * inputs..(channel + 1) * taps * inputs].to_vec(),
            };
            filter(channel, &planes, window.size)
        };
        let shown = (0..kernels.min(SHOWN)).map(kernel).collect();
        Some(LayerFilters { name: layer.name.clone(), kind: layer.operator.name(), size: window.size, kernels, shown })
    });
    filters.take(LAYERS).collect()
}

/// A kernel `[vertical][horizontal][input]`.
fn filter(channel: usize, planes: &[f32], [height, width]: [usize; 2]) -> Filter {
    let largest = |values: &[f32]| values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let inputs = planes.len() / (height * width).max(1);
    let sums: Vec<f32> = planes.chunks_exact(inputs.max(1)).map(|tap| tap.iter().sum()).collect();
    let image = Image::of_map(&sums, [height, width], Colours::Signed(largest(&sums)));
    let end = largest(planes);
    let colours = (inputs == 3).then(|| Image::of_frame(planes, [height, width, 3], [-end, end]));
    Filter { channel, image, colours, resembles: resemblance(&sums, [height, width]) }
}

/// The classic kernel that is most like one of these taps.
fn resemblance(taps: &[f32], size: [usize; 2]) -> Option<Resemblance> {
    let mut best: Option<(&'static str, f32, Vec<f32>)> = None;
    for (name, classic) in
        classics().into_iter().filter(|(_, classic)| classic.len() == taps.len() && size[0] == size[1])
    {
        for turned in symmetries(&classic, size[0]) {
            let similarity = cosine(&turned, taps);
            if best.as_ref().is_none_or(|(_, best, _)| similarity.abs() > best.abs() + 1e-6) {
                best = Some((name, similarity, turned));
            }
        }
    }
    let (name, similarity, classic) = best.filter(|(_, similarity, _)| similarity.abs() >= ALIKE)?;
    let classic: Vec<f32> = classic.iter().map(|tap| tap * similarity.signum()).collect();
    let largest = classic.iter().fold(0f32, |largest, tap| largest.max(tap.abs()));
    let image = Image::of_map(&classic, size, Colours::Signed(largest));
    Some(Resemblance { name, similarity: similarity.abs(), image })
}

/// All classic kernels, their taps row by row.
fn classics() -> Vec<(&'static str, Vec<f32>)> {
    fn taps<const N: usize>(kernel: &Kernel<N>) -> Vec<f32> {
        kernel.taps.iter().flatten().map(|&tap| f32::from(tap)).collect()
    }
    let named = KERNELS.iter().map(|kernel| match &kernel.taps {
        Taps::Three(three) => (kernel.name, taps(three)),
        Taps::Five(five) => (kernel.name, taps(five)),
    });
    let more = MORE.iter().map(|(name, taps)| (*name, taps.iter().flatten().map(|&tap| f32::from(tap)).collect()));
    named.chain(more).collect()
}

/// A square kernel in all quarter turns, each also reflected.
fn symmetries(taps: &[f32], size: usize) -> Vec<Vec<f32>> {
    let at = |place: &dyn Fn(usize, usize) -> (usize, usize)| -> Vec<f32> {
        let places = (0..size).flat_map(|row| (0..size).map(move |column| (row, column)));
        places.map(|(row, column)| place(row, column)).map(|(row, column)| taps[row * size + column]).collect()
    };
    let end = size - 1;
    vec![
        at(&|row, column| (row, column)),
        at(&|row, column| (column, end - row)),
        at(&|row, column| (end - row, end - column)),
        at(&|row, column| (end - column, row)),
        at(&|row, column| (row, end - column)),
        at(&|row, column| (end - row, column)),
        at(&|row, column| (column, row)),
        at(&|row, column| (end - column, end - row)),
    ]
}

fn cosine(first: &[f32], second: &[f32]) -> f32 {
    let product = |first: &[f32], second: &[f32]| first.iter().zip(second).map(|(a, b)| a * b).sum::<f32>();
    let length = (product(first, first) * product(second, second)).sqrt();
    if length > 0.0 { product(first, second) / length } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::resemblance;

    #[test]
    fn a_kernel_resembles_its_classic_however_turned() {
        let downwards = [2.1, 4.0, 1.9, 0.1, 0.0, -0.1, -2.0, -4.1, -2.0];
        let found = resemblance(&downwards, [3, 3]).unwrap();
        assert_eq!(found.name, "sobel");
        assert!(found.similarity > 0.99);
        assert_eq!(resemblance(&[1.0; 9], [3, 3]).unwrap().name, "box-blur");
        let gaussian = [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0f32].map(|tap| -tap);
        assert_eq!(resemblance(&gaussian, [3, 3]).unwrap().name, "gaussian-3x3");
    }

    #[test]
    fn what_is_like_nothing_has_no_name() {
        // Orthogonal to most: far from all.
        assert!(resemblance(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [3, 3]).is_none());
        assert!(resemblance(&[1.0; 6], [2, 3]).is_none());
    }
}

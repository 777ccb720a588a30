//! Notes the values that a model's tensors take, and chooses a range for each.

use super::ranges::{Method, Ranges};
use crate::error::Error;
use crate::graph::{Graph, TensorId};

/// Collects the values of all tensors of one graph. Its memory does not depend on how many frames
/// there are, and its answer not on their order.
#[derive(Debug, Clone)]
pub struct Observer {
    method: Method,
    frames: usize,
    /// In the order of the layers.
    tensors: Vec<Seen>,
}

/// What was seen of one tensor.
#[derive(Debug, Clone)]
struct Seen {
    tensor: TensorId,
    name: String,
    least: f32,
    greatest: f32,
    /// For percentiles and mean squares.
    histogram: Option<Histogram>,
    /// Of each channel.
    sums: Vec<f64>,
    /// Values of each channel.
    places: u64,
}

impl Observer {
    /// Nothing seen yet.
    pub fn new(graph: &Graph, method: Method) -> Observer {
        let seen = |tensor: TensorId| Seen {
            tensor,
            name: graph.tensor(tensor).name.clone(),
            least: f32::INFINITY,
            greatest: f32::NEG_INFINITY,
            histogram: (method != Method::MinMax).then(Histogram::new),
            sums: vec![0.0; graph.tensor(tensor).shape.channels()],
            places: 0,
        };
        Observer { method, frames: 0, tensors: graph.layers.iter().map(|layer| seen(layer.output)).collect() }
    }

    /// Takes in one frame; `values` gives each tensor's, or nothing where it was not computed.
    ///
    /// # Errors
    /// When a value is not finite; the error names the first layer that made such a one.
    pub fn frame<'a>(&mut self, mut values: impl FnMut(TensorId) -> Option<&'a [f32]>) -> Result<(), Error> {
        self.begin_frame();
        (0..self.tensors.len()).try_for_each(|layer| {
            let values = values(self.tensors[layer].tensor).unwrap_or(&[]);
            self.rows(layer, values)
        })
    }

    /// What [`rows`](Observer::rows) takes in from now on belongs to the next frame.
    pub fn begin_frame(&mut self) {
        self.frames += 1;
    }

    /// Takes in some rows of the output of the layer with that index.
    ///
    /// # Errors
    /// When a value is not finite.
    pub fn rows(&mut self, layer: usize, values: &[f32]) -> Result<(), Error> {
        let seen = &mut self.tensors[layer];
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            let reason = format!("makes {value} of calibration frame {}: no range covers that", self.frames);
            return Err(Error::layer(&seen.name, reason));
        }
        for &value in values {
            seen.least = seen.least.min(value);
            seen.greatest = seen.greatest.max(value);
        }
        if let Some(histogram) = &mut seen.histogram {
            histogram.add(values);
        }
        for pixel in values.chunks_exact(seen.sums.len().max(1)) {
            seen.sums.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += f64::from(value));
            seen.places += 1;
        }
        Ok(())
    }

    /// The ranges of all tensors that had values, and the means of their channels.
    ///
    /// # Errors
    /// When there was no frame.
    pub fn ranges(&self) -> Result<Ranges, Error> {
        if self.frames == 0 {
            return Err(Error::model("the calibration data is empty: ranges need at least one frame"));
        }
        let mut ranges = Ranges::of(self.method, self.frames);
        for seen in self.tensors.iter().filter(|seen| seen.least <= seen.greatest) {
            let range = match (self.method, &seen.histogram) {
                (Method::Percentile(percent), Some(histogram)) => {
                    let ends = [seen.least, seen.greatest];
                    [histogram.percentile(100.0 - percent, ends), histogram.percentile(percent, ends)]
                }
                (Method::Mse, Some(histogram)) => histogram.least_error([seen.least, seen.greatest]),
                _ => [seen.least, seen.greatest],
            };
            ranges.set(&seen.name, range)?;
            let mean = seen.sums.iter().map(|sum| (sum / seen.places.max(1) as f64) as f32);
            ranges.set_mean(&seen.name, mean.collect())?;
        }
        Ok(ranges)
    }
}

/// Counts of values by the upper half of their bits: sign, exponent, and seven bits of mantissa. A
/// bucket is at most 1/128 of its values wide, over all of f32, without knowing a range before.
#[derive(Debug, Clone)]
struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    fn new() -> Histogram {
        Histogram { counts: vec![0; 1 << 16], total: 0 }
    }

    fn add(&mut self, values: &[f32]) {
        for &value in values {
            self.counts[usize::from(bucket(value))] += 1;
        }
        self.total += values.len() as u64;
    }

    /// The value that stands for a bucket's.
    fn middle(&self, bucket: u16) -> f64 {
        let [start, end] = [start(bucket), start(bucket.saturating_add(1))].map(f64::from);
        // The zeros of a ReLU are in a bucket with the numbers just above.
        let middle = (start + end) / 2.0;
        if middle.abs() < f64::from(f32::MIN_POSITIVE) { 0.0 } else { middle }
    }

    /// The range within `ends`, zero in it, in which eight bits lose least: each end in turn is brought nearer to zero in
    /// hundredths of its way, until neither gains.
    fn least_error(&self, [least, greatest]: [f32; 2]) -> [f32; 2] {
        const PARTS: u32 = 100;
        let moments = Moments::of(self);
        let zeros = self.counts[usize::from(bucket(0.0))] as f64;
        let ends = [f64::from(least.min(0.0)), f64::from(greatest.max(0.0))];
        let range = |parts: [u32; 2]| [0, 1].map(|end| ends[end] * f64::from(parts[end]) / f64::from(PARTS));
        let error = |parts: [u32; 2]| moments.error(range(parts), zeros);
        let mut best = [PARTS; 2];
        loop {
            let before = best;
            for end in [1, 0] {
                for part in 1..=PARTS {
                    let mut parts = best;
                    parts[end] = part;
                    if error(parts) < error(best) {
                        best = parts;
                    }
                }
            }
            if best == before {
                return range(best).map(|end| end as f32);
            }
        }
    }

    /// The value below which `percent` of the values lie, linear within a bucket; `least` and
    /// `greatest` are the values at 0 and 100.
    fn percentile(&self, percent: f64, [least, greatest]: [f32; 2]) -> f32 {
        let last = self.total.saturating_sub(1) as f64;
        let rank = percent / 100.0 * last;
        if rank <= 0.0 {
            return least;
        }
        let mut before = 0;
        for (bucket, &count) in (0..=u16::MAX).zip(&self.counts) {
            if rank < last && rank < (before + count) as f64 {
                let [start, end] = [start(bucket), start(bucket.saturating_add(1))].map(f64::from);
                let share = (rank - before as f64 + 0.5) / count as f64;
                let value = (start + (end - start) * share.min(1.0)) as f32;
                // The zeros of a ReLU are in a bucket with the numbers just above.
                let value = if value.is_normal() { value } else { 0.0 };
                // A bucket's end can lie beyond the last value in it.
                return value.clamp(least, greatest);
            }
            before += count;
        }
        greatest
    }
}

/// Of values in their order: how many lie below one, their sum, and that of their squares.
struct Moments(Vec<(f64, [f64; 3])>);

impl Moments {
    fn of(histogram: &Histogram) -> Moments {
        let mut below = [0f64; 3];
        let mut moments = Vec::new();
        for (bucket, &count) in (0..=u16::MAX).zip(&histogram.counts).filter(|(_, count)| **count != 0) {
            let value = histogram.middle(bucket);
            moments.push((value, below));
            let count = count as f64;
            below = [below[0] + count, below[1] + count * value, below[2] + count * value * value];
        }
        moments.push((f64::INFINITY, below));
        Moments(moments)
    }

    /// The moments of the values below one.
    fn below(&self, value: f64) -> [f64; 3] {
        let at = self.0.partition_point(|&(place, _)| place < value);
        self.0.get(at).or(self.0.last()).map_or([0.0; 3], |&(_, moments)| moments)
    }

    /// The sum of the squares of what is lost with a range of 255 steps: what lies outside is cut, what lies inside and is not
    /// zero is off by a twelfth of a step's square in the mean.
    fn error(&self, [least, greatest]: [f64; 2], zeros: f64) -> f64 {
        let (below, inside) = (self.below(least), self.below(greatest));
        let all = self.below(f64::INFINITY);
        let cut = |[count, sum, squares]: [f64; 3], end: f64| squares - 2.0 * end * sum + end * end * count;
        let above = [all[0] - inside[0], all[1] - inside[1], all[2] - inside[2]];
        let step = (greatest - least) / 255.0;
        let rounded = (inside[0] - below[0] - zeros).max(0.0);
        cut(below, least) + cut(above, greatest) + rounded * step * step / 12.0
    }
}

/// The bucket of a finite value; buckets are in the order of the values.
fn bucket(value: f32) -> u16 {
    let bits = value.to_bits();
    // Negative numbers have larger bits the smaller they are.
    let ordered = if value.is_sign_negative() { !bits } else { bits | 1 << 31 };
    (ordered >> 16) as u16
}

/// The least value of a bucket.
fn start(bucket: u16) -> f32 {
    let ordered = u32::from(bucket) << 16;
    f32::from_bits(if ordered >> 31 == 0 { !ordered } else { ordered & !(1 << 31) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_the_order_of_the_values() {
        let values = [f32::MIN, -3.0, -1.5, -1.0, -1e-30, 0.0, 1e-30, 0.5, 1.0, 1.01, 2.0, f32::MAX];
        assert!(values.is_sorted_by(|a, b| bucket(*a) < bucket(*b)));
        for value in values {
            let bucket = bucket(value);
            assert!(start(bucket) <= value && value <= start(bucket.saturating_add(1)), "{value}");
        }
    }

    #[test]
    fn percentiles_of_even_steps_are_within_a_bucket() {
        let mut histogram = Histogram::new();
        histogram.add(&(-5000..=5000).map(|step| step as f32 / 1000.0).collect::<Vec<_>>());
        for (percent, expected) in [(100.0, 5.0), (99.0, 4.9), (1.0, -4.9), (75.0, 2.5), (50.0, 0.0), (0.0, -5.0)] {
            let found = histogram.percentile(percent, [-5.0, 5.0]);
            assert!((found - expected).abs() <= expected.abs() / 100.0 + 0.001, "{percent}: {found}");
        }
    }
    #[test]
    fn the_percentile_of_zeros_is_zero() {
        let mut histogram = Histogram::new();
        histogram.add(&[0.0; 100]);
        histogram.add(&[1.0; 100]);
        assert_eq!(histogram.percentile(10.0, [0.0, 1.0]), 0.0);
    }
}

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
    /// For percentiles.
    histogram: Option<Histogram>,
}

impl Observer {
    /// Nothing seen yet.
    pub fn new(graph: &Graph, method: Method) -> Observer {
        let seen = |tensor: TensorId| Seen {
            tensor,
            name: graph.tensor(tensor).name.clone(),
            least: f32::INFINITY,
            greatest: f32::NEG_INFINITY,
            histogram: matches!(method, Method::Percentile(_)).then(Histogram::new),
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
        Ok(())
    }

    /// The ranges of all tensors that had values.
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
                _ => [seen.least, seen.greatest],
            };
            ranges.set(&seen.name, range)?;
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

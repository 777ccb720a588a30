//! Operators on volumes as plainly as can be: whole tensors, f64, a loop for every axis.

use microception_codegen::graph::{Axis, Bias, Operator, Padding, PairFunction, Weights, Window};

/// A tensor `[plane][line][column][channel]`; of a flat one, all extents but the last are 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    pub extents: [usize; 4],
    pub values: Vec<f64>,
}

impl Volume {
    pub fn of(extents: [usize; 4], value: impl FnMut([usize; 4]) -> f64) -> Volume {
        let [planes, lines, columns, channels] = extents;
        let places = (0..planes).flat_map(|plane| (0..lines).map(move |line| [plane, line]));
        let places = places.flat_map(|[plane, line]| (0..columns).map(move |column| [plane, line, column]));
        let places =
            places.flat_map(|[plane, line, column]| (0..channels).map(move |channel| [plane, line, column, channel]));
        Volume { extents, values: places.map(value).collect() }
    }

    /// The value at a place; `None` outside.
    fn at(&self, place: [i64; 4]) -> Option<f64> {
        let mut index = 0;
        for (place, extent) in place.into_iter().zip(self.extents) {
            if !(0..extent as i64).contains(&place) {
                return None;
            }
            index = index * extent + place as usize;
        }
        Some(self.values[index])
    }

    fn inside(&self, place: [usize; 4]) -> f64 {
        self.at(place.map(|place| place as i64)).expect("a place of the volume")
    }
}

/// Taps, stride, dilation, and places before and behind, of each of the three axes.
fn along(window: &Window, extents: [usize; 4]) -> [[i64; 5]; 3] {
    let depth = window.depth.expect("a window over planes");
    let numbers = |taps: usize, stride: usize, dilation: usize, around: [usize; 2]| {
        [taps, stride, dilation, around[0], around[1]].map(|number| number as i64)
    };
    let within = |axis: usize| {
        let (taps, stride, dilation) = (window.size[axis], window.stride[axis], window.dilation[axis]);
        let extent = extents[axis + 1];
        let around = match window.padding {
            Padding::Valid => [0, 0],
            Padding::Explicit { before, after } => [before[axis], after[axis]],
            Padding::Same => {
                // As many as give one output for each stride begun, an odd one behind.
                let last_tap = (extent.div_ceil(stride) - 1) * stride + (taps - 1) * dilation;
                let needed = (last_tap + 1).saturating_sub(extent);
                [needed / 2, needed - needed / 2]
            }
        };
        numbers(taps, stride, dilation, around)
    };
    let outside = numbers(depth.size, depth.stride, depth.dilation, [depth.before, depth.after]);
    [outside, within(0), within(1)]
}

/// The output's extents along the three axes; `None` where the window does not fit.
pub fn outputs(window: &Window, extents: [usize; 4]) -> Option<[usize; 3]> {
    let mut outputs = [0; 3];
    for (index, [taps, stride, dilation, before, after]) in along(window, extents).into_iter().enumerate() {
        let room = extents[index] as i64 + before + after - (taps - 1) * dilation - 1;
        if room < 0 {
            return None;
        }
        outputs[index] = (room / stride + 1) as usize;
    }
    Some(outputs)
}

/// Calls `place` with the tap's number and the input's place for every tap of an output that is not on padding.
fn each_tap(window: &Window, extents: [usize; 4], output: [usize; 4], mut place: impl FnMut(usize, [i64; 3])) {
    let axes = along(window, extents);
    let [depth, vertical, horizontal] = axes.map(|[taps, ..]| taps);
    let mut number = 0;
    for plane in 0..depth {
        for line in 0..vertical {
            for column in 0..horizontal {
                let at: [i64; 3] = std::array::from_fn(|axis| {
                    let [_, stride, dilation, before, _] = axes[axis];
                    output[axis] as i64 * stride + [plane, line, column][axis] * dilation - before
                });
                if (0..3).all(|axis| (0..extents[axis] as i64).contains(&at[axis])) {
                    place(number, at);
                }
                number += 1;
            }
        }
    }
}

fn reals(weights: &Weights) -> Vec<f64> {
    match weights {
        Weights::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
        Weights::I8 { .. } | Weights::I4 { .. } => panic!("the loops are in real numbers"),
    }
}

fn bias_of(bias: &Option<Bias>, channel: usize) -> f64 {
    match bias {
        Some(Bias::F32(values)) => f64::from(values[channel]),
        _ => 0.0,
    }
}

/// What an operator makes of volumes.
pub fn compute(operator: &Operator, inputs: &[&Volume]) -> Volume {
    let input = inputs[0];
    let [planes, lines, columns, channels] = input.extents;
    let slid = |window: &Window, channels: usize| {
        let [planes, lines, columns] = outputs(window, input.extents).expect("a window that fits");
        [planes, lines, columns, channels]
    };
    let pooled = |window: &Window, of: fn(&[f64]) -> f64| {
        Volume::of(slid(window, channels), |place| {
            let mut values = Vec::new();
            each_tap(window, input.extents, place, |_, [plane, line, column]| {
                values.extend(input.at([plane, line, column, place[3] as i64]));
            });
            of(&values)
        })
    };
    match operator {
        Operator::Convolution { weights, bias, window, .. } => {
            let weights = reals(weights);
            let taps = along(window, input.extents).iter().map(|[taps, ..]| *taps as usize).product::<usize>();
            let filters = weights.len() / taps / channels;
            Volume::of(slid(window, filters), |place| {
                let mut sum = bias_of(bias, place[3]);
                each_tap(window, input.extents, place, |tap, [plane, line, column]| {
                    for channel in 0..channels {
                        let weight = weights[(place[3] * taps + tap) * channels + channel];
                        sum += weight * input.at([plane, line, column, channel as i64]).expect("inside");
                    }
                });
                sum
            })
        }
        Operator::Depthwise { weights, bias, window, multiplier, .. } => {
            let weights = reals(weights);
            let outputs = channels * multiplier;
            Volume::of(slid(window, outputs), |place| {
                let mut sum = bias_of(bias, place[3]);
                each_tap(window, input.extents, place, |tap, [plane, line, column]| {
                    let value = input.at([plane, line, column, (place[3] / multiplier) as i64]).expect("inside");
                    sum += weights[tap * outputs + place[3]] * value;
                });
                sum
            })
        }
        Operator::MaxPool { window } => pooled(window, |values| values.iter().copied().fold(f64::MIN, f64::max)),
        Operator::AveragePool { window } => pooled(window, |values| values.iter().sum::<f64>() / values.len() as f64),
        Operator::GlobalMaxPool { .. } | Operator::GlobalAveragePool { .. } => {
            let places = planes * lines * columns;
            Volume::of([1, 1, 1, channels], |[.., channel]| {
                let values = input.values.iter().skip(channel).step_by(channels).copied();
                match operator {
                    Operator::GlobalMaxPool { .. } => values.fold(f64::MIN, f64::max),
                    _ => values.sum::<f64>() / places as f64,
                }
            })
        }
        Operator::Pad { before, after, value } => {
            let extents = std::array::from_fn(|axis| before[axis] + input.extents[axis] + after[axis]);
            Volume::of(extents, |place| {
                let from = std::array::from_fn(|axis| place[axis] as i64 - before[axis] as i64);
                input.at(from).unwrap_or(f64::from(*value))
            })
        }
        Operator::Concatenate { axis } => {
            let place = Axis::ALL.iter().position(|other| other == axis).expect("an axis");
            let mut extents = input.extents;
            extents[place] += inputs[1].extents[place];
            Volume::of(extents, |at| match at[place].checked_sub(input.extents[place]) {
                None => input.inside(at),
                Some(behind) => {
                    let mut at = at;
                    at[place] = behind;
                    inputs[1].inside(at)
                }
            })
        }
        Operator::ResizeNearest { size, .. } => {
            let [planes, lines, columns] = *size;
            let extents = [planes, lines, columns, channels];
            // Whole multiples: each place as often as the other extent is larger.
            Volume::of(extents, |at| {
                input.inside(std::array::from_fn(|axis| at[axis] * input.extents[axis] / extents[axis]))
            })
        }
        Operator::Pairwise { function, .. } => Volume::of(input.extents, |at| {
            let second = inputs[1].inside(std::array::from_fn(|axis| at[axis] % inputs[1].extents[axis]));
            match function {
                PairFunction::Add => input.inside(at) + second,
                PairFunction::Multiply => input.inside(at) * second,
                PairFunction::Maximum => input.inside(at).max(second),
                other => panic!("{} is not among the random operators", other.name()),
            }
        }),
        other => panic!("{} is not among the random operators", other.name()),
    }
}

//! Functions of one number and their slopes, functions of two, and the softmax.

use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor, WithDType};
use rayon::prelude::*;

use super::sums::contiguous;
use crate::graph::{Function, PairFunction};

/// Elements that one thread takes at least.
const ELEMENTS_AT_ONCE: usize = 1 << 12;

/// A function of every element.
#[derive(Debug, Clone, Copy)]
pub(in crate::visualize) struct Each(pub(in crate::visualize) Function);

impl CustomOp1 for Each {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let made = match (self.0.clamps(), storage) {
            (Some([least, greatest]), CpuStorage::F32(_)) => {
                let clamp = |x: f32| microception::functions::clamp(x, least, greatest);
                each(contiguous(storage, layout)?, clamp)
            }
            (_, CpuStorage::F64(_)) => each(contiguous(storage, layout)?, |x: f64| value(self.0, x)),
            _ => each(contiguous(storage, layout)?, |x: f32| value(self.0, f64::from(x)) as f32),
        };
        Ok((made, layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        arg.contiguous()?.apply_op1_no_bwd(&Slope(self.0))?.mul(grad).map(Some)
    }
}

/// The slope of a function at every element.
struct Slope(Function);

impl CustomOp1 for Slope {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let made = match (self.0.clamps(), storage) {
            (Some([least, greatest]), CpuStorage::F32(_)) => {
                let inside = |x: f32| if least < x && x < greatest { 1.0 } else { 0.0 };
                each(contiguous(storage, layout)?, inside)
            }
            (_, CpuStorage::F64(_)) => each(contiguous(storage, layout)?, |x: f64| slope(self.0, x)),
            _ => each(contiguous(storage, layout)?, |x: f32| slope(self.0, f64::from(x)) as f32),
        };
        Ok((made, layout.shape().clone()))
    }
}

fn each<T: WithDType>(input: &[T], function: impl Fn(T) -> T + Sync) -> CpuStorage {
    let made = input.par_iter().with_min_len(ELEMENTS_AT_ONCE).map(|&x| function(x)).collect();
    T::to_cpu_storage_owned(made)
}

/// Klambauer et al. 2017.
const SELU: [f64; 2] = [1.050_701, 1.673_263_2];
const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
const CUBE: f64 = 0.044715;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn clamp(x: f64, least: f32, greatest: f32) -> f64 {
    x.max(f64::from(least)).min(f64::from(greatest))
}

/// What [`Function`] says, in f64.
fn value(function: Function, x: f64) -> f64 {
    match function {
        Function::Relu => x.max(0.0),
        Function::Relu6 => clamp(x, 0.0, 6.0),
        Function::Clamp { least, greatest } => clamp(x, least, greatest),
        Function::LeakyRelu { slope } => x * if x < 0.0 { f64::from(slope) } else { 1.0 },
        Function::ThresholdRelu { slope, threshold, greatest } => {
            let threshold = f64::from(threshold);
            if x > threshold { clamp(x, 0.0, greatest) } else { f64::from(slope) * (x - threshold) }
        }
        Function::Elu { alpha } => elu(x, f64::from(alpha)),
        Function::Selu => SELU[0] * elu(x, SELU[1]),
        Function::Gelu => x * normal_below(x),
        Function::GeluTanh => 0.5 * x * (1.0 + (SQRT_2_OVER_PI * (x + CUBE * x.powi(3))).tanh()),
        Function::Silu => x * sigmoid(x),
        Function::Sigmoid => sigmoid(x),
        Function::HardSigmoid { slope } => (f64::from(slope) * x + 0.5).clamp(0.0, 1.0),
        Function::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Function::Tanh => x.tanh(),
        Function::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Function::Softsign => x / (1.0 + x.abs()),
        Function::Exponential => x.exp(),
        Function::Step => f64::from(u8::from(x >= 0.0)),
    }
}

/// The derivative of [`value`]; at a kink that of one side. A step has none but zero.
fn slope(function: Function, x: f64) -> f64 {
    let inside = |least: f32, greatest: f32| f64::from(u8::from(f64::from(least) < x && x < f64::from(greatest)));
    match function {
        Function::Relu => inside(0.0, f32::INFINITY),
        Function::Relu6 => inside(0.0, 6.0),
        Function::Clamp { least, greatest } => inside(least, greatest),
        Function::LeakyRelu { slope } => {
            if x < 0.0 {
                f64::from(slope)
            } else {
                1.0
            }
        }
        Function::ThresholdRelu { slope, threshold, greatest } => {
            if x > f64::from(threshold) {
                inside(0.0, greatest)
            } else {
                f64::from(slope)
            }
        }
        Function::Elu { alpha } => elu_slope(x, f64::from(alpha)),
        Function::Selu => SELU[0] * elu_slope(x, SELU[1]),
        // The normal density is exp(-x^2 / 2) / sqrt(2 pi).
        Function::Gelu => normal_below(x) + x * (-0.5 * x * x).exp() * 0.5 * SQRT_2_OVER_PI,
        Function::GeluTanh => {
            let tanh = (SQRT_2_OVER_PI * (x + CUBE * x.powi(3))).tanh();
            0.5 * (1.0 + tanh) + 0.5 * x * (1.0 - tanh * tanh) * SQRT_2_OVER_PI * (1.0 + 3.0 * CUBE * x * x)
        }
        Function::Silu => sigmoid(x) * (1.0 + x * sigmoid(-x)),
        Function::Sigmoid => sigmoid(x) * sigmoid(-x),
        Function::HardSigmoid { slope } => {
            let slope = f64::from(slope);
            if (0.0..=1.0).contains(&(slope * x + 0.5)) { slope } else { 0.0 }
        }
        Function::HardSwish if x < -3.0 => 0.0,
        Function::HardSwish if x > 3.0 => 1.0,
        Function::HardSwish => (2.0 * x + 3.0) / 6.0,
        Function::Tanh => 1.0 - x.tanh().powi(2),
        Function::Softplus => sigmoid(x),
        Function::Softsign => (1.0 + x.abs()).powi(-2),
        Function::Exponential => x.exp(),
        Function::Step => 0.0,
    }
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x < 0.0 { alpha * x.exp_m1() } else { x }
}

fn elu_slope(x: f64, alpha: f64) -> f64 {
    if x < 0.0 { alpha * x.exp() } else { 1.0 }
}

/// The probability that a normal number is below `x`.
fn normal_below(x: f64) -> f64 {
    0.5 * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))
}

/// A function of two tensors of as many axes; extents of 1 are repeated.
pub(super) fn pair(function: PairFunction, first: &Tensor, second: &Tensor) -> Result<Tensor> {
    match function {
        PairFunction::Add => first.broadcast_add(second),
        PairFunction::Subtract => first.broadcast_sub(second),
        PairFunction::Multiply => first.broadcast_mul(second),
        PairFunction::Maximum => first.broadcast_maximum(second),
        PairFunction::Minimum => first.broadcast_minimum(second),
        // What is above zero, and the slope times what is below.
        PairFunction::Prelu => first.relu()?.broadcast_sub(&first.neg()?.relu()?.broadcast_mul(second)?),
    }
}

/// `exp(x) / sum(exp(x))` of each row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let channels = layout.dims().last().copied().unwrap_or(1);
        let made = match storage {
            CpuStorage::F64(_) => softmax(contiguous::<f64>(storage, layout)?, channels),
            _ => softmax(contiguous::<f32>(storage, layout)?, channels),
        };
        Ok((made, layout.shape().clone()))
    }

    fn bwd(&self, _arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let mean = res.mul(grad)?.sum_keepdim(D::Minus1)?;
        res.mul(&grad.broadcast_sub(&mean)?).map(Some)
    }
}

fn softmax<T: WithDType>(input: &[T], channels: usize) -> CpuStorage {
    let row = |row: &[T]| {
        let largest = row.iter().map(|x| x.to_f64()).fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = row.iter().map(|x| (x.to_f64() - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(move |power| T::from_f64(power / sum))
    };
    T::to_cpu_storage_owned(input.chunks(channels.max(1)).flat_map(row).collect())
}

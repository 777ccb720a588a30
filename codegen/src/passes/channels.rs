//! Which output and which input channel a weight belongs to, in each operator's layout.

use crate::graph::{Bias, Operator, Weights};

/// The channels of a layer with weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Channels {
    /// Output channels.
    pub outputs: usize,
    /// Channels of an input pixel.
    inputs: usize,
    layout: Layout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `[output][..][input]`, with so many weights for each output.
    OutputFirst { per_output: usize },
    /// `[..][output]`, with so many outputs for each input.
    OutputLast { multiplier: usize },
}

impl Channels {
    /// The channels of an operator that makes `outputs` channels from `inputs`; `None` for one
    /// without weights.
    pub fn of(operator: &Operator, inputs: usize, outputs: usize) -> Option<Channels> {
        let layout = match operator {
            Operator::Convolution { weights, .. }
            | Operator::Dense { weights, .. }
            | Operator::PositionwiseDense { weights, .. } => {
                Layout::OutputFirst { per_output: weights.len() / outputs }
            }
            Operator::Depthwise { multiplier, .. } => Layout::OutputLast { multiplier: *multiplier },
            _ => return None,
        };
        Some(Channels { outputs, inputs, layout })
    }

    /// The output channel that the weight at `index` adds to.
    pub fn output_of(&self, index: usize) -> usize {
        match self.layout {
            Layout::OutputFirst { per_output } => index / per_output,
            Layout::OutputLast { .. } => index % self.outputs,
        }
    }

    /// The input channel that the weight at `index` multiplies. A dense layer that reads an image
    /// has its weights in the image's order, so that this holds for it too.
    pub fn input_of(&self, index: usize) -> usize {
        match self.layout {
            Layout::OutputFirst { .. } => index % self.inputs,
            Layout::OutputLast { multiplier } => index % self.outputs / multiplier,
        }
    }
}

/// The f32 weights and the bias of an operator, to change them.
pub(crate) fn trained(operator: &mut Operator) -> Option<(&mut Vec<f32>, &mut Option<Bias>)> {
    match operator {
        Operator::Convolution { weights: Weights::F32(weights), bias, .. }
        | Operator::Depthwise { weights: Weights::F32(weights), bias, .. }
        | Operator::Dense { weights: Weights::F32(weights), bias, .. }
        | Operator::PositionwiseDense { weights: Weights::F32(weights), bias, .. } => match bias {
            Some(Bias::I32(_) | Bias::I64(_)) => None,
            _ => Some((weights, bias)),
        },
        _ => None,
    }
}

/// The biases in f64, zeros where there are none.
pub(crate) fn biases(bias: Option<&Bias>, outputs: usize) -> Vec<f64> {
    match bias {
        Some(Bias::F32(values)) => values.iter().map(|&value| f64::from(value)).collect(),
        Some(Bias::I32(_) | Bias::I64(_)) | None => vec![0.0; outputs],
    }
}

/// A bias of these numbers; none where there was none and all are zero.
pub(crate) fn bias_of(values: &[f64], before: Option<&Bias>) -> Option<Bias> {
    let needed = before.is_some() || values.iter().any(|&value| value != 0.0);
    needed.then(|| Bias::F32(values.iter().map(|&value| value as f32).collect()))
}

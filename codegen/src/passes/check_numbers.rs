//! Errors on trained numbers that are not finite.

use crate::error::Error;
use crate::graph::{Bias, Constant, Function, Graph, Numbers, Operator, Weights};

/// Looks at every weight, bias, scale and shift, and at the numbers of functions.
pub fn apply(graph: &mut Graph) -> Result<(), Error> {
    for layer in &graph.layers {
        let mut numbers: Vec<(&str, &[f32])> = Vec::new();
        match layer.operator.weights() {
            Some((Weights::F32(values), _)) => numbers.push(("weights", values)),
            Some((Weights::I8 { scales, .. } | Weights::I4 { scales, .. }, _)) => {
                numbers.push(("weight scales", scales))
            }
            None => {}
        }
        if let Some((_, Some(Bias::F32(values)))) = layer.operator.weights() {
            numbers.push(("biases", values));
        }
        match &layer.operator {
            Operator::ScaleShift { scale, shift } => numbers.extend([("scales", &scale[..]), ("shifts", &shift[..])]),
            Operator::Pairwise { constant: Some(Constant { numbers: Numbers::F32(values), .. }), .. } => {
                numbers.push(("constants", values));
            }
            Operator::Activation(Function::LeakyRelu { slope: number } | Function::Elu { alpha: number }) => {
                numbers.push(("slope or alpha", std::slice::from_ref(number)));
            }
            Operator::Input { scale, offset, .. } => {
                numbers.extend([("scale", std::slice::from_ref(scale)), ("offset", std::slice::from_ref(offset))]);
            }
            _ => {}
        }
        for (what, values) in numbers {
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let reason = format!(
                    "number {} of its {} {what} is {}: the model can't be used",
                    index + 1,
                    values.len(),
                    values[index]
                );
                return Err(Error::layer(&layer.name, reason));
            }
        }
    }
    Ok(())
}

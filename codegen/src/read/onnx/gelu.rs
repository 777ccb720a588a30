//! `x * (1 + erf(x / sqrt(2))) / 2`, which exporters write with five nodes where the version of the operators has no Gelu.

use super::Builder;
use super::message::Node;
use crate::error::Error;
use crate::graph::{Function, Operator};

/// The five nodes.
pub(super) struct Gelu {
    /// The first, which divides.
    pub(super) first: usize,
    /// The last, which makes what the function gives.
    last: usize,
    all: [usize; 5],
    /// The name of `x`.
    input: String,
}

impl<'a> Builder<'a> {
    /// The nodes around the Erf at `index`, if they are those of a GELU.
    pub(super) fn gelu_around(&mut self, index: usize) -> Result<Option<Gelu>, Error> {
        let nodes = self.nodes;
        let erf = nodes[index].output()?;
        let Some(first) = nodes[index].input(0).and_then(|name| self.makers.get(name).copied()) else {
            return Ok(None);
        };
        let Some(sum) = self.only_reader(erf, "Add") else { return Ok(None) };
        let of_sum = nodes[sum].output()?;
        let Some(product) = self.only_reader(of_sum, "Mul") else { return Ok(None) };
        let made = nodes[product].output()?;
        if !self.is_by(sum, erf, 1.0)? {
            return Ok(None);
        }
        // x / sqrt(2), or x * sqrt(1/2).
        let root = match nodes[first].kind.as_str() {
            "Div" => std::f32::consts::SQRT_2,
            "Mul" => std::f32::consts::FRAC_1_SQRT_2,
            _ => return Ok(None),
        };
        let mut input = None;
        for name in nodes[first].inputs.iter().map(String::as_str) {
            if self.is_by(first, name, root)? {
                input = Some(name);
            }
        }
        let Some(input) = input else { return Ok(None) };
        let other = self.other_input(product, of_sum);
        let behind = self.only_reader(made, "Mul");
        let before =
            other.and_then(|name| self.makers.get(name).copied()).filter(|&before| nodes[before].kind == "Mul");
        // The half comes last, second, or first.
        let (half, last) = match (behind, before) {
            (Some(behind), _) if other == Some(input) && self.is_by(behind, made, 0.5)? => (behind, behind),
            (Some(behind), _) if self.is_by(product, of_sum, 0.5)? && self.other_input(behind, made) == Some(input) => {
                (behind, behind)
            }
            (_, Some(before)) if self.is_by(before, input, 0.5)? => (before, product),
            _ => return Ok(None),
        };
        Ok(Some(Gelu { first, last, all: [first, index, sum, product, half], input: input.to_owned() }))
    }

    /// Whether a node takes the value of that name and this number.
    fn is_by(&mut self, node: usize, name: &str, number: f32) -> Result<bool, Error> {
        let other = self.other_input(node, name).map_or(Ok(None), |other| self.scalar(other))?;
        Ok(other.is_some_and(|other| (other - number).abs() < 1e-5))
    }

    /// The layer that the five nodes are.
    pub(super) fn gelu(&mut self, gelu: &Gelu) -> Result<(), Error> {
        let node: &'a Node = &self.nodes[gelu.last];
        self.done.extend(gelu.all);
        let Some(value) = self.values.get(&gelu.input) else {
            return Err(
                node.error(format!("reads \"{}\", which no operator before it makes", gelu.input.escape_debug()))
            );
        };
        let view = value.view.clone();
        let view = self.with_elements(node, view)?;
        self.emit(gelu.last, node, Operator::Activation(Function::Gelu), vec![view.id], view)
    }
}

//! What a model computes of its own shapes, where it was exported for any size: whole numbers that are known here.

use super::Builder;
use super::message::Node;
use super::tensors::{Constant, Numbers};
use crate::error::Error;

impl<'a> Builder<'a> {
    /// Computes what a node makes, where that is a constant.
    pub(super) fn computes_integers(&mut self, node: &'a Node) -> Result<bool, Error> {
        let constant = match node.kind.as_str() {
            "Constant" => self.literal(node)?,
            "Shape" => self.shape(node)?,
            "Gather" | "Concat" | "Unsqueeze" | "Squeeze" | "Slice" | "Mul" | "Div" | "Add" | "Sub" | "Cast"
            | "ReduceProd" | "Reshape" | "Transpose" | "ConstantOfShape" => match self.integers_of(node)? {
                Some(inputs) => self.of_integers(node, &inputs)?,
                None if matches!(node.kind.as_str(), "Gather" | "ReduceProd" | "ConstantOfShape") => {
                    return Err(node.error("is supported for shapes only"));
                }
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        self.budget.take(constant.len(), 2 * size_of::<i64>())?;
        self.hold(node.output()?, constant);
        Ok(true)
    }

    /// The numbers that a Constant says.
    fn literal(&mut self, node: &Node) -> Result<Constant, Error> {
        if let Some(tensor) = node.tensor("value")? {
            return Constant::of(&tensor, node.title(), &mut self.budget);
        }
        for name in ["value_int", "value_ints"] {
            if let Some(numbers) = node.integers(name)? {
                let numbers = if name == "value_int" { vec![node.integer(name, 0)?] } else { numbers };
                let extents = if name == "value_int" { Vec::new() } else { vec![numbers.len()] };
                return Ok(Constant { extents, numbers: Numbers::Integer(numbers) });
            }
        }
        for name in ["value_float", "value_floats"] {
            if let Some(numbers) = node.floats(name)? {
                let extents = if name == "value_float" { Vec::new() } else { vec![numbers.len()] };
                return Ok(Constant { extents, numbers: Numbers::Float(numbers) });
            }
        }
        Err(node.error("has numbers of a kind that is not supported"))
    }

    /// The extents of a value, its batch of one included.
    fn shape(&mut self, node: &Node) -> Result<Constant, Error> {
        let view = self.read(node, 0)?;
        if view.is_of_places() {
            return Err(node.error("reads places that a Reshape has put along the batch, which is not supported"));
        }
        let extents: Vec<i64> =
            [1].into_iter().chain(self.extents(&view).into_iter().map(|extent| extent as i64)).collect();
        let count = extents.len() as i64;
        let place = |number: i64| (if number < 0 { number + count } else { number }).clamp(0, count) as usize;
        let (start, end) = (place(node.integer("start", 0)?), place(node.integer("end", count)?));
        let numbers = extents.get(start..end).unwrap_or_default().to_vec();
        Ok(Constant { extents: vec![numbers.len()], numbers: Numbers::Integer(numbers) })
    }

    /// The whole numbers of all inputs, where all are known and the first is no value.
    fn integers_of(&mut self, node: &Node) -> Result<Option<Vec<Constant>>, Error> {
        let mut inputs = Vec::new();
        for place in 0..node.inputs.len() {
            if node.input(place).is_none_or(|name| !self.constants.contains_key(name)) {
                return Ok(None);
            }
            match self.constant(node, place)? {
                Some(constant) if constant.integers().is_some() => inputs.push(constant),
                _ => return Ok(None),
            }
        }
        Ok((!inputs.is_empty()).then_some(inputs))
    }

    /// What a node makes of whole numbers.
    fn of_integers(&mut self, node: &Node, inputs: &[Constant]) -> Result<Constant, Error> {
        let numbers = |place: usize| inputs.get(place).and_then(Constant::integers).unwrap_or_default();
        let first = numbers(0);
        let list = |numbers: Vec<i64>| Constant { extents: vec![numbers.len()], numbers: Numbers::Integer(numbers) };
        let outside = || node.error("takes numbers that are not there: damaged file");
        Ok(match node.kind.as_str() {
            "Gather" => {
                let place =
                    |number: i64| usize::try_from(if number < 0 { number + first.len() as i64 } else { number }).ok();
                let taken = numbers(1).iter().map(|&number| first.get(place(number)?).copied());
                let taken: Option<Vec<i64>> = taken.collect();
                let extents = inputs.get(1).ok_or_else(outside)?.extents.clone();
                Constant { extents, numbers: Numbers::Integer(taken.ok_or_else(outside)?) }
            }
            "Concat" => list(inputs.iter().filter_map(Constant::integers).flatten().copied().collect()),
            // Of one axis at most: what it has stays in its order.
            "Unsqueeze" => list(first.to_vec()),
            "Cast" => inputs[0].clone(),
            "Squeeze" => {
                let one = first.get(..1).ok_or_else(outside)?.to_vec();
                Constant { extents: Vec::new(), numbers: Numbers::Integer(one) }
            }
            "Slice" => sliced(node, &inputs[0], [numbers(1), numbers(2), numbers(3), numbers(4)])?,
            "Reshape" => {
                let count = first.len();
                let known = numbers(1).iter().filter_map(|&extent| usize::try_from(extent).ok());
                let known = known.fold(1, usize::saturating_mul);
                let extent = |&extent: &i64| usize::try_from(extent).unwrap_or(count.checked_div(known).unwrap_or(0));
                let extents: Vec<usize> = numbers(1).iter().map(extent).collect();
                let possible = extents.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent.max(1)));
                if possible.is_none() || extents.iter().product::<usize>() != count {
                    return Err(outside());
                }
                Constant { extents, numbers: Numbers::Integer(first.to_vec()) }
            }
            "Transpose" => match inputs[0].extents[..] {
                [rows, columns] => {
                    let turned =
                        (0..columns).flat_map(|column| (0..rows).map(move |row| first[row * columns + column]));
                    Constant { extents: vec![columns, rows], numbers: Numbers::Integer(turned.collect()) }
                }
                _ => return Err(node.error("of whole numbers of other than two axes is not supported")),
            },
            "ConstantOfShape" => {
                let value = node
                    .tensor("value")?
                    .map(|value| Constant::of(&value, node.title(), &mut self.budget))
                    .transpose()?;
                let value = value.as_ref().and_then(Constant::integers).and_then(|value| value.first()).copied();
                let value = value.ok_or_else(|| node.error("is supported for whole numbers only"))?;
                let count =
                    first.iter().try_fold(1usize, |count, &extent| count.checked_mul(usize::try_from(extent).ok()?));
                let count = count.ok_or_else(outside)?;
                self.budget.take(count, size_of::<i64>())?;
                list(vec![value; count])
            }
            "ReduceProd" => {
                let product = first.iter().try_fold(1, |product: i64, &number| product.checked_mul(number));
                list(vec![product.ok_or_else(outside)?])
            }
            kind => {
                let second = numbers(1);
                let count = first.len().max(second.len());
                let fits = |numbers: &[i64]| !numbers.is_empty() && [1, count].contains(&numbers.len());
                if !fits(first) || !fits(second) {
                    return Err(outside());
                }
                let made = (0..count).map(|place| {
                    let (first, second) = (first[place % first.len()], second[place % second.len()]);
                    match kind {
                        "Mul" => first.checked_mul(second),
                        "Div" => first.checked_div(second),
                        "Add" => first.checked_add(second),
                        _ => first.checked_sub(second),
                    }
                });
                let made: Option<Vec<i64>> = made.collect();
                let longer = usize::from(inputs[0].extents.is_empty());
                Constant {
                    extents: inputs[longer].extents.clone(),
                    numbers: Numbers::Integer(made.ok_or_else(outside)?),
                }
            }
        })
    }
}

/// Some places of the first axis, in either direction.
fn sliced(node: &Node, whole: &Constant, [starts, ends, axes, steps]: [&[i64]; 4]) -> Result<Constant, Error> {
    let ([start], [end]) = (starts, ends) else { return Err(node.error("takes numbers of several axes")) };
    let step = steps.first().copied().unwrap_or(1);
    if axes.iter().any(|&axis| axis != 0) || ![1, -1].contains(&step) {
        return Err(node.error("of whole numbers takes other places than of the first axis, one by one"));
    }
    let extent = whole.extents.first().copied().unwrap_or(0) as i64;
    let inside = |number: i64, least: i64, most: i64| {
        (if number < 0 { number.saturating_add(extent) } else { number }).clamp(least, most)
    };
    let places: Vec<i64> = match step {
        1 => (inside(*start, 0, extent)..inside(*end, 0, extent)).collect(),
        _ => (inside(*end, -1, extent - 1) + 1..=inside(*start, -1, extent - 1)).rev().collect(),
    };
    let row: usize = whole.extents.iter().skip(1).product();
    let numbers = whole.integers().unwrap_or_default();
    let taken = places.iter().flat_map(|&place| numbers.iter().skip(place as usize * row).take(row)).copied().collect();
    let mut extents = whole.extents.clone();
    extents.iter_mut().take(1).for_each(|extent| *extent = places.len());
    Ok(Constant { extents, numbers: Numbers::Integer(taken) })
}

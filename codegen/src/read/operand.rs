//! Operands that stand in the architecture, as the 2 of `x * 2` or the array of `x + array`.

use serde_json::Value;

use super::build::{Builder, Site};
use super::settings::excerpt;
use crate::error::Error;
use crate::graph::{Constant, Numbers, Shape};

/// Most axes of one: those of a volume and the batch.
const MOST_AXES: usize = 5;

/// Bytes that a number takes here, and in the layer that holds it.
const BYTES_OF_A_NUMBER: usize = 3 * size_of::<f64>();

/// Numbers that no layer makes.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    /// Its place among the arguments.
    pub(super) place: usize,
    /// None of a single number.
    extents: Vec<usize>,
    numbers: Vec<f64>,
}

/// Whether an argument is a number, or an array as Keras 3 writes one down.
pub(super) fn is_held(argument: &Value) -> bool {
    argument.is_number() || array(argument).is_some()
}

/// Whether an argument is a number, or lists of numbers as Keras 2 writes an array down.
pub(super) fn is_list_of_numbers(argument: &Value) -> bool {
    argument.is_number() || argument.as_array().and_then(|list| list.first()).is_some_and(is_list_of_numbers)
}

/// The lists of an array.
fn array(argument: &Value) -> Option<&Value> {
    match argument.get("class_name").and_then(Value::as_str) {
        Some("__numpy__" | "__tensor__") => argument.get("config")?.get("value"),
        _ => None,
    }
}

/// The numbers in lists of lists.
fn count(lists: &Value) -> usize {
    lists.as_array().map_or(1, |list| list.iter().map(count).sum())
}

impl Operand {
    /// A number, the array of an argument, or lists of numbers.
    fn of(place: usize, argument: &Value) -> Option<Operand> {
        let lists = array(argument).unwrap_or(argument);
        let mut extents = Vec::new();
        let mut inside = lists;
        while let Value::Array(list) = inside {
            extents.push(list.len());
            inside = list.first().filter(|_| extents.len() <= MOST_AXES)?;
        }
        let mut operand = Operand { place, extents, numbers: Vec::new() };
        operand.collect(lists, 0)?;
        Some(operand)
    }

    /// The numbers of a list that lies in `depth` others.
    fn collect(&mut self, value: &Value, depth: usize) -> Option<()> {
        match value {
            Value::Array(list) if self.extents.get(depth) == Some(&list.len()) => {
                list.iter().try_for_each(|value| self.collect(value, depth + 1))
            }
            _ if depth == self.extents.len() => {
                self.numbers.push(value.as_f64()?);
                Some(())
            }
            _ => None,
        }
    }

    /// The same with other numbers.
    pub(super) fn map(mut self, of: impl Fn(f64) -> f64) -> Operand {
        self.numbers.iter_mut().for_each(|number| *number = of(*number));
        self
    }

    /// The number, if it is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self.numbers[..] {
            [number] => Some(number),
            _ => None,
        }
    }

    /// One number for each of `channels`, where these are all that there are.
    pub(super) fn of_channels(&self, channels: usize) -> Option<&[f64]> {
        (self.extents.last() == Some(&channels) && self.numbers.len() == channels).then_some(&self.numbers)
    }
}

impl Builder {
    /// The numbers of a setting for every place of these extents, of which it may have the last ones alone.
    pub(super) fn given(&mut self, site: &Site, key: &str, extents: &[usize]) -> Result<Option<Vec<f32>>, Error> {
        let Some(value) = site.settings.get(key) else { return Ok(None) };
        self.take_bytes(count(array(value).unwrap_or(value)), BYTES_OF_A_NUMBER)?;
        let places = extents.iter().product();
        self.take_numbers(places)?;
        let operand = Operand::of(0, value).filter(|operand| extents.ends_with(&operand.extents));
        let operand = operand.ok_or_else(|| {
            site.error(format!("{key} is {}, expected numbers for {} places", excerpt(value), Shape(extents.to_vec())))
        })?;
        Ok(Some(operand.numbers.iter().map(|&number| number as f32).cycle().take(places).collect()))
    }

    /// The layer's operands that stand in the architecture.
    pub(super) fn operands(&mut self, site: &Site) -> Result<Vec<Operand>, Error> {
        let mut operands = Vec::new();
        for &(place, argument) in &site.call.constants {
            self.take_bytes(count(array(argument).unwrap_or(argument)), BYTES_OF_A_NUMBER)?;
            let operand = Operand::of(place, argument);
            operands.push(operand.ok_or_else(|| site.error("has an array that is not one of numbers, in full rows"))?);
        }
        Ok(operands)
    }

    /// An operand beside one of the shape `other`, and the shape of what both make. Axes that it lacks are in front;
    /// its batch, if it has one, is 1.
    pub(super) fn held(&mut self, site: &Site, operand: &Operand, other: &Shape) -> Result<(Constant, Shape), Error> {
        let axes = other.0.len();
        let mut extents = operand.extents.clone();
        if extents.len() == axes + 1 && extents[0] == 1 {
            extents.remove(0);
        }
        let fits = |more: usize| {
            let shape = Shape(std::iter::repeat_n(1, more).chain(extents.iter().copied()).collect());
            other.broadcast(&shape).map(|result| (shape, result))
        };
        let (shape, result) = axes.checked_sub(extents.len()).and_then(fits).ok_or_else(|| {
            let own = Shape(operand.extents.clone());
            site.error(format!("has an array of the shape {own}, which does not fit {other}"))
        })?;
        let numbers = operand.numbers.iter().map(|&number| number as f32).collect();
        Ok((self.on_planes(shape, numbers, &result, operand.place == 0)?, result))
    }

    /// A constant of these numbers as it can lie on the planes of `result`: whole, or of one place.
    pub(super) fn on_planes(
        &mut self,
        shape: Shape,
        numbers: Vec<f32>,
        result: &Shape,
        first: bool,
    ) -> Result<Constant, Error> {
        let plane = |shape: &Shape| [shape.lines(), shape.width()];
        if shape.0.len() < 4 || plane(&shape) == [1, 1] || plane(&shape) == plane(result) {
            return Ok(Constant { shape, numbers: Numbers::F32(numbers), first });
        }
        let ([lines, columns], [own_lines, own_columns]) = (plane(result), plane(&shape));
        let (rows, channels) = (shape.rows(), shape.channels());
        let places = lines.saturating_mul(columns);
        self.take_numbers(rows.saturating_mul(places).saturating_mul(channels))?;
        let mut repeated = Vec::with_capacity(rows * places * channels);
        for plane in numbers.chunks(own_lines * own_columns * channels) {
            for line in 0..lines {
                for column in 0..columns {
                    let place = line.min(own_lines - 1) * own_columns + column.min(own_columns - 1);
                    repeated.extend_from_slice(&plane[place * channels..][..channels]);
                }
            }
        }
        let shape = Shape(vec![rows, lines, columns, channels]);
        Ok(Constant { shape, numbers: Numbers::F32(repeated), first })
    }
}

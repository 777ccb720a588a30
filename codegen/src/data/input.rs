//! What a model takes: from numbers of any type to the bytes of its input.

use crate::data::array::Numbers;
use crate::graph::{Element, Graph, Layer, Operator, Quantization, Shape};

/// The input of a model, as a caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Extents, channels last.
    pub shape: Shape,
    /// What one number is in memory.
    pub element: Element,
    /// Of a quantized input.
    pub quantization: Option<Quantization>,
}

impl Input {
    /// The input of a graph that has gone through the [passes](crate::passes); of several, the first.
    pub fn of(graph: &Graph) -> Input {
        let none = || Input { shape: Shape(Vec::new()), element: Element::F32, quantization: None };
        Input::all(graph).into_iter().next().map_or_else(none, |(_, input)| input)
    }

    /// All inputs of such a graph, each with its name.
    pub fn all(graph: &Graph) -> Vec<(String, Input)> {
        let input = |layer: &Layer| {
            let tensor = graph.tensor(layer.output);
            let element = match layer.operator {
                Operator::Input { element, .. } => element,
                _ => tensor.element,
            };
            let quantization = tensor.quantization.filter(|_| element.is_quantized());
            (layer.name.clone(), Input { shape: tensor.shape.clone(), element, quantization })
        };
        graph.inputs().iter().map(input).collect()
    }

    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        self.shape.elements() * self.element.bytes()
    }

    /// How many frames an array of these extents is, and whether it is a list of them: `[n, ...]` or, for
    /// one frame, the model's own extents. Where a frame is one number, `[n]` is a list too.
    ///
    /// # Errors
    /// The reason, where the extents are not the model's.
    pub fn frames(&self, shape: &[usize]) -> Result<(usize, bool), String> {
        match shape {
            shape if shape == self.shape.0 => Ok((1, false)),
            [frames, frame @ ..] if *frame == self.shape.0 => Ok((*frames, true)),
            // A series of one channel, as a sensor's samples are kept.
            [frames] if self.shape.0 == [1] => Ok((*frames, true)),
            shape => Err(format!(
                "has the shape {}; the model takes {}, or a list of them, Nx{}{}",
                Shape(shape.to_vec()),
                self.shape,
                self.shape,
                if self.has_channels_first(shape) { ": move the channels to the end" } else { "" }
            )),
        }
    }

    /// Whether an array of these extents is frames with the channels in front, as PyTorch has them.
    fn has_channels_first(&self, shape: &[usize]) -> bool {
        let Some((&channels, places)) = self.shape.0.split_last() else { return false };
        let frame = [&[channels], places].concat();
        shape == frame || matches!(shape, [_, inner @ ..] if inner == frame)
    }

    /// The real numbers of a frame; none of pixels and of what is quantized, which stay as they are.
    pub fn numbers(&self, frame: &[u8]) -> Option<Numbers> {
        let words = frame.as_chunks::<4>().0.iter();
        (self.element == Element::F32).then(|| Numbers::F32(words.map(|&word| f32::from_ne_bytes(word)).collect()))
    }

    /// The bytes that stand for `numbers` in the model's input. Nothing is lost silently: a model that takes
    /// pixels is given whole numbers from 0 to 255, and an int8 or int16 model such numbers as they are, or real ones,
    /// which are quantized.
    ///
    /// # Errors
    /// The reason, where the numbers can't be what the model takes.
    pub fn encode(&self, numbers: &Numbers) -> Result<Vec<u8>, String> {
        match self.element {
            Element::U8 => pixels(numbers),
            Element::I8 => self.int8(numbers),
            Element::I16 => self.int16(numbers),
            Element::F32 => real(numbers).map(|values| bytemuck::cast_slice(&values).to_vec()),
        }
    }

    fn int8(&self, numbers: &Numbers) -> Result<Vec<u8>, String> {
        if let Numbers::I8(values) = numbers {
            return Ok(bytemuck::cast_slice(values).to_vec());
        }
        let Some(Quantization { scale, zero_point }) = self.quantization else {
            return Err("the model's int8 input has no scale and zero point".to_owned());
        };
        check_scale(numbers, scale * (127 - zero_point) as f32, "int8")?;
        let stored = |real: f32| ((real / scale).round() as i32).saturating_add(zero_point).clamp(-128, 127) as i8;
        Ok(real(numbers)?.into_iter().map(|value| stored(value).cast_unsigned()).collect())
    }

    fn int16(&self, numbers: &Numbers) -> Result<Vec<u8>, String> {
        if let Numbers::I16(values) = numbers {
            return Ok(bytemuck::cast_slice(values).to_vec());
        }
        let Some(Quantization { scale, .. }) = self.quantization else {
            return Err("the model's int16 input has no scale".to_owned());
        };
        check_scale(numbers, scale * f32::from(i16::MAX), "int16")?;
        let stored = |real: f32| (real / scale).round() as i16;
        Ok(real(numbers)?.into_iter().flat_map(|value| stored(value).to_ne_bytes()).collect())
    }
}

/// Errors where whole numbers are given for real ones up to `greatest`: they may be quantized in another way, or pixels of
/// another range.
fn check_scale(numbers: &Numbers, greatest: f32, element: &str) -> Result<(), String> {
    if matches!(numbers, Numbers::F32(_)) || greatest >= 254.5 {
        return Ok(());
    }
    Err(format!(
        "holds whole numbers, and the model takes {element} for real numbers up to {greatest}: give it float32, or \
         {element} that is quantized already"
    ))
}

/// Whole numbers from 0 to 255.
fn pixels(numbers: &Numbers) -> Result<Vec<u8>, String> {
    const NEEDED: &str = "the model takes pixels, whole numbers from 0 to 255";
    let refused = |value: String| format!("holds {value}, and {NEEDED} (its own layers rescale them)");
    match numbers {
        Numbers::U8(values) => Ok(values.clone()),
        Numbers::I8(_) => Err(format!("holds int8, and {NEEDED}: give it uint8")),
        Numbers::I16(values) => {
            values.iter().map(|&value| u8::try_from(value).map_err(|_| refused(value.to_string()))).collect()
        }
        Numbers::I64(values) => {
            values.iter().map(|&value| u8::try_from(value).map_err(|_| refused(value.to_string()))).collect()
        }
        Numbers::F32(values) => {
            let pixel = |&value: &f32| {
                let whole = value as u8;
                if f32::from(whole) == value { Ok(whole) } else { Err(refused(value.to_string())) }
            };
            values.iter().map(pixel).collect()
        }
    }
}

/// Finite real numbers.
fn real(numbers: &Numbers) -> Result<Vec<f32>, String> {
    match numbers {
        Numbers::U8(values) => Ok(values.iter().map(|&value| f32::from(value)).collect()),
        Numbers::I8(_) => Err("holds int8, and the model takes real numbers: give it float32".to_owned()),
        Numbers::I16(values) => Ok(values.iter().map(|&value| f32::from(value)).collect()),
        Numbers::I64(values) => Ok(values.iter().map(|&value| value as f32).collect()),
        Numbers::F32(values) => match values.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(format!("holds {} (number {index} of {})", values[index], values.len())),
            None => Ok(values.clone()),
        },
    }
}

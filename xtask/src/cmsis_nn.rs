//! `cargo xtask cmsis-nn FOLDER`: the int8 test vectors of CMSIS-NN, of a checkout that is not part of this project (Apache-2.0).
//!
//! Each is a layer with its input, its integers and the output that TensorFlow Lite's interpreter made of them. Here it becomes a
//! graph of one layer; its factors are those of the vector, to the bit, in place of what would come of scales. The output has to
//! be the same in every plan and with all kernels that a goal chooses.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use microception_codegen::error::Error;
use microception_codegen::graph::{
    Bias, Element, Graph, Operator, Padding, Quantization, Shape, TensorId, Weights, Window,
};
use microception_codegen::host::Machine;
use microception_codegen::lower::{Kernel, WindowInt8};
use microception_codegen::optimize::{Goal, Lowered, Optimize, lowered};
use microception_codegen::plan::Strategy;

/// Where the vectors are in a checkout.
const VECTORS: &str = "Tests/UnitTest/TestCases/TestData";

/// What a vector is run with.
const GOALS: [Goal; 3] = [
    Goal { strategy: Strategy::Smallest, optimize: Optimize::Size },
    Goal { strategy: Strategy::Balanced, optimize: Optimize::Speed },
    Goal { strategy: Strategy::Whole, optimize: Optimize::Ram },
];

/// Runs all vectors of the checkout in `folder`.
pub fn cmsis_nn(folder: &Path) -> Result<(), Error> {
    let vectors = folder.join(VECTORS);
    let entries = fs::read_dir(&vectors).map_err(|error| Error::file(&vectors, error.to_string()))?;
    let mut folders: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    let (mut right, mut wrong, mut others) = (0, 0, BTreeMap::<&str, usize>::new());
    for folder in folders {
        let outcome = Vector::read(&folder).and_then(|vector| vector.check());
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match outcome {
            Ok(()) => right += 1,
            Err(Outcome::NotAsked(why)) => *others.entry(why).or_default() += 1,
            Err(Outcome::Wrong(why)) => {
                wrong += 1;
                println!("{name}: {why}");
            }
        }
    }
    others.iter().for_each(|(why, count)| println!("{count} not asked: {why}"));
    println!("{right} passed, {wrong} failed");
    match (right, wrong) {
        (0, 0) => Err(Error::file(vectors, "holds no vector that is asked")),
        (_, 0) => Ok(()),
        _ => Err(Error::model("outputs are others than CMSIS-NN's")),
    }
}

/// Why a vector is not right.
enum Outcome {
    /// What it is about is not here.
    NotAsked(&'static str),
    /// What differs.
    Wrong(String),
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Outcome {
        Outcome::Wrong(error.to_string())
    }
}

/// A layer, as the headers of its folder have it.
struct Vector {
    name: String,
    /// The configuration by its names, without the vector's.
    configuration: BTreeMap<String, i64>,
    /// The numbers of each header, by its name without the ending.
    arrays: BTreeMap<String, Vec<i64>>,
}

impl Vector {
    fn read(folder: &Path) -> Result<Vector, Outcome> {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let prefix = format!("{}_", name.to_uppercase());
        let (mut configuration, mut arrays) = (BTreeMap::new(), BTreeMap::new());
        let entries = fs::read_dir(folder).map_err(|error| Error::file(folder, error.to_string()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let text = fs::read_to_string(&path).map_err(|error| Error::file(&path, error.to_string()))?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if stem == "config_data" {
                let defines = text.lines().filter_map(|line| line.strip_prefix("#define ")?.split_once(' '));
                let own =
                    defines.filter_map(|(key, value)| Some((key.strip_prefix(&prefix)?, value.trim().parse().ok()?)));
                configuration.extend(own.map(|(key, value)| (key.to_owned(), value)));
            } else if let Some((kind, numbers)) = array(&text) {
                if !matches!(kind, "int8_t" | "int32_t") {
                    return Err(Outcome::NotAsked("numbers of other kinds than int8"));
                }
                arrays.insert(stem.trim_end_matches("_data").to_owned(), numbers);
            }
        }
        Ok(Vector { name, configuration, arrays })
    }

    /// A number of the configuration.
    fn get(&self, key: &str) -> Result<i64, Outcome> {
        self.configuration.get(key).copied().ok_or(Outcome::NotAsked("a configuration of another kind"))
    }

    fn size(&self, key: &str) -> Result<usize, Outcome> {
        usize::try_from(self.get(key)?).map_err(|_| Outcome::NotAsked("a configuration of another kind"))
    }

    fn array(&self, name: &str) -> Result<&[i64], Outcome> {
        self.arrays.get(name).map(Vec::as_slice).ok_or(Outcome::NotAsked("a layer of another kind"))
    }

    /// Numbers that are bytes.
    fn bytes(&self, name: &str) -> Result<Vec<i8>, Outcome> {
        Ok(self.array(name)?.iter().map(|&number| number as i8).collect())
    }

    /// Multiplier and shift of each of so many channels.
    fn factors(&self, channels: usize) -> Result<Vec<(i32, i8)>, Outcome> {
        if let (Ok(multiplier), Ok(shift)) = (self.get("OUTPUT_MULTIPLIER"), self.get("OUTPUT_SHIFT")) {
            return Ok(vec![(multiplier as i32, shift as i8); channels]);
        }
        let pairs = self.array("output_mult")?.iter().zip(self.array("output_shift")?);
        Ok(pairs.map(|(&multiplier, &shift)| (multiplier as i32, shift as i8)).collect())
    }

    /// The window, with as much padding behind as the output needs.
    fn window(&self) -> Result<Window, Outcome> {
        let pair = |key: &str| Ok::<_, Outcome>([self.size(&format!("{key}_Y"))?, self.size(&format!("{key}_X"))?]);
        let (size, stride, before) = (pair("FILTER")?, pair("STRIDE")?, pair("PAD")?);
        let dilation = pair("DILATION").unwrap_or([1, 1]);
        let places = [self.size("INPUT_H")?, self.size("INPUT_W")?];
        let outputs = [self.size("OUTPUT_H")?, self.size("OUTPUT_W")?];
        let after = std::array::from_fn(|axis| {
            let reach = (outputs[axis] - 1) * stride[axis] + (size[axis] - 1) * dilation[axis] + 1;
            reach.saturating_sub(places[axis] + before[axis])
        });
        Ok(Window { size, stride, dilation, padding: Padding::Explicit { before, after }, depth: None })
    }

    /// What the layer is, with the shapes of its input and output.
    fn layer(&self) -> Result<(Operator, [Vec<usize>; 2]), Outcome> {
        if self.configuration.contains_key("ACCUMULATION_DEPTH") {
            let (inputs, outputs) = (self.size("ACCUMULATION_DEPTH")?, self.size("OUT_CH")?);
            let (weights, bias) = self.weights(outputs, outputs * inputs)?;
            return Ok((Operator::Dense { weights, bias, activation: None }, [vec![inputs], vec![outputs]]));
        }
        let (window, taps) = (self.window()?, self.size("FILTER_X")? * self.size("FILTER_Y")?);
        let inputs = self.size("IN_CH").or_else(|_| self.size("INPUT_C"))?;
        let outputs = self.size("OUT_CH").unwrap_or(inputs);
        let shapes = [
            vec![self.size("INPUT_H")?, self.size("INPUT_W")?, inputs],
            vec![self.size("OUTPUT_H")?, self.size("OUTPUT_W")?, outputs],
        ];
        let operator = if self.name.starts_with("maxpool") {
            Operator::MaxPool { window }
        } else if self.name.starts_with("avgpool") {
            Operator::AveragePool { window }
        } else if let Ok(multiplier) = self.size("CH_MULT") {
            let (weights, bias) = self.weights(outputs, outputs * taps)?;
            Operator::Depthwise { weights, bias, window, multiplier, activation: None }
        } else {
            let (weights, bias) = self.weights(outputs, outputs * taps * inputs)?;
            Operator::Convolution { weights, bias, window, activation: None }
        };
        Ok((operator, shapes))
    }

    /// Weights with the scales that come near the factors, and the bias.
    fn weights(&self, channels: usize, count: usize) -> Result<(Weights, Option<Bias>), Outcome> {
        let values = self.bytes("weights")?;
        if values.len() != count {
            return Err(Outcome::NotAsked("convolutions in groups, or packed weights"));
        }
        let factors = self.factors(channels)?;
        let scale = |&(multiplier, shift): &(i32, i8)| (f64::from(multiplier) * f64::from(shift - 31).exp2()) as f32;
        let scales = factors.iter().map(scale).collect();
        let bias = self.array("biases").ok().filter(|bias| bias.len() == channels);
        let bias = bias.map(|bias| Bias::I32(bias.iter().map(|&number| number as i32).collect()));
        Ok((Weights::I8 { values, scales }, bias))
    }

    /// Runs it with every goal.
    fn check(&self) -> Result<(), Outcome> {
        let (operator, [input_shape, output_shape]) = self.layer()?;
        let range = [self.get("OUT_ACTIVATION_MIN")?, self.get("OUT_ACTIVATION_MAX")?].map(|bound| bound as i8);
        let has_factors = operator.weights().is_some();
        if !has_factors && range != [i8::MIN, i8::MAX] {
            return Err(Outcome::NotAsked("pools with an activation"));
        }
        let zero_points = if has_factors { [-self.get("INPUT_OFFSET")?, self.get("OUTPUT_OFFSET")?] } else { [0; 2] };
        let mut graph = Graph::new(self.name.clone());
        let input = Operator::Input { element: Element::I8, scale: 1.0, offset: 0.0 };
        let channels = output_shape.last().copied().unwrap_or_default();
        let input: TensorId = graph.push("input", input, vec![], Shape(input_shape.clone()));
        graph.outputs = vec![graph.push("layer", operator, vec![input], Shape(output_shape))];
        for (tensor, zero_point) in graph.tensors.iter_mut().zip(zero_points) {
            let quantization = Quantization { scale: 1.0, zero_point: zero_point as i32 };
            (tensor.element, tensor.quantization) = (Element::I8, Some(quantization));
        }
        let factors = if has_factors { self.factors(channels)? } else { Vec::new() };
        let (frames, expected) = (self.bytes("input")?, self.bytes("output_ref")?);
        let frame_length = input_shape.iter().product::<usize>();
        for goal in GOALS {
            let Lowered { graph, mut kernels, layers, outputs, plan } = lowered(&graph, goal)?;
            kernels.iter_mut().for_each(|kernel| set(kernel, &factors, range));
            let mut machine = Machine::of(&graph, kernels, layers, &outputs, plan)?;
            let mut found: Vec<i8> = Vec::new();
            for frame in frames.chunks_exact(frame_length) {
                let frame: Vec<u8> = frame.iter().map(|number| number.cast_unsigned()).collect();
                found.extend(machine.run(&frame)?.into_iter().map(u8::cast_signed));
            }
            if found != expected {
                let differ = found.iter().zip(&expected).filter(|(found, expected)| found != expected).count();
                return Err(Outcome::Wrong(format!("{differ} of {} numbers differ, with {goal:?}", expected.len())));
            }
        }
        Ok(())
    }
}

/// Gives a kernel the factors and the range of a vector.
fn set(kernel: &mut Kernel, factors: &[(i32, i8)], clamp: [i8; 2]) {
    let (channels, range) = match kernel {
        Kernel::ConvInt8(WindowInt8 { channels, range, .. })
        | Kernel::DepthwiseInt8(WindowInt8 { channels, range, .. })
        | Kernel::Depthwise3x3Int8(WindowInt8 { channels, range, .. })
        | Kernel::PositionwiseDenseInt8(WindowInt8 { channels, range, .. })
        | Kernel::DenseInt8 { channels, range, .. } => (channels, range),
        Kernel::WinogradConvInt8(WindowInt8 { channels, range, .. }) => (channels, range),
        Kernel::ByLines { kernel, .. } | Kernel::InPlace { kernel, .. } => return set(kernel, factors, clamp),
        _ => return,
    };
    range.clamp = clamp;
    for (channel, &(multiplier, shift)) in channels.iter_mut().zip(factors) {
        (channel.factor.multiplier, channel.factor.shift) = (multiplier, shift);
    }
}

/// The type and the numbers of the one array in a header.
fn array(text: &str) -> Option<(&str, Vec<i64>)> {
    let (_, declared) = text.split_once("const ")?;
    let (kind, rest) = declared.split_once(' ')?;
    let (_, body) = rest.split_once('{')?;
    let numbers = body.split_once('}')?.0.split(',').map(str::trim).filter(|number| !number.is_empty());
    Some((kind, numbers.map(|number| number.parse().ok()).collect::<Option<Vec<i64>>>()?))
}

#[cfg(test)]
mod tests {
    use super::array;

    #[test]
    fn an_array_of_a_header_is_read_over_several_lines() {
        let text = "// Made.\n#pragma once\nconst int8_t some_weights[4] =\n    {1, -2,\n    3, 4};\n";
        assert_eq!(array(text), Some(("int8_t", vec![1, -2, 3, 4])));
        assert_eq!(array("#define WIDTH 3\n"), None);
    }
}

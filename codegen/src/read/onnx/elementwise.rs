//! Nodes that work element by element: functions of one value, and of two of which the file may hold one.

use super::layout::View;
use super::message::Node;
use super::quantized::StoredNumbers;
use super::{Builder, Held};
use crate::error::Error;
use crate::graph::{Constant, Function, Numbers, Operator, PairFunction, Shape};
use crate::read::constant::scale_shift;

impl<'a> Builder<'a> {
    /// A function of one value.
    pub(super) fn function(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        if node.kind == "Neg" {
            let channels = self.graph.tensor(view.id).shape.channels();
            self.budget.take(channels, 2 * size_of::<f32>())?;
            let operator = Operator::ScaleShift { scale: vec![-1.0; channels], shift: vec![0.0; channels] };
            if self.quantization(&view).is_some() {
                return Err(node.error("is not supported in int8"));
            }
            let view = self.with_elements(node, view)?;
            return self.emit(index, node, operator, vec![view.id], view);
        }
        let view = self.with_elements(node, view)?;
        let Some(function) = self.function_of(node)? else {
            self.made(node.output()?, view);
            return Ok(());
        };
        match self.times_itself(node, function)? {
            Some((product, function)) => {
                let name = self.nodes[product].output()?;
                let id = self.push(node.title(), Operator::Activation(function), vec![view.id], None)?;
                self.done.insert(product);
                self.made(name, view.of(id));
                Ok(())
            }
            None => self.emit(index, node, Operator::Activation(function), vec![view.id], view),
        }
    }

    /// The function of a node; `None` where it leaves everything as it is.
    pub(super) fn function_of(&mut self, node: &Node) -> Result<Option<Function>, Error> {
        Ok(Some(match node.kind.as_str() {
            "Relu" => Function::Relu,
            "Clip" => {
                let mut end = |place: usize, otherwise: f32| match node.input(place) {
                    None => Ok(otherwise),
                    Some(name) => {
                        let number = self.scalar(name)?.filter(|number| !number.is_nan());
                        number.ok_or_else(|| node.error("has an end that is no number of the file"))
                    }
                };
                match [end(1, f32::NEG_INFINITY)?, end(2, f32::INFINITY)?] {
                    [f32::NEG_INFINITY, f32::INFINITY] => return Ok(None),
                    [least, greatest] if least <= greatest => Function::clamp([least, greatest]),
                    [least, greatest] => return Err(node.error(format!("is from {least} to {greatest}"))),
                }
            }
            "LeakyRelu" => Function::LeakyRelu { slope: node.float("alpha", 0.01)? },
            "ThresholdedRelu" => {
                Function::ThresholdRelu { slope: 0.0, threshold: node.float("alpha", 1.0)?, greatest: f32::INFINITY }
            }
            "Elu" => Function::Elu { alpha: node.float("alpha", 1.0)? },
            "Selu" => {
                let numbers = [node.float("alpha", 1.673_263_2)?, node.float("gamma", 1.050_701)?];
                if numbers.iter().zip([1.673_263_2, 1.050_701]).any(|(number, own)| (number - own).abs() > 1e-6) {
                    return Err(
                        node.error(format!("has alpha and gamma of {numbers:?}; supported are those of the paper"))
                    );
                }
                Function::Selu
            }
            "Sigmoid" => Function::Sigmoid,
            "HardSigmoid" => match node.float("beta", 0.5)? {
                0.5 => Function::HardSigmoid { slope: node.float("alpha", 0.2)? },
                beta => return Err(node.error(format!("has a beta of {beta}; supported is 0.5"))),
            },
            "HardSwish" => Function::HardSwish,
            "Swish" => match node.float("alpha", 1.0)? {
                1.0 => Function::Silu,
                alpha => return Err(node.error(format!("has an alpha of {alpha}; supported is 1"))),
            },
            "Tanh" => Function::Tanh,
            "Softplus" => Function::Softplus,
            "Softsign" => Function::Softsign,
            "Exp" => Function::Exponential,
            "Gelu" => match node.text("approximate", "none")?.as_str() {
                "tanh" => Function::GeluTanh,
                _ => Function::Gelu,
            },
            "Erf" => return Err(node.error("is supported as a part of GELU only")),
            _ => return Err(node.error("is supported for shapes only")),
        }))
    }

    /// The one real number of that name, where the file holds one.
    pub(super) fn scalar(&mut self, name: &str) -> Result<Option<f32>, Error> {
        if !self.is_held(name) {
            return Ok(None);
        }
        let constant = self.real(name)?;
        Ok(constant.as_ref().and_then(|constant| constant.floats()).and_then(|numbers| match numbers {
            &[number] => Some(number),
            _ => None,
        }))
    }

    /// The node that alone reads a value, where it is of that kind.
    pub(super) fn only_reader(&self, name: &str, kind: &str) -> Option<usize> {
        let &[reader] = self.readers_of(name) else { return None };
        (self.nodes[reader].kind == kind && !self.outputs.contains(name)).then_some(reader)
    }

    /// The other of a node's two inputs.
    pub(super) fn other_input(&self, node: usize, name: &str) -> Option<&'a str> {
        let node = &self.nodes[node];
        match (node.input(0)?, node.input(1)?) {
            (first, second) if first == name => Some(second),
            (first, second) if second == name => Some(first),
            _ => None,
        }
    }

    /// The product of what a node reads and what it makes, and which function that is: Silu and HardSwish come in two nodes.
    fn times_itself(&self, node: &'a Node, function: Function) -> Result<Option<(usize, Function)>, Error> {
        let whole = match function {
            Function::Sigmoid => Function::Silu,
            Function::HardSigmoid { slope } if (slope - 1.0 / 6.0).abs() < 1e-6 => Function::HardSwish,
            _ => return Ok(None),
        };
        let output = node.output()?;
        let product = self.only_reader(output, "Mul");
        let product = product.filter(|&product| self.other_input(product, output) == node.input(0));
        let real = node.input(0).and_then(|name| self.values.get(name));
        let real = real.is_some_and(|value| self.quantization(&value.view).is_none());
        Ok(product.filter(|_| real).map(|product| (product, whole)))
    }

    /// A function of two values.
    pub(super) fn pairwise(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let (Some(first), Some(second)) = (node.input(0), node.input(1)) else {
            return Err(node.error("has fewer than two inputs, which is not supported"));
        };
        if node.inputs.len() > 2 {
            return Err(node.error(format!("has {} inputs; supported are two", node.inputs.len())));
        }
        let function = match node.kind.as_str() {
            "Add" => PairFunction::Add,
            "Sub" => PairFunction::Subtract,
            "Mul" | "Div" => PairFunction::Multiply,
            "Max" => PairFunction::Maximum,
            "Min" => PairFunction::Minimum,
            _ => PairFunction::Prelu,
        };
        let held = [first, second].map(|name| self.is_held(name));
        let divides = node.kind == "Div";
        match held {
            [false, false] if divides => Err(node.error("divides by a value; supported is a constant")),
            [false, false] => self.of_two(index, node, function),
            [true, true] => {
                Err(node.error("is a function of two constants: simplify the model first, as onnxsim does"))
            }
            [true, false] if divides => Err(node.error("divides a constant, which is not supported")),
            [first_held, _] => self.with_constant(index, node, function, first_held),
        }
    }

    fn of_two(&mut self, index: usize, node: &'a Node, function: PairFunction) -> Result<(), Error> {
        let mut views = [self.read(node, 0)?, self.read(node, 1)?];
        let int8 = self.quantization(&views[0]).is_some();
        if int8 && matches!(function, PairFunction::Maximum | PairFunction::Minimum | PairFunction::Prelu) {
            return Err(node.error("of two values is not supported in int8"));
        }
        for place in [0, 1] {
            views[place] = self.with_axes(node, views[place].clone())?;
        }
        let more = usize::from(views[1].axes.len() > views[0].axes.len());
        let longer = views[more].clone();
        // Axes are counted from the last; those that are lacking have an extent of 1.
        let lacking = longer.axes.len() - views[1 - more].axes.len();
        let mut shorter = views[1 - more].clone();
        if lacking > 0 {
            shorter = self.in_order(node.title(), &shorter)?;
            let shape = Shape([vec![1; lacking], self.extents(&shorter)].concat());
            let axes = shape.0.len();
            let id = self.keep(&format!("{}/operand", node.title()), Operator::Reshape { shape }, shorter.id)?;
            shorter = View::in_order(id, axes);
        }
        let shorter = self.along(node.title(), &shorter, &longer.axes)?;
        let inputs = if more == 0 { vec![longer.id, shorter.id] } else { vec![shorter.id, longer.id] };
        self.emit(index, node, Operator::Pairwise { function, constant: None, activation: None }, inputs, longer)
    }

    fn with_constant(
        &mut self,
        index: usize,
        node: &'a Node,
        function: PairFunction,
        first: bool,
    ) -> Result<(), Error> {
        let (place, name) = if first { (1, node.input(0)) } else { (0, node.input(1)) };
        let name = name.unwrap_or_default();
        let view = self.read(node, place)?;
        let view = self.with_elements(node, view)?;
        let stored = if self.quantization(&view).is_some() { self.stored_constant(name) } else { None };
        let (extents, numbers) = match stored {
            Some(dequantize) => {
                let stored = self.stored_numbers(dequantize)?;
                let quantization = stored.quantization();
                let (StoredNumbers::Int8(values), Some(quantization)) = (stored.numbers, quantization) else {
                    return Err(node.error("has a constant that is not int8 of one scale"));
                };
                (stored.extents, Numbers::I8 { values, quantization })
            }
            None => {
                let constant = self.real(name)?.ok_or_else(|| node.error("has no constant"))?;
                let Some(numbers) = constant.floats() else {
                    return Err(node.error("has a constant of other numbers than real ones"));
                };
                let numbers = match node.kind == "Div" {
                    true => numbers.iter().map(|number| number.recip()).collect(),
                    false => numbers.to_vec(),
                };
                (constant.extents, Numbers::F32(numbers))
            }
        };
        if self.quantization(&view).is_some() && matches!(numbers, Numbers::F32(_)) {
            return Err(node.error("is of int8 and a constant of real numbers: quantize the whole model"));
        }
        let constant = Constant { shape: Shape(extents), numbers, first };
        let constant = self.along_axes(node, constant, &view)?;
        let shape = self.graph.tensor(view.id).shape.clone();
        let shape = shape.broadcast(&constant.shape).ok_or_else(|| {
            node.error(format!("has a constant of the shape {}, which does not fit {shape}", constant.shape))
        })?;
        let operator = match scale_shift(function, &constant, &shape, &mut self.budget)? {
            Some(operator) if shape == self.graph.tensor(view.id).shape => operator,
            _ => Operator::Pairwise { function, constant: Some(constant), activation: None },
        };
        self.emit(index, node, operator, vec![view.id], view)
    }

    /// A constant of the file with the axes that the graph's tensor of a value has.
    fn along_axes(&mut self, node: &Node, constant: Constant, view: &View) -> Result<Constant, Error> {
        let axes = view.axes.len();
        let wrong =
            || node.error(format!("has a constant of the shape {} beside a value of {axes} axes", constant.shape));
        // Without the batch, whose extent is 1, and with those in front that it lacks.
        let extents = match constant.shape.0.as_slice() {
            [1, extents @ ..] if extents.len() == axes => extents,
            extents => extents,
        };
        let lacking = axes.checked_sub(extents.len()).ok_or_else(wrong)?;
        let extents = [vec![1; lacking], extents.to_vec()].concat();
        let shape = Shape(view.axes.iter().map(|&axis| extents[axis]).collect());
        let order = Shape(extents).order(&view.axes);
        self.budget.take(order.len(), 2 * size_of::<usize>())?;
        fn ordered<T: Copy>(numbers: &[T], order: &[usize]) -> Vec<T> {
            order.iter().map(|&place| numbers[place]).collect()
        }
        let numbers = match constant.numbers {
            Numbers::F32(ref numbers) => Numbers::F32(ordered(numbers, &order)),
            Numbers::I8 { ref values, quantization } => Numbers::I8 { values: ordered(values, &order), quantization },
            Numbers::I16 { ref values, quantization } => Numbers::I16 { values: ordered(values, &order), quantization },
        };
        Ok(Constant { shape, numbers, first: constant.first })
    }

    /// Softmax along any axis.
    pub(super) fn softmax(&mut self, index: usize, node: &'a Node) -> Result<(), Error> {
        let view = self.read(node, 0)?;
        let view = self.with_axes(node, view)?;
        let axis = self.axis(node, node.integer("axis", -1)?, view.axes.len())?;
        let view = self.with_last(node, &view, axis)?;
        self.emit(index, node, Operator::Softmax, vec![view.id], view)
    }

    /// What only works in training, or names a value again.
    pub(super) fn pass_on(&mut self, node: &'a Node) -> Result<(), Error> {
        if node.kind == "Cast" && node.integer("to", 0)? != i64::from(super::FLOAT) {
            return Err(node.error("makes another type than float; supported for shapes only"));
        }
        if let Some(Held::Bytes(bytes)) = node.input(0).and_then(|name| self.constants.get(name)) {
            let bytes = bytes.clone();
            self.constants.insert(node.output()?.to_owned(), Held::Bytes(bytes));
            return Ok(());
        }
        let view = self.read(node, 0)?;
        self.made(node.output()?, view);
        Ok(())
    }
}

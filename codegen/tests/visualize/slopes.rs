//! Gradients against differences.

use std::collections::BTreeSet;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use microception_codegen::graph::{Element, Function, Graph, Operator, PairFunction, Shape};
use microception_codegen::visualize::network::Network;
use microception_codegen::{passes, read};

use crate::{random_graph, tolerance};

/// Half the way between the two places of a difference.
const STEP: f64 = 1e-5;

/// The least that the largest slope counts as: smaller ones are of outputs that hardly depend on the input.
const LEAST: f64 = 1e-2;

/// Numbers of the input that are moved, in each graph.
const NUMBERS: usize = 12;

/// What is checked of a graph.
#[derive(Default)]
struct Checked {
    compared: usize,
    /// That are not next to none.
    steep: usize,
    /// At a kink, or too near one.
    left_out: usize,
    names: BTreeSet<String>,
}

impl Checked {
    /// Every output is a part of one sum, with a random weight; the slope of the sum along random numbers of the input
    /// is compared.
    fn graph(&mut self, graph: &Graph, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let network =
            Network::with_precision(graph, DType::F64).unwrap_or_else(|error| panic!("{}: {error}", graph.name));
        let mut numbers = |count: usize| -> Vec<f64> { (0..count).map(|_| random.f64() * 4.0 - 2.0).collect() };
        let inputs: Vec<Vec<f64>> =
            (0..network.inputs()).map(|input| numbers(network.shape(input).elements())).collect();
        let weights: Vec<Vec<f64>> =
            network.outputs().iter().map(|&output| numbers(network.shape(output).elements())).collect();
        let tensor = |values: &[f64]| Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap();
        let sum = |inputs: &[Tensor]| {
            let tensors = network.forward(inputs).unwrap();
            let part = |(&output, weights): (&usize, &Vec<f64>)| {
                (tensors[output].flatten_all().unwrap() * tensor(weights)).unwrap().sum_all().unwrap()
            };
            network.outputs().iter().zip(&weights).map(part).reduce(|sum, part| (sum + part).unwrap()).unwrap()
        };

        let variables: Vec<Var> = inputs.iter().map(|input| Var::from_tensor(&tensor(input)).unwrap()).collect();
        let gradients = sum(&variables.iter().map(|input| input.as_tensor().clone()).collect::<Vec<_>>());
        let gradients = gradients.backward().unwrap();
        for (input, variable) in variables.iter().enumerate() {
            let gradient: Vec<f64> = match gradients.get(variable) {
                Some(gradient) => gradient.to_vec1().unwrap(),
                None => vec![0.0; inputs[input].len()],
            };
            let largest = gradient.iter().fold(LEAST, |largest, slope| largest.max(slope.abs()));
            for _ in 0..NUMBERS {
                let place = random.usize(0..gradient.len());
                let at = |step: f64| {
                    let mut moved = inputs.clone();
                    moved[input][place] += step;
                    let moved: Vec<Tensor> = moved.iter().map(|input| tensor(input)).collect();
                    sum(&moved).to_scalar::<f64>().unwrap()
                };
                let [near, far] = [STEP / 4.0, STEP].map(|step| (at(step) - at(-step)) / (2.0 * step));
                let sides = [(at(STEP) - at(0.0)) / STEP, (at(0.0) - at(-STEP)) / STEP];
                // On a side of a kink the slope is another; and across a jump a difference is no slope.
                let bound = tolerance::SLOPE * largest;
                if (near - far).abs() > bound || (sides[0] - sides[1]).abs() > tolerance::SLOPE_OF_A_SIDE * largest {
                    self.left_out += 1;
                    continue;
                }
                self.compared += 1;
                let slope = gradient[place];
                self.steep += usize::from(slope.abs() > LEAST * 1e-3);
                assert!((slope - far).abs() <= bound, "{}: input {input}, number {place}: {slope}, {far}", graph.name);
            }
        }
        for layer in &graph.layers {
            self.names.insert(layer.operator.name().to_owned());
            let function = match &layer.operator {
                Operator::Activation(function) | Operator::Requantize { through: Some(function) } => Some(*function),
                _ => None,
            };
            self.names.extend(function.map(|function| function.name().to_owned()));
        }
    }
}

/// Every function, with settings that make it differ from the others.
const FUNCTIONS: [Function; 18] = [
    Function::Relu,
    Function::Relu6,
    Function::Clamp { least: -0.5, greatest: 1.25 },
    Function::LeakyRelu { slope: 0.3 },
    Function::ThresholdRelu { slope: 0.2, threshold: 0.5, greatest: 1.5 },
    Function::Elu { alpha: 1.5 },
    Function::Selu,
    Function::Gelu,
    Function::GeluTanh,
    Function::Silu,
    Function::Sigmoid,
    Function::HardSigmoid { slope: 0.2 },
    Function::HardSwish,
    Function::Tanh,
    Function::Softplus,
    Function::Softsign,
    Function::Exponential,
    Function::Step,
];

/// A graph of one layer over as many inputs as it takes.
fn single(operator: Operator, inputs: &[&[usize]], output: &[usize]) -> Graph {
    let mut graph = Graph::new(operator.name());
    let input = |graph: &mut Graph, extents: &[usize]| {
        let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
        graph.push("input", input, vec![], Shape(extents.to_vec()))
    };
    let inputs = inputs.iter().map(|extents| input(&mut graph, extents)).collect();
    graph.outputs = vec![graph.push("layer", operator, inputs, Shape(output.to_vec()))];
    graph
}

#[test]
fn of_every_function() {
    let mut checked = Checked::default();
    for (index, function) in FUNCTIONS.into_iter().enumerate() {
        checked.graph(&single(Operator::Activation(function), &[&[5, 6]], &[5, 6]), index as u64);
        let requantize = Operator::Requantize { through: Some(function) };
        checked.graph(&single(requantize, &[&[5, 6]], &[5, 6]), index as u64);
    }
    checked.graph(&single(Operator::Requantize { through: None }, &[&[5, 6]], &[5, 6]), 0);
    checked.graph(&single(Operator::Softmax, &[&[4, 3, 5]], &[4, 3, 5]), 0);
    let pairs = [PairFunction::Add, PairFunction::Subtract, PairFunction::Multiply];
    let others = [PairFunction::Maximum, PairFunction::Minimum, PairFunction::Prelu];
    for function in pairs.into_iter().chain(others) {
        let operator = || Operator::Pairwise { function, constant: None, activation: None };
        checked.graph(&single(operator(), &[&[4, 3, 5], &[4, 3, 5]], &[4, 3, 5]), 1);
        checked.graph(&single(operator(), &[&[4, 1, 5], &[4, 3, 1]], &[4, 3, 5]), 2);
        checked.graph(&single(operator(), &[&[5], &[4, 3, 5]], &[4, 3, 5]), 3);
        checked.graph(&single(operator(), &[&[2, 4, 3, 5], &[2, 1, 3, 5]], &[2, 4, 3, 5]), 4);
    }
    assert!(checked.left_out * 50 < checked.compared, "{} beside {}", checked.left_out, checked.compared);
}

#[test]
fn of_graphs_with_every_operator() {
    let mut checked = Checked::default();
    for seed in 0..300 {
        let graph = random_graph::graph(seed);
        checked.graph(&graph, seed);
        checked.graph(&passes::run(graph).unwrap(), seed);
    }
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/volumes/fixtures");
    for (seed, entry) in std::fs::read_dir(fixtures).unwrap().enumerate() {
        let file = entry.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "keras") {
            checked.graph(&read::read(&file).and_then(passes::run).unwrap(), seed as u64);
        }
    }
    println!("{} slopes, {} of them steep, {} at kinks", checked.compared, checked.steep, checked.left_out);
    assert!(checked.left_out * 20 < checked.compared, "{} beside {}", checked.left_out, checked.compared);
    assert!(checked.steep * 5 > checked.compared * 2, "{} of {}", checked.steep, checked.compared);
    let operators = [
        "input",
        "conv",
        "pointwise",
        "depthwise",
        "dense",
        "positionwise_dense",
        "max_pool",
        "average_pool",
        "global_average_pool",
        "global_max_pool",
        "pad",
        "crop",
        "transpose",
        "concatenate",
        "reshape",
        "resize_nearest",
        "resize_bilinear",
        "add",
        "subtract",
        "multiply",
        "maximum",
        "minimum",
        "prelu",
        "activation",
        "softmax",
        "flatten",
        "scale_shift",
        "identity",
    ];
    for operator in operators {
        assert!(checked.names.contains(operator), "no {operator}");
    }
}

//! Reads `tests/fixtures/litert/*.npz` (its README has the format) into graphs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use microception_codegen::graph::{
    Bias, Element, Function, Graph, Operator, Padding, Quantization, Shape, TensorId, Weights, Window,
};
use serde_json::Value;

use crate::arrays::Arrays;

/// One model with its expected tensors.
pub struct Fixture {
    /// The file's stem.
    pub name: String,
    /// The model, int8, as the passes would leave it.
    pub graph: Graph,
    /// Per graph tensor, `[cases][elements]`.
    tensors: HashMap<TensorId, (usize, Vec<u8>)>,
    inputs: Vec<TensorId>,
}

impl Fixture {
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    pub fn cases(&self) -> usize {
        self.tensors[&self.inputs[0]].0
    }

    pub fn input(&self, case: usize) -> &[u8] {
        self.tensor(self.inputs[0], case).expect("inputs are always there")
    }

    /// The expected bytes of a tensor, if the file has that many cases of it.
    pub fn tensor(&self, tensor: TensorId, case: usize) -> Option<&[u8]> {
        let (cases, bytes) = self.tensors.get(&tensor)?;
        let length = bytes.len() / cases;
        (case < *cases).then(|| &bytes[case * length..(case + 1) * length])
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/litert")
}

/// The fixture of that name.
pub fn named(name: &str) -> Fixture {
    load(&folder().join(name).with_extension("npz"))
}

/// All fixtures of the folder, in the order of their names.
pub fn all() -> Vec<Fixture> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder())
        .expect("the fixtures are in the repository")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "npz"))
        .collect();
    files.sort();
    files.iter().map(|file| load(file)).collect()
}

fn load(file: &Path) -> Fixture {
    let name = file.file_stem().expect("a file").to_string_lossy().into_owned();
    let arrays = Arrays::open(file);
    let description: Value = serde_json::from_slice(&arrays.bytes("graph")).expect("JSON");
    Loader { arrays, description }.fixture(name)
}

struct Loader {
    arrays: Arrays,
    description: Value,
}

impl Loader {
    fn fixture(&self, name: String) -> Fixture {
        let mut graph = Graph::new(&name);
        let mut ids: HashMap<usize, TensorId> = HashMap::new();
        let mut inputs = Vec::new();
        for index in indices(&self.description["inputs"]) {
            let operator = Operator::Input { element: Element::I8, scale: 1.0, offset: 0.0 };
            let id = self.push(&mut graph, index, operator, Vec::new());
            ids.insert(index, id);
            inputs.push(id);
        }
        for operator in self.description["operators"].as_array().expect("operators") {
            let read: Vec<TensorId> = indices(&operator["inputs"]).iter().map(|index| ids[index]).collect();
            let output = operator["output"].as_u64().expect("output") as usize;
            let mut id = self.push(&mut graph, output, self.operator(operator), read);
            // A pool carries no activation here; one on the same scale is the same.
            let pool = operator["kind"] == "max_pool" || operator["kind"] == "average_pool";
            if let (true, Some(function)) = (pool, activation(operator)) {
                id = self.push(&mut graph, output, Operator::Activation(function), vec![id]);
            }
            ids.insert(output, id);
        }
        graph.outputs = indices(&self.description["outputs"]).iter().map(|index| ids[index]).collect();
        graph.check().expect("a graph in order");
        let tensors = ids
            .iter()
            .filter_map(|(index, &id)| {
                let (shape, bytes) = self.arrays.array(&format!("t{index}"))?;
                Some((id, (shape[0] as usize, bytes)))
            })
            .collect();
        Fixture { name, graph, tensors, inputs }
    }

    fn push(&self, graph: &mut Graph, index: usize, operator: Operator, inputs: Vec<TensorId>) -> TensorId {
        let tensor = &self.description["tensors"][index];
        let shape = Shape(indices(&tensor["shape"]));
        let name = tensor["name"].as_str().expect("name");
        let id = graph.push(name, operator, inputs, shape);
        graph.tensors[id.0].element = Element::I8;
        graph.tensors[id.0].quantization = Some(Quantization {
            scale: tensor["scale"].as_f64().expect("scale") as f32,
            zero_point: tensor["zero_point"].as_i64().expect("zero point") as i32,
        });
        id
    }

    fn operator(&self, operator: &Value) -> Operator {
        let activation = activation(operator);
        let window = || Window {
            size: pair(&operator["kernel"]),
            stride: pair(&operator["stride"]),
            dilation: if operator["dilation"].is_null() { [1, 1] } else { pair(&operator["dilation"]) },
            padding: if operator["padding"] == "same" { Padding::Same } else { Padding::Valid },
            depth: None,
        };
        let weights = || {
            let scales = operator["weight_scales"].as_array().expect("scales");
            Weights::I8 {
                values: self
                    .arrays
                    .bytes(operator["weights"].as_str().expect("weights"))
                    .iter()
                    .map(|&byte| byte as i8)
                    .collect(),
                scales: scales.iter().map(|scale| scale.as_f64().expect("scale") as f32).collect(),
            }
        };
        let bias = || {
            let name = operator["bias"].as_str()?;
            let values = self.arrays.bytes(name);
            let (values, _) = values.as_chunks::<4>();
            Some(Bias::I32(values.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect()))
        };
        match operator["kind"].as_str().expect("kind") {
            "conv" => Operator::Convolution { weights: weights(), bias: bias(), window: window(), activation },
            "depthwise" => {
                let multiplier = operator["depth_multiplier"].as_u64().expect("multiplier") as usize;
                Operator::Depthwise { weights: weights(), bias: bias(), window: window(), multiplier, activation }
            }
            "dense" => Operator::Dense { weights: weights(), bias: bias(), activation },
            "max_pool" => Operator::MaxPool { window: window() },
            "average_pool" => Operator::AveragePool { window: window() },
            "mean" => Operator::GlobalAveragePool { keep_dims: operator["keep_dims"] == true },
            "add" => Operator::add(activation),
            "relu" => Operator::Activation(Function::Relu),
            "relu6" => Operator::Activation(Function::Relu6),
            "logistic" => Operator::Activation(Function::Sigmoid),
            "softmax" => Operator::Softmax,
            "flatten" => Operator::Flatten,
            kind => panic!("unknown kind {kind}"),
        }
    }
}

fn activation(operator: &Value) -> Option<Function> {
    match operator["activation"].as_str() {
        Some("relu") => Some(Function::Relu),
        Some("relu6") => Some(Function::Relu6),
        _ => None,
    }
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().expect("a list").iter().map(|index| index.as_u64().expect("an index") as usize).collect()
}

fn pair(value: &Value) -> [usize; 2] {
    indices(value).try_into().expect("two numbers")
}

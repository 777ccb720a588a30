//! Where a model begins and ends, and what of it falls away.

use microception_codegen::graph::{Element, Function, Graph, Operator, PairFunction, Quantization};
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;
use microception_codegen::read::read_bytes;

use crate::build::{ActivationFunctionType, BuiltinOperator, Model, Options, TensorType};

fn graph(model: &Model) -> Graph {
    read_bytes(&model.bytes(), "model").expect("read")
}

/// The convolution with a QUANTIZE in front of it and one operator behind.
fn with_edges(input: TensorType, output: TensorType, last: BuiltinOperator) -> Model {
    let mut model = Model::convolution();
    let first = model.value("camera", input, &[1, 3, 3, 1]);
    let end = model.value("answer", output, &[1, 2, 2, 2]);
    model.call(BuiltinOperator::QUANTIZE, &[first], 0, Options::None);
    model.calls.rotate_right(1);
    model.call(last, &[4], end, Options::None);
    Model { inputs: vec![first], outputs: vec![end], ..model }
}

#[test]
fn float_edges_fall_away() {
    let plain = graph(&Model::convolution());
    let float = graph(&with_edges(TensorType::FLOAT32, TensorType::FLOAT32, BuiltinOperator::DEQUANTIZE));
    assert_eq!(float.tensor(float.layers[0].output).name, "camera");
    assert_eq!(float.layers[0].operator, plain.layers[0].operator);
    assert_eq!(float.layers[1..], plain.layers[1..]);
    assert_eq!(float.tensors[1..], plain.tensors[1..]);
    assert_eq!(float.outputs, plain.outputs);
}

#[test]
fn pixels_at_the_edges_are_moved_by_128() {
    let model = with_edges(TensorType::UINT8, TensorType::UINT8, BuiltinOperator::QUANTIZE);
    let (plain, pixels) = (graph(&Model::convolution()), graph(&model));
    assert_eq!(pixels.layers[0].operator, Operator::Input { element: Element::U8, scale: 0.5, offset: 0.0 });
    let run = |graph: &Graph, frame: &[u8]| Machine::new(graph, Strategy::Smallest).unwrap().run(frame).unwrap();
    let frame = [0, 1, 2, 50, 127, 128, 129, 254, 255];
    let centred = frame.map(|pixel: u8| pixel ^ 0x80);
    assert_eq!(run(&pixels, &frame), run(&plain, &centred));
}

#[test]
fn an_activation_fused_into_a_pool_is_one_on_its_scale() {
    let mut model = Model::convolution();
    let pooled = model.value("pooled", TensorType::INT8, &[1, 1, 1, 2]);
    let options = Options::Pool { size: 2, activation: ActivationFunctionType::RELU6 };
    model.call(BuiltinOperator::MAX_POOL_2D, &[4], pooled, options);
    model.outputs = vec![pooled];
    let graph = graph(&model);
    let [pool, activation] = &graph.layers[3..] else { panic!("{} layers", graph.layers.len()) };
    assert!(matches!(pool.operator, Operator::MaxPool { .. }));
    assert_eq!((pool.name.as_str(), activation.name.as_str()), ("pooled/max_pool", "pooled"));
    assert_eq!(activation.operator, Operator::Activation(Function::Relu6));
    assert_eq!(activation.inputs, [pool.output]);
    let expected = Some(Quantization { scale: 0.5, zero_point: -128 });
    assert_eq!([pool.output, activation.output].map(|id| graph.tensor(id).quantization), [expected; 2]);
}

#[test]
fn a_sum_reads_two_tensors() {
    let mut model = Model::convolution();
    let sum = model.value("sum", TensorType::INT8, &[1, 2, 2, 2]);
    model.call(BuiltinOperator::ADD, &[3, 4], sum, Options::Add);
    model.outputs = vec![sum];
    let graph = graph(&model);
    assert_eq!(graph.layers[3].operator, Operator::add(None));
    assert_eq!(graph.layers[3].inputs, [graph.layers[1].output, graph.layers[2].output]);
}

/// A free batch size makes the converter compute the shape that a flatten leads to.
#[test]
fn a_computed_shape_falls_away() {
    let mut model = Model::convolution();
    let shape = model.value("shape", TensorType::INT32, &[4]);
    let batch = model.value("batch", TensorType::INT32, &[]);
    let packed = model.value("packed", TensorType::INT32, &[2]);
    let flat = model.value("flat", TensorType::INT8, &[1, 8]);
    let same = model.value("same", TensorType::INT8, &[1, 8]);
    model.call(BuiltinOperator::SHAPE, &[4], shape, Options::None);
    model.call(BuiltinOperator::STRIDED_SLICE, &[shape], batch, Options::None);
    model.call(BuiltinOperator::PACK, &[batch], packed, Options::None);
    model.call(BuiltinOperator::RESHAPE, &[4, packed], flat, Options::None);
    model.call(BuiltinOperator::RESHAPE, &[flat], same, Options::None);
    model.outputs = vec![same];
    let graph = graph(&model);
    assert_eq!(graph.layers.len(), 4);
    assert_eq!(graph.layers[3].operator, Operator::Flatten);
    assert_eq!(graph.outputs, [graph.layers[3].output]);
}

/// A float model goes the way of a Keras model.
#[test]
fn float_models_are_read() {
    let mut model = Model::default();
    let picture = model.value("picture", TensorType::FLOAT32, &[1, 3, 3, 1]);
    let weights: Vec<u8> = [1.0f32, 2.0, 3.0, -4.0].iter().flat_map(|number| number.to_le_bytes()).collect();
    let weights = model.constant("weights", TensorType::FLOAT32, &[1, 2, 2, 1], &weights);
    let bias = model.constant("bias", TensorType::FLOAT32, &[1], &0.5f32.to_le_bytes());
    let sums = model.value("sums", TensorType::FLOAT32, &[1, 2, 2, 1]);
    let options = Options::Convolution { stride: 1, activation: ActivationFunctionType::RELU };
    model.call(BuiltinOperator::CONV_2D, &[picture, weights, bias], sums, options);
    let graph = graph(&Model { inputs: vec![picture], outputs: vec![sums], ..model });
    let frame: Vec<u8> = (0..9u8).flat_map(|number| f32::from(number).to_ne_bytes()).collect();
    let answer = Machine::new(&graph, Strategy::Smallest).unwrap().run(&frame).unwrap();
    let answer: Vec<f32> = answer.as_chunks::<4>().0.iter().map(|bytes| f32::from_ne_bytes(*bytes)).collect();
    // 0 + 2 + 9 - 16, 1 + 4 + 12 - 20, 3 + 8 + 18 - 28, 4 + 10 + 21 - 32, each with the bias.
    assert_eq!(answer, [-4.5f32, -2.5, 1.5, 3.5].map(|sum| sum.max(0.0)));
}

/// The converter leaves ELU in float, whatever is around it: it is a table of int8 all the same.
#[test]
fn an_elu_between_conversions_is_one_layer() {
    let mut model = Model::convolution();
    let real = model.value("real", TensorType::FLOAT32, &[1, 2, 2, 2]);
    let elu = model.value("elu", TensorType::FLOAT32, &[1, 2, 2, 2]);
    let stored = model.value("stored", TensorType::INT8, &[1, 2, 2, 2]);
    model.call(BuiltinOperator::DEQUANTIZE, &[4], real, Options::None);
    model.call(BuiltinOperator::ELU, &[real], elu, Options::None);
    model.call(BuiltinOperator::QUANTIZE, &[elu], stored, Options::None);
    let answers = Model { outputs: vec![stored], ..model.clone() };
    let found = graph(&answers);
    let layer = found.layers.last().unwrap();
    assert_eq!(
        (layer.name.as_str(), &layer.operator),
        ("stored", &Operator::Requantize { through: Some(Function::Elu { alpha: 1.0 }) })
    );
    assert_eq!(layer.inputs, [found.layers[2].output]);
    // Another function, whose int8 kernel computes otherwise, stays real; so does what is not quantized at once.
    let kinds = |model: &Model| -> Vec<(&str, Element)> {
        let graph = graph(model);
        let layers = graph.layers.iter().skip(3);
        layers.map(|layer| (layer.operator.name(), graph.tensor(layer.output).element)).collect()
    };
    let expected = [("requantize", Element::F32), ("activation", Element::F32), ("requantize", Element::I8)];
    let mut another = Model { outputs: vec![stored], ..model.clone() };
    another.calls[3].kind = BuiltinOperator::HARD_SWISH;
    assert_eq!(kinds(&another), expected);
    let twice = model.value("twice", TensorType::FLOAT32, &[1, 2, 2, 2]);
    model.calls[4].inputs = vec![twice];
    model.call(BuiltinOperator::ADD, &[elu, elu], twice, Options::Add);
    model.calls.swap(4, 5);
    let [first, second, last] = expected;
    assert_eq!(kinds(&Model { outputs: vec![stored], ..model }), [first, second, ("add", Element::F32), last]);
}

/// A QUANTIZE from int8 to int8 is a layer inside a model, and at an edge of other numbers.
#[test]
fn other_numbers_are_a_layer() {
    let mut model = with_edges(TensorType::UINT8, TensorType::UINT8, BuiltinOperator::QUANTIZE);
    for tensor in [5, 6] {
        model.tensors[tensor].scales = vec![0.75];
    }
    let graph = graph(&model);
    let kinds: Vec<&str> = graph.layers.iter().map(|layer| layer.operator.name()).collect();
    assert_eq!(kinds, ["input", "requantize", "conv", "activation", "requantize"]);
    assert_eq!(graph.layers[0].operator, Operator::Input { element: Element::U8, scale: 0.75, offset: 0.0 });
    let expected = Some(Quantization { scale: 0.75, zero_point: -128 });
    assert_eq!([0, 4].map(|layer: usize| graph.tensor(graph.layers[layer].output).quantization), [expected; 2]);
}

/// Constants of any rank are repeated along the axes that they have not, on either side.
#[test]
fn constants_are_operands() {
    let with_constant = |shape: &[i32], first: bool| {
        let mut model = Model::convolution();
        let count = shape.iter().product::<i32>() as usize;
        let constant = model.constant("constant", TensorType::INT8, shape, &vec![1; count]);
        let output = model.value("maximum", TensorType::INT8, &[1, 2, 2, 2]);
        let inputs = if first { [constant, 4] } else { [4, constant] };
        model.call(BuiltinOperator::MAXIMUM, &inputs, output, Options::None);
        read_bytes(&Model { outputs: vec![output], ..model }.bytes(), "model")
    };
    for (shape, expected) in [
        (&[][..], [1, 1, 1]),
        (&[2], [1, 1, 2]),
        (&[2, 1], [1, 2, 1]),
        (&[2, 1, 1], [2, 1, 1]),
        (&[1, 2, 2, 2], [2, 2, 2]),
    ] {
        for first in [false, true] {
            let graph = with_constant(shape, first).expect("read");
            let Operator::Pairwise { function: PairFunction::Maximum, constant: Some(constant), activation: None } =
                &graph.layers[3].operator
            else {
                panic!("{:?}", graph.layers[3].operator)
            };
            assert_eq!((constant.shape.0.as_slice(), constant.first), (&expected[..], first));
        }
    }
    let error = |shape: &[i32]| with_constant(shape, false).unwrap_err().to_string();
    assert!(
        error(&[3]).contains("\"maximum\": maximum of the shapes 2x2x2 and 1x1x3, which do not fit"),
        "{}",
        error(&[3])
    );
    assert!(error(&[2, 2, 2, 2]).contains("has a constant of the shape 2x2x2x2, which does not fit 2x2x2"));
}

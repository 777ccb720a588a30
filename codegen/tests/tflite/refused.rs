//! What can't be read is refused in words that help.

use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::read::read_bytes;

use crate::build::{ActivationFunctionType, BuiltinOperator, Call, Model, Options, TensorType};

fn message(model: &Model) -> String {
    let error = read_bytes(&model.bytes(), "model").expect_err("it was read");
    error.to_string().strip_prefix("model: ").expect("the file's name").to_owned()
}

#[test]
fn all_operators_that_are_lacking_are_listed_at_once() {
    let mut model = Model::convolution();
    // Nothing else is looked at before.
    model.tensors[1].scales = vec![0.0];
    let names = ["first", "second", "third"];
    let outputs = names.map(|name| model.value(name, TensorType::INT8, &[1, 2, 2, 2]));
    model.call(BuiltinOperator::LOG_SOFTMAX, &[3], outputs[0], Options::None);
    model.call(BuiltinOperator::POW, &[3, 3], outputs[1], Options::None);
    model.call(BuiltinOperator::LOG_SOFTMAX, &[3], outputs[2], Options::None);
    let custom = Call {
        kind: BuiltinOperator::CUSTOM,
        custom: Some("Mine"),
        inputs: vec![3],
        outputs: vec![4],
        options: Options::None,
    };
    model.calls.push(custom);
    let expected = "uses operators that this version lacks, here with the tensors that they make: LOG_SOFTMAX \
                    (\"first\", \"third\"), POW (\"second\"), the custom operator \"Mine\" (\"output\"); supported \
                    are ADD, AVERAGE_POOL_2D, BATCH_TO_SPACE_ND, CONCATENATION, CONV_2D, DEPTHWISE_CONV_2D, \
                    DEQUANTIZE, ELU, EXPAND_DIMS, FULLY_CONNECTED, GELU, HARD_SWISH, LEAKY_RELU, LOGISTIC, MAXIMUM, \
                    MAX_POOL_2D, MEAN, MINIMUM, MUL, PAD, PADV2, PRELU, QUANTIZE, REDUCE_MAX, RELU, RELU6, \
                    RELU_0_TO_1, RELU_N1_TO_1, RESHAPE, RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR, SLICE, SOFTMAX, \
                    SPACE_TO_BATCH_ND, SQUEEZE, STRIDED_SLICE, SUB, TANH, TRANSPOSE";
    assert_eq!(message(&model), expected);
}

/// One thing of a model, spoilt.
type Spoil = fn(&mut Model);

#[test]
fn what_does_not_fit_together() {
    let cases: [(Spoil, &str); 28] = [
        (|model| model.tensors[3].scales = vec![0.0], "layer \"sums\": has the scale 0, which is not possible"),
        (|model| model.tensors[3].scales = vec![f32::NAN], "has the scale NaN, which is not possible"),
        (|model| model.tensors[3].scales = vec![1e-30], "which is not possible"),
        (|model| model.tensors[3].scales = vec![0.5, 0.5], "has 2 scales and 1 zero points"),
        (|model| model.tensors[3].scales = Vec::new(), "layer \"sums\": is quantized without a scale"),
        (
            |model| model.tensors[3].zero_points = vec![128],
            "has the zero points [128], where one that is stored is needed",
        ),
        (
            |model| model.tensors[3].shape = vec![2, 2, 2, 2],
            "has a batch of 2; convert the model for one input at a time",
        ),
        (|model| model.tensors[3].shape = vec![1, -2, 2, 2], "has a negative size: damaged file"),
        (|model| model.tensors[3].shape = vec![1], "layer \"sums\": makes 2x2x2, where the file says 1"),
        (|model| model.tensors[3].shape = vec![1, 2, 3, 2], "layer \"sums\": makes 2x2x2, where the file says 2x3x2"),
        (|model| model.tensors[3].element = TensorType::INT32, "holds INT32; supported are float32, and int8 or int16"),
        (
            |model| model.tensors[3].element = TensorType::INT16,
            "holds int16 with the zero point -128, which has to be 0",
        ),
        (|model| model.tensors[3].element = TensorType::FLOAT32, "is float with int8 or int4 weights (dynamic range"),
        (|model| model.tensors[4].element = TensorType::FLOAT32, "layer \"output\": makes f32 of i8 (\"sums\")"),
        (|model| model.tensors[1].scales = vec![-1.0], "layer \"weights\": has the scale -1, which is not possible"),
        (|model| model.tensors[1].zero_points = vec![1], "has weights with a zero point other than 0"),
        (
            |model| {
                model.tensors[1].scales = vec![1.0; 2];
                model.tensors[1].zero_points = vec![0; 2];
                model.tensors[1].axis = 3;
            },
            "layer \"weights\": has its scales along axis 3, expected 0",
        ),
        (|model| model.tensors[1].data = vec![0; 7], "has 7 bytes in the file for numbers of shape 2x2x2x1"),
        (|model| model.tensors[1].data = Vec::new(), "has 0 bytes in the file for numbers of shape 2x2x2x1"),
        // Eight numbers are four bytes.
        (|model| model.tensors[1].element = TensorType::INT4, "has 8 bytes in the file for numbers of shape 2x2x2x1"),
        (|model| model.tensors[1].shape = vec![2, 2, 1, 2], "kernels of 2 channels for 1, which are no equal groups"),
        (|model| model.tensors[1].shape = vec![8], "layer \"sums\": has weights with 1 axes, expected 4"),
        (|model| model.tensors[2].data = vec![0; 4], "has 4 bytes in the file for numbers of shape 2"),
        (|model| model.tensors[2].element = TensorType::FLOAT32, "has biases of another type than its weights need"),
        (|model| model.calls[0].inputs[1] = 9, "is damaged: it refers to tensor 9, which does not exist"),
        (|model| model.calls[1].inputs[0] = 1, "layer \"output\": reads the constant \"weights\", where only values"),
        (|model| model.calls[1].inputs[0] = 4, "layer \"output\": reads \"output\", which no layer before it makes"),
        (|model| model.calls[0].options = Options::None, "is made by an operator without options: damaged file"),
    ];
    for (spoil, expected) in cases {
        let mut model = Model::convolution();
        spoil(&mut model);
        let message = message(&model);
        assert!(message.contains(expected), "{message}, expected: {expected}");
    }
}

#[test]
fn options_that_there_is_no_kernel_for() {
    let mut model = Model::convolution();
    model.calls[0].options = Options::Convolution { stride: 1, activation: ActivationFunctionType::TANH };
    let expected = "layer \"sums\": has the activation TANH fused; supported are RELU, RELU6 and RELU_N1_TO_1";
    assert_eq!(message(&model), expected);
    model.calls[0].options = Options::Convolution { stride: 0, activation: ActivationFunctionType::NONE };
    assert_eq!(message(&model), "layer \"sums\": has a stride of 0");

    let mut model = Model::convolution();
    model.tensors[4].scales = vec![1.0 / 256.0];
    model.calls[1] = Call {
        kind: BuiltinOperator::SOFTMAX,
        custom: None,
        inputs: vec![3],
        outputs: vec![4],
        options: Options::Softmax { beta: 2.0 },
    };
    assert_eq!(message(&model), "layer \"output\": has a beta of 2; supported is 1");
    model.calls[1].options = Options::Softmax { beta: 1.0 };
    read_bytes(&model.bytes(), "model").expect("read");
    model.tensors[4].scales = vec![0.5];
    let expected = "layer \"output\": has another scale or zero point than 1/256 and -128, which it always has";
    assert_eq!(message(&model), expected);

    let mut model = Model::convolution();
    model.calls[1].kind = BuiltinOperator::QUANTIZE;
    model.tensors[4].element = TensorType::FLOAT16;
    let expected = "layer \"output\": is not of int8, int16 or uint8, to which real numbers are quantized";
    assert_eq!(message(&model), expected);
    model.tensors[4].element = TensorType::UINT8;
    model.tensors[4].zero_points = vec![0];
    let real = model.value("real", TensorType::FLOAT32, &[1, 2, 2, 2]);
    model.call(BuiltinOperator::DEQUANTIZE, &[4], real, Options::None);
    let expected = "layer \"real\": reads \"output\", which is uint8 inside the model: supported at its edges only";
    assert_eq!(message(&model), expected);

    let mut model = Model::convolution();
    let halves = model.constant("halves", TensorType::FLOAT16, &[2], &[0; 4]);
    let weights = model.value("weights", TensorType::FLOAT32, &[2]);
    model.call(BuiltinOperator::DEQUANTIZE, &[halves], weights, Options::None);
    let expected = "layer \"weights\": is made of numbers of FLOAT16 in the file, which is not supported; convert the \
                    model with full-integer quantization, or without quantization";
    assert_eq!(message(&model), expected);

    let mut model = Model::convolution();
    let axes = model.constant("axes", TensorType::INT32, &[1], &[2, 0, 0, 0]);
    let mean = model.value("mean", TensorType::INT8, &[1, 2, 2]);
    model.call(BuiltinOperator::MEAN, &[4, axes], mean, Options::Mean { keep_dims: false });
    let expected = "layer \"mean\": is over other axes than height and width, height alone or (REDUCE_MAX) width alone, which \
                    is not supported";
    assert_eq!(message(&model), expected);
}

/// What a damaged or hostile int16x8 file says of its biases is an error, and nothing overflows.
#[test]
fn biases_of_64_bits() {
    let plan = |biases| {
        let graph = read_bytes(&Model::wide_convolution(biases).bytes(), "model").and_then(passes::run);
        Machine::new(&graph.expect("read"), Strategy::Balanced).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(plan([1 << 40, -1]), Ok(()));
    for bias in [1 << 47, i64::MAX, i64::MIN] {
        let error = plan([0, bias]).expect_err("it was planned");
        assert!(error.contains("makes sums of more than 48 bits"), "{error}");
    }
}

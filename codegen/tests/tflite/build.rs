//! Small models, built with the schema's own code, to be spoilt one thing at a time.

use flatbuffers::{FlatBufferBuilder, UnionWIPOffset, WIPOffset};

use crate::schema::tflite as format;
pub use format::{ActivationFunctionType, BuiltinOperator, TensorType};

/// One tensor; a constant where it has data.
#[derive(Clone)]
pub struct Tensor {
    pub name: &'static str,
    pub shape: Vec<i32>,
    pub element: TensorType,
    pub data: Vec<u8>,
    pub scales: Vec<f32>,
    pub zero_points: Vec<i64>,
    pub axis: i32,
    /// Whether its batch is free.
    pub open: bool,
}

/// What an operator's options say, as far as the tests change it.
#[derive(Clone, Copy)]
pub enum Options {
    None,
    Convolution { stride: i32, activation: ActivationFunctionType },
    Pool { size: i32, activation: ActivationFunctionType },
    Add,
    Softmax { beta: f32 },
    Mean { keep_dims: bool },
    Concatenation { axis: i32 },
    ResizeNearest,
}

#[derive(Clone)]
pub struct Call {
    pub kind: BuiltinOperator,
    pub custom: Option<&'static str>,
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
    pub options: Options,
}

/// A model of one subgraph.
#[derive(Clone, Default)]
pub struct Model {
    pub tensors: Vec<Tensor>,
    pub calls: Vec<Call>,
    pub inputs: Vec<i32>,
    pub outputs: Vec<i32>,
}

impl Model {
    fn push(&mut self, tensor: Tensor) -> i32 {
        self.tensors.push(tensor);
        self.tensors.len() as i32 - 1
    }

    /// A value that flows: int8, int16 and uint8 with a scale of 1/2.
    pub fn value(&mut self, name: &'static str, element: TensorType, shape: &[i32]) -> i32 {
        let (scales, zero_points) = match element {
            TensorType::INT8 => (vec![0.5], vec![-128]),
            TensorType::UINT8 | TensorType::INT16 => (vec![0.5], vec![0]),
            _ => (Vec::new(), Vec::new()),
        };
        self.push(Tensor {
            name,
            shape: shape.to_vec(),
            element,
            data: Vec::new(),
            scales,
            zero_points,
            axis: 0,
            open: false,
        })
    }

    /// A constant; int8 is weights with one scale.
    pub fn constant(&mut self, name: &'static str, element: TensorType, shape: &[i32], data: &[u8]) -> i32 {
        let (scales, zero_points) =
            if element == TensorType::INT8 { (vec![0.25], vec![0]) } else { (Vec::new(), Vec::new()) };
        self.push(Tensor {
            name,
            shape: shape.to_vec(),
            element,
            data: data.to_vec(),
            scales,
            zero_points,
            axis: 0,
            open: false,
        })
    }

    pub fn call(&mut self, kind: BuiltinOperator, inputs: &[i32], output: i32, options: Options) {
        let call = Call { kind, custom: None, inputs: inputs.to_vec(), outputs: vec![output], options };
        self.calls.push(call);
    }

    /// A convolution of 2x2 with two outputs over a picture of 3x3, and a relu after it.
    pub fn convolution() -> Model {
        let mut model = Model::default();
        let picture = model.value("picture", TensorType::INT8, &[1, 3, 3, 1]);
        let weights = model.constant("weights", TensorType::INT8, &[2, 2, 2, 1], &[1, 2, 3, 4, 5, 6, 7, 248]);
        let bias = model.constant("bias", TensorType::INT32, &[2], &[1, 0, 0, 0, 255, 255, 255, 255]);
        let sums = model.value("sums", TensorType::INT8, &[1, 2, 2, 2]);
        let output = model.value("output", TensorType::INT8, &[1, 2, 2, 2]);
        let options = Options::Convolution { stride: 1, activation: ActivationFunctionType::NONE };
        model.call(BuiltinOperator::CONV_2D, &[picture, weights, bias], sums, options);
        model.call(BuiltinOperator::RELU, &[sums], output, Options::None);
        Model { inputs: vec![picture], outputs: vec![output], ..model }
    }

    /// The same with activations of 16 bits and these biases of 64.
    pub fn wide_convolution(biases: [i64; 2]) -> Model {
        let mut model = Model::convolution();
        for place in [0, 3, 4] {
            model.tensors[place].element = TensorType::INT16;
            model.tensors[place].zero_points = vec![0];
        }
        model.tensors[2].element = TensorType::INT64;
        model.tensors[2].data = biases.iter().flat_map(|bias| bias.to_le_bytes()).collect();
        model
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut builder = FlatBufferBuilder::new();
        let empty = format::Buffer::create(&mut builder, &format::BufferArgs::default());
        let mut buffers = vec![empty];
        let mut tensors = Vec::new();
        for tensor in &self.tensors {
            let buffer = if tensor.data.is_empty() { 0 } else { buffers.len() as u32 };
            if buffer > 0 {
                let data = Some(builder.create_vector(&tensor.data));
                buffers.push(format::Buffer::create(&mut builder, &format::BufferArgs { data }));
            }
            let quantization = format::QuantizationParametersArgs {
                scale: Some(builder.create_vector(&tensor.scales)),
                zero_point: Some(builder.create_vector(&tensor.zero_points)),
                quantized_dimension: tensor.axis,
                ..Default::default()
            };
            let quantization = format::QuantizationParameters::create(&mut builder, &quantization);
            let signature: Vec<i32> = [-1].iter().chain(tensor.shape.iter().skip(1)).copied().collect();
            let arguments = format::TensorArgs {
                shape: Some(builder.create_vector(&tensor.shape)),
                shape_signature: tensor.open.then(|| builder.create_vector(&signature)),
                type_: tensor.element,
                buffer,
                name: Some(builder.create_string(tensor.name)),
                quantization: (!tensor.scales.is_empty()).then_some(quantization),
                ..Default::default()
            };
            tensors.push(format::Tensor::create(&mut builder, &arguments));
        }
        let mut codes = Vec::new();
        let mut operators = Vec::new();
        for (index, call) in self.calls.iter().enumerate() {
            let code = format::OperatorCodeArgs {
                deprecated_builtin_code: call.kind.0.min(127) as i8,
                builtin_code: call.kind,
                custom_code: call.custom.map(|name| builder.create_string(name)),
                ..Default::default()
            };
            codes.push(format::OperatorCode::create(&mut builder, &code));
            let (builtin_options_type, builtin_options) = call.options.create(&mut builder);
            let arguments = format::OperatorArgs {
                opcode_index: index as u32,
                inputs: Some(builder.create_vector(&call.inputs)),
                outputs: Some(builder.create_vector(&call.outputs)),
                builtin_options_type,
                builtin_options,
                ..Default::default()
            };
            operators.push(format::Operator::create(&mut builder, &arguments));
        }
        let subgraph = format::SubGraphArgs {
            tensors: Some(builder.create_vector(&tensors)),
            inputs: Some(builder.create_vector(&self.inputs)),
            outputs: Some(builder.create_vector(&self.outputs)),
            operators: Some(builder.create_vector(&operators)),
            name: None,
        };
        let subgraph = format::SubGraph::create(&mut builder, &subgraph);
        let model = format::ModelArgs {
            version: 3,
            operator_codes: Some(builder.create_vector(&codes)),
            subgraphs: Some(builder.create_vector(&[subgraph])),
            buffers: Some(builder.create_vector(&buffers)),
            ..Default::default()
        };
        let model = format::Model::create(&mut builder, &model);
        format::finish_model_buffer(&mut builder, model);
        builder.finished_data().to_vec()
    }
}

impl Options {
    fn create(
        self,
        builder: &mut FlatBufferBuilder<'_>,
    ) -> (format::BuiltinOptions, Option<WIPOffset<UnionWIPOffset>>) {
        match self {
            Options::None => (format::BuiltinOptions::NONE, None),
            Options::Convolution { stride, activation } => {
                let arguments = format::Conv2DOptionsArgs {
                    padding: format::Padding::VALID,
                    stride_w: stride,
                    stride_h: stride,
                    fused_activation_function: activation,
                    ..Default::default()
                };
                let options = format::Conv2DOptions::create(builder, &arguments);
                (format::BuiltinOptions::Conv2DOptions, Some(options.as_union_value()))
            }
            Options::Pool { size, activation } => {
                let arguments = format::Pool2DOptionsArgs {
                    padding: format::Padding::VALID,
                    stride_w: size,
                    stride_h: size,
                    filter_width: size,
                    filter_height: size,
                    fused_activation_function: activation,
                };
                let options = format::Pool2DOptions::create(builder, &arguments);
                (format::BuiltinOptions::Pool2DOptions, Some(options.as_union_value()))
            }
            Options::Add => {
                let options = format::AddOptions::create(builder, &format::AddOptionsArgs::default());
                (format::BuiltinOptions::AddOptions, Some(options.as_union_value()))
            }
            Options::Concatenation { axis } => {
                let arguments = format::ConcatenationOptionsArgs { axis, ..Default::default() };
                let options = format::ConcatenationOptions::create(builder, &arguments);
                (format::BuiltinOptions::ConcatenationOptions, Some(options.as_union_value()))
            }
            Options::ResizeNearest => {
                let arguments = format::ResizeNearestNeighborOptionsArgs::default();
                let options = format::ResizeNearestNeighborOptions::create(builder, &arguments);
                (format::BuiltinOptions::ResizeNearestNeighborOptions, Some(options.as_union_value()))
            }
            Options::Softmax { beta } => {
                let options = format::SoftmaxOptions::create(builder, &format::SoftmaxOptionsArgs { beta });
                (format::BuiltinOptions::SoftmaxOptions, Some(options.as_union_value()))
            }
            Options::Mean { keep_dims } => {
                let options = format::ReducerOptions::create(builder, &format::ReducerOptionsArgs { keep_dims });
                (format::BuiltinOptions::ReducerOptions, Some(options.as_union_value()))
            }
        }
    }
}

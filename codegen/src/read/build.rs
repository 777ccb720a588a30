//! From calls to operators: walks the [`Model`], gives every call its tensors and shapes, and
//! appends to the [`Graph`]. Nested models are walked into; what comes out is flat.

use std::collections::HashSet;

use serde_json::Value;

use super::activation::Activation;
use super::budget::Budget;
use super::layout::Spatial;
use super::settings::{Settings, count};
use super::topology::{Call, Entry, INPUT, Model, OWN_SEPARABLE_CONVOLUTION, Source};
use super::variables::{Scope, Store, Wanted};
use super::{convolution, elementwise, merge, moving, normalization, pooling, resizing};
use crate::error::Error;
use crate::graph::{Element, Graph, Operator, PairFunction, Shape, TensorId};

/// Most calls of a model, nested ones counted as often as they are called: a few lines of JSON can
/// describe models in models in models that have billions.
const MOST_CALLS: usize = 10_000;

/// The layers that are supported, for the error about one that is not.
const SUPPORTED: &str = "of one, two and three dimensions Conv, SeparableConv, MaxPooling, AveragePooling, \
    GlobalMaxPooling, GlobalAveragePooling, ZeroPadding, Cropping and UpSampling; DepthwiseConv1D, DepthwiseConv2D, \
    Dense, BatchNormalization, Normalization, Rescaling, Activation, ReLU, LeakyReLU, ELU, PReLU, Softmax, Add, Subtract, \
    Multiply, Average, Maximum, Minimum, Concatenate, Flatten, Reshape, Permute, Resizing, CenterCrop, layers that only work in training \
    (dropout, noise, random augmentation), and models of these";

/// The graph of an architecture with its weights. `name` is used when the model has none.
pub(super) fn graph(architecture: &Value, store: Store, mut budget: Budget, name: &str) -> Result<Graph, Error> {
    let model = Model::of_architecture(architecture)?;
    expect_supported(&model)?;
    let scope = store.whole(&mut budget)?;
    let graph = Graph::new(model.name.unwrap_or(name));
    let mut builder = Builder { graph, store, budget, names: HashSet::new(), calls: 0, training: false };
    let inputs = builder.inputs(&model)?;
    let outputs = builder.model(&model, &scope, "", &inputs)?;
    if outputs.iter().all(|output| inputs.contains(output)) {
        return Err(Error::model("the model has no layers"));
    }
    builder.graph.outputs = outputs;
    if model.outputs.len() > 1 {
        let layer = |source: &Source| model.entries[source.node.entry].name.as_str();
        let names = model.output_names.iter().zip(&model.outputs);
        builder.graph.output_names = different(names.map(|(name, source)| name.unwrap_or_else(|| layer(source))));
    }
    builder.graph.check()?;
    Ok(builder.graph)
}

/// The names, with a number behind those that came before.
fn different<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut different: Vec<String> = Vec::new();
    for name in names {
        let numbered = (1..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !different.contains(name));
        different.extend(free);
    }
    different
}

/// A graph in the making.
pub(super) struct Builder {
    graph: Graph,
    store: Store,
    budget: Budget,
    names: HashSet<String>,
    calls: usize,
    /// Whether the model that is walked is told to behave as in training.
    training: bool,
}

/// One call of one layer, with everything that making its operator takes.
pub(super) struct Site<'a> {
    /// The layer.
    pub(super) entry: &'a Entry<'a>,
    /// Its settings; their name is the one in the graph.
    pub(super) settings: Settings<'a>,
    /// The call.
    pub(super) call: &'a Call<'a>,
    /// Whether it is told to behave as in training, always: it, or a model that it is in.
    pub(super) training: bool,
    /// What it is called with.
    pub(super) inputs: Vec<TensorId>,
    scope: &'a Scope,
}

impl Site<'_> {
    /// The layer's name in the graph.
    pub(super) fn name(&self) -> &str {
        &self.settings.layer
    }

    /// An error of this layer.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        self.settings.error(reason)
    }

    /// The input of a layer that has one.
    pub(super) fn input(&self) -> Result<TensorId, Error> {
        match self.inputs[..] {
            [input] => Ok(input),
            _ => Err(self.error(format!("is called with {} tensors, expected one", self.inputs.len()))),
        }
    }
}

impl Builder {
    /// The shape of a tensor.
    pub(super) fn shape(&self, tensor: TensorId) -> &Shape {
        &self.graph.tensor(tensor).shape
    }

    /// The layer's variables, see [`Store::variables`].
    pub(super) fn variables(&mut self, site: &Site, wanted: &[Wanted]) -> Result<Vec<Vec<f32>>, Error> {
        self.store.variables(site.scope, site.entry, &site.settings, wanted, &mut self.budget)
    }

    /// Takes memory for `count` numbers that the file declares but does not hold.
    pub(super) fn take_numbers(&mut self, count: usize) -> Result<(), Error> {
        self.budget.take(count, size_of::<f32>())
    }

    /// Takes memory for `count` things of `size` bytes.
    pub(super) fn take_bytes(&mut self, count: usize, size: usize) -> Result<(), Error> {
        self.budget.take(count, size)
    }

    /// Appends a layer.
    pub(super) fn push(
        &mut self,
        name: &str,
        operator: Operator,
        inputs: Vec<TensorId>,
        shape: Shape,
    ) -> Result<TensorId, Error> {
        let elements = shape.0.iter().try_fold(1usize, |elements, &extent| elements.checked_mul(extent));
        if shape.0.contains(&0) || elements.is_none_or(|elements| elements > i32::MAX as usize) {
            return Err(Error::layer(name, format!("its result would have the shape {shape}, which is not possible")));
        }
        if !self.names.insert(name.to_owned()) {
            return Err(Error::layer(name, "two layers have this name"));
        }
        Ok(self.graph.push(name, operator, inputs, shape))
    }

    /// Appends a layer and its activation, as a field of the operator where that can carry it.
    pub(super) fn push_activated(
        &mut self,
        name: &str,
        mut operator: Operator,
        inputs: Vec<TensorId>,
        shape: Shape,
        activation: Activation,
    ) -> Result<TensorId, Error> {
        let after = match (activation.fused(), operator.activation_mut()) {
            (Some(function), Some(place)) => {
                *place = Some(function);
                None
            }
            _ => activation.layer(),
        };
        let result = self.push(name, operator, inputs, shape.clone())?;
        match after {
            Some((suffix, operator)) => self.push(&format!("{name}/{suffix}"), operator, vec![result], shape),
            None => Ok(result),
        }
    }

    /// Appends a layer that slides over its input, and its activation; both as [`push_spatial_as`].
    ///
    /// [`push_spatial_as`]: Builder::push_spatial_as
    pub(super) fn push_spatial(
        &mut self,
        site: &Site,
        spatial: &Spatial,
        operator: Operator,
        shape: Shape,
        activation: Activation,
    ) -> Result<TensorId, Error> {
        self.push_spatial_as(site.name(), site, spatial, operator, shape, activation)
    }

    /// Appends a layer that slides over its input, under a name of its own, and its activation: as a field of the
    /// operator where that can carry it, else behind the way back to channels first.
    pub(super) fn push_spatial_as(
        &mut self,
        name: &str,
        site: &Site,
        spatial: &Spatial,
        mut operator: Operator,
        shape: Shape,
        activation: Activation,
    ) -> Result<TensorId, Error> {
        if !spatial.channels_first {
            return self.push_activated(name, operator, vec![spatial.input], shape, activation);
        }
        let place = operator.activation_mut().filter(|_| activation.fused().is_some());
        let activation = match place {
            Some(place) => {
                *place = activation.fused();
                Activation::Linear
            }
            None => activation,
        };
        let result = self.push(name, operator, vec![spatial.input], shape)?;
        self.activated(site, spatial, result, activation)
    }

    /// A layer's result in the order of its axes that the layer has, and with its activation: a softmax is one over
    /// the last of those.
    pub(super) fn activated(
        &mut self,
        site: &Site,
        spatial: &Spatial,
        result: TensorId,
        activation: Activation,
    ) -> Result<TensorId, Error> {
        let result = self.back(site, spatial, result)?;
        let Some((suffix, operator)) = activation.layer() else { return Ok(result) };
        let shape = self.shape(result).clone();
        self.push(&format!("{}/{suffix}", site.name()), operator, vec![result], shape)
    }

    /// The whole model's inputs, as its layers take them. Rows come with all their channels, whatever the model's own
    /// order: the caller hands over channels last.
    fn inputs(&mut self, model: &Model) -> Result<Vec<TensorId>, Error> {
        let channels_first = model.channels_first();
        let entries = model.inputs.iter().map(|&input| &model.entries[input]);
        let inputs: Vec<_> = entries.map(|entry| self.input(entry, channels_first)).collect::<Result<_, _>>()?;
        if !channels_first {
            return Ok(inputs);
        }
        let mut transposed = Vec::new();
        for input in inputs {
            let axes = self.shape(input).0.len();
            transposed.push(if axes == 1 {
                input
            } else {
                let name = format!("{}/channels_first", self.graph.tensor(input).name);
                self.transposed(&name, input, [axes - 1].into_iter().chain(0..axes - 1).collect())?
            });
        }
        Ok(transposed)
    }

    /// One of them, as the caller hands it over.
    fn input(&mut self, entry: &Entry, channels_first: bool) -> Result<TensorId, Error> {
        let settings = &entry.settings;
        let extents = declared_shape(settings).ok_or_else(|| {
            settings.error("the model's input shape is not in the file; put keras.Input(shape=(..)) in front of it")
        })?;
        let shape: Option<Vec<usize>> = extents.iter().map(count).collect();
        let shape = shape.ok_or_else(|| {
            settings.error(format!(
                "the input shape {} has a size that is not fixed or not above zero; rebuild the model with a fixed \
                 size, as keras.Input(shape=(height, width, channels)), and load the weights into it",
                Value::Array(extents.to_vec())
            ))
        })?;
        if !(1..=4).contains(&shape.len()) {
            return Err(settings.error(format!(
                "the input shape {} is not supported; this version converts volumes (depth, height, width, channels), \
                 images (height, width, channels), time series (steps, channels) and flat inputs",
                Shape(shape)
            )));
        }
        let element = match settings.get("dtype") {
            Some(Value::String(name)) => match name.as_str() {
                "uint8" => Element::U8,
                "float32" | "float16" | "float64" | "bfloat16" | "float" => Element::F32,
                other => {
                    return Err(
                        settings.error(format!("inputs of type {other} are not supported, only float and uint8"))
                    );
                }
            },
            _ => Element::F32,
        };
        let operator = Operator::Input { element, scale: 1.0, offset: 0.0 };
        if shape.len() == 1 || !channels_first {
            return self.push(&entry.name, operator, Vec::new(), Shape(shape));
        }
        let last = Shape(shape[1..].iter().chain(&shape[..1]).copied().collect());
        self.push(&entry.name, operator, Vec::new(), last)
    }

    /// Walks a model; `prefix` goes in front of its layers' names.
    fn model(
        &mut self,
        model: &Model,
        scope: &Scope,
        prefix: &str,
        inputs_given: &[TensorId],
    ) -> Result<Vec<TensorId>, Error> {
        let mut results: Vec<Vec<Vec<TensorId>>> =
            model.entries.iter().map(|entry| vec![Vec::new(); entry.calls.len()]).collect();
        let result_of = |results: &[Vec<Vec<TensorId>>], Source { node, tensor }: Source| {
            let result = results[node.entry][node.call].get(tensor).copied();
            result.ok_or_else(|| Error::model("a layer runs before what it reads"))
        };
        for &node in &model.order {
            let entry = &model.entries[node.entry];
            self.calls += 1;
            if self.calls > MOST_CALLS {
                return Err(Error::layer(&entry.name, format!("the model has more than {MOST_CALLS} layers")));
            }
            let call = &entry.calls[node.call];
            let inputs = call.inputs.iter().map(|&input| result_of(&results, input)).collect::<Result<_, _>>()?;
            let name = match node.call {
                0 => format!("{prefix}{}", entry.name),
                again => format!("{prefix}{}/call{}", entry.name, again + 1),
            };
            // It is in front of the names of a nested model's layers, and stands at the layer, at its tensor and
            // among the names; a call may become a few layers.
            self.budget.take(name.len(), 16)?;
            let training = call.training.unwrap_or(self.training);
            let site = Site { entry, settings: entry.settings.named(&name), call, training, inputs, scope };
            let result = match &entry.nested {
                Some(nested) => {
                    let inside = self.store.nested(scope, entry, &mut self.budget)?;
                    self.expect_declared(nested, &site)?;
                    let around = std::mem::replace(&mut self.training, site.training);
                    let results = self.model(nested, &inside, &format!("{name}/"), &site.inputs)?;
                    self.training = around;
                    results
                }
                None if entry.class == INPUT => {
                    let given = model.inputs.iter().position(|&input| input == node.entry);
                    given.and_then(|given| inputs_given.get(given)).copied().into_iter().collect()
                }
                None => {
                    let rule = rule(entry.class).ok_or_else(|| site.error("is not supported"))?;
                    vec![rule(self, &site)?]
                }
            };
            results[node.entry][node.call] = result;
        }
        model.outputs.iter().map(|&output| result_of(&results, output)).collect()
    }

    /// A nested model must be called with what it was built for.
    fn expect_declared(&self, nested: &Model, site: &Site) -> Result<(), Error> {
        if site.inputs.len() != nested.inputs.len() {
            let (given, takes) = (site.inputs.len(), nested.inputs.len());
            return Err(site.error(format!("is called with {given} tensors, but was built for {takes}")));
        }
        for (&tensor, &input) in site.inputs.iter().zip(&nested.inputs) {
            let shape = self.shape(tensor);
            let Some(declared) = declared_shape(&nested.entries[input].settings) else { continue };
            let differs =
                |(declared, &extent): (&Value, &usize)| !declared.is_null() && count(declared) != Some(extent);
            if declared.len() != shape.0.len() || declared.iter().zip(&shape.0).any(differs) {
                let declared = Value::Array(declared.to_vec());
                return Err(
                    site.error(format!("is called with a tensor of shape {shape}, but was built for {declared}"))
                );
            }
        }
        Ok(())
    }
}

/// Makes the operators of one call of a layer.
type Rule = fn(&mut Builder, &Site) -> Result<TensorId, Error>;

/// What to do with a layer of a class; `None` when it is not supported.
fn rule(class: &str) -> Option<Rule> {
    let rule: Rule = match class {
        "Conv1D" | "Convolution1D" => |builder, site| convolution::full(builder, site, 1),
        "Conv2D" | "Convolution2D" => |builder, site| convolution::full(builder, site, 2),
        "Conv3D" | "Convolution3D" => |builder, site| convolution::full(builder, site, 3),
        "DepthwiseConv1D" => |builder, site| convolution::depthwise(builder, site, 1),
        "DepthwiseConv2D" => |builder, site| convolution::depthwise(builder, site, 2),
        "SeparableConv1D" | "SeparableConvolution1D" => |builder, site| convolution::separable(builder, site, 1),
        "SeparableConv2D" | "SeparableConvolution2D" => |builder, site| convolution::separable(builder, site, 2),
        OWN_SEPARABLE_CONVOLUTION => |builder, site| convolution::separable(builder, site, 3),
        "Dense" => convolution::dense,
        "BatchNormalization" => normalization::batch_normalization,
        "Normalization" => normalization::normalization,
        "Rescaling" => normalization::rescaling,
        "Activation" => |builder, site| elementwise::activation(builder, site, Activation::of_setting(&site.settings)?),
        "PReLU" => elementwise::prelu,
        "Softmax" => elementwise::softmax,
        // Layers and operations of keras.ops have the same names.
        "Add" => |builder, site| merge::pairwise(builder, site, PairFunction::Add),
        "Subtract" => |builder, site| merge::pairwise(builder, site, PairFunction::Subtract),
        "Multiply" => |builder, site| merge::pairwise(builder, site, PairFunction::Multiply),
        "Maximum" => |builder, site| merge::pairwise(builder, site, PairFunction::Maximum),
        "Minimum" => |builder, site| merge::pairwise(builder, site, PairFunction::Minimum),
        "Average" => merge::average,
        "Concatenate" => moving::concatenate,
        "TrueDivide" | "Divide" => merge::divide,
        "Negative" => merge::negative,
        "TFOpLambda" => elementwise::tensorflow_operation,
        "MaxPooling1D" | "MaxPool1D" => |builder, site| pooling::max(builder, site, 1),
        "MaxPooling2D" | "MaxPool2D" => |builder, site| pooling::max(builder, site, 2),
        "MaxPooling3D" | "MaxPool3D" => |builder, site| pooling::max(builder, site, 3),
        "AveragePooling1D" | "AvgPool1D" => |builder, site| pooling::average(builder, site, 1),
        "AveragePooling2D" | "AvgPool2D" => |builder, site| pooling::average(builder, site, 2),
        "AveragePooling3D" | "AvgPool3D" => |builder, site| pooling::average(builder, site, 3),
        "GlobalAveragePooling1D" | "GlobalAvgPool1D" => |builder, site| pooling::global_average(builder, site, 1),
        "GlobalAveragePooling2D" | "GlobalAvgPool2D" => |builder, site| pooling::global_average(builder, site, 2),
        "GlobalAveragePooling3D" | "GlobalAvgPool3D" => |builder, site| pooling::global_average(builder, site, 3),
        "GlobalMaxPooling1D" | "GlobalMaxPool1D" => |builder, site| pooling::global_max(builder, site, 1),
        "GlobalMaxPooling2D" | "GlobalMaxPool2D" => |builder, site| pooling::global_max(builder, site, 2),
        "GlobalMaxPooling3D" | "GlobalMaxPool3D" => |builder, site| pooling::global_max(builder, site, 3),
        "ZeroPadding1D" => |builder, site| moving::zero_padding(builder, site, 1),
        "ZeroPadding2D" => |builder, site| moving::zero_padding(builder, site, 2),
        "ZeroPadding3D" => |builder, site| moving::zero_padding(builder, site, 3),
        "Cropping1D" => |builder, site| moving::cropping(builder, site, 1),
        "Cropping2D" => |builder, site| moving::cropping(builder, site, 2),
        "Cropping3D" => |builder, site| moving::cropping(builder, site, 3),
        "UpSampling1D" => |builder, site| moving::up_sampling(builder, site, 1),
        "UpSampling2D" => |builder, site| moving::up_sampling(builder, site, 2),
        "UpSampling3D" => |builder, site| moving::up_sampling(builder, site, 3),
        "Flatten" => moving::flatten,
        "Reshape" => moving::reshape,
        "Permute" => moving::permute,
        "Resizing" => resizing::resizing,
        "CenterCrop" => resizing::center_crop,
        "RandomCrop" => resizing::random_crop,
        class if elementwise::only_in_training(class) => elementwise::identity,
        class if elementwise::is_function(class) => elementwise::function,
        _ => return None,
    };
    Some(rule)
}

/// Errors when a layer is of a class that is not supported. Said before anything else about the
/// model, since there is nothing a user could change about it.
fn expect_supported(model: &Model) -> Result<(), Error> {
    for entry in &model.entries {
        match &entry.nested {
            Some(nested) => expect_supported(nested)?,
            None if entry.class != INPUT && rule(entry.class).is_none() => {
                return Err(entry
                    .settings
                    .error(format!("layers of type {} are not supported; supported are {SUPPORTED}", entry.class)));
            }
            None => {}
        }
    }
    Ok(())
}

/// The extents of an input without its batch, as written: numbers, or null where a size is open.
fn declared_shape<'a>(settings: &Settings<'a>) -> Option<&'a [Value]> {
    let shape = ["batch_shape", "batch_input_shape", "build_input_shape"].iter().find_map(|key| settings.get(key))?;
    shape.as_array()?.get(1..)
}

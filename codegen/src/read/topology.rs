//! The architecture: layers, the calls that connect them, and the order in which the calls run.
//!
//! A layer that is called twice is one layer with two calls. A nested model is a layer with a model
//! inside. Recursion over nested models ends, since the JSON parser bounds the depth of the value.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::operand;
use super::settings::{Settings, excerpt};
use crate::error::Error;
use crate::passes::MOST_ENDS;

/// One layer of a model.
pub(super) struct Entry<'a> {
    /// Its name, unique in its model.
    pub(super) name: String,
    /// What kind of layer it is.
    pub(super) class: &'a str,
    /// Its key in a `.keras` file when that does not store names.
    pub(super) key: String,
    /// Its settings.
    pub(super) settings: Settings<'a>,
    /// The model inside, when it is one.
    pub(super) nested: Option<Model<'a>>,
    /// What it is called with, call by call.
    pub(super) calls: Vec<Call<'a>>,
}

/// One call of a layer.
#[derive(Debug, Default)]
pub(super) struct Call<'a> {
    /// Whose results it gets.
    pub(super) inputs: Vec<Source>,
    /// Whether it is told to behave as in training, always, or never; else it does as the model does that it is in.
    pub(super) training: Option<bool>,
    /// Numbers that no layer makes, and arrays of them, each with its place among the arguments.
    pub(super) constants: Vec<(usize, &'a Value)>,
}

/// One call: `call` of the layer at `entry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Node {
    pub(super) entry: usize,
    pub(super) call: usize,
}

/// A result of one call: the only one, or of a nested model that of its output number `tensor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) node: Node,
    pub(super) tensor: usize,
}

/// A model: the whole one or one nested in it.
pub(super) struct Model<'a> {
    /// Its name.
    pub(super) name: Option<&'a str>,
    /// Its layers as listed, its inputs among them.
    pub(super) entries: Vec<Entry<'a>>,
    /// Every call, after those whose results it gets.
    pub(super) order: Vec<Node>,
    /// Each `InputLayer`, in the order in which the model is called.
    pub(super) inputs: Vec<usize>,
    /// The model's results.
    pub(super) outputs: Vec<Source>,
    /// Their names, where they have some that are not their layers'.
    pub(super) output_names: Vec<Option<&'a str>>,
}

/// A layer, its call, and the number of the result.
type Reference<'a> = (&'a str, u64, u64);

/// What an inbound node says, with names where [`Source`] has positions.
#[derive(Default)]
struct RawCall<'a> {
    inputs: Vec<Reference<'a>>,
    training: Option<bool>,
    constants: Vec<(usize, &'a Value)>,
    /// Written by Keras 2, which counts the calls of nested models from 1.
    keras2: bool,
}

pub(super) const INPUT: &str = "InputLayer";

/// A class that Keras lacks: a layer of the user's own that has this name is read as what the name says.
pub(super) const OWN_SEPARABLE_CONVOLUTION: &str = "SeparableConv3D";

impl<'a> Model<'a> {
    /// The whole model in the architecture's JSON.
    pub(super) fn of_architecture(architecture: &'a Value) -> Result<Model<'a>, Error> {
        let class = architecture.get("class_name").and_then(Value::as_str);
        match (class.and_then(ModelKind::of), architecture.get("config")) {
            (Some(kind), Some(config)) => Model::new(kind, config, None),
            (None, _) if class.is_some() => Err(Error::model(format!(
                "is a subclassed model (\"{}\"), whose layers are in Python code and not in the file; build it with \
                 keras.Sequential or the functional API (keras.Model(inputs, outputs))",
                class.unwrap_or_default()
            ))),
            _ => Err(Error::model("the architecture is damaged: it has no class_name or no config")),
        }
    }

    fn new(kind: ModelKind, config: &'a Value, name: Option<&str>) -> Result<Model<'a>, Error> {
        // Early Keras 2 wrote a Sequential as the plain list of its layers.
        let list = config.get("layers").unwrap_or(config).as_array();
        let list = list.ok_or_else(|| of_model(name, "the architecture is damaged: it has no list of layers"))?;
        match kind {
            ModelKind::Sequential => Model::sequential(config, list, name),
            ModelKind::Functional => Model::functional(config, list, name),
        }
    }

    fn sequential(config: &'a Value, list: &'a [Value], name: Option<&str>) -> Result<Model<'a>, Error> {
        let mut entries = entries(list)?;
        if entries.first().is_some_and(|entry| entry.class != INPUT) {
            // Without an InputLayer the first layer knows the input's shape, or the model does.
            let first = &entries[0];
            let of_input =
                |model: &'_ Model<'a>| model.inputs.first().map(|&input| model.entries[input].settings.clone());
            let inside = first.nested.as_ref().and_then(of_input).unwrap_or_else(|| first.settings.clone());
            let whole = config.as_object().filter(|_| !declares_shape(&inside));
            let input_name = format!("{}_input", first.name);
            let settings = match whole {
                Some(fields) => Settings::new(&input_name, fields),
                None => inside.named(&input_name),
            };
            entries.insert(
                0,
                Entry { name: input_name, class: INPUT, key: String::new(), settings, nested: None, calls: Vec::new() },
            );
        }
        for (position, entry) in entries.iter_mut().enumerate() {
            let before = position.checked_sub(1).map(|before| Node { entry: before, call: 0 });
            let inputs = before.map(|node| Source { node, tensor: 0 });
            entry.calls = vec![Call { inputs: inputs.into_iter().collect(), ..Call::default() }];
        }
        let Some(last) = entries.len().checked_sub(1) else {
            return Err(of_model(name, "the model has no layers"));
        };
        let results = entries[last].nested.as_ref().map_or(1, |model| model.outputs.len());
        let node = Node { entry: last, call: 0 };
        let outputs = (0..results).map(|tensor| (None, Source { node, tensor })).collect();
        Model::connected(config, entries, vec![0], outputs, name)
    }

    fn functional(config: &'a Value, list: &'a [Value], name: Option<&str>) -> Result<Model<'a>, Error> {
        let mut entries = entries(list)?;
        let positions: HashMap<String, usize> =
            entries.iter().enumerate().map(|(position, entry)| (entry.name.clone(), position)).collect();
        let raw: Vec<Vec<RawCall>> =
            list.iter().zip(&entries).map(|(layer, entry)| raw_calls(layer, entry)).collect::<Result<_, _>>()?;
        let outputs = ends(config, "output_layers", name)?;
        expect_few("outputs", outputs.len(), name)?;
        let highest = highest_calls(&raw);
        let find = |reader: Option<&str>, (layer, call, tensor): Reference<'_>, counted: Counted<'_>| {
            let unknown = || of_model(reader, format!("reads layer \"{layer}\", call {call}, which does not exist"));
            let &entry = positions.get(layer).ok_or_else(unknown)?;
            let calls = raw[entry].len();
            let call = usize::try_from(call).map_err(|_| unknown())?;
            // Nested models have a first call of their own, to their own input, which some versions of
            // Keras count and some don't.
            let offset = match (&entries[entry].nested, counted) {
                (None, _) => 0,
                (Some(_), _) if calls == 1 => call.min(1),
                (Some(_), Counted::ByKeras2) => 1,
                (Some(_), Counted::AsRead) => {
                    usize::from(highest.get(layer).is_some_and(|&highest| highest >= calls as u64))
                }
                (Some(_), Counted::From(offsets)) => offsets.get(layer).copied().unwrap_or(0),
            };
            let call = call.checked_sub(offset).filter(|&call| call < calls).ok_or_else(unknown)?;
            let results = entries[entry].nested.as_ref().map_or(1, |model| model.outputs.len());
            let tensor = usize::try_from(tensor).ok().filter(|&tensor| tensor < results).ok_or_else(unknown)?;
            Ok::<_, Error>(Source { node: Node { entry, call }, tensor })
        };

        let mut calls = Vec::with_capacity(entries.len());
        for (entry, raw) in entries.iter().zip(&raw) {
            let mut resolved = Vec::with_capacity(raw.len());
            for call in raw {
                let counted = if call.keras2 { Counted::ByKeras2 } else { Counted::AsRead };
                let inputs = call.inputs.iter().map(|&input| find(Some(&entry.name), input, counted));
                let inputs = inputs.collect::<Result<_, _>>()?;
                resolved.push(Call { inputs, training: call.training, constants: call.constants.clone() });
            }
            calls.push(resolved);
        }
        let read = calls.iter().flatten().flat_map(|call: &Call| &call.inputs).map(|source| source.node);
        let read: BTreeSet<Node> = read.collect();
        let mut answered: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        outputs.iter().for_each(|&(_, (layer, call, _))| answered.entry(layer).or_default().push(call));
        let offsets = answered.into_iter().filter_map(|(layer, answered)| {
            let &entry = positions.get(layer)?;
            Some((layer, first_call(raw[entry].len(), &answered, |call| read.contains(&Node { entry, call }))))
        });
        let offsets: HashMap<&str, usize> = offsets.collect();
        let outputs = outputs.iter().map(|&(known, output)| Ok((known, find(name, output, Counted::From(&offsets))?)));
        let outputs = outputs.collect::<Result<_, Error>>()?;
        for (entry, calls) in entries.iter_mut().zip(calls) {
            entry.calls = calls;
        }
        let mut inputs = Vec::new();
        let named = ends(config, "input_layers", name)?;
        expect_few("inputs", named.len(), name)?;
        for (_, (input, ..)) in named {
            match positions.get(input) {
                Some(&position) if entries[position].class == INPUT && !inputs.contains(&position) => {
                    inputs.push(position);
                }
                _ => return Err(of_model(name, format!("its input \"{input}\" is not an InputLayer of it"))),
            }
        }
        Model::connected(config, entries, inputs, outputs, name)
    }

    /// Whether the first layer that knows of an order of axes has the channels in front.
    pub(super) fn channels_first(&self) -> bool {
        self.layout() == Some("channels_first")
    }

    fn layout(&self) -> Option<&str> {
        self.order.iter().find_map(|node| {
            let entry = &self.entries[node.entry];
            match &entry.nested {
                Some(nested) => nested.layout(),
                None => entry.settings.get("data_format").and_then(Value::as_str),
            }
        })
    }

    /// Checks the connections and puts the calls in order.
    fn connected(
        config: &'a Value,
        entries: Vec<Entry<'a>>,
        inputs: Vec<usize>,
        outputs: Vec<(Option<&'a str>, Source)>,
        name: Option<&str>,
    ) -> Result<Model<'a>, Error> {
        let others = |(position, entry): &(usize, &Entry)| entry.class == INPUT && !inputs.contains(position);
        if let Some((_, entry)) = entries.iter().enumerate().find(others) {
            return Err(Error::layer(&entry.name, "is an InputLayer that is not among its model's inputs"));
        }
        if inputs.is_empty() {
            return Err(of_model(name, "the model has no InputLayer"));
        }
        let order = order(&entries)?;
        let (output_names, outputs): (Vec<_>, Vec<_>) = outputs.into_iter().unzip();
        let calls = entries.iter().flat_map(|entry| &entry.calls);
        let read: BTreeSet<Node> =
            calls.flat_map(|call| &call.inputs).chain(&outputs).map(|source| source.node).collect();
        if let Some(unread) = order.iter().find(|node| !read.contains(node)) {
            return Err(Error::layer(&entries[unread.entry].name, "nothing reads its result"));
        }
        let name = config.get("name").and_then(Value::as_str);
        Ok(Model { name, entries, order, inputs, outputs, output_names })
    }
}

/// The two kinds of models whose layers stand in the file.
#[derive(Debug, Clone, Copy)]
enum ModelKind {
    Sequential,
    Functional,
}

impl ModelKind {
    fn of(class: &str) -> Option<ModelKind> {
        match class {
            "Sequential" => Some(ModelKind::Sequential),
            // `Model` is what early Keras 2 called it.
            "Functional" | "Model" => Some(ModelKind::Functional),
            _ => None,
        }
    }
}

/// Whether the settings hold an input shape, under any of the keys that Keras has used.
fn declares_shape(settings: &Settings) -> bool {
    ["batch_shape", "batch_input_shape"].iter().any(|key| settings.get(key).is_some())
}

/// An error of a nested model, which is a layer, or of the whole one.
fn of_model(name: Option<&str>, reason: impl Into<String>) -> Error {
    match name {
        Some(name) => Error::layer(name, reason),
        None => Error::model(reason),
    }
}

/// Errors when a model has more inputs or outputs than a byte counts, as messages to boards do.
fn expect_few(what: &str, count: usize, name: Option<&str>) -> Result<(), Error> {
    if count <= MOST_ENDS {
        return Ok(());
    }
    Err(of_model(name, format!("has {count} {what}; at most {MOST_ENDS} are supported")))
}

/// The tensors that `input_layers` or `output_layers` names: `["name", 0, 0]`, alone (Keras 3), in lists, or by names,
/// in the order of these.
fn ends<'a>(config: &'a Value, key: &str, name: Option<&str>) -> Result<Vec<(Option<&'a str>, Reference<'a>)>, Error> {
    let mut found = Vec::new();
    if config.get(key).and_then(|value| collect(value, None, &mut found)).is_none() || found.is_empty() {
        return Err(of_model(name, format!("the architecture is damaged: {key} names no layer")));
    }
    Ok(found)
}

/// Appends every reference in a value; `None` when there is anything else.
fn collect<'a>(
    value: &'a Value,
    name: Option<&'a str>,
    found: &mut Vec<(Option<&'a str>, Reference<'a>)>,
) -> Option<()> {
    match (reference(value), value) {
        (Some(reference), _) => found.push((name, reference)),
        (None, Value::Array(list)) => list.iter().try_for_each(|value| collect(value, name, found))?,
        (None, Value::Object(named)) => {
            let mut named: Vec<_> = named.iter().collect();
            named.sort_by_key(|(name, _)| *name);
            named.into_iter().try_for_each(|(name, value)| collect(value, Some(name), found))?;
        }
        _ => return None,
    }
    Some(())
}

/// `["name", call, tensor]`.
fn reference(value: &Value) -> Option<Reference<'_>> {
    match value.as_array()?.as_slice() {
        [Value::String(name), call, tensor, ..] => Some((name, call.as_u64()?, tensor.as_u64()?)),
        _ => None,
    }
}

/// The listed layers, nested models included, without their calls.
fn entries(list: &[Value]) -> Result<Vec<Entry<'_>>, Error> {
    let mut entries = Vec::with_capacity(list.len());
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut names = BTreeSet::new();
    for layer in list {
        let text = |key: &str| layer.get(key).and_then(Value::as_str);
        let config = layer.get("config");
        let name = text("name").or_else(|| config?.get("name")?.as_str());
        let (Some(class), Some(name), Some(config)) = (text("class_name"), name, config) else {
            return Err(Error::model("the architecture is damaged: a layer without class_name, name or config"));
        };
        if !names.insert(name) {
            return Err(Error::layer(name, "two layers have this name"));
        }
        let module = text("module").unwrap_or("keras");
        let known = ["keras", "tf_keras", "tensorflow"].iter().any(|known| module.split('.').next() == Some(known));
        if !known && short_class(class) != OWN_SEPARABLE_CONVOLUTION {
            return Err(Error::layer(name, format!("is a custom layer ({module}.{class}), which is not supported")));
        }
        let nested = ModelKind::of(class).map(|kind| Model::new(kind, config, Some(name))).transpose()?;
        let settings = match config {
            Value::Object(fields) => fields,
            _ if nested.is_some() => empty(),
            _ => return Err(Error::layer(name, "the architecture is damaged: config is not an object")),
        };
        let class = short_class(class);
        // Operations such as `keras.ops.add` are no layers and have no place among the weights.
        let key = if is_operation(module) { String::new() } else { unique_key(class, &mut seen) };
        let settings = Settings::new(name, settings);
        entries.push(Entry { name: name.to_owned(), class, key, settings, nested, calls: Vec::new() });
    }
    Ok(entries)
}

fn empty() -> &'static Map<String, Value> {
    static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    &EMPTY
}

/// The class without what some versions of Keras put in front (`Keras>`, `experimental.preprocessing.`).
fn short_class(class: &str) -> &str {
    match class.rsplit_once(['>', '.']) {
        Some((front, short)) if front.to_ascii_lowercase().starts_with("keras") => short,
        Some((front, short)) if front.ends_with("experimental.preprocessing") => short,
        Some((_, short)) if short == OWN_SEPARABLE_CONVOLUTION => short,
        _ => class,
    }
}

fn is_operation(module: &str) -> bool {
    module.starts_with("keras.src.ops") || module.starts_with("keras.ops")
}

/// The key of a layer's weights in a `.keras` file: its class, counted.
fn unique_key(class: &str, seen: &mut HashMap<String, usize>) -> String {
    let key = snake_case(class);
    let count = seen.entry(key.clone()).or_default();
    *count += 1;
    if *count == 1 { key } else { format!("{key}_{}", *count - 1) }
}

/// `SeparableConv2D` as `separable_conv2d`: an underscore in front of each capital that follows a
/// lower-case letter or starts a word.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    let mut snake = String::new();
    for (position, letter) in letters.iter().enumerate() {
        let before = position.checked_sub(1).map(|before| letters[before]);
        let starts_word = letters.get(position + 1).is_some_and(char::is_ascii_lowercase);
        let splits = before.is_some_and(|before| before.is_ascii_lowercase() || starts_word);
        if letter.is_ascii_uppercase() && splits {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// A layer's inbound nodes, one a call.
fn raw_calls<'a>(layer: &'a Value, entry: &Entry) -> Result<Vec<RawCall<'a>>, Error> {
    let nodes = layer.get("inbound_nodes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if entry.class == INPUT {
        return Ok(vec![RawCall::default()]);
    }
    if nodes.is_empty() {
        return Err(Error::layer(&entry.name, "is not connected to any other layer"));
    }
    let mut calls = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut call = RawCall::default();
        match node {
            Value::Object(node) => {
                let arguments = node.get("args").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                call.constants = arguments.iter().enumerate().filter(|(_, value)| operand::is_held(value)).collect();
                arguments.iter().for_each(|value| keras_tensors(value, &mut call.inputs));
                // Which layers behave as in training is decided when the model is called; `training`
                // here is only what the layer was traced with.
                node.get("kwargs").into_iter().for_each(|value| keras_tensors(value, &mut call.inputs));
            }
            Value::Array(list) => {
                call.keras2 = true;
                if reference(node).is_some() || first_constant(node).is_some() {
                    // An operation of TensorFlow, which lists the arguments of one call only.
                    keras2_argument(node, &mut call);
                } else {
                    list.iter().for_each(|argument| keras2_argument(argument, &mut call));
                }
            }
            _ => {}
        }
        if call.inputs.is_empty() {
            let what = format!("the architecture is damaged: inbound node {} names no layer", excerpt(node));
            return Err(Error::layer(&entry.name, what));
        }
        calls.push(call);
    }
    Ok(calls)
}

/// Every `__keras_tensor__` in a value.
fn keras_tensors<'a>(value: &'a Value, found: &mut Vec<Reference<'a>>) {
    match value {
        Value::Array(list) => list.iter().for_each(|value| keras_tensors(value, found)),
        Value::Object(fields) => {
            let history = value.get("config").and_then(|config| config.get("keras_history")).and_then(reference);
            match history {
                Some(history) => found.push(history),
                None => fields.values().for_each(|value| keras_tensors(value, found)),
            }
        }
        _ => {}
    }
}

/// Of `["_CONSTANT_VALUE", -1, value, {arguments by name}]`, as Keras 2 writes `1 - x` down, the value.
fn first_constant(argument: &Value) -> Option<&Value> {
    match argument.as_array()?.as_slice() {
        [Value::String(name), _, value, ..] if name == "_CONSTANT_VALUE" => Some(value),
        _ => None,
    }
}

/// `["name", call, tensor, {arguments by name}]`, or with a constant in front.
fn keras2_argument<'a>(argument: &'a Value, call: &mut RawCall<'a>) {
    match first_constant(argument) {
        Some(value) => call.constants.extend(operand::is_list_of_numbers(value).then_some((0, value))),
        None => call.inputs.extend(reference(argument)),
    }
    let named = argument.get(3).and_then(Value::as_object);
    for (name, value) in named.into_iter().flatten() {
        call.inputs.extend(reference(value));
        if name == "training" {
            call.training = value.as_bool();
        }
        // The first argument stands in front: what stands by name comes behind it.
        call.constants.extend(operand::is_list_of_numbers(value).then_some((1, value)));
    }
}

/// The highest call of each layer that another one reads.
fn highest_calls<'a>(raw: &[Vec<RawCall<'a>>]) -> HashMap<&'a str, u64> {
    let mut highest = HashMap::new();
    for &(layer, call, _) in raw.iter().flatten().flat_map(|call| &call.inputs) {
        let known = highest.entry(layer).or_insert(call);
        *known = call.max(*known);
    }
    highest
}

/// How a reference counts the calls of a nested model.
#[derive(Clone, Copy)]
enum Counted<'a> {
    /// From 1.
    ByKeras2,
    /// From 1 where one of them would not exist otherwise.
    AsRead,
    /// From what stands here.
    From(&'a HashMap<&'a str, usize>),
}

/// From what the model's outputs count the calls of a nested model, from 1 or 0 as the version of Keras may be: `answered`
/// are those that they name, and `read` says which calls other layers read. Every call is one or the other.
fn first_call(calls: usize, answered: &[u64], read: impl Fn(usize) -> bool) -> usize {
    let fits = |&offset: &usize| {
        let mut there: Vec<bool> = (0..calls).map(&read).collect();
        let named = answered.iter().all(|&call| {
            let call = usize::try_from(call).ok().and_then(|call| call.checked_sub(offset));
            call.and_then(|call| there.get_mut(call)).map(|there| *there = true).is_some()
        });
        named && there.iter().all(|&there| there)
    };
    [1, 0].into_iter().find(fits).unwrap_or(0)
}

/// Every call after those it reads, in the listed order where there is a choice.
fn order(entries: &[Entry]) -> Result<Vec<Node>, Error> {
    let mut readers: HashMap<Node, Vec<Node>> = HashMap::new();
    let mut waiting: HashMap<Node, usize> = HashMap::new();
    let mut ready = BTreeSet::new();
    for (entry, layer) in entries.iter().enumerate() {
        for (call, inputs) in layer.calls.iter().enumerate() {
            let reader = Node { entry, call };
            inputs.inputs.iter().for_each(|input| readers.entry(input.node).or_default().push(reader));
            waiting.insert(reader, inputs.inputs.len());
            if inputs.inputs.is_empty() {
                ready.insert(reader);
            }
        }
    }
    let mut order = Vec::with_capacity(waiting.len());
    while let Some(next) = ready.pop_first() {
        order.push(next);
        for reader in readers.remove(&next).unwrap_or_default() {
            let left = waiting.entry(reader).or_default();
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.insert(reader);
            }
        }
    }
    if order.len() < waiting.len() {
        let done: BTreeSet<_> = order.into_iter().collect();
        let stuck = waiting.keys().filter(|node| !done.contains(node)).min();
        let name = stuck.map_or("", |stuck| entries[stuck.entry].name.as_str());
        return Err(Error::layer(name, "depends on its own result"));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::{short_class, snake_case};

    #[test]
    fn keys_of_weights_are_those_that_keras_writes() {
        let known = [
            ("Conv2D", "conv2d"),
            ("SeparableConv2D", "separable_conv2d"),
            ("ReLU", "re_lu"),
            ("BatchNormalization", "batch_normalization"),
            ("GlobalAveragePooling2D", "global_average_pooling2d"),
            ("Conv2DTranspose", "conv2d_transpose"),
            ("PReLU", "p_re_lu"),
            ("InputLayer", "input_layer"),
        ];
        for (class, key) in known {
            assert_eq!(snake_case(class), key);
        }
    }

    #[test]
    fn experimental_layers_are_known_by_their_last_name() {
        assert_eq!(short_class("keras.layers.experimental.preprocessing.Rescaling"), "Rescaling");
        assert_eq!(short_class("experimental.preprocessing.RandomFlip"), "RandomFlip");
        assert_eq!(short_class("Custom>Conv2D"), "Custom>Conv2D");
    }
}

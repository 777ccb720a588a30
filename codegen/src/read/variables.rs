//! Where in the file a layer's weights lie.
//!
//! A `.keras` file has them at `layers/<key>/vars/<0, 1, ..>`, with a nested model's layers below
//! its own key. The key counts classes; newer versions of Keras note the layer's name beside it.
//! A legacy `.h5` has a group for each layer of the outermost model, with the arrays of everything
//! in that layer under the names that the attribute `weight_names` lists.

use std::collections::HashMap;
use std::rc::Rc;

use super::budget::Budget;
use super::h5::{Dataset, Hdf5};
use super::settings::Settings;
use super::topology::Entry;
use crate::error::Error;
use crate::graph::Shape;

/// Arrays in one layer of a legacy file, nested models included.
const MOST_ARRAYS: usize = 10_000;

/// The weights of a model.
pub(super) enum Store {
    /// `model.weights.h5` of a `.keras` file.
    Keras(Hdf5),
    /// A legacy `.h5`.
    Legacy(Hdf5),
}

/// Where the weights of one model's layers lie, the whole one's or a nested one's.
pub(super) enum Scope {
    /// In a `.keras` file.
    Keras {
        /// The group of the layers, without a slash at the end.
        group: String,
        /// Keys by layer name, as far as the file notes names.
        keys: HashMap<String, String>,
    },
    /// In a legacy file.
    Legacy {
        /// The group that holds the groups of the outermost model's layers.
        group: String,
        /// The enclosing models, from the outside; none for the whole model's own layers.
        enclosing: Vec<String>,
        /// The arrays of the outermost enclosing layer.
        arrays: Rc<[String]>,
    },
}

/// A variable that a layer must have.
pub(super) struct Wanted {
    /// Its name in Keras, and in legacy files.
    pub(super) name: &'static str,
    /// The shape that follows from the layer's settings and its input.
    pub(super) shape: Vec<usize>,
    /// Whether its numbers are; those of others need not be floats.
    read: bool,
}

impl Wanted {
    pub(super) fn new(name: &'static str, shape: impl Into<Vec<usize>>) -> Wanted {
        Wanted { name, shape: shape.into(), read: true }
    }

    /// One that is there and does not count: a single number.
    pub(super) fn unread(name: &'static str) -> Wanted {
        Wanted { name, shape: Vec::new(), read: false }
    }
}

fn of_layer(layer: &str, error: Error) -> Error {
    Error { layer: error.layer.or_else(|| Some(layer.to_owned())), ..error }
}

impl Store {
    /// The scope of the whole model.
    pub(super) fn whole(&self, budget: &mut Budget) -> Result<Scope, Error> {
        match self {
            Store::Keras(file) => keras_scope(file, "", budget),
            Store::Legacy(file) => {
                let group = if file.has_group("model_weights", budget)? { "model_weights" } else { "" };
                Ok(Scope::Legacy { group: group.to_owned(), enclosing: Vec::new(), arrays: Rc::new([]) })
            }
        }
    }

    /// The scope of the model inside a layer.
    pub(super) fn nested(&self, scope: &Scope, entry: &Entry, budget: &mut Budget) -> Result<Scope, Error> {
        match (self, scope) {
            (Store::Keras(file), Scope::Keras { group, keys }) => {
                keras_scope(file, &format!("{group}/{}", key_of(entry, keys)), budget)
            }
            (Store::Legacy(file), Scope::Legacy { group, enclosing, arrays }) => {
                let arrays = match enclosing.is_empty() {
                    true => legacy_arrays(file, &format!("{group}/{}", entry.name), budget)?.into(),
                    false => Rc::clone(arrays),
                };
                let enclosing: Vec<String> = enclosing.iter().chain([&entry.name]).cloned().collect();
                budget.take(enclosing.iter().map(String::len).sum::<usize>() + group.len(), 1)?;
                Ok(Scope::Legacy { group: group.clone(), enclosing, arrays })
            }
            _ => Err(Error::model("weights of one kind of file were looked for in another")),
        }
    }

    /// The variables of a layer, in the order of `wanted`, checked for shape and for NaN and infinity.
    pub(super) fn variables(
        &self,
        scope: &Scope,
        entry: &Entry,
        settings: &Settings,
        wanted: &[Wanted],
        budget: &mut Budget,
    ) -> Result<Vec<Vec<f32>>, Error> {
        settings.expect_float()?;
        let datasets = match (self, scope) {
            (Store::Keras(file), Scope::Keras { group, keys }) => {
                let path = format!("{group}/{}/vars", key_of(entry, keys));
                keras_datasets(file, &path, wanted, budget)
            }
            (Store::Legacy(file), Scope::Legacy { group, enclosing, arrays }) => {
                legacy_datasets(file, group, enclosing, arrays, entry, wanted, budget)
            }
            _ => Err(Error::model("weights of one kind of file were looked for in another")),
        };
        let datasets = datasets.map_err(|error| of_layer(&settings.layer, error))?;
        wanted.iter().zip(datasets).map(|(wanted, dataset)| numbers(settings, wanted, &dataset, budget)).collect()
    }
}

fn numbers(settings: &Settings, wanted: &Wanted, dataset: &Dataset, budget: &mut Budget) -> Result<Vec<f32>, Error> {
    let name = wanted.name;
    if !wanted.read {
        return Ok(Vec::new());
    }
    if dataset.extents != wanted.shape {
        let (found, expected) = (Shape(dataset.extents.clone()), Shape(wanted.shape.clone()));
        return Err(settings.error(format!("{name} has the shape {found}, expected {expected}")));
    }
    let numbers = dataset
        .numbers(budget)
        .map_err(|error| of_layer(&settings.layer, Error { reason: format!("{name}: {}", error.reason), ..error }))?;
    match numbers.iter().filter(|number| !number.is_finite()).count() {
        0 => Ok(numbers),
        bad => Err(settings.error(format!(
            "{name} holds {bad} of {} numbers that are NaN or infinite; the model has to be trained again",
            numbers.len()
        ))),
    }
}

fn keras_scope(file: &Hdf5, model: &str, budget: &mut Budget) -> Result<Scope, Error> {
    let prefix = if model.is_empty() { String::new() } else { format!("{model}/") };
    let mut group = format!("{prefix}layers");
    // What the first versions of the format called it.
    let early = format!("{prefix}_layer_checkpoint_dependencies");
    if !file.has_group(&group, budget)? && file.has_group(&early, budget)? {
        group = early;
    }
    budget.take(group.len(), 1)?;
    let mut keys = HashMap::new();
    for key in file.members(&group, budget)?.0 {
        if let Some(name) = file.text(&format!("{group}/{key}/vars"), "name", budget)? {
            keys.insert(name, key);
        }
    }
    Ok(Scope::Keras { group, keys })
}

fn key_of<'a>(entry: &'a Entry, keys: &'a HashMap<String, String>) -> &'a str {
    keys.get(&entry.name).unwrap_or(&entry.key)
}

fn no_weights(wanted: &[Wanted]) -> Error {
    Error::model(format!("its weights ({}) are not in the file", names(wanted)))
}

fn names(wanted: &[Wanted]) -> String {
    wanted.iter().map(|wanted| wanted.name).collect::<Vec<_>>().join(", ")
}

fn keras_datasets(file: &Hdf5, path: &str, wanted: &[Wanted], budget: &mut Budget) -> Result<Vec<Dataset>, Error> {
    let stored = file.members(path, budget)?.1.len();
    if stored == 0 {
        return Err(no_weights(wanted));
    }
    if stored != wanted.len() {
        return Err(Error::model(format!(
            "has {stored} variables in the file, expected {} ({})",
            wanted.len(),
            names(wanted)
        )));
    }
    let dataset = |position| file.dataset(&format!("{path}/{position}"), budget)?.ok_or_else(|| no_weights(wanted));
    (0..wanted.len()).map(dataset).collect()
}

/// Paths of the arrays of a layer of the outermost model, relative to its group.
fn legacy_arrays(file: &Hdf5, path: &str, budget: &mut Budget) -> Result<Vec<String>, Error> {
    let names = match file.texts(path, "weight_names", budget)? {
        Some(names) => names,
        None => {
            // Attributes above 64 KiB are split into numbered ones.
            let mut parts = Vec::new();
            while let Some(part) = file.texts(path, &format!("weight_names{}", parts.len()), budget)? {
                parts.push(part);
            }
            if parts.is_empty() {
                file.arrays_below(path, MOST_ARRAYS, budget)?
            } else {
                budget.take(parts.iter().flatten().map(String::len).sum(), 1)?;
                parts.concat()
            }
        }
    };
    if names.len() > MOST_ARRAYS {
        return Err(Error::model(format!("{path} lists {} arrays: damaged file", names.len())));
    }
    Ok(names)
}

fn legacy_datasets(
    file: &Hdf5,
    group: &str,
    enclosing: &[String],
    arrays: &[String],
    entry: &Entry,
    wanted: &[Wanted],
    budget: &mut Budget,
) -> Result<Vec<Dataset>, Error> {
    let path = format!("{group}/{}", enclosing.first().unwrap_or(&entry.name));
    let own;
    let arrays = if enclosing.is_empty() {
        own = legacy_arrays(file, &path, budget)?;
        &own
    } else {
        arrays
    };
    let chosen: Option<Vec<&String>> =
        wanted.iter().map(|wanted| legacy_array(arrays, wanted.name, &entry.name, enclosing)).collect();
    let chosen = match chosen {
        Some(chosen) => chosen,
        // Variables whose names TensorFlow made unique (`kernel_1`) still stand in order.
        None if enclosing.is_empty() && arrays.len() == wanted.len() => arrays.iter().collect(),
        None => return Err(no_weights(wanted)),
    };
    let dataset = |name| file.dataset(&format!("{path}/{name}"), budget)?.ok_or_else(|| no_weights(wanted));
    chosen.into_iter().map(dataset).collect()
}

/// The array of one variable, by the end of its path: `<layer>/kernel:0` or `<layer>/kernel`, and where
/// nested models have layers of one name, `<model>/<layer>/kernel`.
fn legacy_array<'a>(arrays: &'a [String], variable: &str, layer: &str, enclosing: &[String]) -> Option<&'a String> {
    // Keras 3 calls the depthwise kernel of a DepthwiseConv2D "kernel", Keras 2 "depthwise_kernel".
    let aliases = [variable, if variable == "kernel" { "depthwise_kernel" } else { variable }];
    let path = |name: &'a String| name.strip_suffix(":0").unwrap_or(name);
    let of_variable = |name: &&'a String| aliases.contains(&path(name).rsplit('/').next().unwrap_or_default());
    let below = |name: &'a String, parent: &str| {
        let parents = path(name).rsplit_once('/').map_or("", |(parents, _)| parents);
        parents == parent || parents.ends_with(&format!("/{parent}"))
    };
    let found: Vec<&String> = arrays.iter().filter(of_variable).collect();
    if enclosing.is_empty()
        && let [only] = found[..]
    {
        return Some(only);
    }
    let of_layer: Vec<&String> = found.into_iter().filter(|name| below(name, layer)).collect();
    match of_layer[..] {
        [only] => Some(only),
        _ => {
            let parent = format!("{}/{layer}", enclosing.last()?);
            let mut of_model = of_layer.into_iter().filter(|name| below(name, &parent));
            of_model.next().filter(|_| of_model.next().is_none())
        }
    }
}

//! The recorded figures, `xtask/bench.json`, and how new ones compare with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use microception_codegen::error::Error;
use serde::{Deserialize, Serialize};

use crate::root;

/// A figure that rose by more than one in this many is worse, one that fell by more is better. Counts are exact, so this
/// is no noise: it is what a change of something else may cost.
const TOLERATED: u64 = 100;

/// A layer is worse or better only by more than one in this many of a whole inference: a layer of a thousand
/// instructions in ten million is nobody's concern.
const NOTED: u64 = 1000;

/// The name of the figure that counts instructions.
pub const INSTRUCTIONS: &str = "instructions";

/// The figures of one model on one board. Of each less is better.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// The compiler that built the program, as it names itself: another one's figures are others.
    pub compiler: String,
    /// Instructions of one inference, and bytes.
    pub figures: BTreeMap<String, u64>,
    /// Instructions of each layer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub layers: BTreeMap<String, u64>,
}

impl Figures {
    /// A figure; 0 where there is none.
    pub fn get(&self, name: &str) -> u64 {
        self.figures.get(name).copied().unwrap_or(0)
    }
}

/// What became of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same within a hundredth.
    Kept,
    /// Worse.
    Rose,
    /// Better: worth recording.
    Fell,
    /// Not in the record.
    New,
    /// Only in the record.
    Gone,
}

/// A figure, then and now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The figure's name, or [`LAYER`] and the layer's.
    pub figure: String,
    /// What is recorded.
    pub old: Option<u64>,
    /// What was measured.
    pub new: Option<u64>,
    /// What that means.
    pub verdict: Verdict,
}

/// What the name of a layer's figure begins with.
const LAYER: &str = "layer ";

impl Change {
    /// Whether it is the figure of a layer.
    pub fn is_layer(&self) -> bool {
        self.figure.starts_with(LAYER)
    }
}

/// Compares what was measured with what is recorded, figure by figure, then layer by layer.
pub fn compare(old: &Figures, new: &Figures) -> Vec<Change> {
    let inference = old.get(INSTRUCTIONS);
    let figures = changes(&old.figures, &new.figures, 0);
    let layers = changes(&old.layers, &new.layers, inference / NOTED).into_iter();
    let layers = layers.map(|change| Change { figure: format!("{LAYER}{}", change.figure), ..change });
    figures.into_iter().chain(layers).collect()
}

/// Every figure of either, by name; a difference of `noted` or less is none.
fn changes(old: &BTreeMap<String, u64>, new: &BTreeMap<String, u64>, noted: u64) -> Vec<Change> {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| {
        let (old, new) = (old.get(name).copied(), new.get(name).copied());
        let verdict = match (old, new) {
            (Some(old), Some(new)) => verdict(old, new, noted),
            (None, _) => Verdict::New,
            (_, None) => Verdict::Gone,
        };
        Change { figure: name.clone(), old, new, verdict }
    };
    names.into_iter().map(change).collect()
}

fn verdict(old: u64, new: u64, noted: u64) -> Verdict {
    let counts = old.abs_diff(new) > noted && old.abs_diff(new).saturating_mul(TOLERATED) > old;
    match (counts, new > old) {
        (false, _) => Verdict::Kept,
        (true, true) => Verdict::Rose,
        (true, false) => Verdict::Fell,
    }
}

/// The figures that were measured last: of each model, on each board.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Record(BTreeMap<String, BTreeMap<String, Figures>>);

impl Record {
    /// Where it lies.
    pub fn path() -> PathBuf {
        root().join("xtask/bench.json")
    }

    /// Reads the record; an empty one where there is no file.
    pub fn read(path: &Path) -> Result<Record, Error> {
        if !path.exists() {
            return Ok(Record::default());
        }
        let text = fs::read_to_string(path).map_err(|error| Error::file(path, error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| Error::file(path, format!("is no record of figures: {error}")))
    }

    /// Writes the record: everything in the order of its name, a figure a line.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Error::file(path, error.to_string()))?;
        fs::write(path, text + "\n").map_err(|error| Error::file(path, error.to_string()))
    }

    /// The figures of a model on a board.
    pub fn get(&self, model: &str, board: &str) -> Option<&Figures> {
        self.0.get(model)?.get(board)
    }

    /// Puts figures into the record, in the place of those of the same model and board.
    pub fn put(&mut self, model: &str, board: &str, figures: Figures) {
        self.0.entry(model.to_owned()).or_default().insert(board.to_owned(), figures);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(instructions: u64, arena: u64, layers: &[(&str, u64)]) -> Figures {
        let named = |pairs: &[(&str, u64)]| pairs.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        Figures {
            compiler: "rustc 1.89.0".to_owned(),
            figures: named(&[("instructions", instructions), ("arena_bytes", arena)]),
            layers: named(layers),
        }
    }

    /// What became of each figure that did not stay.
    fn changed(old: &Figures, new: &Figures) -> Vec<(String, Verdict)> {
        let changes = compare(old, new).into_iter().filter(|change| change.verdict != Verdict::Kept);
        changes.map(|change| (change.figure, change.verdict)).collect()
    }

    #[test]
    fn a_hundredth_is_tolerated_and_one_more_is_not() {
        let old = figures(1_000_000, 800, &[]);
        assert_eq!(changed(&old, &figures(1_010_000, 808, &[])), []);
        assert_eq!(changed(&old, &figures(990_000, 792, &[])), []);
        assert_eq!(
            changed(&old, &figures(1_010_001, 809, &[])),
            [("arena_bytes".to_owned(), Verdict::Rose), ("instructions".to_owned(), Verdict::Rose)]
        );
        assert_eq!(changed(&old, &figures(989_999, 800, &[])), [("instructions".to_owned(), Verdict::Fell)]);
    }

    #[test]
    fn a_rise_is_found_although_another_figure_fell() {
        let (old, new) = (figures(1_000_000, 800, &[]), figures(500_000, 900, &[]));
        let rose = ("arena_bytes".to_owned(), Verdict::Rose);
        assert_eq!(changed(&old, &new), [rose, ("instructions".to_owned(), Verdict::Fell)]);
    }

    #[test]
    fn what_was_nothing_may_not_become_something() {
        assert_eq!(verdict(0, 1, 0), Verdict::Rose);
        assert_eq!(verdict(1, 0, 0), Verdict::Fell);
        assert_eq!(verdict(0, 0, 0), Verdict::Kept);
        assert_eq!(verdict(1, u64::MAX, 0), Verdict::Rose);
    }

    #[test]
    fn a_layer_counts_from_a_thousandth_of_the_inference_on() {
        let old = figures(1_000_000, 0, &[("conv", 500_000), ("softmax", 2_000)]);
        let noted = figures(1_000_000, 0, &[("conv", 505_001), ("softmax", 3_001)]);
        assert_eq!(
            changed(&old, &noted),
            [("layer conv".to_owned(), Verdict::Rose), ("layer softmax".to_owned(), Verdict::Rose)]
        );
        assert_eq!(changed(&old, &figures(1_000_000, 0, &[("conv", 505_000), ("softmax", 3_000)])), []);
    }

    #[test]
    fn layers_come_and_go() {
        let (old, new) = (figures(100, 0, &[("conv", 50), ("relu", 50)]), figures(100, 0, &[("conv+relu", 100)]));
        let gone = |name: &str| (format!("layer {name}"), Verdict::Gone);
        assert_eq!(changed(&old, &new), [gone("conv"), ("layer conv+relu".to_owned(), Verdict::New), gone("relu")]);
    }

    #[test]
    fn a_record_is_written_read_and_kept_where_it_is_not_new() {
        let folder = std::env::temp_dir().join(format!("microception-record-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("bench.json");
        assert_eq!(Record::read(&path).unwrap(), Record::default());
        let mut record = Record::default();
        record.put("b int8", "m4", figures(2, 20, &[("conv", 1)]));
        record.put("a int8", "m4", figures(3, 30, &[]));
        record.write(&path).unwrap();
        let mut read = Record::read(&path).unwrap();
        assert_eq!(read, record);
        read.put("b int8", "m4", figures(1, 10, &[]));
        assert_eq!(read.get("b int8", "m4"), Some(&figures(1, 10, &[])));
        assert_eq!(read.get("a int8", "m4"), Some(&figures(3, 30, &[])));
        assert_eq!((read.get("a int8", "m3"), read.get("c int8", "m4")), (None, None));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.find("a int8") < text.find("b int8") && text.ends_with("}\n"), "{text}");
        fs::write(&path, "{\"a int8\": 3}").unwrap();
        assert!(Record::read(&path).unwrap_err().to_string().contains("bench.json"));
        fs::remove_dir_all(&folder).unwrap();
    }
}

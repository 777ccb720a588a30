//! `cargo xtask bench`: what models take on the emulated cores, beside what is recorded, and microflow beside us.

pub mod microflow;
mod record;
mod table;

use std::path::PathBuf;
use std::time::Instant;

use clap::builder::PossibleValuesParser;
use microception_codegen::device::bench as measure;
use microception_codegen::device::board::{BOARDS, Board};
use microception_codegen::device::toolchain::Toolchain;
use microception_codegen::error::Error;
use serde_json::{Map, Value, json};

use crate::model::{self, Converted};
use crate::setup::setup;
use crate::stage::{Counts, report};
use record::{Figures, INSTRUCTIONS, Record, Verdict, compare};

/// What the command is asked to do.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Arguments {
    /// Models to measure beside the shipped ones
    #[arg(value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// Where those take the ranges of activations from for int8: training data, or a ranges file
    #[arg(long, value_name = "DATA|RANGES.json", requires = "models")]
    calibration: Option<PathBuf>,
    /// Only this board, or these
    #[arg(long = "board", value_name = "BOARD", value_parser = board_names())]
    boards: Vec<String>,
    /// Only the models of microflow, by us and by microflow
    #[arg(long, conflicts_with_all = ["models", "boards"])]
    microflow: bool,
    /// Writes the figures into the record, xtask/bench.json
    #[arg(long)]
    record: bool,
    /// End with one JSON object: of each model, on each board, the figures
    #[arg(long)]
    json: bool,
}

/// RAM that the bench program takes beside the arena.
const STACK_BYTES: usize = 2 * 1024;

fn board_names() -> PossibleValuesParser {
    PossibleValuesParser::new(emulated().map(|board| board.name))
}

fn emulated() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.machine.is_some())
}

/// A model on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    model: String,
    board: &'static str,
    macs: u64,
    /// Name, kind, multiply-accumulates and instructions, in the order of execution.
    layers: Vec<(String, &'static str, u64, u64)>,
    new: Figures,
    /// What is recorded.
    old: Option<Figures>,
}

impl Run {
    fn new(record: &Record, converted: &Converted, board: &'static Board) -> Result<Run, Error> {
        eprintln!("{} on {} ...", converted.name, board.name);
        let bench = measure::bench(&converted.module, board)?;
        let layers = converted.summary.layers.iter().zip(&bench.layers);
        let layers: Vec<_> =
            layers.map(|(layer, &count)| (layer.name.clone(), layer.kind, layer.macs, count)).collect();
        let mut new = Figures { compiler: Toolchain::find(board.target)?.version()?, ..figures(&bench) };
        for (name, _, _, instructions) in &layers {
            *new.layers.entry(name.clone()).or_default() += instructions;
        }
        let old = record.get(&converted.name, board.name).cloned();
        Ok(Run {
            model: converted.name.clone(),
            board: board.name,
            macs: converted.summary.figures.macs,
            layers,
            new,
            old,
        })
    }

    /// What came of it, and what there is to say.
    fn judge(&self) -> (Outcome, Vec<String>) {
        let Run { model, board, .. } = self;
        let Some(old) = &self.old else {
            let line = format!("{model} on {board}: no record; `cargo xtask bench --record` makes one");
            return (Outcome::Unchecked, vec![line]);
        };
        let changes = compare(old, &self.new);
        let mut lines: Vec<_> = changes
            .iter()
            .filter_map(|change| {
                let hint = match change.verdict {
                    Verdict::Kept => return None,
                    Verdict::Rose => "ROSE",
                    // The table shows them; when kernels become better they are many.
                    _ if change.is_layer() => return None,
                    Verdict::Fell => "fell: record it",
                    Verdict::New => "new: record it",
                    Verdict::Gone => "gone: record it",
                };
                Some(format!("{model} on {board}: {} {}, {hint}", change.figure, table::change(change.old, change.new)))
            })
            .collect();
        if old.compiler != self.new.compiler {
            lines.push(format!(
                "{model} on {board}: recorded with {}, built with {}: their figures can't be held against each other",
                old.compiler, self.new.compiler
            ));
            return (Outcome::Unchecked, lines);
        }
        let rose = changes.iter().any(|change| change.verdict == Verdict::Rose);
        (if rose { Outcome::Failed } else { Outcome::Passed }, lines)
    }
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// No figure rose.
    Passed,
    /// One did.
    Failed,
    /// There is nothing to hold the figures against.
    Unchecked,
}

/// What is compared and recorded.
fn figures(bench: &measure::Bench) -> Figures {
    let figures = [
        (INSTRUCTIONS, bench.instructions),
        ("arena_bytes", bench.arena_bytes),
        ("stack_bytes", bench.stack_bytes),
        ("static_bytes", bench.static_bytes),
        ("weight_bytes", bench.weight_bytes),
        ("code_bytes", bench.code_bytes),
    ];
    let figures = figures.map(|(name, figure)| (name.to_owned(), figure)).into();
    Figures { figures, ..Figures::default() }
}

/// All that was measured, and all that there is to say.
struct Measured {
    runs: Vec<Run>,
    beside: Vec<microflow::Beside>,
    /// What failed beside figures that rose.
    failures: Vec<String>,
}

fn measure_all(arguments: &Arguments, record: &Record) -> Result<Measured, Error> {
    setup()?;
    let mut measured = Measured { runs: Vec::new(), beside: Vec::new(), failures: Vec::new() };
    if !arguments.microflow {
        let mut models = model::shipped()?;
        for path in &arguments.models {
            models.push(model::given(path, arguments.calibration.as_deref())?);
        }
        let asked =
            |board: &&Board| arguments.boards.is_empty() || arguments.boards.iter().any(|name| name == board.name);
        // A board after the other: the programs of one share what they are linked with.
        for board in emulated().filter(asked) {
            for model in &models {
                if !model::fits(&model.summary, board, STACK_BYTES)? {
                    eprintln!("{} does not fit {}", model.name, board.name);
                    continue;
                }
                match Run::new(record, model, board) {
                    Ok(run) => measured.runs.push(run),
                    Err(error) => measured.failures.push(format!("{} on {}: {error}", model.name, board.name)),
                }
            }
        }
    }
    if arguments.boards.is_empty() {
        for beside in microflow::beside(record)? {
            measured.failures.extend(beside.failure());
            measured.runs.extend([beside.ours.clone(), beside.theirs.clone()]);
            measured.beside.push(beside);
        }
    }
    Ok(measured)
}

impl Measured {
    /// Tables, then what there is to say.
    fn text(&self) -> String {
        let mut models: Vec<&str> = self.runs.iter().map(|run| run.model.as_str()).collect();
        models.sort_unstable();
        models.dedup();
        let of = |model| self.runs.iter().filter(|run| run.model == model).collect::<Vec<_>>();
        let mut text: Vec<_> = models.into_iter().map(|model| table::model(&of(model))).collect();
        if !self.beside.is_empty() {
            text.push(table::beside(&self.beside));
        }
        text.extend(self.runs.iter().flat_map(|run| run.judge().1));
        text.extend(self.failures.iter().cloned());
        text.join("\n")
    }

    fn json(&self) -> Value {
        let mut models = Map::new();
        for run in &self.runs {
            let layer = |(name, kind, macs, instructions): &(String, &str, u64, u64)| json!({ "name": name, "kind": kind, "macs": macs, "instructions": instructions });
            let layers: Vec<_> = run.layers.iter().map(layer).collect();
            let mut figures = json!({ "macs": run.macs, "layers": layers });
            for (name, figure) in &run.new.figures {
                figures[name] = json!(figure);
            }
            let boards = models.entry(&run.model).or_insert_with(|| json!({}));
            boards[run.board] = figures;
        }
        Value::Object(models)
    }
}

/// Measures, prints, and compares or records.
pub fn bench(arguments: &Arguments) -> Result<(), Error> {
    let mut record = Record::read(&Record::path())?;
    let measured = measure_all(arguments, &record)?;
    println!("{}", measured.text());
    if !measured.failures.is_empty() {
        return Err(Error::model(format!("{} measurements failed", measured.failures.len())));
    }
    if arguments.record {
        for run in &measured.runs {
            record.put(&run.model, run.board, run.new.clone());
        }
        record.write(&Record::path())?;
        println!("recorded in {}", Record::path().display());
    }
    if arguments.json {
        println!("{}", measured.json());
    }
    let rose = measured.runs.iter().any(|run| run.judge().0 == Outcome::Failed);
    if rose && !arguments.record {
        return Err(Error::model("figures rose by more than a hundredth; where that is meant: --record"));
    }
    Ok(())
}

/// The stage of `cargo xtask test`: no figure rose.
pub fn stage(name: &str) -> Result<Counts, Error> {
    let start = Instant::now();
    let record = Record::read(&Record::path())?;
    let measured = match measure_all(&Arguments::default(), &record) {
        Ok(measured) => measured,
        Err(error) => return report(name, start, Counts::one(false), &error.to_string()),
    };
    let mut counts = Counts { failed: measured.failures.len(), ..Counts::default() };
    for run in &measured.runs {
        let (outcome, lines) = run.judge();
        match outcome {
            Outcome::Passed => {
                counts.passed += 1;
                lines.iter().for_each(|line| eprintln!("{line}"));
            }
            Outcome::Failed => counts.failed += 1,
            Outcome::Unchecked => counts.skipped.extend(lines.last().cloned()),
        }
    }
    report(name, start, counts, &measured.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of 1,000,000 recorded instructions, half of them in one layer, that now has others.
    fn run(instructions: u64, layer: u64) -> Run {
        let figures = |instructions, layer| Figures {
            compiler: "rustc 1.89.0".to_owned(),
            figures: [(INSTRUCTIONS.to_owned(), instructions)].into(),
            layers: [("conv".to_owned(), layer)].into(),
        };
        Run {
            model: "net int8".to_owned(),
            board: "mps2-an386",
            macs: 1000,
            layers: vec![("conv".to_owned(), "conv", 1000, layer)],
            new: figures(instructions, layer),
            old: Some(figures(1_000_000, 500_000)),
        }
    }

    #[test]
    fn a_rise_fails_and_names_model_board_and_figure() {
        let (outcome, lines) = run(1_010_001, 500_000).judge();
        assert_eq!(outcome, Outcome::Failed);
        assert_eq!(lines, ["net int8 on mps2-an386: instructions 1,000,000 → 1,010,001 (+1.0%), ROSE"]);
        let (outcome, lines) = run(1_000_000, 600_000).judge();
        assert_eq!(outcome, Outcome::Failed);
        assert_eq!(lines, ["net int8 on mps2-an386: layer conv 500,000 → 600,000 (+20.0%), ROSE"]);
    }

    #[test]
    fn a_fall_passes_and_asks_for_a_record() {
        let (outcome, lines) = run(700_000, 200_000).judge();
        assert_eq!(outcome, Outcome::Passed);
        assert_eq!(lines, ["net int8 on mps2-an386: instructions 1,000,000 → 700,000 (-30.0%), fell: record it"]);
    }

    #[test]
    fn what_stays_the_same_says_nothing() {
        assert_eq!(run(1_000_500, 500_500).judge(), (Outcome::Passed, Vec::new()));
    }

    #[test]
    fn a_figure_that_is_gone_or_new_is_said() {
        let mut run = run(1_000_000, 500_000);
        let figure = run.new.figures.remove(INSTRUCTIONS).unwrap();
        run.new.figures.insert("cycles".to_owned(), figure);
        let (outcome, lines) = run.judge();
        assert_eq!(outcome, Outcome::Passed);
        assert_eq!(
            lines,
            [
                "net int8 on mps2-an386: cycles 1,000,000, new: record it",
                "net int8 on mps2-an386: instructions 1,000,000 → none, gone: record it"
            ]
        );
    }

    #[test]
    fn without_a_record_and_with_another_compiler_nothing_is_checked() {
        let unrecorded = Run { old: None, ..run(2_000_000, 500_000) };
        let (outcome, lines) = unrecorded.judge();
        assert_eq!(outcome, Outcome::Unchecked);
        assert!(lines[0].starts_with("net int8 on mps2-an386: no record"), "{lines:?}");

        let mut other = run(2_000_000, 500_000);
        other.new.compiler = "rustc 1.99.0".to_owned();
        let (outcome, lines) = other.judge();
        assert_eq!(outcome, Outcome::Unchecked);
        let last = lines.last().unwrap();
        assert!(last.contains("rustc 1.89.0") && last.contains("rustc 1.99.0"), "{last}");
    }

    #[test]
    fn all_figures_are_in_the_json() {
        let measured = Measured { runs: vec![run(7, 5)], beside: Vec::new(), failures: Vec::new() };
        let layer = json!({ "name": "conv", "kind": "conv", "macs": 1000, "instructions": 5 });
        let expected = json!({ "net int8": { "mps2-an386": { "macs": 1000, "instructions": 7, "layers": [layer] } } });
        assert_eq!(measured.json(), expected);
    }
}

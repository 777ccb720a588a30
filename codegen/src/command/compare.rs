//! `microception compare`.

use std::path::{Path, PathBuf};

use clap::Args;
use microception_codegen::data::Interface;
use microception_codegen::device::firmware::module_file;
use microception_codegen::device::{bench, board};
use microception_codegen::error::Error;
use microception_codegen::report::comparison::{Answers, Compared, Comparison};

use super::frames::{self, LabelledFrames};
use super::runner::{Place, Runner, board_names};
use super::settings::{Precision, Settings, warn};
use super::table::{self, grouped};

/// Puts two models, or one in two precisions, beside each other: accuracy, size, memory, time
#[derive(Debug, Args)]
pub struct Compare {
    #[command(flatten)]
    settings: Settings,
    /// The second model; without it the first in another precision
    second: Option<PathBuf>,
    /// The second model's arithmetic, where it is not the first's
    #[arg(long, value_name = "PRECISION")]
    with: Option<Precision>,
    /// Where the second model takes ranges from, where not from the first's
    #[arg(long, value_name = "DATA|RANGES.json")]
    with_calibration: Option<PathBuf>,
    /// Labelled data: an .npz with x_test and y_test, x and y, or images and labels; or a folder with a folder of pictures per
    /// class
    #[arg(long, value_name = "DATA")]
    data: Option<PathBuf>,
    /// Takes only so many, from the front
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), requires = "data")]
    limit: Option<u64>,
    /// Counts instructions on an emulated board
    #[arg(long, value_name = "BOARD", value_parser = board_names())]
    board: Option<String>,
    /// Prints the figures as one JSON object
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub fn run(self) -> Result<String, Error> {
        if self.second.is_none() && self.with.is_none() {
            let reason = "with what? Name a second model, or another precision of the first: --with int8";
            Compare::augment_args(clap::Command::new("microception compare"))
                .error(clap::error::ErrorKind::MissingRequiredArgument, reason)
                .exit();
        }
        let first = self.settings.clone();
        let mut second = self.settings.clone();
        if let Some(model) = &self.second {
            second.model.clone_from(model);
        }
        if let Some(precision) = self.with {
            second = second.with_precision(precision);
        }
        if let Some(calibration) = &self.with_calibration {
            second.calibration = Some(calibration.clone());
        }
        let (first, second) = (self.measure(&first)?, self.measure(&second)?);
        let answers = match (first.said, second.said) {
            (Some((first, right)), Some((second, other))) if right == other => {
                Some(Answers::of([&first, &second], &right))
            }
            (Some(_), Some(_)) => {
                return Err(Error::model(
                    "the models name their classes in another order, so that their answers do not compare",
                ));
            }
            _ => None,
        };
        let comparison = Comparison { models: [first.compared, second.compared], board: self.board, answers };
        if self.json {
            return serde_json::to_string(&comparison).map_err(|error| Error::model(error.to_string()));
        }
        Ok(text(&comparison))
    }

    /// One model's figures, and what it says of the data.
    fn measure(&self, settings: &Settings) -> Result<Side, Error> {
        let in_file = |error: Error| error.in_file(&settings.model);
        let prepared = settings.prepare()?;
        let board = self.board.as_deref().map(board::named).transpose()?;
        let core = board.map(|board| board.core.optimize()).unwrap_or_default();
        let (module, summary) = settings.conversion(core)?.to_module_of(&prepared)?;
        warn(&summary.warnings);
        let measured = board.map(|board| {
            let file = module_file(&module.text)?;
            bench::bench(file.path(), board).map_err(in_file)
        });
        let compared = Compared::of(settings.model.display().to_string(), &summary, measured.transpose()?.as_ref());
        let Some(data) = &self.data else { return Ok(Side { compared, said: None }) };
        let interface = Interface::of(&prepared.graph);
        let Some(output) = interface.output_of_classes() else {
            return Err(in_file(Error::model("answers with other than one value per class, and labels are for that")));
        };
        let frames = LabelledFrames::open(data, &interface, output, self.limit).map_err(in_file)?;
        let mut runner = Runner::new(&prepared, settings, &Place::host())?;
        let answers = frames::answers(&mut runner, &frames.examples, frames.count, "measuring")?;
        let said = answers.iter().map(|bytes| output.class(bytes)).collect();
        Ok(Side { compared, said: Some((said, frames.classes)) })
    }
}

/// One model's figures, and the classes that it says and that are right.
struct Side {
    compared: Compared,
    said: Option<(Vec<usize>, Vec<usize>)>,
}

/// As a table: a row for each figure, and how many times as much the second is.
fn text(Comparison { models: [first, second], board, answers }: &Comparison) -> String {
    let name = |model: &Compared| {
        Path::new(&model.file).file_name().map_or_else(|| model.file.clone(), |name| name.display().to_string())
    };
    let [left, right] = [name(first), name(second)];
    let names = ["", &left, &right, "second to first"];
    let mut table = table::table(&names, 3);
    table.add_row(["precision", first.precision.name(), second.precision.name(), ""]);
    if let Some(answers) = answers {
        let part = |model: usize| 100.0 * answers.correct[model] as f64 / answers.total.max(1) as f64;
        let right = |model: usize| format!("{:.2}%", part(model));
        table.add_row(["accuracy".to_owned(), right(0), right(1), format!("{:+.2} points", part(1) - part(0))]);
        table.add_row(["right alone".to_owned(), grouped(answers.alone[0]), grouped(answers.alone[1]), String::new()]);
    }
    let mut row = |name: &str, of: &dyn Fn(&Compared) -> Option<u64>| {
        let (Some(first), Some(second)) = (of(first), of(second)) else { return };
        let times = if first > 0 { format!("{:.2}x", second as f64 / first as f64) } else { String::new() };
        table.add_row([name.to_owned(), grouped(first), grouped(second), times]);
    };
    row("layers", &|model| Some(model.layers as u64));
    row("parameters", &|model| Some(model.parameters as u64));
    row("MACs", &|model| Some(model.macs));
    row("weight bytes", &|model| Some(model.weight_bytes as u64));
    row("code bytes", &|model| model.code_bytes);
    row("arena bytes", &|model| Some(model.arena_bytes as u64));
    row("stack bytes", &|model| model.stack_bytes);
    row("instructions", &|model| model.instructions);
    let mut text = table.to_string();
    if let Some(answers) = answers {
        let same = 100.0 * answers.agree as f64 / answers.total.max(1) as f64;
        text += &format!(
            "\nthe same answer to {} of {} frames: {same:.2}%",
            grouped(answers.agree),
            grouped(answers.total)
        );
    }
    if let Some(board) = board {
        text += &format!("\ncode, stack and instructions on {board}");
    }
    text
}

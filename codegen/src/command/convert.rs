//! `microception convert`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use microception_codegen::convert::{ModelFigures, Summary};
use microception_codegen::device::{board, stack};
use microception_codegen::error::Error;
use microception_codegen::target::Target;
use serde::Serialize;

use super::runner::board_names;
use super::settings::{Settings, warn};
use super::table::{self, grouped};

/// Writes a model as a no_std Rust module for the runtime
#[derive(Debug, Args)]
pub struct Convert {
    #[command(flatten)]
    settings: Settings,
    /// The module to write
    #[arg(long, value_name = "FILE.rs")]
    out: PathBuf,
    /// Keeps the ranges that calibration found, to be given as --calibration
    #[arg(long, value_name = "FILE.json", requires = "calibration")]
    save_ranges: Option<PathBuf>,
    /// A linker section for weights, biases, factors and tables, as in external flash; the program's linker script places
    /// it
    #[arg(long, value_name = "NAME")]
    weights_section: Option<String>,
    /// A linker section for the arena, as in fast RAM; the module's macro in_arena_section puts the program's static there
    #[arg(long, value_name = "NAME")]
    arena_section: Option<String>,
    /// The core that it is for. The module serves every core; this one chooses what --optimize leaves open
    #[arg(long, value_name = "CORE", default_value = "portable", value_parser = targets())]
    target: Target,
    /// An emulated board to build it for: as --target with the board's core, and the module says how much stack predict takes at
    /// most there. Needs a compiler for the board
    #[arg(long, value_name = "BOARD", value_parser = board_names(), conflicts_with = "target")]
    board: Option<String>,
    /// Prints the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// The names that `--target` takes.
fn targets() -> impl TypedValueParser<Value = Target> {
    PossibleValuesParser::new(Target::ALL.map(Target::name))
        .try_map(|name| Target::named(&name).ok_or_else(|| format!("there is no core named {name:?}")))
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    target: &'static str,
    out: String,
}

impl Convert {
    pub fn run(self) -> Result<String, Error> {
        let board = self.board.as_deref().map(board::named).transpose()?;
        let target = board.map_or(self.target, |board| board.core);
        let mut conversion = self.settings.conversion(target.optimize())?;
        if let Some(board) = board {
            conversion = conversion.bound_stack(|module| stack::of_predict(module, board));
        }
        if let Some(file) = &self.save_ranges {
            conversion = conversion.save_ranges(file);
        }
        if let Some(name) = &self.weights_section {
            conversion = conversion.weights_section(name);
        }
        if let Some(name) = &self.arena_section {
            conversion = conversion.arena_section(name);
        }
        let summary = conversion.to_file(&self.out)?;
        warn(&summary.warnings);
        if self.json {
            let out = self.out.display().to_string();
            let report = Report { summary: &summary, target: target.name(), out };
            return serde_json::to_string(&report).map_err(|error| Error::model(error.to_string()));
        }
        let Summary { model, precision, steps, .. } = &summary;
        let ModelFigures { weight_bytes, step_bytes, flash_bytes, arena_bytes, .. } = summary.figures;
        let stack = summary.stack.as_ref().map_or_else(String::new, |stack| {
            format!("stack  at most {} bytes for predict on {}\n", grouped(stack.bytes), stack.board)
        });
        Ok(format!(
            "{table}\n\
             flash  {flash} bytes: weights and tables {weights}, plan {plan} ({steps} steps); code comes on top\n\
             arena  {arena} bytes, scratch included\n\
             {stack}wrote  {out}: {model} in {precision}",
            table = table::layers(&summary.layers, true),
            flash = grouped(flash_bytes as u64),
            weights = grouped(weight_bytes as u64),
            plan = grouped(step_bytes as u64),
            steps = grouped(*steps as u64),
            arena = grouped(arena_bytes as u64),
            out = self.out.display(),
            precision = precision.name(),
        ))
    }
}

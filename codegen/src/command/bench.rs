//! `microception bench`.

use std::path::PathBuf;

use clap::Args;
use microception_codegen::data::write;
use microception_codegen::device::firmware::{self, Program, module_file};
use microception_codegen::device::{bench, board};
use microception_codegen::error::Error;
use serde::Serialize;

use super::runner::board_names;
use super::settings::{Settings, warn};
use super::table::{self, grouped};

/// Measures one inference on a board: instructions of each layer, arena, stack, flash
#[derive(Debug, Args)]
pub struct Bench {
    #[command(flatten)]
    settings: Settings,
    /// The board
    #[arg(long, value_name = "BOARD", value_parser = board_names())]
    board: String,
    /// Keeps the program that was measured; its inference is between the markers bench_begin and bench_end
    #[arg(long, value_name = "FILE.elf")]
    elf: Option<PathBuf>,
    /// Prints the figures as one JSON object
    #[arg(long)]
    json: bool,
}

/// One layer in what `--json` prints.
#[derive(Debug, Serialize)]
struct LayerReport {
    name: String,
    kind: &'static str,
    macs: u64,
    instructions: u64,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    board: String,
    instructions: u64,
    macs: u64,
    arena_bytes: u64,
    stack_bytes: u64,
    /// Null where nothing bounds it.
    stack_bound_bytes: Option<u64>,
    static_bytes: u64,
    weight_bytes: u64,
    code_bytes: u64,
    layers: Vec<LayerReport>,
}

impl Bench {
    pub fn run(self) -> Result<String, Error> {
        if let Some(path) = &self.elf {
            write::check_apart(path, self.settings.files())?;
        }
        let board = board::named(&self.board)?;
        let (module, summary) = self.settings.conversion(board.core.optimize())?.to_module()?;
        warn(&summary.warnings);
        let file = module_file(&module.text)?;
        let measured = bench::bench(file.path(), board).map_err(|error| error.in_file(&self.settings.model))?;
        if let Some(path) = &self.elf {
            firmware::build(file.path(), board, Program::Bench)?.keep(path)?;
        }
        let layers = summary.layers.into_iter().zip(&measured.layers);
        let layers = layers.map(|(layer, &instructions)| LayerReport {
            name: layer.name,
            kind: layer.kind,
            macs: layer.macs,
            instructions,
        });
        let report = Report {
            model: summary.model,
            board: self.board,
            instructions: measured.instructions,
            macs: summary.figures.macs,
            arena_bytes: measured.arena_bytes,
            stack_bytes: measured.stack_bytes,
            stack_bound_bytes: measured.stack_bound.ok(),
            static_bytes: measured.static_bytes,
            weight_bytes: measured.weight_bytes,
            code_bytes: measured.code_bytes,
            layers: layers.collect(),
        };
        if self.json {
            return serde_json::to_string(&report).map_err(|error| Error::model(error.to_string()));
        }
        Ok(report.text())
    }
}

impl Report {
    fn text(&self) -> String {
        let layers = self.layers.iter().map(|LayerReport { name, kind, macs, instructions }| {
            let texts: [&str; 2] = [name, kind];
            (texts, [*macs, *instructions])
        });
        let table = table::counts("instructions", layers, [self.macs, self.instructions]);
        let bound =
            self.stack_bound_bytes.map_or_else(|| "no bound".to_owned(), |bytes| format!("at most {}", grouped(bytes)));
        format!(
            "{table}\nRAM    arena {} bytes, stack {} ({bound}), other statics {}\n\
             flash  weights {} bytes, code with plan {}",
            grouped(self.arena_bytes),
            grouped(self.stack_bytes),
            grouped(self.static_bytes),
            grouped(self.weight_bytes),
            grouped(self.code_bytes)
        )
    }
}

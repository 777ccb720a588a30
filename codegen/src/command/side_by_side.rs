//! `eval --side-by-side`: a model in every precision.

use microception_codegen::convert::ModelFigures;
use microception_codegen::data::Interface;
use microception_codegen::device::firmware::module_file;
use microception_codegen::device::{bench, board};
use microception_codegen::error::Error;
use serde::Serialize;

use super::eval::{Accuracy, Labelled};
use super::runner::{HOST, Place, Runner};
use super::settings::{Precision, Settings, warn};
use super::table::{self, grouped};

/// What is shown, in the order of the table.
const PRECISIONS: [Precision; 4] = [Precision::F32, Precision::Int8, Precision::Int16x8, Precision::Int4];

/// A model in all precisions, as `--json` prints it.
#[derive(Debug, Serialize)]
pub struct SideBySide {
    precisions: Vec<Row>,
    board: String,
}

/// One precision.
#[derive(Debug, Serialize)]
struct Row {
    precision: &'static str,
    #[serde(flatten)]
    accuracy: Accuracy,
    /// Weights and tables.
    weight_bytes: usize,
    arena_bytes: usize,
    /// Of one inference, on an emulated board.
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<u64>,
    macs: u64,
}

impl SideBySide {
    /// Measures a model that is not quantized. Accuracy is the host's, which computes what every board does; an emulated board
    /// counts instructions. Calibration data is run once.
    pub fn measure(settings: &Settings, labelled: &Labelled, place: &Place) -> Result<SideBySide, Error> {
        let folder = tempfile::tempdir().map_err(|error| Error::model(format!("no temporary folder: {error}")))?;
        let kept = folder.path().join("ranges.json");
        let mut common = settings.clone();
        let mut precisions = Vec::new();
        for precision in PRECISIONS {
            let settings = common.with_precision(precision);
            let prepared = settings.prepare()?;
            // Which layers are to be kept, only the frames themselves can say.
            if let (Some(ranges), None, false) = (&prepared.ranges, settings.auto_mixed, kept.exists()) {
                ranges.save(&kept)?;
                common.calibration = Some(kept.clone());
                (common.range, common.equalize) = (None, None);
            }
            let frames =
                labelled.open(&Interface::of(&prepared.graph)).map_err(|error| error.in_file(&settings.model))?;
            let mut host = Runner::new(&prepared, &settings, &Place::host())?;
            let accuracy = labelled.measure(&frames, 1, &mut host, |_| Ok(()))?;
            let on_board = if place.board == HOST { None } else { Some(board::named(&place.board)?) };
            let core = on_board.map(|board| board.core.optimize()).unwrap_or_default();
            let (module, summary) = settings.conversion(core)?.to_module_of(&prepared)?;
            warn(&summary.warnings);
            let instructions = on_board.map(|board| {
                let file = module_file(&module.text)?;
                let measured = bench::bench(file.path(), board).map_err(|error| error.in_file(&settings.model))?;
                Ok::<u64, Error>(measured.instructions)
            });
            let ModelFigures { weight_bytes, arena_bytes, macs, .. } = summary.figures;
            let (precision, instructions) = (precision.of_library().name(), instructions.transpose()?);
            precisions.push(Row { precision, accuracy, weight_bytes, arena_bytes, instructions, macs });
        }
        Ok(SideBySide { precisions, board: place.board.clone() })
    }

    /// As a table.
    pub fn text(&self) -> String {
        let names = ["precision", "right", "accuracy", "weight bytes", "arena bytes", "instructions", "per MAC"];
        let shown = if self.board == HOST { 5 } else { 7 };
        let mut table = table::table(&names[..shown], shown - 1);
        for row in &self.precisions {
            let mut cells = vec![row.precision.to_owned()];
            cells.extend(row.accuracy.cells());
            cells.extend([row.weight_bytes, row.arena_bytes].map(grouped));
            if let Some(instructions) = row.instructions {
                cells.extend([grouped(instructions), format!("{:.2}", instructions as f64 / row.macs.max(1) as f64)]);
            }
            table.add_row(cells);
        }
        table.to_string()
    }
}

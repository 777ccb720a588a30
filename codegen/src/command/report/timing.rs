//! What each layer takes: on an emulated board, or on a flashed one with the same model.

use microception_codegen::convert::{LayerFigures, Summary};
use microception_codegen::device::bench::Bench;
use microception_codegen::device::firmware::module_file;
use microception_codegen::device::link::Layer;
use microception_codegen::device::measure::{Measured, measure};
use microception_codegen::device::{bench, board, serial};
use microception_codegen::error::Error;
use microception_codegen::report::timing::{LayerTime, Timing};

use super::Report;

impl Report {
    /// What the board that is named says, if one is.
    pub(super) fn timing(&self, module: &str, summary: &Summary) -> Result<Option<Timing>, Error> {
        let in_file = |error: Error| error.in_file(&self.settings.model);
        if let Some(name) = &self.board {
            let file = module_file(module)?;
            let measured = bench::bench(file.path(), board::named(name)?).map_err(in_file)?;
            let Bench { instructions, ref layers, stack_bytes, code_bytes, .. } = measured;
            let layers = summary.layers.iter().zip(layers).map(|(layer, &count)| LayerTime {
                name: layer.name.clone(),
                kind: layer.kind.to_owned(),
                macs: layer.macs,
                count,
            });
            return Ok(Some(Timing {
                board: name.clone(),
                unit: "instructions".to_owned(),
                inference: instructions,
                macs: summary.figures.macs,
                layers: layers.collect(),
                stack_bytes: Some(stack_bytes),
                code_bytes: Some(code_bytes),
            }));
        }
        let Some(port) = &self.port else { return Ok(None) };
        let mut link = serial::open(port)?;
        let layers = link.layers().map_err(|error| error.in_file(port))?;
        let same =
            |(found, expected): (&Layer, &LayerFigures)| found.name == expected.name && found.kind == expected.kind;
        if layers.len() != summary.layers.len() || !layers.iter().zip(&summary.layers).all(same) {
            let model = self.settings.model.display();
            return Err(Error::file(port, format!("runs another model than {model}: its layers have other names")));
        }
        let Measured { unit, inference, layers: counts, stack_bytes } = measure(&mut link, false)?;
        let layers = layers.into_iter().zip(counts);
        Ok(Some(Timing {
            board: link.info().board.clone(),
            unit: unit.name().to_owned(),
            inference,
            macs: summary.figures.macs,
            layers: layers.map(|(Layer { name, kind, macs }, count)| LayerTime { name, kind, macs, count }).collect(),
            stack_bytes: stack_bytes.map(|bytes| bytes as u64),
            code_bytes: None,
        }))
    }
}

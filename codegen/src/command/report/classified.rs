//! How labelled data is classified, in float and as the model is reported.

use microception_codegen::convert::Precision;
use microception_codegen::data::{Examples, Interface, Output};
use microception_codegen::error::Error;
use microception_codegen::graph::Graph;
use microception_codegen::host::Machine;
use microception_codegen::optimize::Goal;
use microception_codegen::report;
use microception_codegen::report::classified::{Classified, Run, worst};

use super::Report;
use super::models::{Frames, Models};
use super::pictures::picture;
use crate::command::frames::{self, limited};
use crate::command::runner::Runner;

impl Report {
    /// Accuracy, where the data has labels and the model one value per class.
    pub(super) fn classify(
        &self,
        report: &mut report::Report,
        models: &Models,
        frames: Option<&Frames>,
        goal: Goal,
    ) -> Result<(), Error> {
        let Some(frames) = frames else {
            report.left_out.push("Accuracy: --data with labels.".to_owned());
            return Ok(());
        };
        let graph = &models.shown.graph;
        let interface = Interface::of(graph);
        let Some(output) = interface.output_of_classes() else {
            report.left_out.push("Accuracy: the model answers with other than one value per class.".to_owned());
            return Ok(());
        };
        let classes = match frames.shown.classes(&interface.labels, output.classes()) {
            Ok(classes) => classes,
            Err(error) => {
                report.left_out.push(format!("Accuracy: {error}"));
                return Ok(());
            }
        };
        let total = limited(frames.shown.len(), self.limit);
        let mut runs = Vec::new();
        let compared = models.float.as_ref().zip(frames.float.as_ref());
        if let Some((float, examples)) = compared.filter(|_| Precision::of(graph) != Precision::F32) {
            let outputs = outputs(float, goal, examples, total, "measuring f32")?;
            runs.push(Run::of(Precision::F32, &Output::of(float), &outputs, &classes));
        }
        let outputs = outputs(graph, goal, &frames.shown, total, "measuring")?;
        runs.push(Run::of(Precision::of(graph), output, &outputs, &classes));
        let mut worst = worst(output, &outputs, &classes);
        for wrong in &mut worst {
            wrong.picture = picture(graph, &frames.shown.frame(wrong.frame)?);
        }
        let data = frames.shown.source().file_name().map_or_else(String::new, |name| name.display().to_string());
        report.classified = Some(Classified { data, runs, worst });
        Ok(())
    }
}

/// What a graph answers to the first `total` frames.
fn outputs(
    graph: &Graph,
    goal: Goal,
    examples: &Examples,
    total: usize,
    what: &'static str,
) -> Result<Vec<Vec<u8>>, Error> {
    frames::answers(&mut Runner::Host(Box::new(Machine::new(graph, goal)?)), examples, total, what)
}

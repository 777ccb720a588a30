//! What channels make of a frame, what classes and channels look for, and where the frame is looked at.

use microception_codegen::convert::Precision;
use microception_codegen::data::picture::Picture;
use microception_codegen::data::{Input, Output};
use microception_codegen::error::Error;
use microception_codegen::graph::{Element, Graph};
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;
use microception_codegen::report;
use microception_codegen::report::excited::{self, Excited, Exciting, LookedAt};
use microception_codegen::report::feature_maps::FeatureMaps;
use microception_codegen::report::image::Image;
use microception_codegen::visualize::ascent;
use microception_codegen::visualize::network::Network;

use super::Report;
use super::models::{Frames, Models};
use crate::command::progress;

/// Of models that tell more classes apart, no pictures are made but of what is asked for.
const MOST_CLASSES: usize = 32;

impl Report {
    /// What every channel makes of one frame, in both precisions where there are two.
    pub(super) fn feature_maps(
        &self,
        report: &mut report::Report,
        models: &Models,
        frames: Option<&Frames>,
    ) -> Result<(), Error> {
        let Some(frames) = frames else {
            report.left_out.push("Feature maps: --input or --data gives a frame.".to_owned());
            return Ok(());
        };
        let shown = &models.shown.graph;
        let bytes = frames.shown.frame(0)?;
        let float_bytes = frames.float.as_ref().map(|examples| examples.frame(0)).transpose()?;
        let name = frames.name();
        let picture = picture(shown, &bytes);
        let maps = match models.float.as_ref().zip(float_bytes) {
            Some((float, float_bytes)) => {
                let quantized = (Precision::of(shown) != Precision::F32).then_some((shown, &*bytes));
                FeatureMaps::of(name, picture, (float, &float_bytes), quantized)
            }
            None => FeatureMaps::of(name, picture, (shown, &bytes), None),
        };
        report.feature_maps = Some(maps?);
        Ok(())
    }

    /// What classes and channels look for, and where the frame is looked at.
    pub(super) fn excite(
        &self,
        report: &mut report::Report,
        float: &Graph,
        models: &Models,
        frames: Option<&Frames>,
    ) -> Result<(), Error> {
        let takes = Input::all(float);
        let takes_pictures = matches!(&takes[..], [(_, input)] if excited::extents(&input.shape).is_some());
        if self.steps == 0 || !takes_pictures {
            let reason =
                if takes_pictures { "--steps is 0." } else { "the model takes neither one picture nor one series." };
            report.left_out.push(format!("Feature visualization: {reason}"));
            return Ok(());
        }
        let network = Network::new(float)?;
        let mut targets = self.channels(&network)?;
        let classes = network.shape(network.class(0)?.layer).clone();
        if classes.elements() == classes.channels() && classes.channels() <= MOST_CLASSES {
            let class = |class| Ok::<_, Error>((report.overview.label(class), network.class(class)?));
            let classes = (0..classes.channels()).map(class).collect::<Result<Vec<_>, _>>()?;
            targets.splice(0..0, classes);
        }
        // What the input's numbers are like is known of pixels, or of the calibration.
        let calibrated = models.shown.ranges.as_ref().and_then(|ranges| ranges.get(&takes[0].0));
        let range = network.range(0).or(calibrated).unwrap_or([0.0, 1.0]);
        let settings = ascent::Settings { steps: self.steps, range, ..ascent::Settings::default() };
        let bar = progress::bar("exciting", self.steps);
        let pictures = Exciting::all(&network, &targets, &settings, |done, _| bar.set_position(done as u64));
        bar.finish_and_clear();
        let mut excited = Excited { pictures: pictures?, looked_at: None };
        let examples = frames.and_then(|frames| frames.float.as_ref());
        if let Some(examples) = examples.filter(|_| classes.elements() == classes.channels()) {
            let bytes = examples.frame(0)?;
            let mut machine = Machine::new(float, Strategy::Balanced)?;
            let output = Output::of(float);
            let answer = machine.run(&bytes)?;
            // Of one unit that tells two classes apart there is one value to look at.
            let class = output.class(&answer).min(output.shape.channels() - 1);
            let name = report.overview.label(if output.shape.channels() == 1 { 1 } else { class });
            let frame = excited::real_frame(float, &bytes);
            excited.looked_at = Some(LookedAt::of(&network, &frame, range, (class, name))?);
        }
        report.excited = Some(excited);
        Ok(())
    }

    /// The channels that are asked for, by the layers' names.
    fn channels(&self, network: &Network) -> Result<Vec<(String, ascent::Target)>, Error> {
        let asked = self.excite.as_chunks::<2>().0.iter().map(|[layer, channel]| {
            let index = network.layer(layer).ok_or_else(|| {
                Error::model(format!("has no layer \"{layer}\" to excite; microception inspect lists them"))
            })?;
            let unit = channel.parse().map_err(|_| {
                Error::layer(layer, format!("has no channel \"{channel}\": channels have numbers, from 0"))
            })?;
            Ok((format!("{layer} {channel}"), ascent::Target { layer: index, unit }))
        });
        asked.collect()
    }
}

/// A frame as a picture, where the model takes pixels.
pub(super) fn picture(graph: &Graph, bytes: &[u8]) -> Option<Image> {
    let inputs = Input::all(graph);
    let [(_, Input { shape, element, .. })] = &inputs[..] else { return None };
    let [height, width, channels] = excited::extents(shape)?;
    match element {
        Element::U8 if matches!(channels, 1 | 3) && shape.0.len() == 3 => {
            Some(Image(Picture { height, width, channels, pixels: bytes.to_vec() }))
        }
        _ => None,
    }
}

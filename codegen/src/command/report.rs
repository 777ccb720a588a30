//! `microception report`.

use std::path::{Path, PathBuf};

use clap::Args;
use microception_codegen::convert::{Precision, Prepared, Summary};
use microception_codegen::data::picture::{Fit, Picture};
use microception_codegen::data::{Examples, Input, Interface, Output, write};
use microception_codegen::device::bench::Bench;
use microception_codegen::device::firmware::module_file;
use microception_codegen::device::link::Layer;
use microception_codegen::device::measure::{Measured, measure};
use microception_codegen::device::{bench, board, serial};
use microception_codegen::error::Error;
use microception_codegen::graph::{Element, Graph};
use microception_codegen::host::Machine;
use microception_codegen::optimize::Goal;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::equalize;
use microception_codegen::report::classified::{Classified, Run, worst};
use microception_codegen::report::excited::{self, Excited, Exciting, LookedAt};
use microception_codegen::report::feature_maps::FeatureMaps;
use microception_codegen::report::image::Image;
use microception_codegen::report::memory::Memory;
use microception_codegen::report::overview::Overview;
use microception_codegen::report::quantization::Quantization;
use microception_codegen::report::timing::{LayerTime, Timing};
use microception_codegen::report::{self, filters};
use microception_codegen::visualize::ascent;
use microception_codegen::visualize::network::Network;

use super::frames::{self, limited};
use super::progress;
use super::runner::{Runner, board_names};
use super::settings::{Plan, Settings, warn};
use super::table::grouped;

/// Frames that both precisions are compared over.
const COMPARED: usize = 64;

/// Of models that tell more classes apart, no pictures are made but of what is asked for.
const MOST_CLASSES: usize = 32;

/// Shows what a model is made of, what it takes, where it loses and what it looks for, on one page that needs no other
#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    settings: Settings,
    /// The page
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,
    /// Frames: an .npz, an .npy or a folder of pictures. With labels they are classified; the first are what precisions are
    /// compared over
    #[arg(long, value_name = "DATA")]
    data: Option<PathBuf>,
    /// Takes only so many, from the front
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), requires = "data")]
    limit: Option<u64>,
    /// The frame whose feature maps are shown, a picture or an array; without it the first of --data
    #[arg(long, value_name = "FRAME")]
    input: Option<PathBuf>,
    /// Counts the instructions of each layer on an emulated board
    #[arg(long, value_name = "BOARD", value_parser = board_names())]
    board: Option<String>,
    /// Measures each layer on a board with this very model, at that serial port
    #[arg(long, value_name = "PORT", conflicts_with = "board")]
    port: Option<String>,
    /// Makes a picture that excites a channel of a layer, beside those of the classes. May be given several times
    #[arg(long, value_names = ["LAYER", "CHANNEL"], num_args = 2)]
    excite: Vec<String>,
    /// Steps of gradient ascent; 0 leaves out what takes gradients
    #[arg(long, value_name = "N", default_value_t = ascent::Settings::default().steps)]
    steps: usize,
    /// Prints every figure and picture as one JSON object
    #[arg(long)]
    json: bool,
}

/// The model in float and as it is reported.
struct Models {
    shown: Prepared,
    /// None of a model that is quantized already.
    float: Option<Graph>,
}

/// Frames for the float and for the reported model: numbers that one takes may be bytes of another kind for the other.
struct Frames {
    float: Option<Examples>,
    shown: Examples,
}

impl Report {
    pub fn run(self) -> Result<String, Error> {
        self.check()?;
        let models = self.models()?;
        let optimize = self.board.as_deref().map(board::named).transpose()?.map(|board| board.core.optimize());
        let conversion = self.settings.conversion(optimize.unwrap_or_default())?;
        let (module, summary) = conversion.to_module_of(&models.shown)?;
        warn(&summary.warnings);
        let in_file = |error: Error| error.in_file(&self.settings.model);
        let overview = Overview::of(&models.shown.graph, &summary);
        let memory = Memory::of(&models.shown.graph, conversion.goal()).map_err(in_file)?;
        let mut report = report::Report::new(overview, memory);
        report.timing = self.timing(&module.text, &summary)?;
        if report.timing.is_none() {
            report.left_out.push("Time: --board counts instructions, --port measures a flashed board.".to_owned());
        }
        let frames =
            self.data.as_deref().map(|data| Frames::open(data, &models, Fit::Exact)).transpose().map_err(in_file)?;
        self.classify(&mut report, &models, frames.as_ref(), conversion.goal()).map_err(in_file)?;
        self.quantization(&mut report, &models, frames.as_ref()).map_err(in_file)?;
        let one = self
            .input
            .as_deref()
            .map(|input| Frames::open(input, &models, Fit::Resize))
            .transpose()
            .map_err(in_file)?;
        let frame = one.as_ref().or(frames.as_ref());
        self.feature_maps(&mut report, &models, frame).map_err(in_file)?;
        if let Some(float) = &models.float {
            report.filters = filters::of(float);
            self.excite(&mut report, float, &models, frame).map_err(in_file)?;
        } else {
            report.left_out.push("Filters and feature visualization: they are of float models.".to_owned());
        }
        let page = report.page();
        write::whole(&self.out, page.as_bytes())?;
        if self.json {
            return serde_json::to_string(&report).map_err(|error| Error::model(error.to_string()));
        }
        let left_out: String = report.left_out.iter().map(|reason| format!("\nleft out  {reason}")).collect();
        Ok(format!("wrote {}: {} bytes{left_out}", self.out.display(), grouped(page.len())))
    }

    /// Says early what can't be done.
    fn check(&self) -> Result<(), Error> {
        write::check(&self.out)?;
        let files = [Some(&*self.settings.model), self.data.as_deref(), self.input.as_deref()];
        let files = files.into_iter().chain([self.settings.calibration.as_deref(), self.settings.labels.as_deref()]);
        if files.flatten().any(|file| write::is_same_file(&self.out, file)) {
            return Err(Error::file(&self.out, "cannot be written: it is read from"));
        }
        if self.settings.plan == Some(Plan::Endless) && (self.data.is_some() || self.input.is_some()) {
            return Err(Error::model("--plan endless has no frames: leave --data and --input out"));
        }
        Ok(())
    }

    fn models(&self) -> Result<Models, Error> {
        let shown = self.settings.prepare()?;
        if Precision::of(&shown.graph) == Precision::F32 {
            let float = Some(shown.graph.clone());
            return Ok(Models { shown, float });
        }
        let mut settings = self.settings.clone();
        settings.precision = Some(super::settings::Precision::F32);
        (settings.calibration, settings.auto_mixed, settings.keep) = (None, None, Vec::new());
        // Of a model that is quantized already there is no float one; what else is wrong was said before.
        let float = settings.prepare().ok().map(|prepared| match &shown.ranges {
            Some(ranges) if ranges.equalized => equalize(&prepared.graph),
            _ => prepared.graph,
        });
        Ok(Models { shown, float })
    }

    fn timing(&self, module: &str, summary: &Summary) -> Result<Option<Timing>, Error> {
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
        let same = |(found, expected): (&Layer, &microception_codegen::convert::LayerFigures)| {
            found.name == expected.name && found.kind == expected.kind
        };
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

    /// Accuracy, where the data has labels and the model one value per class.
    fn classify(
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

    /// What both precisions make of the same frames.
    fn quantization(&self, report: &mut report::Report, models: &Models, frames: Option<&Frames>) -> Result<(), Error> {
        let shown = &models.shown.graph;
        let mut left_out = |reason: &str| report.left_out.push(format!("Quantization: {reason}"));
        let Some(float) = models.float.as_ref().filter(|_| Precision::of(shown) != Precision::F32) else {
            left_out("a float model with --calibration has two precisions to compare.");
            return Ok(());
        };
        // Frames of the calibration serve as well; a ranges file has none.
        let calibration = self.settings.calibration.as_deref();
        let calibration = || calibration.and_then(|data| Frames::open(data, models, Fit::Exact).ok());
        let opened = if frames.is_none() { calibration() } else { None };
        let Some(Frames { float: Some(for_float), shown: for_shown }) = frames.or(opened.as_ref()) else {
            left_out("--data, or --calibration with data, gives frames to compare precisions over.");
            return Ok(());
        };
        let count = for_shown.len().min(COMPARED);
        let frame = |index| Ok([for_float.frame(index)?.into_owned(), for_shown.frame(index)?.into_owned()]);
        let bar = progress::bar("comparing", 2 * count);
        let measured = Quantization::measure(float, shown, count, frame, |done, _| bar.set_position(done as u64));
        bar.finish_and_clear();
        report.quantization = Some(measured?);
        Ok(())
    }

    fn feature_maps(&self, report: &mut report::Report, models: &Models, frames: Option<&Frames>) -> Result<(), Error> {
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
    fn excite(
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

impl Frames {
    fn open(path: &Path, models: &Models, fit: Fit) -> Result<Frames, Error> {
        let open = |graph: &Graph| frames::open(path, &Interface::of(graph), fit);
        let shown = open(&models.shown.graph)?;
        // Numbers that are quantized already are none for the float model.
        let float = models.float.as_ref().and_then(|float| open(float).ok());
        Ok(Frames { float, shown })
    }

    /// The name of the first.
    fn name(&self) -> String {
        let file = self.shown.file(0).unwrap_or(self.shown.source());
        let name = file.file_name().map_or_else(String::new, |name| name.display().to_string());
        if self.shown.len() > 1 && self.shown.file(0).is_none() { format!("the first frame of {name}") } else { name }
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

/// A frame as a picture, where the model takes pixels.
fn picture(graph: &Graph, bytes: &[u8]) -> Option<Image> {
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

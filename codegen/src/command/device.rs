//! `microception device`.

use clap::error::ErrorKind;
use clap::{Args, Subcommand};
use microception_codegen::device::link::{self, Link, Port};
use microception_codegen::device::measure::{Measured, measure};
use microception_codegen::device::qemu::Clock;
use microception_codegen::device::serial;
use microception_codegen::error::Error;
use serde::Serialize;

use super::eval::Labelled;
use super::run::Frames;
use super::runner::{Runner, board_names, emulator};
use super::settings::{Plan, Settings};

mod report;

use report::{Bench, Eval, Info, Memory, SelfTest};

/// How often an evaluation measures: behind every eighth of the data.
const MEASUREMENTS: usize = 8;

/// Talks to a flashed board over its serial port, or likewise to an emulated one
#[derive(Debug, Args)]
#[command(
    override_usage = "microception device --port PORT <COMMAND>\n       \
                      microception device --board BOARD MODEL [OPTIONS] <COMMAND>\n       \
                      microception device list",
    mut_arg("model", |model| model.required(false))
)]
pub struct Device {
    /// The serial port that the board is at, as /dev/ttyACM0 or COM3: `microception device list` shows those there are
    #[arg(long, value_name = "PORT", conflicts_with_all = ["board", "model"])]
    port: Option<String>,
    /// An emulated board instead, on which MODEL is started
    #[arg(long, value_name = "BOARD", value_parser = board_names(), requires = "model")]
    board: Option<String>,
    #[command(flatten, next_help_heading = "Of an emulated board")]
    settings: Option<Settings>,
    #[command(subcommand)]
    request: Request,
}

#[derive(Debug, Subcommand)]
enum Request {
    /// Lists the serial ports of this computer
    List(Json),
    /// What board it is and which model runs there
    Info(Json),
    /// Runs its model on arrays or pictures
    Run {
        #[command(flatten)]
        frames: Frames,
        /// Takes the input as a series, for a model that was converted with --plan endless
        #[arg(long)]
        series: bool,
    },
    /// Measures its model's accuracy on labelled data, and what an inference takes
    Eval {
        #[command(flatten)]
        labelled: Labelled,
        #[command(flatten)]
        json: Json,
    },
    /// Measures one inference: each layer, the whole, the stack
    Bench(Json),
    /// What memory it has, and how much was in use
    Memory(Json),
    /// Whether it computes what the host computed when its model was converted
    SelfTest(Json),
}

#[derive(Debug, Clone, Copy, Args)]
struct Json {
    /// Prints it as one JSON object
    #[arg(long)]
    json: bool,
}

impl Json {
    /// The one or the other.
    fn text<T: Serialize>(self, report: &T, text: impl FnOnce() -> String) -> Result<String, Error> {
        if !self.json {
            return Ok(text());
        }
        serde_json::to_string(report).map_err(|error| Error::model(error.to_string()))
    }
}

impl Device {
    pub fn run(self) -> Result<String, Error> {
        match &self.request {
            Request::List(json) => {
                let ports = serial::ports()?;
                json.text(&ports, || report::list(&ports))
            }
            Request::Info(json) => {
                let mut link = self.open(Clock::Host)?;
                let labels = link.labels()?;
                let report = Info::of(link.info(), labels);
                json.text(&report, || report.text())
            }
            Request::Run { frames, series } => {
                frames.check(None, self.settings.iter().flat_map(Settings::files))?;
                let mut link = self.open(Clock::Host)?;
                let interface = link.interface()?;
                let mut runner = Runner::Board(Box::new(link));
                if *series || self.is_endless() {
                    return frames.stream(&interface, || Ok(runner));
                }
                frames.answer(&interface, &frames.open(&interface)?, &mut runner)
            }
            Request::Eval { labelled, json } => {
                let report = self.evaluate(labelled)?;
                json.text(&report, || report.text())
            }
            Request::Bench(json) => {
                let mut link = self.open(Clock::Instructions)?;
                let measured = measure(&mut link, self.board.is_some())?;
                let layers = link.layers()?;
                let report = Bench::of(link.info(), layers, &measured);
                json.text(&report, || report.text())
            }
            Request::Memory(json) => {
                let report = Memory::from(self.open(Clock::Host)?.memory()?);
                json.text(&report, || report.text())
            }
            Request::SelfTest(json) => {
                let mut link = self.open(Clock::Host)?;
                let difference = link.self_test()?;
                let link::Info { board, model, .. } = link.info().clone();
                match difference {
                    Some(difference) => {
                        let reason = format!("{board} does not compute of {model} what the host does: {difference}");
                        Err(self.named(Error::model(reason)))
                    }
                    None => {
                        let report = SelfTest { board, model, passed: true };
                        json.text(&report, || report.text())
                    }
                }
            }
        }
    }

    /// How many are right, and what an inference takes in the mean.
    fn evaluate(&self, labelled: &Labelled) -> Result<Eval, Error> {
        labelled.check(self.settings.iter().flat_map(Settings::files))?;
        if self.is_endless() {
            return Err(Error::model("--plan endless has no frames to count: run takes a series with it"));
        }
        let mut link = self.open(Clock::Instructions)?;
        let interface = link.interface()?;
        let frames = labelled.open(&interface).map_err(|error| self.named(error))?;
        let (info, layers) = (link.info().clone(), link.layers()?);
        let mut measured = Vec::new();
        let mut runner = Runner::Board(Box::new(link));
        let accuracy = labelled.measure(&frames, MEASUREMENTS, &mut runner, |runner| {
            if let Runner::Board(link) = runner {
                measured.push(measure(link, self.board.is_some())?);
            }
            Ok(())
        })?;
        let mean = Measured::mean(&measured).ok_or_else(|| Error::model("nothing was measured"))?;
        Ok(Eval { accuracy, bench: Bench::of(&info, layers, &mean) })
    }

    /// The error, with the port named.
    fn named(&self, error: Error) -> Error {
        match &self.port {
            Some(port) => error.in_file(port),
            None => error,
        }
    }

    /// Whether it is known that the model takes a series.
    fn is_endless(&self) -> bool {
        self.settings.as_ref().is_some_and(|settings| settings.plan == Some(Plan::Endless))
    }

    /// Opens the port, or starts the model on an emulated board.
    fn open(&self, clock: Clock) -> Result<Link<Box<dyn Port>>, Error> {
        match (&self.port, &self.board, &self.settings) {
            (Some(port), ..) => Ok(serial::open(port)?.boxed()),
            (None, Some(board), Some(settings)) => emulator(&settings.prepare()?, settings, board, clock, false),
            _ => {
                let reason = "which board? Name its serial port, --port PORT, or an emulated board and a model, \
                              --board BOARD MODEL";
                let mut command = Device::augment_args(clap::Command::new("microception device"));
                command.error(ErrorKind::MissingRequiredArgument, reason).exit()
            }
        }
    }
}

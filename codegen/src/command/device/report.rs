//! What a board said, as text and as JSON.

use microception_codegen::device::link::{self, End};
use microception_codegen::device::measure::{Measured, Unit};
use microception_codegen::device::serial::Found;
use microception_codegen::graph::Shape;
use microception_protocol::{Tick, VERSION};
use serde::Serialize;

use crate::command::eval::Accuracy;
use crate::command::table::{self, grouped};

/// The ports there are.
pub fn list(ports: &[Found]) -> String {
    if ports.is_empty() {
        return "no serial ports: is the board plugged in, with a cable that carries data?".to_owned();
    }
    let mut table = table::table(&["port", "USB device"], 0);
    for port in ports {
        table.add_row([port.name.as_str(), port.usb.as_deref().unwrap_or("")]);
    }
    table.to_string()
}

/// An input or output.
#[derive(Debug, Serialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    element: &'static str,
    /// Where it is quantized: `real = scale * (stored - zero_point)`.
    #[serde(skip_serializing_if = "Option::is_none")]
    scale: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zero_point: Option<f32>,
    bytes: usize,
}

impl Tensor {
    fn of(end: &End) -> Tensor {
        let quantized = end.element().is_quantized().then_some(end.quantization);
        Tensor {
            name: end.name.clone(),
            shape: end.shape.clone(),
            element: end.element().name(),
            scale: quantized.map(|quantized| quantized.scale),
            zero_point: quantized.map(|quantized| quantized.zero_point),
            bytes: end.bytes,
        }
    }

    fn text(&self, what: &str) -> String {
        let name = if self.name.is_empty() { String::new() } else { format!("\"{}\" ", self.name) };
        let quantized = match (self.scale, self.zero_point) {
            (Some(scale), Some(zero)) if zero < 0.0 => format!(", real = {scale} * (stored + {})", -zero),
            (Some(scale), Some(zero)) => format!(", real = {scale} * (stored - {zero})"),
            _ => String::new(),
        };
        format!("{what:9} {name}{} {}{quantized}\n", Shape(self.shape.clone()), self.element)
    }
}

/// What board it is, and what runs there.
#[derive(Debug, Serialize)]
pub struct Info {
    board: String,
    model: String,
    /// The version of the messages.
    protocol: u16,
    /// The core's clock, of a board that counts cycles.
    #[serde(skip_serializing_if = "Option::is_none")]
    hz: Option<u32>,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    labels: Vec<String>,
    layers: usize,
    macs: u64,
    arena_bytes: usize,
    weight_bytes: usize,
}

impl Info {
    pub fn of(info: &link::Info, labels: Vec<String>) -> Info {
        Info {
            board: info.board.clone(),
            model: info.model.clone(),
            protocol: VERSION,
            hz: match info.tick {
                Tick::Cycle { hz } => Some(hz),
                Tick::Time { .. } => None,
            },
            inputs: info.inputs.iter().map(Tensor::of).collect(),
            outputs: info.outputs.iter().map(Tensor::of).collect(),
            labels,
            layers: info.layers,
            macs: info.macs,
            arena_bytes: info.arena_bytes,
            weight_bytes: info.weight_bytes,
        }
    }

    pub fn text(&self) -> String {
        let clock = self.hz.map_or_else(String::new, |hz| format!(", {} MHz", f64::from(hz) / 1e6));
        let mut text = format!("board     {}{clock}\n", self.board);
        if self.inputs.is_empty() {
            text += "model     none: its firmware filters pictures\n";
        } else {
            let macs = grouped(self.macs);
            text += &format!("model     {}: {} layers, {macs} multiply-accumulates\n", self.model, self.layers);
            text.extend(self.inputs.iter().map(|input| input.text("input")));
            text.extend(self.outputs.iter().map(|output| output.text("output")));
            if !self.labels.is_empty() {
                text += &format!("labels    {}\n", self.labels.join(", "));
            }
            let [arena, weights] = [self.arena_bytes, self.weight_bytes].map(grouped);
            text += &format!("memory    arena {arena} bytes, weights {weights}\n");
        }
        text + &format!("protocol  version {}", self.protocol)
    }
}

/// One layer of a measurement.
#[derive(Debug, Serialize)]
struct Layer {
    name: String,
    kind: String,
    macs: u64,
    count: u64,
}

/// What an inference takes.
#[derive(Debug, Serialize)]
pub struct Bench {
    board: String,
    model: String,
    /// What the counts are of: cycles, instructions, microseconds.
    unit: &'static str,
    inference: u64,
    /// Of cycles and microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    macs: u64,
    stack_bytes: Option<usize>,
    arena_bytes: usize,
    weight_bytes: usize,
    layers: Vec<Layer>,
    #[serde(skip)]
    of: Unit,
}

impl Bench {
    pub fn of(info: &link::Info, layers: Vec<link::Layer>, measured: &Measured) -> Bench {
        let layers = layers.into_iter().zip(&measured.layers);
        let layers = layers.map(|(link::Layer { name, kind, macs }, &count)| Layer { name, kind, macs, count });
        Bench {
            board: info.board.clone(),
            model: info.model.clone(),
            unit: measured.unit.name(),
            inference: measured.inference,
            seconds: measured.unit.time(measured.inference).map(|time| time.as_secs_f64()),
            macs: info.macs,
            stack_bytes: measured.stack_bytes,
            arena_bytes: info.arena_bytes,
            weight_bytes: info.weight_bytes,
            layers: layers.collect(),
            of: measured.unit,
        }
    }

    pub fn text(&self) -> String {
        let layers = self.layers.iter().map(|Layer { name, kind, macs, count }| {
            let texts: [&str; 2] = [name, kind];
            (texts, [*macs, *count])
        });
        let table = table::counts(self.unit, layers, [self.macs, self.inference]);
        let mut text = format!("{table}\n");
        if let Some(time) = self.of.time(self.inference) {
            let clock = match self.of {
                Unit::Cycles { hz } => format!(" at {} MHz", f64::from(hz) / 1e6),
                _ => String::new(),
            };
            text += &format!("{:.3} ms{clock}\n", 1e3 * time.as_secs_f64());
        }
        let stack =
            self.stack_bytes.map_or_else(|| "not measured".to_owned(), |bytes| format!("{} bytes", grouped(bytes)));
        let [arena, weights] = [self.arena_bytes, self.weight_bytes].map(grouped);
        text + &format!("RAM    arena {arena} bytes, stack {stack}\nflash  weights {weights} bytes")
    }
}

/// What memory there is, in bytes.
#[derive(Debug, Serialize)]
pub struct Memory {
    arena_bytes: u32,
    weight_bytes: u32,
    /// What the linker has placed in RAM, the arena among it.
    static_bytes: Option<u32>,
    /// The most that was in use since reset.
    stack_used_bytes: Option<u32>,
    stack_bytes: Option<u32>,
}

impl From<microception_protocol::Memory> for Memory {
    fn from(memory: microception_protocol::Memory) -> Memory {
        Memory {
            arena_bytes: memory.arena,
            weight_bytes: memory.weights,
            static_bytes: memory.statics,
            stack_used_bytes: memory.stack.map(|stack| stack.used),
            stack_bytes: memory.stack.map(|stack| stack.size),
        }
    }
}

impl Memory {
    pub fn text(&self) -> String {
        let bytes = |bytes: Option<u32>| bytes.map_or_else(|| "unknown".to_owned(), grouped);
        format!(
            "weights  {} bytes of flash\narena    {} bytes of RAM\nstatics  {} bytes of RAM, the arena among them\n\
             stack    {} of {} bytes in use, at most, since reset",
            grouped(self.weight_bytes),
            grouped(self.arena_bytes),
            bytes(self.static_bytes),
            bytes(self.stack_used_bytes),
            bytes(self.stack_bytes),
        )
    }
}

/// That a board computes what the host does.
#[derive(Debug, Serialize)]
pub struct SelfTest {
    pub board: String,
    pub model: String,
    pub passed: bool,
}

impl SelfTest {
    pub fn text(&self) -> String {
        format!("{} computes of {} what the host does", self.board, self.model)
    }
}

/// How many are right, and what an inference takes in the mean.
#[derive(Debug, Serialize)]
pub struct Eval {
    #[serde(flatten)]
    pub accuracy: Accuracy,
    #[serde(flatten)]
    pub bench: Bench,
}

impl Eval {
    pub fn text(&self) -> String {
        format!("{} on {}\n\n{}", self.accuracy.text(), self.bench.board, self.bench.text())
    }
}

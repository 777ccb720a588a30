//! `microception device` over a pseudo-terminal, at whose other end the firmware's own server runs: what it says of a board,
//! and what it says when there is none, or another, or it is unplugged.
#![cfg(unix)]

#[path = "../../boards/app/tests/models/pixels.rs"]
mod pixels;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use microception::executor::Executor;
use microception::golden::Golden;
use microception::model::{Element, Layer, Port};
use microception_app::protocol::frame::encode;
use microception_app::protocol::{FRAME_BYTES, Fault, Packet, Reply, Tick};
use microception_app::{Board, Facts, Server, facts};
use microception_codegen::convert::Convert;
use microception_codegen::data::write;
use microception_codegen::device::serial;
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use serde_json::{Value, json};

/// The board's end of a pseudo-terminal. It ends when nobody has the other end open, or after so many bytes.
struct Far {
    port: File,
    left: usize,
}

impl embedded_io::ErrorType for Far {
    type Error = embedded_io::ErrorKind;
}

impl embedded_io::Read for Far {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, embedded_io::ErrorKind> {
        Ok(if self.left > 0 { self.port.read(buffer).unwrap_or(0) } else { 0 })
    }
}

impl embedded_io::Write for Far {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, embedded_io::ErrorKind> {
        let count = buffer.len().min(self.left);
        self.left -= count;
        if count == 0 {
            return Err(embedded_io::ErrorKind::BrokenPipe);
        }
        self.port.write(&buffer[..count]).map_err(|_| embedded_io::ErrorKind::Other)
    }

    fn flush(&mut self) -> Result<(), embedded_io::ErrorKind> {
        Ok(())
    }
}

/// Ticks between the two readings of each measurement, in the order in which the server measures the model: twice nothing,
/// an inference, and for each row a step that needs it, the one that takes it, and the one behind; at last that there is none.
const TICKS: [u32; 10] = [10, 10, 5010, 10, 310, 710, 10, 310, 710, 10];

/// A clock of which it is known what it measures: no time for the weights, which are read when the server starts; each inference takes
/// 8 ticks more than the one before.
struct Clock {
    now: u32,
    readings: usize,
}

impl Board for Clock {
    const NAME: &'static str = "terminal";
    const TICK: Tick = Tick::Cycle { hz: 2_000_000 };

    fn ticks(&mut self) -> u32 {
        let (pair, is_second) = ((self.readings / 2).checked_sub(1), self.readings % 2 == 1);
        self.readings += 1;
        if let (Some(pair), true) = (pair, is_second) {
            let place = pair % TICKS.len();
            self.now += TICKS[place] + if place == 2 { 8 * (pair / TICKS.len()) as u32 } else { 0 };
        }
        self.now
    }
}

/// What the model of eight pixels says of itself as a classifier that finds the brightest.
fn classifier() -> Facts {
    static OUTPUTS: [Port; 1] = [Port { name: "out", shape: &[8], element: Element::I8, scale: 0.5, zero_point: -4.0 }];
    Facts { outputs: &OUTPUTS, macs: 2500, ..facts!(crate::pixels) }
}

/// Outputs that the model does not give: the first is right.
static OTHER: [Golden; 1] = [Golden::Exact { first: &[128, 157, 128, 6, 128, 127, 180, 128], crc: 0xc7fb_c760 }];

/// What a pixel becomes.
fn stored(pixel: u8) -> i8 {
    (2 * (i32::from(pixel) - 128) - 4).clamp(-128, 127) as i8
}

/// A pseudo-terminal, and the name by which the command opens it. What runs at its other end ends with it.
struct Terminal {
    name: String,
    /// Holds it open.
    _end: OwnedFd,
}

impl Terminal {
    /// With what `run` does at the other end.
    fn with(run: impl FnOnce(File) + Send + 'static) -> Terminal {
        // None of the commands that are started may inherit the other end.
        let far = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        unlockpt(&far).unwrap();
        let name = ptsname(&far, Vec::new()).unwrap().into_string().unwrap();
        let end = open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let mut settings = tcgetattr(&end).unwrap();
        settings.make_raw();
        tcsetattr(&end, OptionalActions::Now, &settings).unwrap();
        thread::spawn(move || run(far.into()));
        Terminal { name, _end: end }
    }

    /// With a board, which is unplugged after so many bytes of answers.
    fn board(left: usize) -> Terminal {
        Terminal::serving(left, classifier())
    }

    fn serving(left: usize, facts: Facts) -> Terminal {
        Terminal::with(move |port| {
            let mut arena = pixels::Arena::new();
            let executor = Executor::new(pixels::NETWORK, &mut arena);
            let clock = Clock { now: 0, readings: 0 };
            // That it was unplugged is no error here.
            let _ = Server::new(executor, facts, Far { port, left }, clock).serve();
        })
    }

    fn device(&self, arguments: &[&str]) -> Output {
        device(&[&["--port", &self.name], arguments].concat())
    }

    /// What it prints.
    #[track_caller]
    fn says(&self, arguments: &[&str]) -> String {
        let output = self.device(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.says(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// Its one message, which names the port.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], parts: &[&str]) {
        refused(self.device(arguments), &[&[self.name.as_str()], parts].concat());
    }
}

fn device(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_microception")).arg("device").args(arguments).output().unwrap()
}

#[track_caller]
fn refused(output: Output, parts: &[&str]) {
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "one message: {errors}");
    assert!(output.stdout.is_empty());
    for part in parts {
        assert!(errors.contains(part), "{errors:?} does not say {part:?}");
    }
}

#[test]
fn what_a_board_is_it_says() {
    let terminal = Terminal::board(usize::MAX);
    let text = terminal.says(&["info"]);
    for part in ["terminal, 2 MHz", "pixels: 2 layers, 2,500", "2x4x1 u8", "8 i8, real = 0.5 * (stored + 4)", "a, b, c"]
    {
        assert!(text.contains(part), "{text}");
    }
    let report = terminal.json(&["info"]);
    assert_eq!(report["labels"], json!(["a", "b", "c", "d", "e", "f", "g", "h"]));
    assert_eq!(report["inputs"], json!([{ "name": "", "shape": [2, 4, 1], "element": "u8", "bytes": 8 }]));
    let output = json!([{ "name": "", "shape": [8], "element": "i8", "scale": 0.5, "zero_point": -4.0, "bytes": 8 }]);
    assert_eq!(report["outputs"], output);
    assert_eq!((&report["arena_bytes"], &report["hz"]), (&json!(12), &json!(2_000_000)));
}

#[test]
fn arrays_and_pictures_run_on_it() {
    let terminal = Terminal::board(usize::MAX);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let pixels: Vec<u8> = (0..3 * 8).map(|index| (index * 11) as u8).collect();
    write::npy(Path::new(&path("x.npy")), &[3, 2, 4, 1], pixels.iter().copied()).unwrap();
    let text = terminal.says(&["run", "--input", &path("x.npy"), "--output", &path("y.npy")]);
    assert!(text.contains("3x8 i8, 3 frames"), "{text}");
    let bytes = std::fs::read(path("y.npy")).unwrap();
    let answers: Vec<i8> = npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap();
    assert_eq!(answers, pixels.iter().map(|&pixel| stored(pixel)).collect::<Vec<_>>());

    // A picture of the board's size and channels; of another one --resize is told.
    let picture = image::GrayImage::from_fn(4, 2, |x, y| image::Luma([if (x, y) == (2, 1) { 140 } else { 100 }]));
    picture.save(path("picture.png")).unwrap();
    let text = terminal.says(&["run", "--input", &path("picture.png")]);
    // 0.5 * (2 * (140 - 128) - 4 + 4)
    assert!(text.starts_with("  12.0000  g\n"), "{text}");
    image::GrayImage::new(5, 2).save(path("wide.png")).unwrap();
    let output = terminal.device(&["run", "--input", &path("wide.png")]);
    refused(output, &["wide.png", "5x2"]);
    write::npy(Path::new(&path("wrong.npy")), &[3, 8], pixels.iter().copied()).unwrap();
    refused(terminal.device(&["run", "--input", &path("wrong.npy")]), &["wrong.npy", "3x8", "2x4x1"]);
}

#[test]
fn its_accuracy_and_what_an_inference_takes_are_measured() {
    let terminal = Terminal::board(usize::MAX);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    // Forty frames with one bright pixel each; every fifth label is another.
    let bright = |frame: usize| frame * 3 % 8;
    let frames = (0..40).flat_map(|frame| (0..8).map(move |place| if place == bright(frame) { 150u8 } else { 90 }));
    let classes = (0..40).map(|frame| ((bright(frame) + usize::from(frame % 5 == 0)) % 8) as i64);
    let mut npz = write::Npz::new();
    npz.array("x_test", &[40, 2, 4, 1], frames).unwrap();
    npz.array("y_test", &[40], classes).unwrap();
    npz.write(&path).unwrap();
    let data = path.to_str().unwrap();
    let report = terminal.json(&["eval", "--data", data]);
    assert_eq!((&report["correct"], &report["total"], &report["unit"]), (&json!(32), &json!(40), &json!("cycles")));
    // The mean of eight: 5,000, 5,008 and so on.
    assert_eq!((&report["inference"], &report["seconds"]), (&json!(5028), &json!(0.002514)));
    let layers = json!([
        { "name": "in", "kind": "input", "macs": 0, "count": 600 },
        { "name": "twice", "kind": "add", "macs": 0, "count": 1400 },
    ]);
    assert_eq!(report["layers"], layers);

    let text = Terminal::board(usize::MAX).says(&["eval", "--data", data, "--limit", "3"]);
    // Of three frames, the mean of 5,000, 5,008 and 5,016.
    for part in ["2 of 3 right: 66.67%", "twice", "5,008", "2.00", "2.504 ms at 2 MHz"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn one_inference_is_measured_layer_by_layer() {
    let text = Terminal::board(usize::MAX).says(&["bench"]);
    for part in ["cycles", "twice", "600", "1,400", "5,000", "2.500 ms at 2 MHz", "arena 12 bytes, stack not measured"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A report of the shipped model with what the board at `terminal` measures.
fn report(terminal: &Terminal) -> Output {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/xception_lite/xlite.keras");
    let folder = tempfile::TempDir::new().unwrap();
    let out = folder.path().join("report.html");
    let mut command = Command::new(env!("CARGO_BIN_EXE_microception"));
    command.args(["report", model, "--steps", "0", "--json", "--port", &terminal.name, "--out"]).arg(&out);
    command.output().unwrap()
}

#[test]
fn a_report_has_the_cycles_of_the_board_that_runs_the_model() {
    refused(report(&Terminal::board(usize::MAX)), &["runs another model than", "xlite.keras"]);

    let convert = Convert::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models/xception_lite/xlite.keras"));
    let layers = convert.to_module().unwrap().1.layers.into_iter().map(|layer| Layer {
        name: layer.name.leak(),
        kind: layer.kind,
        macs: layer.macs,
    });
    let layers: &'static [Layer] = layers.collect::<Vec<_>>().leak();
    let output = report(&Terminal::serving(usize::MAX, Facts { layers, ..classifier() }));
    let text = String::from_utf8(output.stdout).unwrap();
    let report: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let timing = &report["timing"];
    assert_eq!(
        (&timing["board"], &timing["unit"], &timing["inference"]),
        (&json!("terminal"), &json!("cycles"), &json!(5000))
    );
    // Of the model that runs there, the first two layers.
    assert_eq!((&timing["layers"][0]["count"], &timing["layers"][1]["count"]), (&json!(600), &json!(1400)));
    assert_eq!(timing["layers"].as_array().unwrap().len(), layers.len());
}

#[test]
fn its_memory_is_listed_and_it_computes_what_the_host_does() {
    let terminal = Terminal::board(usize::MAX);
    let text = terminal.says(&["memory"]);
    assert!(text.contains("arena    12 bytes") && text.contains("stack    unknown"), "{text}");
    let report = terminal.json(&["memory"]);
    assert_eq!((&report["arena_bytes"], &report["stack_bytes"]), (&json!(12), &Value::Null));
    assert!(terminal.says(&["self-test"]).contains("terminal computes of pixels what the host does"));
    assert_eq!(terminal.json(&["self-test"])["passed"], json!(true));
    // Another model's answers.
    let other = Terminal::serving(usize::MAX, Facts { golden: &OTHER, ..classifier() });
    other.refuses(&["self-test"], &["does not compute of pixels", "element 1 of output 0"]);
}

#[test]
fn a_port_that_is_not_there_or_none_or_busy_is_an_error_that_says_so() {
    refused(device(&["--port", "/dev/ttyNONE7", "info"]), &["/dev/ttyNONE7", "no such port"]);
    refused(device(&["--port", "/dev/null", "info"]), &["/dev/null", "does not open as a serial port"]);
    let terminal = Terminal::board(usize::MAX);
    let open = serial::open(&terminal.name).unwrap();
    terminal.refuses(&["info"], &["is busy", "another program"]);
    drop(open);
    // A program that another test is starting holds the port as well, from its fork to its exec.
    let is_busy = |output: &Output| String::from_utf8_lossy(&output.stderr).contains("is busy");
    let answer = (0..100).map(|_| terminal.device(&["info"])).find(|output| !is_busy(output)).expect("a free port");
    assert_eq!((answer.status.code(), String::from_utf8_lossy(&answer.stderr).as_ref()), (Some(0), ""));
    assert!(String::from_utf8_lossy(&answer.stdout).contains("pixels"));
}

#[test]
fn where_nothing_answers_it_ends_soon() {
    let start = Instant::now();
    // Takes what comes.
    let silent = Terminal::with(|mut far| while far.read(&mut [0; 64]).is_ok() {});
    silent.refuses(&["info"], &["nothing answers", "flash it"]);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn another_firmware_is_quoted() {
    let other = Terminal::with(|mut far| {
        while far.write_all(b"*** Booting Zephyr ***\r\n").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    other.refuses(&["info"], &["not microception's firmware", "Booting Zephyr"]);
}

#[test]
fn firmware_of_another_version_is_told() {
    let old = Terminal::with(|mut far| {
        let mut byte = [0];
        let mut request = Vec::new();
        while far.read_exact(&mut byte).is_ok() {
            request.extend(byte);
            // 0 COBS(tag ..) 0
            if request.len() > 2 && request.ends_with(&[0]) {
                let fault = Fault::UnknownVersion { board: 2 };
                let answer = Packet { tag: request[2], body: Reply::Error(fault) };
                far.write_all(encode(&answer, &mut [0; FRAME_BYTES]).unwrap()).unwrap();
                request.clear();
            }
        }
    });
    old.refuses(&["info"], &["version 2", "flash the firmware"]);
}

#[test]
fn a_board_that_is_unplugged_in_the_middle_was_unplugged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write::npy(&path, &[1000, 2, 4, 1], (0..8000).map(|index| index as u8)).unwrap();
    // Of its answers 200 bytes are what it is and its labels, each frame takes 40.
    for left in [100, 1000, 10_000] {
        let terminal = Terminal::board(left);
        terminal.refuses(&["run", "--input", path.to_str().unwrap()], &["was unplugged"]);
    }
}

#[test]
fn where_the_board_is_must_be_said() {
    for arguments in [
        &["info"][..],
        &["--port", "/dev/ttyACM0"],
        &["--board", "mps2-an386", "info"],
        &["--port", "/dev/ttyACM0", "--board", "mps2-an386", "model.keras", "info"],
        &["--board", "pico", "model.keras", "info"],
        &["--port", "/dev/ttyACM0", "run"],
        &["--port", "/dev/ttyACM0", "eval"],
    ] {
        assert_eq!(device(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let help = String::from_utf8(device(&["--help"]).stdout).unwrap();
    for part in ["--port PORT <COMMAND>", "--board BOARD MODEL", "device list", "info", "run", "eval", "bench"] {
        assert!(help.contains(part), "{help}");
    }
    assert_eq!(device(&["list"]).status.code(), Some(0));
}

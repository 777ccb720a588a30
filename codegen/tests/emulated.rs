//! Firmware in QEMU, over its serial line: models made by hand, which need no code generator.

#[path = "common/arrays.rs"]
mod arrays;
#[path = "common/gallery.rs"]
mod gallery;
#[path = "common/noise.rs"]
mod noise;
#[path = "endless/random.rs"]
mod random;
#[path = "common/volume.rs"]
mod volume;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use arrays::Arrays;
use microception::filter::Border;
use microception_codegen::convert::Convert;
use microception_codegen::data::Input;
use microception_codegen::data::array::Numbers;
use microception_codegen::data::picture::Picture;
use microception_codegen::device::bench::bench;
use microception_codegen::device::board::{self, BOARDS, Board};
use microception_codegen::device::filter;
use microception_codegen::device::firmware::{self, Program, build};
use microception_codegen::device::link::{End, Link};
use microception_codegen::device::qemu::{self, Clock, Device};
use microception_codegen::device::toolchain::{Toolchain, on_path};
use microception_codegen::emit;
use microception_codegen::filter::{named, picture};
use microception_codegen::graph::Graph;
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;
use microception_codegen::quantize::{Method, calibrate, quantize};
use microception_codegen::{passes, read};
use microception_protocol::Element;
use noise::Noisy;
use object::{Object, ObjectSection, ObjectSymbol};

/// The board that most tests run on, or why there is none.
fn emulated() -> Option<&'static Board> {
    runs(board::named("mps2-an386").unwrap())
}

/// All boards that QEMU emulates.
fn all_emulated() -> impl Iterator<Item = &'static Board> {
    BOARDS.iter().filter(|board| board.machine.is_some()).filter_map(runs)
}

/// The board, if this machine can build for it and run it.
fn runs(board: &'static Board) -> Option<&'static Board> {
    if let Err(error) = Toolchain::find(board.target) {
        println!("skipped: {error}");
        return None;
    }
    if on_path("qemu-system-arm").is_none() {
        println!("skipped: qemu-system-arm is not installed");
        return None;
    }
    Some(board)
}

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards/app/tests/models").join(name)
}

/// Operators that the shipped model has not: they link without a panic handler too.
#[test]
fn operators_that_move_values_have_no_panic_path() {
    let frame = (0..7 * 6 * 3).map(|value| value as f32 / 50.0 - 1.0).collect();
    no_panic_path("moving", &gallery::graph(), frame);
}

#[test]
fn volumes_have_no_panic_path() {
    no_panic_path("volume", &volume::network(), volume::frame(0));
}

#[test]
fn endless_plans_have_no_panic_path() {
    let graph = passes::run(random::graph(11, 6)).unwrap();
    let values =
        (0..graph.tensor(graph.layers[0].output).shape.elements()).map(|value| (value % 17) as f32 / 8.0 - 1.0);
    no_panic_path_in("endless", &graph, values.collect(), Strategy::Endless);
}

/// Links a graph's module, of f32 and of int8, without a panic handler.
fn no_panic_path(name: &str, graph: &Graph, frame: Vec<f32>) {
    no_panic_path_in(name, graph, frame, Strategy::Balanced);
}

fn no_panic_path_in(name: &str, graph: &Graph, frame: Vec<f32>, strategy: Strategy) {
    let Some(board) = emulated() else { return };
    let frame = bytemuck::cast_slice(&frame).to_vec();
    let ranges = calibrate(graph, [Ok(frame)], Method::MinMax, |_| ()).unwrap();
    let int8 = quantize(graph, &ranges).unwrap();
    for (element, graph) in [("f32", graph), ("int8", &int8)] {
        let name = format!("{name}_{element}.rs");
        let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&module, emit::module(graph, strategy).unwrap().text).unwrap();
        build(&module, board, Program::NoPanic).unwrap();
    }
}

#[test]
fn the_firmware_answers_with_the_models_output_on_every_board() {
    let values = (0..120).map(|index| index as f32 * 0.25 - 3.0);
    let frame: Vec<u8> = values.clone().flat_map(f32::to_le_bytes).collect();
    let doubled: Vec<u8> = values.flat_map(|value| (2.0 * value).to_le_bytes()).collect();
    for board in all_emulated() {
        let elf = build(&model("doubler.rs"), board, Program::Serve).unwrap();
        let mut device = Device::start(board, elf.path(), Clock::Host).unwrap();
        let info = device.link.info();
        assert_eq!((info.board.as_str(), info.model.as_str()), (board.name, "doubler"));
        assert_eq!((info.inputs[0].element, info.inputs[0].bytes), (Element::F32, 480));
        for _ in 0..5 {
            assert_eq!(device.link.infer(&frame).unwrap(), doubled, "{}", board.name);
        }
        assert_eq!(device.link.self_test().unwrap(), None, "{}", board.name);
        let memory = device.link.memory().unwrap();
        let (statics, stack) = (memory.statics.unwrap(), memory.stack.unwrap());
        let ram = u32::try_from(firmware::memory(board).unwrap().ram).unwrap();
        assert_eq!((memory.arena, statics + stack.size), (640, ram), "{}", board.name);
        assert!(statics >= 640 && (400..4096).contains(&stack.used), "{}: {memory:?}", board.name);
        // Measuring paints anew, and forgets nothing.
        device.link.bench().unwrap();
        assert!(device.link.memory().unwrap().stack.unwrap().used >= stack.used, "{}", board.name);
        let log = device.log();
        assert!(log.iter().any(|line| line.contains(&format!("serving doubler on {}", board.name))), "{log:?}");
    }
}

/// A photograph goes in over the serial line row by row, and comes back as the host filters it.
#[test]
fn the_edges_of_a_photograph_are_the_same_on_every_board() {
    let photo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/photos/cifar10_13_7.png");
    let photo = Picture::read(&photo).unwrap();
    for board in all_emulated() {
        for (kernel, border) in [("edges", Border::Nearest), ("unsharp-5x5", Border::Mirror)] {
            let kernel = named(kernel).unwrap();
            let filtered = filter::picture(board, &photo, kernel, border).unwrap();
            assert_eq!(filtered, picture(&photo, kernel, border), "{} on {}", kernel.name, board.name);
            assert_ne!(filtered, photo);
        }
    }
}

/// A picture and five numbers, of one type and of two; a class and a mask: what Keras answers, and in int8 the host's bits.
#[test]
fn several_inputs_and_outputs_go_over_the_line() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/keras");
    let arrays = Arrays::open(&folder.join("picture_and_sensors.npz"));
    let graph = read::read(&folder.join("picture_and_sensors.keras")).and_then(passes::run).unwrap();
    let first = |name: &str| {
        let (shape, bytes) = arrays.array(name).unwrap();
        bytes[..bytes.len() / shape[0] as usize].to_vec()
    };
    let floats =
        |bytes: &[u8]| -> Vec<f32> { bytes.as_chunks().0.iter().map(|&word| f32::from_le_bytes(word)).collect() };
    let frame = [first("x"), first("x1")].concat();
    let ranges = calibrate(&graph, [Ok(frame.clone())], Method::MinMax, |_| ()).unwrap();
    let int8 = quantize(&graph, &ranges).unwrap();
    let quantized = Input::all(&int8)[1].1.encode(&Numbers::F32(floats(&first("x1")))).unwrap();
    let quantized = [first("x"), quantized].concat();
    let expected = floats(&[first("y"), first("y1")].concat());
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    for name in ["mps2-an386", "mps2-an500"] {
        let Some(board) = runs(board::named(name).unwrap()) else { return };
        for (element, graph, frame) in [("f32", &graph, &frame), ("int8", &int8, &quantized)] {
            let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("ends_{element}.rs"));
            fs::write(&module, emit::module(graph, Strategy::Balanced).unwrap().text).unwrap();
            let elf = build(&module, board, Program::Serve).unwrap();
            let mut device = Device::start(board, elf.path(), Clock::Host).unwrap();
            let names = |ends: &[End]| ends.iter().map(|end| end.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&device.link.info().inputs), ["picture", "in"]);
            assert_eq!(names(&device.link.info().outputs), ["classes", "mask"]);
            let host = Machine::new(graph, Strategy::Whole).unwrap().run(frame).unwrap();
            assert_eq!(device.link.self_test().unwrap(), None, "{name}");
            let layers = device.link.layers().unwrap();
            assert_eq!(layers.len(), graph.layers.len());
            for (found, layer) in layers.iter().zip(&graph.layers) {
                let planned = (layer.name.as_str(), layer.operator.name(), graph.macs(layer));
                assert_eq!((found.name.as_str(), found.kind.as_str(), found.macs), planned, "{name}");
            }
            for _ in 0..2 {
                let found = device.link.infer(frame).unwrap();
                if element == "int8" {
                    assert_eq!(found, host, "{name}");
                    continue;
                }
                assert_eq!(found.len(), host.len());
                for (found, expected) in floats(&found).iter().zip(&expected) {
                    assert!((found - expected).abs() <= 1e-5 * largest, "{name}: {found}, Keras has {expected}");
                }
            }
        }
        build(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("ends_int8.rs"), board, Program::NoPanic).unwrap();
    }
}

/// Two hundred frames of a picture and five numbers over a bad line: the host's bits for each.
#[test]
fn a_bad_line_to_a_board_loses_no_frame() {
    let Some(board) = emulated() else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/keras");
    let graph = read::read(&folder.join("picture_and_sensors.keras")).and_then(passes::run).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    let bytes = |graph: &Graph| Input::all(graph).iter().map(|(_, input)| input.frame_bytes()).collect::<Vec<_>>();
    let sizes = bytes(&graph);
    let numbers = (0..sizes[1] / 4).flat_map(|_| (random.f32() * 4.0 - 2.0).to_le_bytes());
    let frame: Vec<u8> = vec![128; sizes[0]].into_iter().chain(numbers.collect::<Vec<_>>()).collect();
    let ranges = calibrate(&graph, [Ok(frame)], Method::MinMax, |_| ()).unwrap();
    let int8 = quantize(&graph, &ranges).unwrap();
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("soak.rs");
    fs::write(&module, emit::module(&int8, Strategy::Balanced).unwrap().text).unwrap();
    let elf = build(&module, board, Program::Serve).unwrap();
    let port = Device::start(board, elf.path(), Clock::Host).unwrap().link.into_port();
    let mut link = Link::open(Noisy::new(port, 7, 5), Duration::from_secs(8)).unwrap();
    assert!((1..20_000).contains(&link.info().macs), "{}", link.info().macs);
    let mut machine = Machine::new(&int8, Strategy::Whole).unwrap();
    for index in 0..200 {
        let frame: Vec<u8> = (0..bytes(&int8).iter().sum()).map(|_| random.u8(..)).collect();
        assert!(link.infer(&frame).unwrap() == machine.run(&frame).unwrap(), "frame {index}");
    }
    let suffered: usize = link.port().mishaps().as_flattened().iter().sum();
    println!("{suffered} of {:?} frames suffered", link.port().frames());
    assert!(suffered > 100, "{suffered}");
}

#[test]
fn an_endless_model_answers_whenever_it_can() {
    let Some(board) = emulated() else { return };
    let elf = build(&model("largest.rs"), board, Program::Serve).unwrap();
    let mut device = Device::start(board, elf.path(), Clock::Host).unwrap();
    assert_eq!(device.link.self_test().unwrap(), None);
    let value = |row: usize, place: usize| (row * 59 + place * (row + 3)) as u8;
    for rows in [2, 3, 40] {
        let series: Vec<u8> = (0..rows).flat_map(|row| (0..300).map(move |place| value(row, place))).collect();
        let mut outputs = Vec::new();
        device.link.stream(&series, |output| outputs.push(output)).unwrap();
        assert_eq!(outputs.len(), (rows - 1) / 2);
        for (index, output) in outputs.iter().enumerate() {
            for (place, &output) in output.iter().enumerate() {
                let last = (0..3).map(|tap| value(2 * index + tap, place).cast_signed());
                assert_eq!(Some(output.cast_signed()), last.max(), "output {index}, place {place}");
            }
        }
    }
}

#[test]
fn a_damaged_frame_reaches_the_log_and_the_next_one_works() {
    let Some(board) = emulated() else { return };
    let elf = build(&model("pixels.rs"), board, Program::Serve).unwrap();
    let mut device = Device::start(board, elf.path(), Clock::Host).unwrap();
    let port = device.link.port();
    port.write_all(&[0, 9, 9, 9, 0]).unwrap();
    port.write_all(&[7; 5000]).unwrap();
    port.write_all(&[0]).unwrap();
    // Both are answered: 0 COBS 0, twice.
    let mut answers = Vec::new();
    while answers.iter().filter(|&&byte| byte == 0).count() < 4 {
        let mut byte = [0];
        port.read_exact(&mut byte).unwrap();
        answers.extend(byte);
    }
    assert_eq!(
        device.link.infer(&[128, 129, 130, 131, 127, 126, 125, 255]).unwrap(),
        bytes(&[-4, -2, 0, 2, -6, -8, -10, 127])
    );
    assert_eq!(device.link.top(1).unwrap(), [(7, 65.5)]);
    let dropped = device.log().iter().filter(|line| line.contains("dropped a frame")).count();
    assert_eq!(dropped, 2, "{:?}", device.log());
}

/// The log once it has so many lines: a thread reads it while the answers come over the line.
fn log(device: &mut Device, lines: usize) -> Vec<String> {
    let end = Instant::now() + Duration::from_secs(20);
    while device.log().len() < lines && Instant::now() < end {
        thread::sleep(Duration::from_millis(5));
    }
    device.log()
}

/// Level and text of every line, as defmt decodes them; the ticks are the emulator's.
#[test]
fn a_known_run_logs_these_lines() {
    let Some(board) = emulated() else { return };
    let elf = build(&model("pixels.rs"), board, Program::Serve).unwrap();
    let mut device = Device::start(board, elf.path(), Clock::Host).unwrap();
    let port = device.link.port();
    // A byte after another code than its number, and a sound stuffing of four zeros with another check.
    for damaged in [&[0, 9, 9, 9, 0][..], &[0, 1, 1, 1, 1, 2, 5, 0]] {
        port.write_all(damaged).unwrap();
        let (mut zeros, mut byte) = (0, [0]);
        while zeros < 2 {
            port.read_exact(&mut byte).unwrap();
            zeros += usize::from(byte == [0]);
        }
    }
    assert_eq!(device.link.self_test().unwrap(), None);
    let mut log = self::log(&mut device, 6);
    let ticks = log[1].strip_suffix(" ticks").and_then(|line| line.rsplit_once(' ')).unwrap();
    assert!((1..10_000).contains(&ticks.1.parse::<u32>().unwrap()), "{log:?}");
    log[1] = format!("{} N ticks", ticks.0);
    assert_eq!(
        log,
        [
            "INFO pixels in 12 bytes of arena, with 0 bytes of weights",
            "INFO weights are whole: CRC-32 2f5d28ab, read in N ticks",
            "INFO serving pixels on mps2-an386",
            "WARN dropped a frame: Stuffing",
            "WARN dropped a frame: Check",
            "INFO self-test: computes what the host does",
        ]
    );
}

/// The shipped network's module for `board`, from its .tflite, and what makes it.
fn shipped(board: &Board) -> (PathBuf, Convert) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/xception_lite/xlite_int8.tflite");
    let conversion = Convert::new(file).optimize(board.core.optimize());
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shipped_{}.rs", board.name));
    conversion.to_file(&module).unwrap();
    (module, conversion)
}

/// One bit of one weight in flash, as of flashing that was cut short.
#[test]
fn damaged_weights_in_flash_are_noticed_before_anything_is_computed() {
    let Some(board) = emulated() else { return };
    let (module, _) = shipped(board);
    let elf = build(&module, board, Program::Serve).unwrap();
    let mut bytes = fs::read(elf.path()).unwrap();
    let place = {
        let file = object::File::parse(&*bytes).unwrap();
        let weights = file.symbols().filter(|symbol| symbol.name().is_ok_and(|name| name.contains("_WEIGHTS")));
        let last = weights.max_by_key(|symbol| symbol.size()).unwrap();
        let address = last.address() + last.size() / 2;
        let section = file.section_by_index(last.section_index().unwrap()).unwrap();
        let (offset, _) = section.file_range().unwrap();
        usize::try_from(offset + address - section.address()).unwrap()
    };
    bytes[place] ^= 1;
    let damaged = tempfile::NamedTempFile::new().unwrap();
    fs::write(damaged.path(), &bytes).unwrap();
    let mut device = Device::start(board, damaged.path(), Clock::Host).unwrap();
    let error = device.link.infer(&[0; 3072]).unwrap_err().to_string();
    assert!(error.contains("weights are damaged") && error.contains("flash it again"), "{error}");
    let log = self::log(&mut device, 3);
    assert!(log[1].starts_with("ERROR weights are damaged: CRC-32 "), "{log:?}");

    bytes[place] ^= 1;
    fs::write(damaged.path(), &bytes).unwrap();
    let mut device = Device::start(board, damaged.path(), Clock::Instructions).unwrap();
    assert_eq!(device.link.self_test().unwrap(), None);
    // What the check takes: a handful of instructions a byte.
    let log = self::log(&mut device, 4);
    let ticks = log[1].strip_suffix(" ticks").and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap();
    let instructions = device.instructions(ticks).unwrap();
    assert!((4 * 91_288..16 * 91_288).contains(&instructions), "{instructions}: {log:?}");
}

/// Weights lie in another order than on the boards of the tests around.
#[test]
fn the_shipped_network_computes_what_the_host_does() {
    for name in ["mps2-an385", "mps3-an547"] {
        let Some(board) = runs(board::named(name).unwrap()) else { return };
        let elf = build(&shipped(board).0, board, Program::Serve).unwrap();
        let mut device = Device::start(board, elf.path(), Clock::Host).unwrap();
        assert_eq!(device.link.self_test().unwrap(), None, "{name}");
    }
}

/// 16 KB of RAM: the network, its line and its stack fit, and each output is the host's.
#[test]
fn the_smallest_board_serves_the_shipped_network() {
    let Some(board) = runs(board::named("microbit").unwrap()) else { return };
    let (module, conversion) = shipped(board);
    let graph = conversion.prepare().unwrap().graph;
    let mut host = Machine::new(&graph, Strategy::Whole).unwrap();
    let elf = build(&module, board, Program::Serve).unwrap();
    let mut device = Device::start(board, elf.path(), Clock::Host).unwrap();
    for seed in 0..3 {
        let frame: Vec<u8> = (0..3072_u32).map(|index| (index * index * 7 + index * seed) as u8).collect();
        assert_eq!(device.link.infer(&frame).unwrap(), host.run(&frame).unwrap());
    }
    assert_eq!(device.link.top(5).unwrap().len(), 5);
    assert_eq!(device.link.self_test().unwrap(), None);
    device.link.bench().unwrap();
    let stack = device.link.memory().unwrap().stack.unwrap();
    assert!(stack.used + 256 < stack.size, "{stack:?}");
}

fn bytes(values: &[i8]) -> Vec<u8> {
    values.iter().map(|value| value.to_le_bytes()[0]).collect()
}

#[test]
fn instructions_are_counted_over_the_serial_line() {
    let Some(board) = emulated() else { return };
    let elf = build(&model("doubler.rs"), board, Program::Serve).unwrap();
    let measure = || {
        let mut device = Device::start(board, elf.path(), Clock::Instructions).unwrap();
        let bench = device.link.bench().unwrap();
        (device.instructions(bench.ticks).unwrap(), bench)
    };
    let (instructions, bench) = measure();
    assert_eq!(bench.steps.len(), 6);
    // 120 elements read, added and written.
    assert!((500..20_000).contains(&instructions), "{instructions}");
    let parts: u64 = bench.steps.iter().map(|(_, ticks)| ticks).sum();
    assert!(parts < bench.ticks && 2 * parts > bench.ticks, "{bench:?}");
    assert!((100..1024).contains(&bench.stack_bytes.unwrap()), "{bench:?}");
    // Between two requests the board sleeps as long as the host likes, so that the timer's ticks and the
    // instructions are in another phase each time. A step's ticks are the difference of two differences of
    // readings, each cut to a tick: less than 2 off, and less than 4 apart. Of
    // the whole the same is less than half an instruction.
    let (again, other) = measure();
    assert_eq!(again, instructions);
    let near =
        |((layer, ticks), (of, other)): (&(usize, u64), &(usize, u64))| layer == of && ticks.abs_diff(*other) <= 3;
    assert!(bench.steps.iter().zip(&other.steps).all(near), "{bench:?} {other:?}");
}

#[test]
fn the_bench_program_measures_the_same_every_time_on_every_board() {
    for board in all_emulated() {
        for name in ["doubler.rs", "pixels.rs"] {
            let elf = build(&model(name), board, Program::Bench).unwrap();
            let measured = qemu::bench(board, elf.path()).unwrap();
            // The most where a core has no floating point.
            assert!((100..50_000).contains(&measured.instructions), "{}: {measured:?}", board.name);
            for _ in 0..3 {
                assert_eq!(qemu::bench(board, elf.path()).unwrap(), measured, "{}", board.name);
            }
        }
    }
}

#[test]
fn the_bench_program_prints_what_it_measured() {
    let Some(board) = emulated() else { return };
    let elf = build(&model("doubler.rs"), board, Program::Bench).unwrap();
    let measured = qemu::bench(board, elf.path()).unwrap();
    assert!((500..20_000).contains(&measured.instructions), "{measured:?}");
    assert!((100..1024).contains(&measured.stack_bytes), "{measured:?}");
    assert_eq!((measured.layers, measured.arena_bytes, measured.weight_bytes), (2, 640, 0));
    let layers: Vec<_> = measured.steps.iter().map(|(layer, _)| *layer).collect();
    assert_eq!(layers, [0, 1, 0, 1, 0, 1]);
    // Every row takes the same.
    assert_eq!(measured.steps[0], measured.steps[2]);
    assert_eq!(measured.steps[1], measured.steps[3]);
    assert_eq!(measured.output.len(), 120);
    assert_eq!(measured.output[1], 2.0 * 37.0 / 255.0);
}

#[test]
fn all_figures_of_a_model_come_together() {
    let Some(board) = emulated() else { return };
    let bench = bench(&model("doubler.rs"), board).unwrap();
    assert_eq!((bench.layers.len(), bench.steps, bench.arena_bytes, bench.weight_bytes), (2, 6, 640, 0));
    // Six steps of the executor and two short loops.
    assert!((500..8_000).contains(&bench.code_bytes), "{bench:?}");
    // A flag for the arena, and its alignment.
    assert!(bench.static_bytes <= 32, "{bench:?}");
    let parts: u64 = bench.layers.iter().sum();
    // Pushing rows takes a little more than predicting.
    assert!(parts.abs_diff(bench.instructions) < bench.instructions / 5, "{bench:?}");
}

#[test]
fn no_panic_path_is_left() {
    let Some(board) = emulated() else { return };
    for name in ["doubler.rs", "pixels.rs"] {
        for program in [Program::NoPanic, Program::Inference, Program::Empty] {
            build(&model(name), board, program).unwrap();
        }
    }
}

#[test]
fn a_panic_path_does_not_link() {
    let Some(board) = emulated() else { return };
    let folder = tempfile::tempdir().unwrap();
    let source = fs::read_to_string(model("pixels.rs")).unwrap();
    let layer = "        match layer {";
    assert!(source.contains(layer));
    let panics = folder.path().join("panics.rs");
    fs::write(&panics, source.replace(layer, &format!("        assert!(call.row < 1);\n{layer}"))).unwrap();
    let error = build(&panics, board, Program::NoPanic).unwrap_err().to_string();
    assert!(error.contains("a panic path is left"), "{error}");
}

#[test]
fn what_is_no_module_does_not_build_and_the_compiler_says_why() {
    let Some(board) = emulated() else { return };
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.rs");
    fs::write(&empty, "//! Nothing.\n").unwrap();
    let error = build(&empty, board, Program::Serve).unwrap_err().to_string();
    assert!(error.contains("empty.rs") && error.contains("Network"), "{error}");
    let error = build(&folder.path().join("missing.rs"), board, Program::Serve).unwrap_err().to_string();
    assert!(error.contains("missing.rs"), "{error}");
}

#[test]
fn a_program_that_does_not_serve_or_does_not_end_is_an_error() {
    let Some(board) = emulated() else { return };
    let bench = build(&model("doubler.rs"), board, Program::Bench).unwrap();
    let error = Device::start(board, bench.path(), Clock::Host).unwrap_err().to_string();
    assert!(error.contains("closed"), "{error}");
    let serve = build(&model("doubler.rs"), board, Program::Serve).unwrap();
    let error = qemu::run(board, serve.path(), Clock::Host, Duration::from_millis(300)).unwrap_err().to_string();
    assert!(error.contains("did not end"), "{error}");
    assert!(qemu::bench(board, Path::new("no such file")).is_err());
}

#[test]
fn two_hundred_pictures_take_well_under_a_minute() {
    let Some(board) = emulated() else { return };
    let elf = build(&model("doubler.rs"), board, Program::Serve).unwrap();
    let mut device = Device::start(board, elf.path(), Clock::Host).unwrap();
    let start = std::time::Instant::now();
    // As many bytes as 200 pictures of 32x32x3 pixels, and as many back.
    let frames = 200 * 3072 / 480;
    for _ in 0..frames {
        device.link.infer(&[0; 480]).unwrap();
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{:.1} KiB/s in, {seconds:.1} s", 600.0 / seconds);
    assert!(seconds < 60.0, "{seconds:.1} s");
}

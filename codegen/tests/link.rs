//! The host's end of the serial line against the firmware's own server, over a line that damages
//! and loses bytes.

#[path = "../../boards/app/tests/models/doubler.rs"]
mod doubler;
#[path = "../../boards/app/tests/models/largest.rs"]
mod largest;
#[path = "common/line.rs"]
mod line;

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use line::{Clock, Damage, Near, line};
use microception::executor::Executor;
use microception::filter::Border;
use microception_app::filter::{FilterServer, line_bytes};
use microception_app::protocol::frame::encode;
use microception_app::protocol::{self, Element, FRAME_BYTES, Fault, Memory, Packet, Reply, Stack};
use microception_app::{Facts, Server, facts};
use microception_codegen::data::picture::Picture;
use microception_codegen::device::filter::request;
use microception_codegen::device::link::{Layer, Link, by_layer};
use microception_codegen::filter::{self, KERNELS};

/// A line to a board in a thread of its own, which ends with the line.
fn board(damage: Option<(usize, Damage)>) -> Near {
    let (near, far) = line(damage);
    thread::spawn(move || {
        let mut arena = doubler::Arena::new();
        Server::new(Executor::new(doubler::NETWORK, &mut arena), facts!(crate::doubler), far, Clock(0)).serve()
    });
    near
}

/// The longest row that [`filtering_board`] takes.
const ROW_BYTES: usize = 300;

/// A line to a board that filters pictures.
fn filtering_board(damage: Option<(usize, Damage)>) -> Near {
    let (near, far) = line(damage);
    thread::spawn(move || {
        let (mut row, mut lines) = ([0xA5; ROW_BYTES], [0x5A; line_bytes(ROW_BYTES)]);
        FilterServer::new(&mut row, &mut lines, far, Clock(0)).serve()
    });
    near
}

/// As [`board`], with a model that takes a series.
fn endless_board(damage: Option<(usize, Damage)>) -> Near {
    let (near, far) = line(damage);
    thread::spawn(move || {
        let mut arena = largest::Arena::new();
        Server::new(Executor::new(largest::NETWORK, &mut arena), facts!(crate::largest), far, Clock(0)).serve()
    });
    near
}

fn picture([height, width, channels]: [usize; 3]) -> Picture {
    let pixels = (0..height * width * channels).map(|index| (index * index * 7 + index) as u8).collect();
    Picture { height, width, channels, pixels }
}

/// A series for the largest of three rows, and what comes out.
fn series(rows: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let value = |row: usize, place: usize| (row * 77 + place * row * 5) as u8;
    let bytes = (0..rows).flat_map(|row| (0..300).map(move |place| value(row, place))).collect();
    let largest = |row: usize, place: usize| (0..3).map(|tap| value(row + tap, place).cast_signed()).max().unwrap();
    let outputs = (0..rows.saturating_sub(2)).step_by(2);
    let outputs = outputs.map(|row| (0..300).map(|place| largest(row, place).cast_unsigned()).collect());
    (bytes, outputs.collect())
}

fn streamed(link: &mut Link<Near>, series: &[u8]) -> Vec<Vec<u8>> {
    let mut outputs = Vec::new();
    link.stream(series, |output| outputs.push(output)).unwrap();
    outputs
}

fn frame() -> (Vec<u8>, Vec<u8>) {
    let values = || (0..120).map(|index| index as f32 / 8.0 - 7.0);
    let bytes = |value: f32| value.to_le_bytes();
    (values().flat_map(bytes).collect(), values().map(|value| 2.0 * value).flat_map(bytes).collect())
}

/// Long enough for an answer of a thread, short enough to wait for in vain some hundred times.
const PATIENCE: Duration = Duration::from_millis(600);

#[test]
fn everything_that_can_be_asked_is_answered() {
    let mut link = Link::open(board(None), Duration::from_secs(10)).unwrap();
    let info = link.info();
    assert_eq!((info.board.as_str(), info.model.as_str()), ("thread", "doubler"));
    let input = &info.inputs[0];
    assert_eq!((&input.shape[..], input.element, input.bytes), (&[3, 20, 2][..], Element::F32, 480));
    assert_eq!(link.labels().unwrap(), ["first", "second", "third"]);
    let (frame, doubled) = frame();
    for _ in 0..3 {
        assert_eq!(link.infer(&frame).unwrap(), doubled);
    }
    assert_eq!(link.top(2).unwrap(), [(119, 15.75), (118, 15.5)]);
    let bench = link.bench().unwrap();
    // The clock goes 100 further at each reading, whatever is measured.
    assert_eq!(
        (bench.ticks, by_layer(2, bench.steps.clone()), bench.steps.len(), bench.stack_bytes),
        (0, vec![0, 0], 6, Some(64))
    );
    let error = link.top(1).unwrap_err().to_string();
    assert!(error.contains("thread refuses") && error.contains("no output"), "{error}");
    let layer = |name: &str, kind: &str| Layer { name: name.to_owned(), kind: kind.to_owned(), macs: 0 };
    assert_eq!(link.layers().unwrap(), [layer("in", "input"), layer("twice", "add")]);
    let stack = Some(Stack { used: 100, size: 1000 });
    assert_eq!(link.memory().unwrap(), Memory { arena: 640, weights: 0, statics: Some(700), stack });
    assert_eq!(link.self_test().unwrap(), None);
    let mut link = Link::open(endless_board(None), Duration::from_secs(10)).unwrap();
    assert_eq!(link.self_test().unwrap(), None);
}

#[test]
fn a_board_with_damaged_weights_is_opened_and_says_what_to_do() {
    let (near, far) = line(None);
    thread::spawn(move || {
        let mut arena = doubler::Arena::new();
        let facts = Facts { weights_crc: 7, ..facts!(crate::doubler) };
        Server::new(Executor::new(doubler::NETWORK, &mut arena), facts, far, Clock(0)).serve()
    });
    let mut link = Link::open(near, Duration::from_secs(10)).unwrap();
    let refusals = [
        link.infer(&frame().0).map(drop),
        link.bench().map(drop),
        link.layers().map(drop),
        link.memory().map(drop),
        link.self_test().map(drop),
    ];
    for error in refusals.map(|answer| answer.unwrap_err().to_string()) {
        assert!(error.contains("weights are damaged") && error.contains("00000000 instead of 00000007"), "{error}");
        assert!(error.contains("flash it again"), "{error}");
    }
}

#[test]
fn whichever_byte_is_damaged_or_lost_layers_memory_and_self_test_are_right() {
    let damages: [Damage; 2] = [|byte| Some(byte ^ 0x01), |_| None];
    for damage in damages {
        damage_each(3, damage, board, |link, place| {
            let names: Vec<_> = link.layers().unwrap().into_iter().map(|layer| layer.name).collect();
            assert_eq!(names, ["in", "twice"], "byte {place}");
            assert_eq!(link.memory().unwrap().statics, Some(700), "byte {place}");
            assert_eq!(link.self_test().unwrap(), None, "byte {place}");
        });
    }
}

#[test]
fn a_series_of_any_length_is_answered_as_it_goes_on() {
    let mut link = Link::open(endless_board(None), Duration::from_secs(10)).unwrap();
    let input = &link.info().inputs[0];
    assert_eq!((input.bytes, input.row_bytes), (900, 300));
    for rows in [0, 1, 2, 3, 4, 5, 31] {
        let (series, outputs) = series(rows);
        assert_eq!(streamed(&mut link, &series), outputs, "{rows} rows");
    }
    // The rows that the first output needs are a frame.
    let (series, outputs) = series(3);
    assert_eq!(link.infer(&series).unwrap(), outputs[0]);
    // One inference begins anew.
    assert_eq!(link.bench().unwrap().steps.len(), 5);
    let error = link.stream(&[0; 301], |_| ()).unwrap_err().to_string();
    assert!(error.contains("301") && error.contains("rows of 300"), "{error}");
}

#[test]
fn whichever_byte_of_a_series_is_damaged_or_lost_the_outputs_are_right() {
    let (series, outputs) = series(5);
    let damages: [Damage; 2] = [|byte| Some(byte ^ 0x40), |_| None];
    for damage in damages {
        for place in (0..2600).step_by(41) {
            let mut link = Link::open(endless_board(Some((place, damage))), PATIENCE).unwrap();
            assert_eq!(streamed(&mut link, &series), outputs, "byte {place}");
        }
    }
}

#[test]
fn an_input_of_the_wrong_size_is_refused_before_it_is_sent() {
    let mut link = Link::open(board(None), Duration::from_secs(10)).unwrap();
    for size in [0, 479, 481] {
        let error = link.infer(&vec![0; size]).unwrap_err().to_string();
        assert!(error.contains("480") && error.contains(&size.to_string()), "{error}");
    }
    let (frame, doubled) = frame();
    assert_eq!(link.infer(&frame).unwrap(), doubled);
}

/// Damages every `stride`-th byte in turn, each on a line of its own, and lets `talk` happen over it;
/// how many bytes it takes.
fn damage_each(
    stride: usize,
    damage: Damage,
    board: impl Fn(Option<(usize, Damage)>) -> Near,
    talk: impl Fn(&mut Link<Near>, usize),
) -> usize {
    for place in (0..).step_by(stride) {
        let mut link = Link::open(board(Some((place, damage))), PATIENCE).unwrap();
        talk(&mut link, place);
        if link.port().count <= place {
            return link.port().count;
        }
    }
    unreachable!("the talk ends")
}

#[test]
fn whichever_byte_is_damaged_or_lost_the_output_is_right() {
    let (frame, doubled) = frame();
    let damages: [Damage; 3] = [|byte| Some(byte ^ 0x40), |_| Some(0), |_| None];
    for damage in damages {
        let bytes = damage_each(7, damage, board, |link, place| {
            assert_eq!(link.infer(&frame).unwrap(), doubled, "byte {place}");
        });
        assert!(bytes > 2 * frame.len(), "{bytes}");
    }
}

#[test]
fn a_board_filters_a_picture_by_rows_as_the_host_does() {
    let mut link = Link::open(filtering_board(None), Duration::from_secs(10)).unwrap();
    assert_eq!((link.info().board.as_str(), link.info().model.as_str()), ("thread", ""));
    // Rows of one piece, of two, of one byte; fewer rows than the kernel is high.
    for shape in [[7, 12, 1], [4, 100, 3], [1, 1, 1], [2, 1, 3], [9, 75, 4]] {
        let picture = picture(shape);
        for kernel in &KERNELS {
            for border in [Border::Constant(200), Border::Nearest, Border::Reflect, Border::Mirror] {
                let filtered = link.filter(&request(&picture, kernel, border).unwrap(), &picture.pixels).unwrap();
                let expected = filter::picture(&picture, kernel, border).pixels;
                assert_eq!(filtered, expected, "{} {shape:?} {border:?}", kernel.name);
            }
        }
    }
}

#[test]
fn whichever_byte_is_damaged_or_lost_the_filtered_picture_is_right() {
    let picture = picture([5, 20, 1]);
    let kernel = filter::named("unsharp-5x5").unwrap();
    let expected = filter::picture(&picture, kernel, Border::Mirror).pixels;
    let damages: [Damage; 2] = [|byte| Some(byte ^ 0x40), |_| None];
    for damage in damages {
        let bytes = damage_each(11, damage, filtering_board, |link, place| {
            let filtered = link.filter(&request(&picture, kernel, Border::Mirror).unwrap(), &picture.pixels);
            assert_eq!(filtered.unwrap(), expected, "byte {place}");
        });
        assert!(bytes > 2 * picture.pixels.len(), "{bytes}");
    }
}

#[test]
fn what_a_board_does_not_serve_it_refuses_and_stays_usable() {
    let mut link = Link::open(filtering_board(None), Duration::from_secs(10)).unwrap();
    let (kernel, small) = (filter::named("edges").unwrap(), picture([3, 5, 3]));
    let good = request(&small, kernel, Border::Nearest).unwrap();
    let expected = filter::picture(&small, kernel, Border::Nearest).pixels;
    let wide = picture([2, ROW_BYTES + 1, 1]);
    let mut refused = vec![(request(&wide, kernel, Border::Nearest).unwrap(), &wide)];
    for (taps, divisor) in [(9, 0), (8, 1), (1, 1), (16, 1)] {
        let taps = std::iter::repeat_n(1, taps).collect();
        refused.push((protocol::Filter { taps, divisor, ..good.clone() }, &small));
    }
    for (request, picture) in refused {
        let error = link.filter(&request, &picture.pixels).unwrap_err().to_string();
        assert!(error.contains("thread refuses") && error.contains("300 bytes"), "{error}");
        assert_eq!(link.filter(&good, &small.pixels).unwrap(), expected);
    }
    let error = link.filter(&good, &small.pixels[1..]).unwrap_err().to_string();
    assert!(error.contains("44 bytes"), "{error}");
    let error = link.top(1).unwrap_err().to_string();
    assert!(error.contains("does not serve"), "{error}");
    let error = link.bench().unwrap_err().to_string();
    assert!(error.contains("does not serve"), "{error}");

    let mut model = Link::open(board(None), Duration::from_secs(10)).unwrap();
    let error = model.filter(&good, &small.pixels).unwrap_err().to_string();
    assert!(error.contains("does not serve"), "{error}");
}

#[test]
fn steps_that_get_lost_are_measured_again() {
    let damages: [Damage; 2] = [|byte| Some(byte ^ 0x01), |_| None];
    for damage in damages {
        damage_each(1, damage, board, |link, place| {
            let bench = link.bench().unwrap();
            let layers: Vec<_> = bench.steps.iter().map(|&(layer, _)| layer).collect();
            assert_eq!(layers, [0, 1, 0, 1, 0, 1], "byte {place}");
        });
    }
}

#[test]
fn a_line_without_a_board_is_an_error_that_says_so() {
    let (near, far) = line(None);
    let error = Link::open(near, Duration::from_millis(20)).unwrap_err().to_string();
    assert!(error.contains("nothing answers") && error.contains("port"), "{error}");
    drop(far);

    let (near, far) = line(None);
    drop(far.output);
    let error = Link::open(near, Duration::from_secs(10)).unwrap_err().to_string();
    assert!(error.contains("closed"), "{error}");
    drop(far.input);
}

/// Makes an answer of a request's tag.
type Lie = fn(u8) -> Packet<Reply<'static>>;

/// Answers every request with the same lie.
fn impostor(answer: Lie) -> Near {
    let (near, far) = line(None);
    thread::spawn(move || {
        let mut request = VecDeque::new();
        // 0 COBS(tag ..) 0: the tag stands behind the first code.
        while let Ok(byte) = far.input.recv() {
            request.push_back(byte);
            if byte == 0 && request.len() > 1 {
                let answer = encode(&answer(request[2]), &mut [0; FRAME_BYTES]).unwrap().to_vec();
                answer.into_iter().for_each(|byte| far.output.send(byte).unwrap_or_default());
                request.clear();
            }
        }
    });
    near
}

#[test]
fn a_board_of_another_version_says_so() {
    let fault = |tag| Packet { tag, body: Reply::Error(Fault::UnknownVersion { board: 7 }) };
    let error = Link::open(impostor(fault), Duration::from_secs(10)).unwrap_err().to_string();
    assert!(error.contains("version 7") && error.contains("flash"), "{error}");
}

#[test]
fn answers_that_make_no_sense_are_not_believed() {
    let answers: [(Lie, &str); 3] = [
        (|tag| Packet { tag, body: Reply::Taken { next: 0, input: 0, complete: true } }, "does not fit"),
        (|tag| Packet { tag: tag ^ 0x80, body: Reply::Label("") }, "nothing answers"),
        (|_| Packet { tag: 0, body: Reply::Error(Fault::BadFrame) }, "request arrived damaged"),
    ];
    for (answer, why) in answers {
        let error = Link::open(impostor(answer), Duration::from_millis(100)).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

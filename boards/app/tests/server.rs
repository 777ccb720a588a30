//! The firmware over a serial port in memory.

#[path = "models/doubler.rs"]
mod doubler;
#[path = "models/largest.rs"]
mod largest;
#[path = "models/pixels.rs"]
mod pixels;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;

use embedded_io::{ErrorKind, ErrorType, Read, Write};
use microception::executor::Executor;
use microception::golden::Golden;
use microception::model::Weights;
use microception::quantized::Channel;
use microception_app::protocol::frame::{Receiver, encode};
use microception_app::protocol::*;
use microception_app::{Board, Facts, Server, facts};

/// A port whose input was written beforehand; ends where it ends.
struct Port<'a> {
    input: VecDeque<u8>,
    output: &'a mut Vec<u8>,
}

impl ErrorType for Port<'_> {
    type Error = Infallible;
}

impl Read for Port<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        // odd pieces, so that frames and reads do not end together
        let count = buffer.len().min(7).min(self.input.len());
        buffer.iter_mut().zip(self.input.drain(..count)).for_each(|(place, byte)| *place = byte);
        Ok(count)
    }
}

impl Write for Port<'_> {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, Infallible> {
        self.output.extend(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Every reading is 5 ticks after the last; wraps around at once.
struct Clock(u32);

impl Board for Clock {
    const NAME: &'static str = "memory";
    const TICK: Tick = Tick::Time { hz: 1000 };

    fn ticks(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(5);
        self.0
    }
}

fn frame_of(tag: u8, body: Request<'_>) -> Vec<u8> {
    encode(&Packet { tag, body }, &mut [0; FRAME_BYTES]).unwrap().to_vec()
}

fn requests(requests: &[Request<'_>]) -> Vec<u8> {
    requests.iter().zip(1..).flat_map(|(request, tag)| frame_of(tag, request.clone())).collect()
}

/// Hands each answer in `line` to `check`; how many there were.
fn answers(line: &[u8], mut check: impl FnMut(usize, Packet<Reply<'_>>)) -> usize {
    let mut receiver = Receiver::new();
    let mut count = 0;
    for &byte in line {
        if let Some(frame) = receiver.push(byte) {
            check(count, frame.unwrap());
            count += 1;
        }
    }
    count
}

fn serve_doubler(input: Vec<u8>) -> Vec<u8> {
    let mut arena = doubler::Arena::new();
    let mut output = Vec::new();
    let port = Port { input: input.into(), output: &mut output };
    Server::new(Executor::new(doubler::NETWORK, &mut arena), facts!(crate::doubler), port, Clock(u32::MAX - 7))
        .serve()
        .unwrap();
    output
}

fn serve_pixels(input: Vec<u8>) -> Vec<u8> {
    serve_pixels_as(facts!(crate::pixels), input)
}

fn serve_pixels_as(facts: Facts, input: Vec<u8>) -> Vec<u8> {
    let mut arena = pixels::Arena::new();
    let mut output = Vec::new();
    let port = Port { input: input.into(), output: &mut output };
    Server::new(Executor::new(pixels::NETWORK, &mut arena), facts, port, Clock(0)).serve().unwrap();
    output
}

/// The replies to `input`, as text.
fn replies(line: &[u8]) -> Vec<String> {
    let mut replies = Vec::new();
    answers(line, |_, packet| replies.push(format!("{} {:?}", packet.tag, packet.body)));
    replies
}

#[test]
fn info_says_what_runs() {
    let line = serve_doubler(requests(&[Request::Info { version: VERSION }, Request::Info { version: VERSION + 1 }]));
    let count = answers(&line, |index, packet| match index {
        0 => {
            let Reply::Info(info) = packet.body else { panic!("{packet:?}") };
            assert_eq!((info.board, info.model), ("memory", "doubler"));
            assert_eq!((info.frame_bytes, info.row_bytes, info.output_bytes), (480, 160, 480));
            assert_eq!((&info.input_shape[..], &info.output_shape[..]), (&[3, 20, 2][..], &[3, 20, 2][..]));
            assert_eq!((info.input, info.output, info.layers, info.labels), (Element::F32, Element::F32, 2, 3));
            assert_eq!((info.arena_bytes, info.tick), (640, Tick::Time { hz: 1000 }));
        }
        _ => assert_eq!(packet, Packet { tag: 2, body: Reply::Error(Fault::UnknownVersion { board: VERSION }) }),
    });
    assert_eq!(count, 2);
}

#[test]
fn a_frame_in_pieces_of_any_size_gives_its_output() {
    let frame: Vec<f32> = (0..120).map(|index| index as f32 - 60.5).collect();
    let bytes: Vec<u8> = frame.iter().flat_map(|value| value.to_le_bytes()).collect();
    let doubled: Vec<u8> = frame.iter().flat_map(|value| (2.0 * value).to_le_bytes()).collect();
    for size in [1, 7, 159, 160, 161, CHUNK] {
        let pieces = bytes.chunks(size).enumerate();
        let input = pieces.map(|(index, bytes)| Request::Input { input: 0, offset: (index * size) as u32, bytes });
        let asked: Vec<_> = input
            .chain([Request::Output { output: 0, offset: 0 }, Request::Output { output: 0, offset: CHUNK as u32 }])
            .collect();
        // tags run past 255 for the smallest pieces, and may repeat
        let line = serve_doubler(asked.iter().flat_map(|request| frame_of(1, request.clone())).collect());
        let mut output: Vec<u8> = Vec::new();
        let last = bytes.len().div_ceil(size) - 1;
        let count = answers(&line, |index, packet| match packet.body {
            Reply::Taken { next, complete, .. } => {
                assert_eq!(next as usize, bytes.len().min((index + 1) * size));
                assert_eq!(complete, index == last);
            }
            Reply::Output { offset, bytes } => {
                assert_eq!(offset as usize, output.len());
                output.extend(bytes);
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(count, asked.len());
        assert_eq!(output, doubled, "in pieces of {size}");
    }
}

#[test]
fn quantized_output_is_ranked_by_its_real_values() {
    let frame = [128, 130, 127, 255, 0, 130, 128, 131];
    let line = serve_pixels(requests(&[
        Request::Input { input: 0, offset: 0, bytes: &frame },
        Request::Top { count: 3 },
        Request::Top { count: 255 },
        Request::Label { index: 7 },
        Request::Label { index: 8 },
    ]));
    let count = answers(&line, |index, packet| match (index, packet.body) {
        (0, reply) => assert_eq!(reply, Reply::Taken { next: 8, input: 0, complete: true }),
        (1, Reply::Top(best)) => {
            // stored: 127 (saturated), 2 (131: 2 * 3 - 4), 0 (2 * 2 - 4)
            let expected = [(3, 65.5), (7, 3.0), (1, 2.0)];
            assert_eq!(best, expected.map(|(index, value)| Class { index, value }));
        }
        (2, Reply::Top(best)) => assert_eq!(best.len(), TOP),
        (3, reply) => assert_eq!(reply, Reply::Label("h")),
        (_, reply) => assert_eq!(reply, Reply::Error(Fault::OutOfRange { end: 8 })),
    });
    assert_eq!(count, 5);
}

#[test]
fn requests_out_of_turn_change_nothing() {
    let frame = [1, 2, 3, 4, 5, 6, 7, 8];
    let line = serve_pixels(requests(&[
        Request::Output { output: 0, offset: 0 },
        Request::Top { count: 1 },
        Request::Input { input: 0, offset: 4, bytes: &frame[4..] },
        Request::Input { input: 0, offset: 0, bytes: &frame[..3] },
        Request::Input { input: 0, offset: 2, bytes: &frame[2..] },
        Request::Input { input: 0, offset: 3, bytes: &[] },
        Request::Input { input: 0, offset: 3, bytes: &frame },
        Request::Output { output: 0, offset: 0 },
        Request::Input { input: 0, offset: 3, bytes: &frame[3..] },
        Request::Input { input: 0, offset: 3, bytes: &frame[3..] },
        Request::Output { output: 0, offset: 8 },
        Request::Output { output: 0, offset: u32::MAX },
        Request::Output { output: 0, offset: 0 },
    ]));
    assert_eq!(
        replies(&line),
        [
            "1 Error(NoOutput)",
            "2 Error(NoOutput)",
            "3 Error(UnexpectedOffset { expected: 0, input: 0 })",
            "4 Taken { next: 3, input: 0, complete: false }",
            "5 Error(UnexpectedOffset { expected: 3, input: 0 })",
            "6 Error(WrongLength { room: 5 })",
            "7 Error(WrongLength { room: 5 })",
            "8 Error(NoOutput)",
            "9 Taken { next: 8, input: 0, complete: true }",
            "10 Error(UnexpectedOffset { expected: 8, input: 0 })",
            "11 Error(OutOfRange { end: 8 })",
            "12 Error(OutOfRange { end: 8 })",
            "13 Output { offset: 0, bytes: [128, 128, 128, 128, 128, 128, 128, 128] }",
        ]
    );
}

#[test]
fn a_new_frame_may_begin_at_any_time() {
    let line = serve_pixels(requests(&[
        Request::Input { input: 0, offset: 0, bytes: &[255; 6] },
        Request::Input { input: 0, offset: 0, bytes: &[128; 5] },
        Request::Input { input: 0, offset: 5, bytes: &[131; 3] },
        Request::Output { output: 0, offset: 0 },
        Request::Input { input: 0, offset: 0, bytes: &[127; 8] },
        Request::Output { output: 0, offset: 7 },
    ]));
    let replies = replies(&line);
    // 2 * 0 - 4, 2 * 3 - 4 and 2 * -1 - 4
    assert_eq!(replies[3], "4 Output { offset: 0, bytes: [252, 252, 252, 252, 252, 2, 2, 2] }");
    assert_eq!(replies[5], "6 Output { offset: 7, bytes: [250] }");
}

#[test]
fn a_damaged_frame_is_answered_and_the_next_one_works() {
    let good = [
        frame_of(1, Request::Input { input: 0, offset: 0, bytes: &[128; 4] }),
        frame_of(2, Request::Input { input: 0, offset: 4, bytes: &[128; 4] }),
        frame_of(3, Request::Output { output: 0, offset: 0 }),
    ];
    let mut damaged = frame_of(9, Request::Input { input: 0, offset: 4, bytes: &[7; 4] });
    damaged[5] ^= 0x10;
    let endless = vec![1; 10 * FRAME_BYTES];
    let line = [&good[0], &damaged, &good[1], &endless, &good[2]].map(Vec::as_slice).concat();
    assert_eq!(
        replies(&serve_pixels(line)),
        [
            "1 Taken { next: 4, input: 0, complete: false }",
            "0 Error(BadFrame)",
            "2 Taken { next: 8, input: 0, complete: true }",
            "0 Error(BadFrame)",
            "3 Output { offset: 0, bytes: [252, 252, 252, 252, 252, 252, 252, 252] }",
        ]
    );
}

#[test]
fn a_request_that_comes_late_is_dropped() {
    let first = Request::Input { input: 0, offset: 0, bytes: &[128; 8] };
    let second = Request::Input { input: 0, offset: 0, bytes: &[131; 8] };
    let output = Request::Output { output: 0, offset: 7 };
    let asked = [
        (250, first.clone()),
        // Twice is not late.
        (250, first.clone()),
        (251, output.clone()),
        (255, second),
        (251, output.clone()),
        (250, first.clone()),
        // Behind 255 comes 1.
        (1, output.clone()),
        (255, first.clone()),
        (225, first.clone()),
        (2, output),
        // Information is given at any time, and does not make a late one newer.
        (240, Request::Info { version: 0 }),
        (241, first.clone()),
        (100, Request::Info { version: 0 }),
        (101, first.clone()),
        // 127 ahead, and 128.
        (228, first.clone()),
        (101, first),
    ];
    let line = serve_pixels(asked.into_iter().flat_map(|(tag, request)| frame_of(tag, request)).collect());
    assert_eq!(
        replies(&line),
        [
            "250 Taken { next: 8, input: 0, complete: true }",
            "250 Taken { next: 8, input: 0, complete: true }",
            "251 Output { offset: 7, bytes: [252] }",
            "255 Taken { next: 8, input: 0, complete: true }",
            "1 Output { offset: 7, bytes: [2] }",
            "2 Output { offset: 7, bytes: [2] }",
            &format!("240 Error(UnknownVersion {{ board: {VERSION} }})"),
            &format!("100 Error(UnknownVersion {{ board: {VERSION} }})"),
            "101 Taken { next: 8, input: 0, complete: true }",
            "228 Taken { next: 8, input: 0, complete: true }",
        ]
    );
}

#[test]
fn bench_reports_every_step_without_the_clocks_own_ticks() {
    let line = serve_doubler(requests(&[
        Request::Input { input: 0, offset: 0, bytes: &[0; 4] },
        Request::Bench,
        Request::Output { output: 0, offset: 0 },
    ]));
    let mut layers = Vec::new();
    let count = answers(&line, |place, packet| match packet.body {
        Reply::Step { index, layer, ticks } => {
            assert_eq!((index as usize, packet.tag, ticks), (place - 1, 2, 0));
            layers.push(layer);
        }
        Reply::Bench { steps, ticks, overhead, stack_bytes } => {
            assert_eq!((steps, ticks, overhead, stack_bytes), (6, 0, 5, None));
        }
        other => assert!(matches!(other, Reply::Taken { .. } | Reply::Error(Fault::NoOutput)), "{other:?}"),
    });
    assert_eq!(layers, [0, 1, 0, 1, 0, 1]);
    assert_eq!(count, 9);
}

#[test]
fn layers_have_their_names_and_a_board_says_what_it_knows_of_its_memory() {
    let line = serve_pixels(requests(&[Request::Layer { index: 1 }, Request::Layer { index: 2 }, Request::Memory]));
    let memory = Memory { arena: 12, weights: 0, statics: None, stack: None };
    assert_eq!(
        replies(&line),
        [
            r#"1 Layer { name: "twice", kind: "add", macs: 0 }"#.to_owned(),
            "2 Error(OutOfRange { end: 2 })".to_owned(),
            format!("3 Memory({memory:?})"),
        ]
    );
}

#[test]
fn a_self_test_runs_the_made_up_frame_and_forgets_the_one_that_was_begun() {
    let asked = [
        Request::Input { input: 0, offset: 0, bytes: &[128; 5] },
        Request::SelfTest,
        Request::Output { output: 0, offset: 0 },
        Request::Input { input: 0, offset: 5, bytes: &[128; 3] },
        Request::Input { input: 0, offset: 0, bytes: &[131; 8] },
        Request::Output { output: 0, offset: 0 },
        Request::SelfTest,
    ];
    assert_eq!(
        replies(&serve_pixels(requests(&asked))),
        [
            "1 Taken { next: 5, input: 0, complete: false }",
            "2 SelfTest(None)",
            "3 Error(NoOutput)",
            "4 Error(UnexpectedOffset { expected: 0, input: 0 })",
            "5 Taken { next: 8, input: 0, complete: true }",
            "6 Output { offset: 0, bytes: [2, 2, 2, 2, 2, 2, 2, 2] }",
            "7 SelfTest(None)",
        ]
    );
    let test = requests(&[Request::SelfTest]);
    assert_eq!(replies(&serve_doubler(test.clone())), ["1 SelfTest(None)"]);
    let (mut arena, mut output) = (largest::Arena::new(), Vec::new());
    let port = Port { input: test.into(), output: &mut output };
    Server::new(Executor::new(largest::NETWORK, &mut arena), facts!(crate::largest), port, Clock(0)).serve().unwrap();
    assert_eq!(replies(&output), ["1 SelfTest(None)"]);
}

#[test]
fn a_self_test_says_where_the_board_differs() {
    let ask = |golden: &'static [Golden]| {
        let facts = Facts { golden, ..facts!(crate::pixels) };
        replies(&serve_pixels_as(facts, requests(&[Request::SelfTest])))
    };
    assert_eq!(ask(&[]), ["1 Error(NoGolden)"]);
    assert_eq!(
        ask(&[Golden::Exact { first: &[128, 158, 129], crc: 0xc7fb_c760 }]),
        ["1 SelfTest(Some(Element { output: 0, index: 2, found: -128.0, expected: -127.0 }))"]
    );
    assert_eq!(
        ask(&[Golden::Exact { first: &[128, 158], crc: 0xc7fb_c761 }]),
        ["1 SelfTest(Some(Elsewhere { output: 0 }))"]
    );
    let ask = |samples: &'static [f32], largest| {
        let golden = Box::leak(Box::new([Golden::Near { samples, largest }]));
        let (mut arena, mut output) = (doubler::Arena::new(), Vec::new());
        let port = Port { input: requests(&[Request::SelfTest]).into(), output: &mut output };
        let facts = Facts { golden, ..facts!(crate::doubler) };
        Server::new(Executor::new(doubler::NETWORK, &mut arena), facts, port, Clock(0)).serve().unwrap();
        replies(&output).remove(0)
    };
    // The first and the sixtieth element, off by less and by more than 1e-4 of the largest.
    assert_eq!(ask(&[0.0, 0.2746], 1.992), "1 SelfTest(None)");
    let far = ask(&[0.0, 0.2748], 1.992);
    assert!(far.starts_with("1 SelfTest(Some(Element { output: 0, index: 60, found: 0.27450"), "{far}");
    assert_eq!(ask(&[0.0, 0.2746], 1.991), "1 SelfTest(Some(Elsewhere { output: 0 }))");
    assert!(ask(&[f32::NAN], 1.992).contains("expected: NaN"));
}

#[test]
fn a_board_with_other_weights_than_the_models_says_so_and_computes_nothing() {
    let damaged = |weights: &'static [Weights]| {
        let asked = [
            Request::Info { version: VERSION },
            Request::Input { input: 0, offset: 0, bytes: &[128; 8] },
            Request::Bench,
            Request::SelfTest,
        ];
        let facts = Facts { weights, ..facts!(crate::pixels) };
        let replies = replies(&serve_pixels_as(facts, requests(&asked)));
        assert!(replies[0].contains(r#"model: "pixels""#), "{replies:?}");
        assert!((1..4).all(|index| replies[index][1..] == replies[1][1..]), "{replies:?}");
        replies[1].clone()
    };
    // By Python's zlib.
    static BYTES: [Weights; 2] = [Weights::Bytes(&[3, 5, 7, 10]), pixels::WEIGHTS[1]];
    let bytes = damaged(&BYTES);
    assert_eq!(bytes, format!("2 Error(DamagedWeights {{ stored: {}, computed: {} }})", 0x2f5d_28ab, 0xc09f_4395_u32));
    static CHANNELS: [Channel; 1] = [Channel::new(-2, 0x4000_0000, -6)];
    static SHIFT: [Weights; 2] = [pixels::WEIGHTS[0], Weights::Channels(&CHANNELS)];
    let shift = damaged(&SHIFT);
    assert_eq!(shift, format!("2 Error(DamagedWeights {{ stored: {}, computed: {} }})", 0x2f5d_28ab, 0x585a183d));
    let fault = Fault::DamagedWeights { stored: 0x2f5d_28ab, computed: 1 }.to_string();
    assert!(fault.contains("00000001") && fault.contains("2f5d28ab") && fault.contains("flash it again"), "{fault}");
}

/// Notes when it is lit.
struct Light<'a>(&'a RefCell<Vec<bool>>);

impl Board for Light<'_> {
    const NAME: &'static str = "light";
    const TICK: Tick = Tick::Cycle { hz: 1 };

    fn ticks(&mut self) -> u32 {
        0
    }

    fn busy(&mut self, busy: bool) {
        self.0.borrow_mut().push(busy);
    }
}

#[test]
fn the_light_is_on_while_a_row_is_computed() {
    let input = requests(&[
        Request::Input { input: 0, offset: 0, bytes: &[1; 3] },
        Request::Input { input: 0, offset: 3, bytes: &[1; 1] },
        Request::Output { output: 0, offset: 0 },
        Request::Input { input: 0, offset: 4, bytes: &[1; 4] },
    ]);
    let (mut arena, mut output, lit) = (pixels::Arena::new(), Vec::new(), RefCell::new(Vec::new()));
    let port = Port { input: input.into(), output: &mut output };
    let executor = Executor::new(pixels::NETWORK, &mut arena);
    Server::new(executor, facts!(crate::pixels), port, Light(&lit)).serve().unwrap();
    assert_eq!(*lit.borrow(), [true, false, true, false]);
}

/// A port on whose line there is noise before every byte, one at a time.
struct Noisy<'a> {
    port: Port<'a>,
    noise: bool,
}

impl ErrorType for Noisy<'_> {
    type Error = ErrorKind;
}

impl Read for Noisy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        self.noise = !self.noise;
        if self.noise {
            return Err(ErrorKind::InvalidData);
        }
        let Ok(count) = self.port.read(&mut buffer[..1]);
        Ok(count)
    }
}

impl Write for Noisy<'_> {
    fn write(&mut self, buffer: &[u8]) -> Result<usize, ErrorKind> {
        let Ok(count) = self.port.write(buffer);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn a_server_goes_on_after_a_ports_error() {
    let input =
        requests(&[Request::Input { input: 0, offset: 0, bytes: &[128; 8] }, Request::Output { output: 0, offset: 0 }]);
    let (mut arena, mut output) = (pixels::Arena::new(), Vec::new());
    let port = Noisy { port: Port { input: input.into(), output: &mut output }, noise: false };
    let mut server = Server::new(Executor::new(pixels::NETWORK, &mut arena), facts!(crate::pixels), port, Clock(0));
    while server.serve().is_err() {}
    drop(server);
    assert_eq!(
        replies(&output),
        [
            "1 Taken { next: 8, input: 0, complete: true }",
            "2 Output { offset: 0, bytes: [252, 252, 252, 252, 252, 252, 252, 252] }"
        ]
    );
}

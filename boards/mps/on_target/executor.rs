//! The embedded model on the target: however it is run, the output is the same.

#[path = "../../app/tests/models/pixels.rs"]
#[expect(dead_code, reason = "a generated module says more of its model than this test asks")]
mod pixels;

use board::{Frame, FrameWords, model};
use microception::executor::{Arena, Executor, Progress};
use microception::model::{Elements, Model};
use microception_app::Number;
use microception_mps::on_target_tests;
use static_cell::ConstStaticCell;

type Input = <model::Network as Model>::Input;
type Output = <model::Network as Model>::Output;
type Row = <model::Network as Model>::Row;

/// Room for either model.
const SHARED_BYTES: usize =
    if model::ARENA_BYTES > pixels::ARENA_BYTES { model::ARENA_BYTES } else { pixels::ARENA_BYTES };

/// The most output elements that these tests compare.
const COMPARED: usize = 128;

/// Arena and frame, which one test at a time borrows.
struct Memory {
    arena: Arena<SHARED_BYTES>,
    words: FrameWords,
    expected: [u32; COMPARED],
}

static MEMORY: ConstStaticCell<Memory> =
    ConstStaticCell::new(Memory { arena: Arena::new(), words: [0; _], expected: [0; _] });

/// The frame of pattern number `seed`.
fn fill(words: &mut FrameWords, seed: u8) -> &Frame {
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
    let elements: &mut [Input] = bytemuck::cast_slice_mut(&mut bytes[..size_of::<Frame>()]);
    let mut byte = seed;
    for element in elements {
        *element = Input::from_byte(byte);
        byte = byte.wrapping_mul(5).wrapping_add(seed | 1);
    }
    bytemuck::from_bytes(&bytes[..size_of::<Frame>()])
}

/// The rows of a frame.
fn rows(frame: &Frame) -> impl Iterator<Item = &Row> {
    bytemuck::cast_slice::<Input, u8>(frame.elements()).chunks_exact(size_of::<Row>()).map(bytemuck::from_bytes)
}

fn bits(output: &[Output]) -> &[u8] {
    bytemuck::cast_slice(output)
}

/// Keeps `output` in `place` for later.
fn keep<'a>(output: &[Output], place: &'a mut [u32; COMPARED]) -> &'a [u8] {
    let place: &mut [u8] = &mut bytemuck::cast_slice_mut(place)[..size_of_val(output)];
    place.copy_from_slice(bits(output));
    place
}

fn ways_agree(memory: &mut Memory) {
    for seed in [0, 1, 77, 255] {
        let frame = fill(&mut memory.words, seed);
        let mut executor = Executor::new(model::NETWORK, &mut memory.arena);
        let expected = keep(executor.predict(frame), &mut memory.expected);
        assert_eq!(bits(executor.predict(frame)), expected, "predict twice");

        let mut pushed = 0;
        for row in rows(frame) {
            pushed += 1;
            if let Some(output) = executor.push_row(row) {
                assert_eq!(bits(output), expected, "push_row");
                assert_eq!(pushed, rows(frame).count());
            }
        }

        executor.reset();
        let mut rows = rows(frame);
        loop {
            match executor.step() {
                Progress::Ran { .. } => {}
                Progress::NeedsRow { .. } => executor.begin_row(rows.next().unwrap()),
                Progress::Done => break,
            }
        }
        assert_eq!(bits(executor.output()), expected, "step");
    }
}

fn models_share(memory: &mut Memory) {
    let frame = fill(&mut memory.words, 3);
    let expected = keep(Executor::new(model::NETWORK, &mut memory.arena).predict(frame), &mut memory.expected);
    for _ in 0..2 {
        let mut pixels = Executor::new(pixels::NETWORK, &mut memory.arena);
        let pixels = pixels.predict(&[128, 129, 130, 131, 127, 126, 125, 255]);
        assert_eq!(pixels, [-4, -2, 0, 2, -6, -8, -10, 127]);
        let mut model = Executor::new(model::NETWORK, &mut memory.arena);
        assert_eq!(bits(model.predict(frame)), expected);
    }
}

on_target_tests! {
    fn predict_and_push_row_and_step_agree_and_two_models_share_one_arena() {
        let memory = MEMORY.take();
        ways_agree(memory);
        models_share(memory);
    }
}

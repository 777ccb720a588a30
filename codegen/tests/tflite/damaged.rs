//! Damaged and hostile files: an error or a graph that can be worked with, never a panic, and memory within bounds.

use crate::axes;
use crate::build::{BuiltinOperator, Model, Options, TensorType};
use crate::damage::read;

fn files() -> [Vec<u8>; 3] {
    [std::fs::read(super::shipped()).expect("readable"), Model::convolution().bytes(), axes::gallery().bytes()]
}

#[test]
fn truncated_files_are_no_models() {
    for bytes in files() {
        assert_eq!(read(&bytes), Ok(()));
        let step = bytes.len() / 1000 + 1;
        for length in (0..bytes.len()).step_by(step) {
            let _ = read(&bytes[..length]);
        }
        read(&bytes[..bytes.len() / 2]).expect_err("half a file was read");
    }
}

#[test]
fn changed_bytes_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(0x2026_1124);
    let mut refused = 0;
    let [shipped, small, moving] = files();
    for round in 0..12_000 {
        let mut bytes = match round % 5 {
            0 => shipped.clone(),
            1 | 2 => moving.clone(),
            _ => small.clone(),
        };
        // Tables lie at both ends of the large file, weights between them.
        let far = bytes.len().min(12_000);
        for _ in 0..random.usize(1..6) {
            let place = random.usize(0..far);
            let place = if random.bool() { place } else { bytes.len() - 1 - place };
            match random.u8(0..4) {
                0 => bytes[place] ^= 1 << random.u8(0..8),
                1 => bytes[place] = random.u8(..),
                2 => bytes.iter_mut().skip(place).take(4).for_each(|byte| *byte = 0xff),
                _ => {
                    let source = random.usize(0..bytes.len());
                    let piece = bytes[source..bytes.len().min(source + 16)].to_vec();
                    bytes.iter_mut().skip(place).zip(piece).for_each(|(byte, new)| *byte = new);
                }
            }
        }
        refused += usize::from(read(&bytes).is_err());
    }
    println!("{refused} of 12000 refused");
    assert!(refused > 3000, "only {refused} refused");
}

/// Many layers that share one constant would unpack to far more than the file.
#[test]
fn shared_weights_do_not_exhaust_memory() {
    let mut model = Model::default();
    let side = 512;
    let picture = model.value("picture", TensorType::INT8, &[1, 1, 1, side]);
    let count = (side * side) as usize;
    let weights = model.constant("weights", TensorType::INT8, &[side, 1, 1, side], &vec![1; count]);
    let activation = crate::build::ActivationFunctionType::NONE;
    let mut last = picture;
    for _ in 0..300 {
        let next = model.value("next", TensorType::INT8, &[1, 1, 1, side]);
        model.call(BuiltinOperator::CONV_2D, &[last, weights], next, Options::Convolution { stride: 1, activation });
        last = next;
    }
    model.inputs = vec![picture];
    model.outputs = vec![last];
    let message = read(&model.bytes()).expect_err("it was read");
    assert!(message.contains("unpacks to more than 64 times its size"), "{message}");
}

/// Extents that are possible one by one, whose product is none.
#[test]
fn shapes_that_no_memory_holds_are_errors() {
    let most = i32::MAX;
    for extents in [[1, most, most, most], [1, 0, most, most], [most, most, most, 0]] {
        for operator in [BuiltinOperator::RESHAPE, BuiltinOperator::SQUEEZE, BuiltinOperator::RELU] {
            let mut model = Model::default();
            let picture = model.value("picture", TensorType::FLOAT32, &extents);
            let flat = model.value("flat", TensorType::FLOAT32, &[1, 4]);
            model.call(operator, &[picture], flat, Options::None);
            model.inputs = vec![picture];
            model.outputs = vec![flat];
            read(&model.bytes()).expect_err("it was read");
        }
    }
    let mut model = Model::default();
    let picture = model.value("picture", TensorType::FLOAT32, &[1, most, most, most]);
    let flat = model.value("flat", TensorType::FLOAT32, &[1, 4]);
    model.call(BuiltinOperator::RESHAPE, &[picture], flat, Options::None);
    model.inputs = vec![picture];
    model.outputs = vec![flat];
    let message = read(&model.bytes()).expect_err("it was read");
    assert!(message.contains("has the shape 1x2147483647x2147483647x2147483647, which no memory holds"), "{message}");
}

/// One number of the file for as many channels as it says to have.
#[test]
fn channels_that_are_not_there_take_nothing() {
    for channels in [1 << 20, i32::MAX] {
        let mut model = Model::default();
        let picture = model.value("picture", TensorType::FLOAT32, &[1, channels]);
        let one = model.constant("one", TensorType::FLOAT32, &[1], &1f32.to_le_bytes());
        let sum = model.value("sum", TensorType::FLOAT32, &[1, channels]);
        model.call(BuiltinOperator::ADD, &[picture, one], sum, Options::Add);
        model.inputs = vec![picture];
        model.outputs = vec![sum];
        let message = read(&model.bytes()).expect_err("it was read");
        assert!(message.contains("unpacks to more than 64 times its size"), "{message}");
    }
}

/// The same where the file leaves a shape open, and says elsewhere what it is.
#[test]
fn computed_shapes_that_no_memory_holds_are_errors() {
    let mut model = Model::default();
    let picture = model.value("picture", TensorType::FLOAT32, &[1, 4]);
    let numbers: Vec<u8> = [1, i32::MAX, i32::MAX, i32::MAX].into_iter().flat_map(i32::to_le_bytes).collect();
    let shape = model.constant("shape", TensorType::INT32, &[4], &numbers);
    let open = model.value("open", TensorType::FLOAT32, &[1, 1, 1, 4]);
    model.tensors[open as usize].open = true;
    model.call(BuiltinOperator::RESHAPE, &[picture, shape], open, Options::None);
    model.inputs = vec![picture];
    model.outputs = vec![open];
    let message = read(&model.bytes()).expect_err("it was read");
    assert!(message.contains("has the shape 1x2147483647x2147483647x2147483647, which no memory holds"), "{message}");
}

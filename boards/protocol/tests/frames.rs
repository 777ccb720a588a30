//! Frames on a line that loses, damages and invents bytes.

use microception_protocol::frame::{Damage, Receiver, encode};
use microception_protocol::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// A received packet, or the damage, without the borrow.
type Received = Result<String, Damage>;

fn frame_of(packet: &Packet<impl serde::Serialize>) -> Vec<u8> {
    encode(packet, &mut [0; FRAME_BYTES]).unwrap().to_vec()
}

/// Everything that comes out of `receiver` when `bytes` go in, read as requests.
fn receive(receiver: &mut Receiver, bytes: &[u8]) -> Vec<Received> {
    bytes
        .iter()
        .filter_map(|&byte| {
            receiver.push::<Packet<Request<'_>>>(byte).map(|frame| frame.map(|packet| format!("{packet:?}")))
        })
        .collect()
}

fn good() -> (Vec<u8>, Received) {
    let packet = Packet { tag: 9, body: Request::Input { input: 0, offset: 96, bytes: &[0, 1, 0, 255, 0] } };
    (frame_of(&packet), Ok(format!("{packet:?}")))
}

fn info<'a>(name: &'a str) -> Info<'a> {
    Info {
        version: u16::MAX,
        board: name,
        model: name,
        inputs: u8::MAX,
        outputs: u8::MAX,
        input_shape: [u32::MAX; RANK].into(),
        output_shape: [u32::MAX; RANK].into(),
        input: Element::F32,
        output: Element::F32,
        input_quantization: Quantization { scale: f32::MAX, zero_point: f32::MIN },
        output_quantization: Quantization { scale: f32::MAX, zero_point: f32::MIN },
        frame_bytes: u32::MAX,
        row_bytes: u32::MAX,
        output_bytes: u32::MAX,
        arena_bytes: u32::MAX,
        weight_bytes: u32::MAX,
        macs: u64::MAX,
        layers: u16::MAX,
        labels: u16::MAX,
        tick: Tick::Cycle { hz: u32::MAX },
    }
}

#[test]
fn the_longest_messages_fit_a_frame() {
    let name = "n".repeat(NAME_BYTES);
    for reply in [
        Reply::Info(info(&name)),
        Reply::Port(Port {
            name: &name,
            shape: [u32::MAX; RANK].into(),
            element: Element::F32,
            quantization: Quantization { scale: f32::MAX, zero_point: f32::MIN },
            bytes: u32::MAX,
            row_bytes: u32::MAX,
        }),
        Reply::Output { offset: u32::MAX, bytes: &[255; CHUNK] },
        Reply::Output { offset: u32::MAX, bytes: &[0; CHUNK] },
        Reply::Top([Class { index: u16::MAX, value: f32::MIN }; TOP].into()),
        Reply::Bench { steps: u32::MAX, ticks: u32::MAX, overhead: u32::MAX, stack_bytes: Some(u32::MAX) },
        Reply::Layer { name: &name, kind: &name, macs: u64::MAX },
        Reply::Memory(Memory {
            arena: u32::MAX,
            weights: u32::MAX,
            statics: Some(u32::MAX),
            stack: Some(Stack { used: u32::MAX, size: u32::MAX }),
        }),
        Reply::SelfTest(Some(Difference::Element { output: 255, index: u32::MAX, found: 1.0, expected: f32::MIN })),
        Reply::Error(Fault::DamagedWeights { stored: u32::MAX, computed: u32::MAX }),
    ] {
        let packet = Packet { tag: 255, body: reply };
        let frame = frame_of(&packet);
        let mut receiver = Receiver::new();
        let (end, front) = frame.split_last().unwrap();
        for byte in front {
            assert_eq!(receiver.push::<Packet<Reply<'_>>>(*byte), None);
        }
        assert_eq!(receiver.push(*end), Some(Ok(packet)));
    }
    let filter = Filter {
        rows: u32::MAX,
        width: u16::MAX,
        channels: u8::MAX,
        border: Border::Constant(u8::MAX),
        taps: [i16::MIN; TAPS].into(),
        divisor: u16::MAX,
    };
    let longest = Packet { tag: 255, body: Request::Filter(filter) };
    assert_eq!(receive(&mut Receiver::new(), &frame_of(&longest)), [Ok(format!("{longest:?}"))]);
    let longest = Packet { tag: 255, body: Request::Input { input: u8::MAX, offset: u32::MAX, bytes: &[255; CHUNK] } };
    assert_eq!(receive(&mut Receiver::new(), &frame_of(&longest)), [Ok(format!("{longest:?}"))]);
}

#[test]
fn a_packet_too_long_for_the_buffer_is_refused() {
    let packet = Packet { tag: 1, body: Request::Input { input: 0, offset: 0, bytes: &[1; 2 * CHUNK] } };
    assert!(encode(&packet, &mut [0; FRAME_BYTES]).is_err());
    assert!(encode(&packet, &mut []).is_err());
    assert!(encode(&packet, &mut [0; 1]).is_err());
}

#[test]
fn the_first_messages_keep_their_place_in_every_version() {
    // postcard: tag, index of the variant, fields.
    let packet = Packet { tag: 7, body: Request::Info { version: 1 } };
    assert_eq!(postcard::to_slice(&packet, &mut [0; 8]).unwrap(), [7, 0, 1]);
    let packet = Packet { tag: 7, body: Reply::Error(Fault::UnknownVersion { board: 2 }) };
    assert_eq!(postcard::to_slice(&packet, &mut [0; 8]).unwrap(), [7, 0, 0, 2]);
}

#[test]
fn every_change_of_one_byte_is_noticed_and_the_next_frame_arrives() {
    let (next, expected) = good();
    let damaged = Packet {
        tag: 3,
        body: Request::Input { input: 0, offset: 300, bytes: &[17, 0, 3, 0, 0, 200, 1, 2, 9, 0, 40, 0] },
    };
    let frame = frame_of(&damaged);
    for place in 0..frame.len() {
        for value in (0..=255).filter(|&value| value != frame[place]) {
            let mut line = frame.clone();
            line[place] = value;
            line.extend(&next);
            let mut received = receive(&mut Receiver::new(), &line);
            assert_eq!(received.pop(), Some(expected.clone()), "byte {place} became {value}");
            assert!(received.iter().all(Result::is_err), "byte {place} became {value}: {received:?}");
            assert!(!received.is_empty(), "byte {place} became {value} unnoticed");
        }
    }
}

#[test]
fn a_frame_cut_anywhere_is_dropped_and_the_next_arrives() {
    let (next, expected) = good();
    let frame = frame_of(&Packet { tag: 3, body: Request::Input { input: 0, offset: 0, bytes: &[5; CHUNK] } });
    for end in 0..frame.len() - 1 {
        let line = [&frame[..end], &next[..]].concat();
        let mut received = receive(&mut Receiver::new(), &line);
        assert_eq!(received.pop(), Some(expected.clone()), "cut at {end}");
        assert!(received.iter().all(Result::is_err), "cut at {end}");
        assert_eq!(received.len(), usize::from(end > 1), "cut at {end}");
    }
    for start in 2..frame.len() - 1 {
        let line = [&frame[start..], &next[..]].concat();
        assert_eq!(receive(&mut Receiver::new(), &line).last(), Some(&expected), "begun at {start}");
    }
}

#[test]
fn an_endless_frame_is_dropped_once_and_the_next_arrives() {
    let (next, expected) = good();
    let mut receiver = Receiver::new();
    assert_eq!(receive(&mut receiver, &[1; 100_000]), []);
    assert_eq!(receive(&mut receiver, &next), [Err(Damage::TooLong), expected]);
}

#[test]
fn each_kind_of_damage_is_named() {
    let (frame, _) = good();
    let mut receiver = Receiver::new();
    assert_eq!(receive(&mut receiver, &[0, 0, 0, 0]), [], "empty frames mean nothing");
    assert_eq!(receive(&mut receiver, &[0, 200, 1, 0]), [Err(Damage::Stuffing)]);
    assert_eq!(receive(&mut receiver, &[0, 2, 1, 0]), [Err(Damage::Stuffing)], "too short for a check");
    let mut wrong = frame.clone();
    let place = wrong.iter().position(|&byte| byte == 255).unwrap();
    wrong[place] = 254;
    assert_eq!(receive(&mut receiver, &wrong), [Err(Damage::Check)]);
    // A sound frame that holds something else, and one that holds a packet and more.
    assert_eq!(receive(&mut receiver, &frame_of(&Packet { tag: 1, body: 99_u32 })), [Err(Damage::Meaning)]);
    let longer = Packet { tag: 1, body: (Request::Bench, 5_u8) };
    assert_eq!(receive(&mut receiver, &frame_of(&longer)), [Err(Damage::Meaning)]);
}

#[test]
fn an_unfinished_frame_can_be_forgotten() {
    let (frame, expected) = good();
    let mut receiver = Receiver::new();
    receive(&mut receiver, &[0, 5, 5, 5]);
    receiver.clear();
    assert_eq!(receive(&mut receiver, &frame), [expected]);
}

#[test]
fn names_are_clipped_between_characters() {
    assert_eq!(clip("short"), "short");
    assert_eq!(clip(""), "");
    let long = "a".repeat(NAME_BYTES - 1) + "é";
    assert_eq!(clip(&long), "a".repeat(NAME_BYTES - 1));
    assert_eq!(clip(&"é".repeat(100)).len(), NAME_BYTES);
}

proptest! {
    #[test]
    fn what_is_sent_arrives(tag in 1..=255_u8, offset: u32, bytes in vec(any::<u8>(), 0..=CHUNK), zeros: bool) {
        let bytes = if zeros { vec![0; bytes.len()] } else { bytes };
        let packet = Packet { tag, body: Request::Input { input: 0, offset, bytes: &bytes } };
        let frame = frame_of(&packet);
        prop_assert!(frame[1..frame.len() - 1].iter().all(|&byte| byte != 0));
        prop_assert_eq!(receive(&mut Receiver::new(), &frame), [Ok(format!("{packet:?}"))]);
    }

    #[test]
    fn damage_is_noticed(
        bytes in vec(any::<u8>(), 0..=CHUNK),
        changes in vec((any::<prop::sample::Index>(), 1..=255_u8), 1..8),
    ) {
        let frame = frame_of(&Packet { tag: 1, body: Request::Input { input: 0, offset: 0, bytes: &bytes } });
        let mut line = frame.clone();
        for (place, change) in changes {
            let place = place.index(line.len());
            line[place] ^= change;
        }
        prop_assume!(line != frame);
        let (next, expected) = good();
        line.extend(next);
        let mut received = receive(&mut Receiver::new(), &line);
        prop_assert_eq!(received.pop(), Some(expected));
        prop_assert!(received.iter().all(Result::is_err));
    }

    #[test]
    fn a_frame_arrives_after_any_noise(noise in vec(any::<u8>(), 0..4 * FRAME_BYTES)) {
        let (next, expected) = good();
        let mut receiver = Receiver::new();
        let before = receive(&mut receiver, &noise);
        prop_assert!(before.iter().all(Result::is_err));
        let after = receive(&mut receiver, &next);
        prop_assert_eq!(after.last(), Some(&expected));
        prop_assert!(after.len() <= 2);
    }
}

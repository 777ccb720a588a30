//! Damaged files: an error or a graph that can be worked with, never a panic, and memory within bounds.

use crate::damage::read;
use crate::fixture;

/// A network, one in int8, and one that computes shapes.
fn files() -> [Vec<u8>; 3] {
    ["networks", "int8_networks", "free_batch"].map(|group| fixture::group(group).swap_remove(0).file)
}

#[test]
fn truncated_files_do_no_harm() {
    for bytes in files() {
        assert_eq!(read(&bytes), Ok(()));
        for length in 0..bytes.len() {
            let _ = read(&bytes[..length]);
        }
        read(&bytes[..bytes.len() / 2]).expect_err("half a file was read");
    }
}

#[test]
fn changed_bytes_do_no_harm() {
    let mut random = fastrand::Rng::with_seed(0x2026_1129);
    let mut refused = 0;
    let files = files();
    for round in 0..6_000 {
        let mut bytes = files[round % files.len()].clone();
        for _ in 0..random.usize(1..6) {
            let place = random.usize(0..bytes.len());
            match random.u8(0..4) {
                0 => bytes[place] ^= 1 << random.u8(0..8),
                1 => bytes[place] = random.u8(..),
                2 => bytes.iter_mut().skip(place).take(4).for_each(|byte| *byte = 0xff),
                _ => {
                    let source = random.usize(0..bytes.len());
                    let piece: Vec<u8> = bytes[source..].iter().take(random.usize(1..9)).copied().collect();
                    bytes.iter_mut().skip(place).zip(piece).for_each(|(byte, other)| *byte = other);
                }
            }
        }
        refused += usize::from(read(&bytes).is_err());
    }
    // Changes do get at what is checked.
    assert!(refused > 1_000, "{refused} of 6,000 were refused");
}

/// Messages of two bytes each, of which a file can hold very many, and a shape that is computed by doubling.
#[test]
fn many_small_messages_take_no_more_memory_than_is_granted() {
    let field = |number: u8, content: &[u8]| -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length >= 128 {
            bytes.push((length % 128) as u8 | 128);
            length /= 128;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(content);
        bytes
    };
    let versions = field(8, &[0x10, 17]);
    let model = |graph: &[u8]| [&[0x08, 8][..], &versions, &field(7, graph)].concat();
    for number in [1, 5, 11, 12] {
        let empty: Vec<u8> = field(number, &[]).repeat(200_000);
        read(&model(&empty)).expect_err("empty messages were read");
    }
    let node = |kind: &str, inputs: [&str; 2], output: &str| {
        let names: Vec<u8> =
            inputs.iter().filter(|name| !name.is_empty()).flat_map(|name| field(1, name.as_bytes())).collect();
        field(1, &[names, field(2, output.as_bytes()), field(4, kind.as_bytes())].concat())
    };
    let mut graph = node("Constant", ["", ""], "a0");
    for round in 0..60 {
        let (from, to) = (format!("a{round}"), format!("a{}", round + 1));
        graph.extend(node("Concat", [&from, &from], &to));
    }
    let one = field(5, &[&[0x08, 1, 0x10, 7][..], &field(8, b"a0"), &field(9, &[1, 0, 0, 0, 0, 0, 0, 0])].concat());
    let without_constant = graph[node("Constant", ["", ""], "a0").len()..].to_vec();
    read(&model(&[without_constant, one].concat())).expect_err("a shape of 2^60 numbers was computed");
}

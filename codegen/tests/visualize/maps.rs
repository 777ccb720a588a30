//! Saliency and occlusion, of a network that sees one quarter of its picture.

use microception_codegen::graph::{Element, Function, Graph, Operator, Shape, Weights};
use microception_codegen::passes;
use microception_codegen::visualize::network::Network;
use microception_codegen::visualize::saliency::{Noise, Square, gradient, occlusion};

const SIDE: usize = 16;

/// Two classes of the lower left quarter of a picture: the sum of its first channel, and of its other two.
fn lower_left() -> Network {
    let mut graph = Graph::new("quarter");
    let input = Operator::Input { element: Element::U8, scale: 1.0 / 255.0, offset: 0.0 };
    let input = graph.push("input", input, vec![], Shape(vec![SIDE, SIDE, 3]));
    let crop = Operator::Crop { before: vec![SIDE / 2, 0, 0], shape: Shape(vec![SIDE / 2, SIDE / 2, 3]) };
    let quarter = graph.push("quarter", crop, vec![input], Shape(vec![SIDE / 2, SIDE / 2, 3]));
    let weights = Weights::F32(vec![1.0, 0.0, 0.0, 0.0, 1.0, 2.0]);
    let dense = Operator::PositionwiseDense { weights, bias: None, activation: None };
    let classes = graph.push("classes", dense, vec![quarter], Shape(vec![SIDE / 2, SIDE / 2, 2]));
    let squared = Operator::Activation(Function::Softplus);
    let squared = graph.push("softplus", squared, vec![classes], Shape(vec![SIDE / 2, SIDE / 2, 2]));
    let mean = Operator::GlobalAveragePool { keep_dims: false };
    let mean = graph.push("mean", mean, vec![squared], Shape(vec![2]));
    graph.outputs = vec![graph.push("softmax", Operator::Softmax, vec![mean], Shape(vec![2]))];
    Network::new(&passes::run(graph).unwrap()).unwrap()
}

fn picture() -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..SIDE * SIDE * 3).map(|_| random.f32()).collect()
}

#[test]
fn beyond_the_quarter_nothing_counts() {
    let network = lower_left();
    for class in 0..2 {
        let slopes = gradient(&network, &picture(), class, &Noise { copies: 40, ..Noise::default() }).unwrap();
        for (place, slope) in slopes.iter().enumerate() {
            let inside = place / SIDE >= SIDE / 2 && place % SIDE < SIDE / 2;
            assert_eq!(*slope > 0.0, inside, "class {class}, place {place}: {slope}");
        }
        let square = Square { side: 4, stride: 2, grey: 0.0 };
        let [rows, columns] = square.grid(SIDE, SIDE);
        assert_eq!([rows, columns], [7, 7]);
        let falls = occlusion(&network, &picture(), class, &square).unwrap();
        assert_eq!(falls.len(), 49);
        for (index, fall) in falls.iter().enumerate() {
            // Of four pixels from every other.
            let seen = index / columns * 2 + 4 > SIDE / 2 && index % columns * 2 < SIDE / 2;
            assert_eq!(*fall > 0.0, seen, "class {class}, square {index}: {fall}");
        }
    }
}

#[test]
fn the_logit_counts_and_not_the_probability() {
    // A probability would fall where the other class's channels grow; the logit of the first has no slope there.
    let network = lower_left();
    let once = Noise { copies: 1, deviation: 0.0, seed: 0 };
    let mut frame = vec![0.0; SIDE * SIDE * 3];
    let slopes = |frame: &[f32]| gradient(&network, frame, 0, &once).unwrap()[(SIDE - 1) * SIDE];
    let dark = slopes(&frame);
    // The slope of a softplus at 0, of the mean of 64 places.
    assert!((dark - 0.5 / 64.0).abs() < 1e-7, "{dark}");
    frame.chunks_mut(3).for_each(|pixel| pixel[2] = 1.0);
    assert_eq!(slopes(&frame), dark);
}

#[test]
fn the_same_noise_makes_the_same_map() {
    let network = lower_left();
    let of = |seed: u64| gradient(&network, &picture(), 0, &Noise { seed, ..Noise::default() }).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn what_makes_no_map_is_refused() {
    let network = lower_left();
    let frame = picture();
    assert!(gradient(&network, &frame[1..], 0, &Noise::default()).unwrap_err().reason.contains("768 values, not 767"));
    assert!(gradient(&network, &frame, 2, &Noise::default()).unwrap_err().reason.contains("has 2 classes"));
    assert!(gradient(&network, &frame, 0, &Noise { copies: 0, ..Noise::default() }).is_err());
    for square in [Square { side: 0, stride: 1, grey: 0.5 }, Square { side: 1, stride: 0, grey: 0.5 }] {
        assert!(occlusion(&network, &frame, 0, &square).unwrap_err().reason.contains("no square has a side"));
    }
}

//! Pictures that excite what they should.

use std::cell::RefCell;

use microception_codegen::graph::{Bias, Element, Function, Graph, Operator, Shape, Weights, Window};
use microception_codegen::host::Machine;
use microception_codegen::passes;
use microception_codegen::plan::Strategy;
use microception_codegen::visualize::ascent::{Coordinates, Settings, Target, excite};
use microception_codegen::visualize::network::Network;

/// What the runtime answers to real values from 0 to 1, as pixels.
fn answer(machine: &mut Machine, values: &[f32]) -> Vec<f32> {
    let pixels: Vec<u8> = values.iter().map(|value| (value * 255.0).round() as u8).collect();
    let answer = machine.run(&pixels).unwrap();
    answer.as_chunks().0.iter().map(|&word| f32::from_ne_bytes(word)).collect()
}

/// Fewer steps than the default, and longer ones, for the debug build.
const STEPS: usize = 48;
const RATE: f32 = 0.04;

#[test]
fn each_class_of_the_shipped_network_has_a_picture() {
    let graph = crate::shipped();
    let network = Network::new(&graph).unwrap();
    let classes: Vec<Target> = (0..10).map(|class| network.class(class).unwrap()).collect();
    let told = RefCell::new(Vec::new());
    let settings = Settings { steps: STEPS, rate: RATE, ..Settings::default() };
    let pictures = excite(&network, &classes, &settings, |done, of| told.borrow_mut().push((done, of))).unwrap();
    assert_eq!(*told.borrow(), (1..=STEPS).map(|done| (done, STEPS)).collect::<Vec<_>>());

    let mut machine = Machine::new(&graph, Strategy::Balanced).unwrap();
    for (class, picture) in pictures.iter().enumerate() {
        assert_eq!(picture.shape, Shape(vec![32, 32, 3]));
        let answer = answer(&mut machine, &picture.values);
        println!("class {class}: {:.4}, logit {:.2}", answer[class], picture.activation);
        assert!(answer[class] > 0.9, "class {class}: {answer:?}");
        // Measured on the picture as it is.
        let tensors = network.forward(&[network.input(0, &picture.values).unwrap()]).unwrap();
        let logit: f32 = tensors[classes[class].layer].get(0).unwrap().get(class).unwrap().to_scalar().unwrap();
        assert!((logit - picture.activation).abs() <= crate::tolerance::F32 * logit.abs(), "{logit}");
    }
}

#[test]
fn the_same_settings_make_the_same_picture() {
    let network = Network::new(&crate::shipped()).unwrap();
    let targets = [Target { layer: 4, unit: 1 }, network.class(2).unwrap()];
    for coordinates in [Coordinates::Pixels { blur: 0.1 }, Coordinates::Frequencies { decay: 1.0 }] {
        let of = |seed: u64| {
            let settings = Settings { steps: 3, coordinates, seed, ..Settings::default() };
            excite(&network, &targets, &settings, |_, _| ()).unwrap()
        };
        let [first, again, other] = [1, 1, 2].map(of);
        assert_eq!(first, again);
        assert_ne!(first[0].values, other[0].values);
        assert_ne!(first[0].values, first[1].values);
    }
}

/// The outputs of one convolution with `weights` over a series or a picture, and what is made of them.
fn filter(extents: &[usize], size: [usize; 2], weights: Vec<f32>, activation: Option<Function>) -> Network {
    let mut graph = Graph::new("filter");
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let input = graph.push("input", input, vec![], Shape(extents.to_vec()));
    let window = Window { size, ..Window::POINT };
    let weights = Weights::F32(weights);
    let operator = Operator::Convolution { weights, bias: None, window, activation };
    graph.outputs = vec![graph.push("filter", operator, vec![input], Shape(vec![]))];
    Network::new(&passes::run(graph).unwrap()).unwrap()
}

#[test]
fn a_series_rises_and_falls_as_its_filter() {
    // Of each pair of steps the second less the first: best where every other rise is steep.
    let network = filter(&[24, 1], [2, 1], vec![-1.0, 1.0], Some(Function::Relu));
    let still = Settings { range: [-3.0, 5.0], jitter: 0.0, scaling: 0.0, rate: 0.1, ..Settings::default() };
    for coordinates in [Coordinates::Pixels { blur: 0.0 }, Coordinates::Frequencies { decay: 0.5 }] {
        let settings = Settings { coordinates, ..still };
        let target = Target { layer: network.outputs()[0], unit: 0 };
        let picture = &excite(&network, &[target], &settings, |_, _| ()).unwrap()[0];
        assert_eq!(picture.shape, Shape(vec![1, 24, 1]));
        assert!(picture.values.iter().all(|value| (-3.0..=5.0).contains(value)), "{:?}", picture.values);
        // The whole range up at one of 23 places is 8 / 23, at every other of them twelve times that.
        assert!(picture.activation > 5.0 * 8.0 / 23.0, "{}", picture.activation);
    }
}

#[test]
fn other_channels_than_three() {
    let settings = Settings { rate: 0.1, ..Settings::default() };
    for channels in [1, 2, 4] {
        let network = filter(&[6, 5, channels], [1, 1], [vec![1.0], vec![-1.0; channels - 1]].concat(), None);
        let target = Target { layer: network.outputs()[0], unit: 0 };
        let picture = &excite(&network, &[target], &settings, |_, _| ()).unwrap()[0];
        assert_eq!(picture.shape, Shape(vec![6, 5, channels]));
        for pixel in picture.values.chunks(channels) {
            assert!(pixel[0] > 0.8 && pixel[1..].iter().all(|&value| value < 0.2), "{pixel:?}");
        }
    }
}

#[test]
fn what_a_relu_leaves_out_in_the_beginning_is_found_nevertheless() {
    // Above zero only where a pixel is nearly white; a grey picture has no slope.
    let mut graph = Graph::new("white");
    let input = Operator::Input { element: Element::F32, scale: 1.0, offset: 0.0 };
    let input = graph.push("input", input, vec![], Shape(vec![6, 5, 1]));
    let (weights, bias) = (Weights::F32(vec![1.0]), Some(Bias::F32(vec![-0.9])));
    let white = Operator::Convolution { weights, bias, window: Window::POINT, activation: Some(Function::Relu) };
    graph.outputs = vec![graph.push("white", white, vec![input], Shape(vec![6, 5, 1]))];
    let network = Network::new(&graph).unwrap();
    let settings = Settings { rate: 0.1, ..Settings::default() };
    let picture = &excite(&network, &[Target { layer: 1, unit: 0 }], &settings, |_, _| ()).unwrap()[0];
    assert!(picture.activation > 0.05, "{}", picture.activation);
}

#[test]
fn what_makes_no_picture_is_refused() {
    let network = filter(&[6, 5, 1], [1, 1], vec![1.0], None);
    let target = Target { layer: 1, unit: 0 };
    let refused = |target: Target, settings: Settings| excite(&network, &[target], &settings, |_, _| ()).unwrap_err();
    let settings = Settings::default();
    assert!(refused(Target { layer: 9, unit: 0 }, settings).reason.contains("has 2 layers"));
    let error = refused(Target { layer: 1, unit: 7 }, settings);
    assert_eq!((error.layer.as_deref(), error.reason.contains("has 1 channels")), (Some("filter"), true));
    assert!(refused(target, Settings { range: [1.0, 1.0], ..settings }).reason.contains("have no range"));
    assert!(refused(target, Settings { scaling: 1.0, ..settings }).reason.contains("a scaling of 1"));
    assert!(refused(target, Settings { rate: f32::NAN, ..settings }).reason.contains("a rate of NaN"));
    let flat = filter(&[6], [1, 1], vec![1.0; 6], None);
    let error = excite(&flat, &[target], &settings, |_, _| ()).unwrap_err();
    assert!(error.reason.contains("neither a picture nor a series"), "{error}");
}

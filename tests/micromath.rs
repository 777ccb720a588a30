//! The error that the `micromath` feature's exponential is documented with. Runs with
//! `cargo test --features micromath`.
#![cfg(feature = "micromath")]

use microception::functions;
use microception::layers::activation;
use microception::layers::softmax;
use microception::window::Call;

/// As `layers::activation` says of its approximation.
const RELATIVE: f32 = 2.5e-3;

fn sigmoid(x: f32) -> f32 {
    let mut output = [0.0f32];
    let call = Call::on_lines(bytemuck::bytes_of(&x), 1, 0, bytemuck::bytes_of_mut(&mut output), &mut [], 1);
    activation::f32(functions::sigmoid, call);
    output[0]
}

#[test]
fn sigmoid_is_as_near_as_documented() {
    let mut worst = 0.0f32;
    for step in -8700..=8700 {
        let x = step as f32 / 100.0;
        let exact = (1.0 / (1.0 + (-f64::from(x)).exp())) as f32;
        worst = worst.max((sigmoid(x) - exact).abs() / exact);
    }
    println!("largest relative error {worst:e}");
    assert!(worst <= RELATIVE, "{worst}");
}

#[test]
fn softmax_still_sums_to_one() {
    let row = [1.5f32, -3.0, 80.0, 79.0, -100.0];
    let mut output = [0.0f32; 5];
    let call = Call::on_lines(bytemuck::cast_slice(&row), 1, 0, bytemuck::cast_slice_mut(&mut output), &mut [], 1);
    softmax::f32(&softmax::F32 { channels: 5 }, call);
    assert!((output.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{output:?}");
    assert!(output[2] > output[3] && output[3] > output[0], "{output:?}");
}

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

/// The largest difference from the exact function over steps of 1/1000.
fn difference(steps: std::ops::RangeInclusive<i32>, near: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
    let difference = |step| {
        let x = step as f32 / 1000.0;
        (f64::from(near(x)) - exact(f64::from(x))).abs()
    };
    steps.map(difference).fold(0.0, f64::max)
}

#[test]
fn what_is_made_of_it_is_as_near_as_documented() {
    let tanh = difference(-20_000..=20_000, functions::tanh, f64::tanh);
    let exp_minus_one = difference(-20_000..=0, functions::exp_minus_one, f64::exp_m1);
    let ln_one_plus = difference(0..=1000, functions::ln_one_plus, f64::ln_1p);
    println!("largest differences {tanh:e}, {exp_minus_one:e}, {ln_one_plus:e}");
    assert!([tanh, exp_minus_one, ln_one_plus].iter().all(|&difference| difference <= 2.5e-3));
}

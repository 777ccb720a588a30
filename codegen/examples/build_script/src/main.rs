include!(concat!(env!("OUT_DIR"), "/model.rs"));
fn main() {
    let frame = include_bytes!("../horse.rgb").map(|pixel| (pixel ^ 0x80) as i8);
    println!("{LABELS:?}: {:?}", microception::executor::Executor::new(NETWORK, &mut Arena::new()).predict(&frame));
}

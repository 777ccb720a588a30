//! A panic handler that does not exist: a C program links only when no panic path is left in what it calls.

unsafe extern "C" {
    #[link_name = "a panic path is left in the inference code: build the library with --release"]
    fn panic_path() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: never linked.
    unsafe { panic_path() }
}

//! Programs that end: tests and measurements, whose exit code and text go through semihosting.

/// Prints a panic's message on the standard error output and ends with exit code 1.
#[macro_export]
macro_rules! exit_on_panic {
    () => {
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::semihosting::eprintln!("{info}");
            $crate::semihosting::process::exit(1)
        }
    };
}

/// A test program for `harness = false`: runs functions one after the other on the target and names
/// each. The first panic ends it.
#[macro_export]
macro_rules! on_target_tests {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)+) => {
        $($(#[$meta])* fn $name() $body)+

        #[cortex_m_rt::entry]
        fn main() -> ! {
            let tests: &[(&str, fn())] = &[$((stringify!($name), $name)),+];
            for (name, test) in tests {
                $crate::semihosting::print!("test {name} ... ");
                test();
                $crate::semihosting::println!("ok");
            }
            $crate::semihosting::println!("\ntest result: ok. {} passed; 0 failed; 0 ignored", tests.len());
            $crate::semihosting::process::exit(0)
        }

        $crate::exit_on_panic!();
    };
}

/// A panic handler that does not exist: the program links only when no panic path is left in it.
#[macro_export]
macro_rules! undefined_panic {
    () => {
        unsafe extern "C" {
            #[link_name = "a panic path is left in the inference code"]
            fn panic_path() -> !;
        }

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            // SAFETY: never linked.
            unsafe { panic_path() }
        }
    };
}

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

/// Functions that test something on the target; a module's `TESTS`.
#[macro_export]
macro_rules! on_target_tests {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)+) => {
        $($(#[$meta])* fn $name() $body)+

        /// The module's tests, by their names.
        pub(crate) const TESTS: &[(&str, fn())] = &[$((stringify!($name), $name)),+];
    };
}

/// A test program for `harness = false`: runs the [`on_target_tests!`] of modules one after the other
/// and names each. The first panic ends it.
#[macro_export]
macro_rules! test_program {
    ($($module:ident),+) => {
        #[cortex_m_rt::entry]
        fn main() -> ! {
            let mut passed = 0;
            $(for (name, test) in $module::TESTS {
                $crate::semihosting::print!("test {}::{name} ... ", stringify!($module));
                test();
                $crate::semihosting::println!("ok");
                passed += 1;
            })+
            $crate::semihosting::println!("\ntest result: ok. {passed} passed; 0 failed; 0 ignored");
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

//! Memory that is damaged on purpose, and what shows that nothing else is touched.

use core::arch::asm;
use core::mem::offset_of;
use core::ptr::{from_ref, read_volatile, write_volatile};
use core::sync::atomic::{AtomicBool, Ordering};

/// 32 bytes that nobody may touch, the least that a core can guard.
#[derive(Debug)]
#[repr(C, align(32))]
pub struct Post([u32; 8]);

/// What a post holds.
const UNTOUCHED: u32 = 0xFE_CE_FE_CE;

impl Post {
    /// Untouched.
    pub const fn new() -> Post {
        Post([UNTOUCHED; 8])
    }
}

impl Default for Post {
    fn default() -> Post {
        Post::new()
    }
}

/// Something between two posts.
#[derive(Debug)]
#[repr(C)]
pub struct Fenced<T> {
    before: Post,
    /// What is fenced.
    pub inside: T,
    after: Post,
}

impl<T> Fenced<T> {
    /// Puts posts around it.
    pub const fn new(inside: T) -> Fenced<T> {
        Fenced { before: Post::new(), inside, after: Post::new() }
    }

    /// Bytes between it and the second post, which are not guarded.
    pub const GAP: usize = offset_of!(Fenced<T>, after) - offset_of!(Fenced<T>, inside) - size_of::<T>();

    /// Has the core fault where anything reads or writes a post, or writes flash: on Armv7-M, whose memory protection
    /// unit does so. Elsewhere [`is_whole`](Fenced::is_whole) sees what was written. Whether it does.
    pub fn guard(&self, flash_bytes: u32) -> bool {
        if !is_armv7m() {
            return false;
        }
        let log2 = |bytes: u32| 31 - bytes.leading_zeros();
        let regions = [
            // Read-only, with code in it.
            (0, log2(flash_bytes), READ_ONLY),
            // No access, no code.
            (from_ref(&self.before) as u32, log2(32), NO_ACCESS),
            (from_ref(&self.after) as u32, log2(32), NO_ACCESS),
        ];
        for (number, (base, log2, attributes)) in (0..).zip(regions) {
            write(MPU_RNR, number);
            write(MPU_RBAR, base);
            // Normal memory, enabled, 2^(SIZE + 1) bytes.
            write(MPU_RASR, attributes | 1 << 17 | (log2 - 1) << 1 | 1);
        }
        // Enabled, with the default map beneath.
        write(MPU_CTRL, 1 << 2 | 1);
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
        true
    }

    /// Whether both posts are untouched. Not once they are [guarded](Fenced::guard).
    pub fn is_whole(&self) -> bool {
        // What wrote them would not be known to the compiler.
        let words = self.before.0.iter().chain(&self.after.0);
        words.into_iter().all(|word| read(from_ref(word)) == UNTOUCHED)
    }

    /// Reads a guarded post, and so ends the program by [`on_fault`].
    pub fn trespass(&self) {
        TRESPASSING.store(true, Ordering::SeqCst);
        read(from_ref(&self.before.0[0]));
    }
}

/// Whether the fault is meant.
static TRESPASSING: AtomicBool = AtomicBool::new(false);

/// Ends the program after a fault of the core at `pc`: with 0 where it is that of [`Fenced::trespass`], with 2 and a
/// message else.
pub fn on_fault(pc: u32) -> ! {
    if TRESPASSING.load(Ordering::SeqCst) {
        semihosting::process::exit(0)
    }
    semihosting::eprintln!("the core faulted at {pc:#010x}: CFSR {:#010x}", read(CFSR as *const u32));
    semihosting::process::exit(2)
}

/// Flips a bit of numbers that the compiler takes for constant, as radiation would: the one with that number, modulo
/// theirs. They must lie in RAM.
pub fn flip<T: Copy>(numbers: &T, bit: u32) {
    let byte = from_ref(numbers).cast::<u8>().wrapping_add(bit as usize / 8 % size_of::<T>().max(1));
    // SAFETY: an exclusive or of a byte of the numbers, which no other code runs beside. For what is compiled it is
    // what happens to the memory from outside; whatever bits weights, biases and factors have, they are numbers.
    unsafe {
        asm!(
            "ldrb {value}, [{byte}]",
            "eors {value}, {mask}",
            "strb {value}, [{byte}]",
            byte = in(reg) byte,
            mask = in(reg) 1u32 << (bit & 7),
            value = out(reg) _,
        );
    }
}

const CPUID: usize = 0xE000_ED00;
const CFSR: usize = 0xE000_ED28;
const MPU_CTRL: usize = 0xE000_ED94;
const MPU_RNR: usize = 0xE000_ED98;
const MPU_RBAR: usize = 0xE000_ED9C;
const MPU_RASR: usize = 0xE000_EDA0;

/// Attributes of a region.
const READ_ONLY: u32 = 0b110 << 24;
const NO_ACCESS: u32 = 1 << 28;

/// By the part number: Cortex-M3, M4, M7.
fn is_armv7m() -> bool {
    matches!(read(CPUID as *const u32) >> 4 & 0xFFF, 0xC23 | 0xC24 | 0xC27)
}

fn read(word: *const u32) -> u32 {
    // SAFETY: a word of a static, or a register of the system control space, that is mapped there on every core.
    unsafe { read_volatile(word) }
}

fn write(register: usize, value: u32) {
    // SAFETY: a register of the memory protection unit; the regions leave what the program uses as it is.
    unsafe { write_volatile(register as *mut u32, value) }
}

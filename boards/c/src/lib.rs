//! A model behind a C interface: a static library for a core or the host, and its header.
//!
//! The build script puts the model in as those of the boards do, and writes `microception.h` into the folder of the
//! library: constants of the model, and what [`MicroceptionStatus`] and the functions here look like in C. What a
//! caller has to guarantee stands on top of the header; what a call can see of it by itself is an error code.
//!
//! On a core there is no panic handler, so that a C program links only when no panic path is left.

#![cfg_attr(target_os = "none", no_std)]

#[cfg(target_os = "none")]
mod panic;
mod status;

use core::ffi::c_void;
use core::slice;

use microception::executor::{Executor, Progress};
use microception::model::Model;

use MicroceptionStatus::{
    Complete, Misaligned, NeedsRow, NotInitialized, NotReady, NullPointer, Ok as Done, OtherModel, Ran, TooSmall,
};
pub use status::MicroceptionStatus;

include!(concat!(env!("OUT_DIR"), "/module.rs"));

/// One number of the input.
pub type MicroceptionInput = <model::Network as Model>::Input;
/// One number of the output.
pub type MicroceptionOutput = <model::Network as Model>::Output;
type Frame = <model::Network as Model>::Frame;
type Row = <model::Network as Model>::Row;

/// A network: how far it is, and where its arena lies. Zeros before microception_init.
#[derive(Debug)]
#[repr(C)]
pub struct MicroceptionNetwork {
    words: [usize; 8],
}

/// What lies in a [`MicroceptionNetwork`] after `microception_init`.
#[repr(C)]
struct State {
    tag: usize,
    executor: Executor<'static, model::Network>,
}

const _: () = assert!(size_of::<State>() <= size_of::<MicroceptionNetwork>());
const _: () = assert!(align_of::<State>() <= align_of::<MicroceptionNetwork>());

/// What tells a [`State`] from zeros.
const TAG: usize = 0x6d69_6372;

/// Makes a network that runs in `arena`, whose `arena_bytes` are at least MICROCEPTION_ARENA_BYTES and begin at a
/// multiple of 8, as those of a MicroceptionArena do; what they hold does not matter. A network that was in use begins
/// anew.
/// `model_id` is MICROCEPTION_MODEL_ID.
///
/// Answers MICROCEPTION_STATUS_OK.
///
/// # Safety
/// What the header asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn microception_init(
    network: *mut MicroceptionNetwork,
    arena: *mut c_void,
    arena_bytes: usize,
    model_id: u32,
) -> MicroceptionStatus {
    if model_id != MODEL_ID {
        return OtherModel;
    }
    if network.is_null() || arena.is_null() {
        return NullPointer;
    }
    if !network.is_aligned() || !arena.cast::<u64>().is_aligned() {
        return Misaligned;
    }
    if arena_bytes < model::ARENA_BYTES {
        return TooSmall;
    }
    // SAFETY: the caller's memory, of at least so many bytes; zeros make it initialized, whatever it was.
    unsafe { arena.cast::<u8>().write_bytes(0, model::ARENA_BYTES) };
    // SAFETY: the same bytes. The caller guarantees that nobody else uses them as long as the network is in use.
    let arena = unsafe { slice::from_raw_parts_mut(arena.cast::<u8>(), model::ARENA_BYTES) };
    match Executor::over(model::NETWORK, arena, model::ARENA_BYTES) {
        Ok(executor) => {
            // SAFETY: the caller's memory, as large and as aligned as a state: see the assertions above.
            unsafe { network.cast::<State>().write(State { tag: TAG, executor }) };
            Done
        }
        Err(_) => Misaligned,
    }
}

/// Runs a whole frame of MICROCEPTION_INPUT_ELEMENTS, and writes MICROCEPTION_OUTPUT_ELEMENTS scores. Rows pushed
/// before are forgotten.
///
/// Answers MICROCEPTION_STATUS_OK.
///
/// # Safety
/// What the header asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn microception_predict(
    network: *mut MicroceptionNetwork,
    frame: *const MicroceptionInput,
    scores: *mut MicroceptionOutput,
) -> MicroceptionStatus {
    // SAFETY: what the caller guarantees.
    let (executor, frame) = match unsafe { (running(network), input::<Frame>(frame)) } {
        (Ok(executor), Ok(frame)) => (executor, frame),
        (Err(why), _) | (_, Err(why)) => return why,
    };
    if let Err(why) = writable(scores) {
        return why;
    }
    // SAFETY: not null, aligned, and as long as the caller guarantees.
    unsafe { copy(executor.predict(frame), scores) };
    Done
}

/// Takes one row of MICROCEPTION_INPUT_ROW_ELEMENTS, runs every step that it makes possible, and writes the scores when
/// they are complete. After that, the next row begins a new frame.
///
/// Answers MICROCEPTION_STATUS_COMPLETE with scores, MICROCEPTION_STATUS_NEEDS_ROW without;
/// MICROCEPTION_STATUS_NOT_READY, and does not take the row, while steps are left after microception_begin_row.
///
/// # Safety
/// What the header asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn microception_push_row(
    network: *mut MicroceptionNetwork,
    row: *const MicroceptionInput,
    scores: *mut MicroceptionOutput,
) -> MicroceptionStatus {
    // SAFETY: what the caller guarantees.
    let (executor, row) = match unsafe { (running(network), input::<Row>(row)) } {
        (Ok(executor), Ok(row)) => (executor, row),
        (Err(why), _) | (_, Err(why)) => return why,
    };
    if let Err(why) = writable(scores) {
        return why;
    }
    if !takes_row(executor) {
        return NotReady;
    }
    match executor.push_row(row) {
        Some(output) => {
            // SAFETY: not null, aligned, and as long as the caller guarantees.
            unsafe { copy(output, scores) };
            Complete
        }
        None => NeedsRow,
    }
}

/// Takes one row of MICROCEPTION_INPUT_ROW_ELEMENTS without running what it makes possible: microception_step does
/// that. The row need not stay.
///
/// Answers MICROCEPTION_STATUS_OK; MICROCEPTION_STATUS_NOT_READY, and does not take the row, while steps are left.
///
/// # Safety
/// What the header asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn microception_begin_row(
    network: *mut MicroceptionNetwork,
    row: *const MicroceptionInput,
) -> MicroceptionStatus {
    // SAFETY: what the caller guarantees.
    match unsafe { (running(network), input::<Row>(row)) } {
        (Err(why), _) | (_, Err(why)) => why,
        (Ok(executor), Ok(_)) if !takes_row(executor) => NotReady,
        (Ok(executor), Ok(row)) => {
            executor.begin_row(row);
            Done
        }
    }
}

/// Runs one step, if it needs no row: for work that goes on between other work.
///
/// Answers MICROCEPTION_STATUS_RAN, MICROCEPTION_STATUS_NEEDS_ROW, or MICROCEPTION_STATUS_COMPLETE when the scores are
/// there and nothing has run.
///
/// # Safety
/// What the header asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn microception_step(network: *mut MicroceptionNetwork) -> MicroceptionStatus {
    // SAFETY: what the caller guarantees.
    match unsafe { running(network) }.map(Executor::step) {
        Ok(Progress::Ran { .. }) => Ran,
        Ok(Progress::NeedsRow { .. }) => NeedsRow,
        Ok(Progress::Done) => Complete,
        Err(why) => why,
    }
}

/// Writes the scores, which stay until the next row is taken.
///
/// Answers MICROCEPTION_STATUS_OK; MICROCEPTION_STATUS_NOT_READY before they are complete.
///
/// # Safety
/// What the header asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn microception_output(
    network: *mut MicroceptionNetwork,
    scores: *mut MicroceptionOutput,
) -> MicroceptionStatus {
    // SAFETY: what the caller guarantees.
    let executor = match (unsafe { running(network) }, writable(scores)) {
        (Ok(executor), Ok(())) => executor,
        (Err(why), _) | (_, Err(why)) => return why,
    };
    if !executor.is_complete() {
        return NotReady;
    }
    // SAFETY: not null, aligned, and as long as the caller guarantees.
    unsafe { copy(executor.output(), scores) };
    Done
}

/// Forgets the rows taken so far: the next one begins a frame, or a series.
///
/// Answers MICROCEPTION_STATUS_OK.
///
/// # Safety
/// What the header asks for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn microception_reset(network: *mut MicroceptionNetwork) -> MicroceptionStatus {
    // SAFETY: what the caller guarantees.
    match unsafe { running(network) } {
        Ok(executor) => {
            executor.reset();
            Done
        }
        Err(why) => why,
    }
}

/// The executor in a network.
///
/// # Safety A pointer that is not null and aligned points to a network that holds zeros or what `microception_init` has
/// made of it, and which no other call uses.
unsafe fn running<'a>(
    network: *mut MicroceptionNetwork,
) -> Result<&'a mut Executor<'static, model::Network>, MicroceptionStatus> {
    if network.is_null() {
        return Err(NullPointer);
    }
    if !network.is_aligned() {
        return Err(Misaligned);
    }
    // SAFETY: the caller guarantees that these are zeros or a state, which begins with its tag.
    if unsafe { network.cast::<usize>().read() } != TAG {
        return Err(NotInitialized);
    }
    // SAFETY: with the tag there it is a state, which only this call uses.
    Ok(unsafe { &mut (*network.cast::<State>()).executor })
}

/// A frame or a row.
///
/// # Safety
/// A pointer that is not null and aligned points to as many numbers, to which nobody writes meanwhile.
unsafe fn input<'a, T>(numbers: *const MicroceptionInput) -> Result<&'a T, MicroceptionStatus> {
    if numbers.is_null() {
        return Err(NullPointer);
    }
    let numbers = numbers.cast::<T>();
    if !numbers.is_aligned() {
        return Err(Misaligned);
    }
    // SAFETY: an array of numbers has their alignment, and the caller guarantees the rest.
    Ok(unsafe { &*numbers })
}

/// Whether scores can be written there.
fn writable(scores: *mut MicroceptionOutput) -> Result<(), MicroceptionStatus> {
    match (scores.is_null(), scores.is_aligned()) {
        (true, _) => Err(NullPointer),
        (false, false) => Err(Misaligned),
        (false, true) => Ok(()),
    }
}

/// Writes the scores.
///
/// # Safety
/// `scores` is aligned, and has room for [`OUTPUT_ELEMENTS`] numbers outside of the arena.
unsafe fn copy(output: &[MicroceptionOutput], scores: *mut MicroceptionOutput) {
    let count = output.len().min(OUTPUT_ELEMENTS);
    // SAFETY: no more than there are on either side.
    unsafe { output.as_ptr().copy_to_nonoverlapping(scores, count) };
}

/// Whether the next step takes a row: of a model with one input, that is layer 0.
fn takes_row(executor: &Executor<'_, model::Network>) -> bool {
    executor.upcoming().is_none_or(|step| step.layer == 0)
}

//! What calls answer.

/// What a call answers: what has happened, or below zero why nothing has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum MicroceptionStatus {
    /// It is done.
    Ok = 0,
    /// The next step needs an input row.
    NeedsRow = 1,
    /// A step has run.
    Ran = 2,
    /// The scores are there; the next row begins the next frame.
    Complete = 3,
    /// A pointer is null.
    NullPointer = -1,
    /// A pointer is not aligned for its type.
    Misaligned = -2,
    /// The arena has less than MICROCEPTION_ARENA_BYTES.
    TooSmall = -3,
    /// The network has not gone through microception_init.
    NotInitialized = -4,
    /// A row while steps are left that need none, or scores that are not there yet.
    NotReady = -5,
    /// The header is that of another library.
    OtherModel = -6,
}

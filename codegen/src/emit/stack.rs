//! What a module says of the stack.

use serde::Serialize;

use super::{Module, UNREAD};

/// How much stack one `predict` takes at most, on one core and as one compiler builds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stack {
    /// Bytes of stack, the deepest call included. Interrupts come on top.
    pub bytes: u64,
    /// The board that it was built for.
    pub board: &'static str,
    /// What the compiler calls itself.
    pub compiler: String,
}

/// What a module says that no stack is known of.
pub(super) const UNKNOWN: &str = "\
///
/// The stack comes on top, and is the compiler's: what `predict` takes of it, measured and at most, says
/// `microception bench MODEL --board BOARD` for a core; `microception convert --board BOARD` writes it here.
";

impl Module {
    /// States how much stack `predict` takes at most, in place of how to find it out: the constant `STACK_BYTES`. A module says so
    /// once.
    ///
    /// Nothing else in the text changes, so that what was bounded is what the module still is.
    pub fn state_stack(&mut self, stack: &Stack) {
        let Stack { bytes, board, compiler } = stack;
        let Some(at) = self.text.find(UNKNOWN) else { return };
        let after = at + UNKNOWN.len();
        let next = self.text[after..].find(";\n").map_or(after, |end| after + end + ";\n".len());
        let stated = format!(
            "\
/// Bytes of stack that one `predict` takes at most, what it calls included: a bound from the machine code for {board}, release
/// profile of the firmware there, by {compiler}. Interrupts come on top. Another compiler or
/// profile needs another bound: `microception convert --board {board}`.
{UNREAD}
pub const STACK_BYTES: usize = {bytes};
"
        );
        self.text.insert_str(next, &stated);
        self.text.replace_range(at..after, "///\n/// The stack comes on top: [`STACK_BYTES`].\n");
    }
}

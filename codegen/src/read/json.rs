//! JSON within a [`Budget`]: parsed, a few bytes of text may take a hundred times as many.

use serde_json::Value;

use super::budget::Budget;
use crate::error::Error;

/// Bytes of a node of the standard library's B-tree with texts for keys: 11 of them with their values, and links.
const NODE: usize = FULL_NODE * (size_of::<String>() + size_of::<Value>()) + 14 * size_of::<usize>();

/// Entries that one node holds, and that each holds at least where there are several.
const FULL_NODE: usize = 11;
const HALF_NODE: usize = 5;

/// Values that a list makes room for at first.
const FIRST_ROOM: usize = 4;

/// Levels of nesting that the parser accepts, which bounds every recursion over the value.
const DEEPEST: usize = 128;

/// The value that `text` says.
pub(super) fn parse(text: &[u8], what: &str, budget: &mut Budget) -> Result<Value, Error> {
    budget.take(memory(text), 1)?;
    serde_json::from_slice(text).map_err(|error| Error::model(format!("the architecture ({what}) is damaged: {error}")))
}

/// The most bytes that the value of `text` takes while it is made.
fn memory(text: &[u8]) -> usize {
    // Texts and numbers take no more than they do here.
    let mut memory = text.len();
    let mut open: Vec<(u8, usize)> = Vec::with_capacity(DEEPEST);
    let mut in_text = false;
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => {
                bytes.next();
            }
            _ if in_text => {}
            b'{' | b'[' => {
                if open.len() == DEEPEST {
                    break;
                }
                open.push((byte, 1));
                memory += if byte == b'{' { NODE } else { FIRST_ROOM * size_of::<Value>() };
            }
            b'}' | b']' => {
                open.pop();
            }
            b',' => {
                let Some((kind, entries)) = open.last_mut() else { break };
                memory += match kind {
                    b'{' if *entries >= FULL_NODE && entries.is_multiple_of(HALF_NODE) => NODE,
                    // While it moves there are both, the old list and one of twice the size.
                    b'[' if *entries >= FIRST_ROOM && entries.is_power_of_two() => 2 * *entries * size_of::<Value>(),
                    _ => 0,
                };
                *entries += 1;
            }
            _ => {}
        }
    }
    memory
}

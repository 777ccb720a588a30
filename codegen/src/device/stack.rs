//! How much stack a function of a program can need: a bound from the machine code, whatever its inputs are.
//!
//! Every path through the function is followed, and through those that it calls. Along each the stack pointer's moves
//! add up. What the bound relies on: functions leave the stack as they found it (the AAPCS), and a jump by a table or a
//! register stays in its function and at its depth. What cannot be bounded is an error that says where: a function that
//! calls itself, a call of a function whose address is in a register, a stack pointer that is set to what the code does
//! not say, a loop in which the stack grows. Interrupts come on top: a frame of 32 bytes, or 104 with floats, and what
//! their handlers take.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use object::elf::{EM_ARM, SHF_ALLOC, SHF_EXECINSTR, STT_FUNC};
use object::read::elf::{ElfFile32, FileHeader, SectionHeader, Sym};

use super::board::Board;
use super::firmware::{self, module_file};
use super::thumb::{self, Flow, Instruction, decode};
use super::toolchain::Toolchain;
use crate::emit::{Module, Stack};
use crate::error::Error;

/// The most bytes of stack that a function needs, with what it calls.
///
/// `is_it` tells the function from others by its symbol's name.
///
/// # Errors
/// When the file is no program for Arm's M profile, has no such function, or nothing bounds its stack.
pub fn bound(elf: &Path, is_it: impl Fn(&str) -> bool) -> Result<u64, Error> {
    let bytes = fs::read(elf).map_err(|error| Error::file(elf, error.to_string()))?;
    let program = Program::read(&bytes).map_err(|error| Error::file(elf, error.to_string()))?;
    let program = program.ok_or_else(|| Error::file(elf, "is no program for a 32-bit Arm core"))?;
    let function = program.functions.iter().find(|(_, function)| is_it(&function.name));
    let (&entry, _) = function.ok_or_else(|| Error::file(elf, "has no function of that name"))?;
    let bytes = program.deepest(entry, &mut BTreeMap::new()).map_err(|why| Error::file(elf, why))?;
    Ok(bytes.unsigned_abs())
}

/// The most bytes of stack that `predict` of `module` needs on `board`, in the program that measures it there.
///
/// # Errors
/// When the program does not build, or nothing bounds its stack.
pub fn of_predict(module: &Module, board: &Board) -> Result<Stack, Error> {
    let file = module_file(&module.text)?;
    let elf = firmware::build(file.path(), board, firmware::Program::Bench)?;
    let bytes = bound(elf.path(), is_predict).map_err(|error| {
        Error::model(format!("the stack of predict has no bound on {}: {}", board.name, error.reason))
    })?;
    Ok(Stack { bytes, board: board.name, compiler: Toolchain::find(board.target)?.version()? })
}

/// Whether a symbol is the function that the bench program measures.
pub fn is_predict(symbol: &str) -> bool {
    // By either of the compiler's ways to write paths.
    symbol.ends_with("5bench7predict") || symbol.contains("5bench7predict17h")
}

/// A function's symbol.
#[derive(Debug)]
struct Function {
    name: String,
    /// The address behind it.
    end: u32,
}

/// The code of a program.
#[derive(Debug)]
struct Program<'a> {
    /// Sections by their addresses.
    code: BTreeMap<u32, &'a [u8]>,
    /// By their addresses.
    functions: BTreeMap<u32, Function>,
    /// Where code begins (`true`) and where data in the code does.
    marks: BTreeMap<u32, bool>,
}

/// What one function does, without what it calls.
#[derive(Debug, Default)]
struct Body {
    deepest: i64,
    /// The functions that it calls, each with its own depth there.
    calls: BTreeSet<(u32, i64)>,
}

/// The register that compiled code for Thumb keeps its frame in.
const FRAME_POINTER: u8 = 7;

/// Deeper no stack of a microcontroller is: what gets there grows in a loop.
const DEEPEST: i64 = 1 << 20;

impl<'a> Program<'a> {
    fn read(bytes: &'a [u8]) -> Result<Option<Program<'a>>, object::Error> {
        let file = ElfFile32::<object::Endianness>::parse(bytes)?;
        let (header, endian) = (file.elf_header(), file.endian());
        if header.e_machine(endian) != EM_ARM {
            return Ok(None);
        }
        let mut code = BTreeMap::new();
        for section in header.sections(endian, bytes)?.iter() {
            let flags = section.sh_flags(endian);
            if flags & SHF_ALLOC != 0 && flags & SHF_EXECINSTR != 0 {
                code.insert(section.sh_addr(endian), section.data(endian, bytes)?);
            }
        }
        let (mut functions, mut marks) = (BTreeMap::new(), BTreeMap::new());
        let symbols = file.elf_symbol_table();
        for symbol in symbols.iter() {
            let name = String::from_utf8_lossy(symbol.name(endian, symbols.strings())?).into_owned();
            let (address, size) = (symbol.st_value(endian) & !1, symbol.st_size(endian));
            match name.split('.').next() {
                Some("$t") => _ = marks.insert(address, true),
                Some("$d") => _ = marks.insert(address, false),
                _ if symbol.st_type() == STT_FUNC => {
                    let function = Function { name, end: address.saturating_add(size) };
                    // Of several names of one function that of the longest.
                    let there = functions.get(&address).is_some_and(|there: &Function| there.end >= function.end);
                    if !there {
                        functions.insert(address, function);
                    }
                }
                _ => {}
            }
        }
        Ok(Some(Program { code, functions, marks }))
    }

    fn half_word(&self, address: u32) -> Option<u16> {
        let (&from, bytes) = self.code.range(..=address).next_back()?;
        let at = (address - from) as usize;
        Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
    }

    fn word(&self, address: u32) -> Option<i64> {
        let [low, high] = [self.half_word(address)?, self.half_word(address + 2)?].map(i64::from);
        Some(((high << 16 | low) as i32).into())
    }

    fn instruction(&self, address: u32) -> Result<Instruction, String> {
        let is_code = self.marks.range(..=address).next_back().is_none_or(|(_, &code)| code);
        let first = self.half_word(address).filter(|_| is_code);
        let first = first.ok_or_else(|| format!("{} runs into what is no code", self.place(address)))?;
        Ok(decode(address, first, self.half_word(address + 2).unwrap_or(0)))
    }

    /// The function around an address.
    fn around(&self, address: u32) -> Option<(u32, &Function)> {
        let (&from, function) = self.functions.range(..=address).next_back()?;
        (address < function.end).then_some((from, function))
    }

    /// An address as messages have it.
    fn place(&self, address: u32) -> String {
        match self.around(address) {
            Some((_, function)) => format!("{} at {address:#x}", function.name),
            None => format!("the code at {address:#x}"),
        }
    }

    /// The most that the function at `entry` and what it calls need. `known` has those that are done, and nothing for
    /// those that are being looked at.
    fn deepest(&self, entry: u32, known: &mut BTreeMap<u32, Option<i64>>) -> Result<i64, String> {
        match known.get(&entry) {
            Some(Some(bytes)) => return Ok(*bytes),
            Some(None) => return Err(format!("{} calls itself, so that nothing bounds its stack", self.place(entry))),
            None => known.insert(entry, None),
        };
        let body = self.body(entry)?;
        let mut deepest = body.deepest;
        for (called, depth) in body.calls {
            deepest = deepest.max(depth + self.deepest(called, known)?);
        }
        known.insert(entry, Some(deepest));
        Ok(deepest)
    }

    /// Follows every path from `entry` on. Branches to other functions are part of it, as they come back to its caller.
    fn body(&self, entry: u32) -> Result<Body, String> {
        let mut walk =
            Walk { program: self, body: Body::default(), depths: BTreeMap::new(), frame: None, landed: false };
        let mut jumps = BTreeMap::new();
        let mut open = vec![(entry, 0)];
        loop {
            while let Some((address, depth)) = open.pop() {
                walk.follow(address, depth, &mut open, &mut jumps)?;
            }
            // Where a jump may land is the code around it that nothing else leads to.
            let landing = jumps.iter().find_map(|(&at, &depth)| Some((walk.unseen_around(at)?, depth)));
            match landing {
                Some(landing) => {
                    walk.landed = true;
                    open.push(landing);
                }
                None => return Ok(walk.body),
            }
        }
    }
}

/// What is known on the way through a function.
struct Walk<'a> {
    program: &'a Program<'a>,
    body: Body,
    /// Of each instruction: bytes of stack in use ahead of it.
    depths: BTreeMap<u32, i64>,
    /// The depth that the frame pointer points to.
    frame: Option<i64>,
    /// Whether a jump's landing is followed: what fills code up ahead of data is taken for one, too.
    landed: bool,
}

impl Walk<'_> {
    /// Follows the code from `at` on as far as nothing else is known of it; where it branches goes to `open`, from
    /// where it jumps to `jumps`.
    fn follow(
        &mut self,
        mut at: u32,
        mut depth: i64,
        open: &mut Vec<(u32, i64)>,
        jumps: &mut BTreeMap<u32, i64>,
    ) -> Result<(), String> {
        let mut conditional = 0u32;
        loop {
            if self.depths.get(&at).is_some_and(|&known| known >= depth) {
                return Ok(());
            }
            self.depths.insert(at, depth);
            let instruction = match self.program.instruction(at) {
                Err(_) if self.landed => return Ok(()),
                instruction => instruction?,
            };
            let perhaps = conditional > 0;
            conditional = if perhaps { conditional - 1 } else { instruction.conditional };
            self.note_frame(at, depth);
            let after = self.after(at, depth, instruction.stack)?;
            self.body.deepest = self.body.deepest.max(after);
            if after > DEEPEST {
                return Err(format!("{} grows the stack in a loop", self.program.place(at)));
            }
            let goes_on = match instruction.flow {
                Flow::Next => true,
                Flow::Stop | Flow::Return => perhaps,
                Flow::Branch(target) => {
                    open.push((target, after));
                    perhaps
                }
                Flow::Conditional(target) => {
                    open.push((target, after));
                    true
                }
                Flow::Call(target) => {
                    self.body.calls.insert((target, after));
                    true
                }
                Flow::CallRegister => {
                    let place = self.program.place(at);
                    return Err(format!("{place} calls a function by its address, which can be any"));
                }
                // With nothing on the stack it leaves the function.
                Flow::JumpRegister if after == 0 => {
                    let place = self.program.place(at);
                    return Err(format!("{place} goes on in a function by its address, which can be any"));
                }
                Flow::JumpRegister | Flow::JumpTable => {
                    jumps.insert(at, after);
                    perhaps
                }
            };
            if !goes_on {
                return Ok(());
            }
            depth = match (perhaps, instruction.flow) {
                (false, _) => after,
                (true, Flow::Next) => after.max(depth),
                // What leaves has not moved the stack pointer of what stays.
                (true, _) => depth,
            };
            at += instruction.size;
        }
    }

    /// The depth behind the instruction at `at`.
    fn after(&self, at: u32, depth: i64, stack: thumb::Stack) -> Result<i64, String> {
        let unknown = || format!("{} sets the stack pointer to what the code does not say", self.program.place(at));
        match stack {
            thumb::Stack::Grows(bytes) => Ok(depth + bytes),
            thumb::Stack::IsSet(register) => self.frame_in(at, register).ok_or_else(unknown),
            thumb::Stack::Adds(register) => {
                self.loaded_ahead_of(at, register).map(|bytes| depth - bytes).ok_or_else(unknown)
            }
            thumb::Stack::Unknown => Err(unknown()),
        }
    }

    /// The depth that a register points to ahead of `at`: that of the frame pointer, or as Armv6-M has it at the end of
    /// a function some bytes below, `subs r6, r7, #7`, `subs r6, #5`.
    fn frame_in(&self, mut at: u32, register: u8) -> Option<i64> {
        let number = u16::from(register);
        let mut below = 0;
        if register == FRAME_POINTER {
            return self.frame;
        }
        loop {
            at = at.checked_sub(2).filter(|at| self.depths.contains_key(at))?;
            let code = self.program.half_word(at)?;
            if code >> 8 == 0x38 | number {
                below += i64::from(code & 0xFF);
            } else if code & 0xFE3F == 0x1E00 | u16::from(FRAME_POINTER) << 3 | number {
                return self.frame.map(|frame| frame + below + i64::from(code >> 6 & 7));
            } else {
                return None;
            }
        }
    }

    /// The number that the last instruction ahead of `at` has loaded into the register: LDR from behind the code, as
    /// Armv6-M has it for large frames.
    fn loaded_ahead_of(&self, at: u32, register: u8) -> Option<i64> {
        let (&ahead, _) = self.depths.range(..at).next_back()?;
        let code = self.program.half_word(ahead).filter(|_| ahead + 2 == at)?;
        let is_load = code >> 8 == 0x48 | u16::from(register);
        is_load.then(|| self.program.word(((ahead + 4) & !3) + 4 * u32::from(code & 0xFF)))?
    }

    /// Remembers the depth that the frame pointer is set to: `mov r7, sp` or `add r7, sp, #n`. Compiled code sets it
    /// once; of several depths the deepest is the safe one.
    fn note_frame(&mut self, at: u32, depth: i64) {
        let set = match self.program.half_word(at) {
            Some(0x466F) => depth,
            Some(code @ 0xAF00..=0xAFFF) => depth - 4 * i64::from(code & 0xFF),
            _ => return,
        };
        self.frame = self.frame.max(Some(set));
    }

    /// An instruction that was not seen, in the function around `at`.
    fn unseen_around(&self, at: u32) -> Option<u32> {
        let (mut address, function) = self.program.around(at)?;
        while address < function.end {
            // Data in the code, as a table behind its jump, is passed over.
            match self.program.instruction(address) {
                Ok(instruction) if self.depths.contains_key(&address) => address += instruction.size,
                Ok(_) => return Some(address),
                Err(_) => address += 2,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound of the first of some functions of half-words, one behind the other, each at a multiple of 32.
    fn bound_of(functions: &[&[u16]]) -> Result<i64, String> {
        let mut bytes = Vec::new();
        let mut symbols = BTreeMap::new();
        for (index, code) in functions.iter().enumerate() {
            bytes.resize(32 * index, 0);
            bytes.extend(code.iter().flat_map(|half| half.to_le_bytes()));
            let name = ["first", "second", "third"][index].to_owned();
            symbols.insert(32 * index as u32, Function { name, end: bytes.len() as u32 });
        }
        let program = Program {
            code: BTreeMap::from([(0, bytes.as_slice())]),
            functions: symbols,
            marks: BTreeMap::from([(0, true)]),
        };
        program.deepest(0, &mut BTreeMap::new())
    }

    const PUSH_4: u16 = 0xB510; // push {r4, lr}: 8 bytes
    const POP_4: u16 = 0xBD10; // pop {r4, pc}
    const RETURN: u16 = 0x4770; // bx lr

    /// `bl` at the address to the address.
    fn call(at: u32, to: u32) -> [u16; 2] {
        let offset = to.wrapping_sub(at + 4);
        [0xF000 | (offset >> 12 & 0x3FF) as u16 | (offset >> 14 & 0x400) as u16, 0xF800 | (offset >> 1 & 0x7FF) as u16]
    }

    #[test]
    fn the_deepest_path_counts() {
        let [high, low] = call(4, 32);
        // push {r4, lr}; cbz r0, +8; bl second; pop {r4, pc}; sub sp, #64; add sp, #64; pop {r4, pc}
        let first = [PUSH_4, 0xB110, high, low, POP_4, 0xB090, 0xB010, POP_4];
        assert_eq!(bound_of(&[&first, &[RETURN]]), Ok(8 + 64));
        // push {r4, lr}; sub sp, #96; add sp, #96; pop {r4, pc}
        let second = [PUSH_4, 0xB098, 0xB018, POP_4];
        assert_eq!(bound_of(&[&first, &second]), Ok(8 + 8 + 96));
        // What goes on in another function with nothing on the stack does not add to it: push; pop {r4}; pop {r3}; b
        // second
        let tail = [PUSH_4, 0xBC10, 0xBC08, 0xE00B];
        assert_eq!(bound_of(&[&tail, &second]), Ok(8 + 96));
        // In an IT block: push {r4, lr}; it eq; popeq {r4, pc}; sub sp, #64; add sp, #64; pop {r4, pc}
        assert_eq!(bound_of(&[&[PUSH_4, 0xBF08, POP_4, 0xB090, 0xB010, POP_4]]), Ok(8 + 64));
        // push {r4, lr}; tbb [pc, r0], a table of two bytes; sub sp, #64; add sp, #64; pop {r4, pc}
        assert_eq!(bound_of(&[&[PUSH_4, 0xE8DF, 0xF000, 0x0101, 0xB090, 0xB010, POP_4]]), Ok(8 + 64));
        // push {r4, lr}; add r7, sp, #4; sub sp, #64; subs r6, r7, #2; subs r6, #2; mov sp, r6; pop {r4, pc}
        assert_eq!(bound_of(&[&[PUSH_4, 0xAF01, 0xB090, 0x1EBE, 0x3E02, 0x46B5, POP_4]]), Ok(8 + 64));
        // ldr r4, [pc, #4]; add sp, r4; add sp, #508; bx lr; -508
        assert_eq!(bound_of(&[&[0x4C01, 0x44A5, 0xB07F, RETURN, 0xFE04, 0xFFFF]]), Ok(508));
    }

    #[test]
    fn what_nothing_bounds_is_an_error_that_says_where() {
        let [high, low] = call(2, 0);
        let cases: [(&[u16], &str); 5] = [
            (&[PUSH_4, high, low, POP_4], "first at 0x0 calls itself"),
            (&[PUSH_4, 0x4790, POP_4], "first at 0x2 calls a function by its address"),
            (&[0x4718], "first at 0x0 goes on in a function by its address"),
            (&[PUSH_4, 0xEBAD, 0x0D00, POP_4], "first at 0x2 sets the stack pointer"),
            // push {r4, lr}; b to it
            (&[PUSH_4, 0xE7FD], "grows the stack in a loop"),
        ];
        for (code, why) in cases {
            let error = bound_of(&[code]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let ([high, low], [back, back_low]) = (call(2, 32), call(34, 0));
        let error = bound_of(&[&[PUSH_4, high, low, POP_4], &[PUSH_4, back, back_low, POP_4]]).unwrap_err();
        assert!(error.contains("first at 0x0 calls itself"), "{error}");
        // Bytes behind the code.
        assert!(bound_of(&[&[PUSH_4]]).unwrap_err().contains("runs into what is no code"));
    }
}

//! Of a Thumb instruction what matters for the stack: how long it is, how it moves the stack pointer, and where the
//! core goes on. Encodings are those of the Armv8-M Architecture Reference Manual (DDI 0553), which has Armv6-M's and
//! Armv7-M's too.

/// One instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Bytes: 2 or 4.
    pub size: u32,
    /// What becomes of the stack pointer.
    pub stack: Stack,
    /// What runs next.
    pub flow: Flow,
    /// How many of the next instructions are conditional (IT).
    pub conditional: u32,
}

/// What an instruction does to the stack pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// Moves it down by so many bytes, or up where negative.
    Grows(i64),
    /// Adds the register to it.
    Adds(u8),
    /// Sets it to the register's value.
    IsSet(u8),
    /// Something else.
    Unknown,
}

/// Where the core goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Behind the instruction.
    Next,
    /// Nowhere: a trap.
    Stop,
    /// At the address.
    Branch(u32),
    /// At the address, or behind the instruction.
    Conditional(u32),
    /// At the address, then behind the instruction.
    Call(u32),
    /// Where a register says, then behind the instruction.
    CallRegister,
    /// Where a register or a word in memory says.
    JumpRegister,
    /// At an entry of the table behind it, or where a register says that has such an entry.
    JumpTable,
    /// Where it was called from.
    Return,
}

const SP: u16 = 13;
const LR: u16 = 14;
const PC: u16 = 15;

/// Decodes the instruction at `address` that begins with `first`; `second` is the half-word behind it.
pub fn decode(address: u32, first: u16, second: u16) -> Instruction {
    let (size, (stack, flow)) =
        if first >= 0xE800 { (4, wide(address, first, second)) } else { (2, narrow(address, first)) };
    let conditional = if first & 0xFF00 == 0xBF00 && first & 0xF != 0 { 4 - (first & 0xF).trailing_zeros() } else { 0 };
    Instruction { size, stack, flow, conditional }
}

const KEEPS: Stack = Stack::Grows(0);

fn registers(list: u16) -> i64 {
    4 * i64::from(list.count_ones())
}

/// `address` + 4 + the signed number in the lowest `bits` of `offset`.
fn target(address: u32, offset: u32, bits: u32) -> u32 {
    let signed = (offset << (32 - bits)).cast_signed() >> (32 - bits);
    address.wrapping_add(4).wrapping_add_signed(signed)
}

fn narrow(address: u32, code: u16) -> (Stack, Flow) {
    let imm7 = i64::from(code & 0x7F) * 4;
    // Of ADD, MOV and BX with any register.
    let (high_d, high_m) = ((code >> 4 & 8) | (code & 7), code >> 3 & 0xF);
    match code {
        0xB400..=0xB5FF => (Stack::Grows(registers(code & 0x1FF)), Flow::Next),
        0xBC00..=0xBCFF => (Stack::Grows(-registers(code & 0xFF)), Flow::Next),
        0xBD00..=0xBDFF => (Stack::Grows(-registers(code & 0x1FF)), Flow::Return),
        0xB000..=0xB07F => (Stack::Grows(-imm7), Flow::Next),
        0xB080..=0xB0FF => (Stack::Grows(imm7), Flow::Next),
        0x4400..=0x44FF if high_d == SP => (Stack::Adds(high_m as u8), Flow::Next),
        0x4400..=0x44FF if high_d == PC => (KEEPS, Flow::JumpTable),
        0x4600..=0x46FF if high_d == SP => (Stack::IsSet(high_m as u8), Flow::Next),
        0x4600..=0x46FF if high_d == PC && high_m == LR => (KEEPS, Flow::Return),
        0x4600..=0x46FF if high_d == PC => (KEEPS, Flow::JumpTable),
        0x4700..=0x477F if high_m == LR => (KEEPS, Flow::Return),
        0x4700..=0x477F => (KEEPS, Flow::JumpRegister),
        0x4780..=0x47FF => (KEEPS, Flow::CallRegister),
        0xD000..=0xDDFF => (KEEPS, Flow::Conditional(target(address, u32::from(code & 0xFF) << 1, 9))),
        0xDE00..=0xDEFF => (KEEPS, Flow::Stop),
        0xE000..=0xE7FF => (KEEPS, Flow::Branch(target(address, u32::from(code & 0x7FF) << 1, 12))),
        // CBZ and CBNZ go forward only.
        _ if code & 0xF500 == 0xB100 => {
            let offset = u32::from(code >> 3 & 0x40 | code >> 2 & 0x3E);
            (KEEPS, Flow::Conditional(address.wrapping_add(4 + offset)))
        }
        _ => (KEEPS, Flow::Next),
    }
}

fn wide(address: u32, first: u16, second: u16) -> (Stack, Flow) {
    let n = first & 0xF;
    let (t, d) = (second >> 12, second >> 8 & 0xF);
    let bit = |code: u16, place: u32| code >> place & 1 == 1;
    // What an address in SP with writeback moves by: up, or down.
    let writeback = |up: bool, bytes: i64| Stack::Grows(if up { -bytes } else { bytes });
    match first >> 8 {
        // LDM and STM, of more than one register.
        0xE8 | 0xE9 if !bit(first, 6) => {
            let (load, write) = (bit(first, 4), bit(first, 5) && n == SP);
            let stack = match (write, first >> 7 & 3) {
                (false, _) => KEEPS,
                (true, 0b01) => writeback(true, registers(second)),
                (true, 0b10) => writeback(false, registers(second)),
                _ => Stack::Unknown,
            };
            let flow = match load && bit(second, 15) {
                true if write => Flow::Return,
                true => Flow::JumpRegister,
                false => Flow::Next,
            };
            (stack, flow)
        }
        0xE8 if first & 0xFFF0 == 0xE8D0 && second & 0xFFE0 == 0xF000 => (KEEPS, Flow::JumpTable),
        // LDRD and STRD.
        0xE8 | 0xE9 if bit(first, 5) && n == SP => (writeback(bit(first, 7), 4 * i64::from(second & 0xFF)), Flow::Next),
        0xEA | 0xEB if d == SP => (Stack::Unknown, Flow::Next),
        // Loads and stores of the FPU's registers.
        0xEC | 0xED if bit(first, 5) && n == SP => {
            // Helium's have none that moves the stack pointer.
            let is_fpu = second & 0x0E00 == 0x0A00;
            let moved = writeback(bit(first, 7), 4 * i64::from(second & 0xFF));
            (if is_fpu { moved } else { Stack::Unknown }, Flow::Next)
        }
        0xF0..=0xF7 if bit(second, 15) => (KEEPS, branch(address, first, second)),
        0xF0..=0xF7 if d == SP => (immediate(first, second), Flow::Next),
        // Loads and stores of one register; with writeback only where the offset has 8 bits.
        0xF8 | 0xF9 => {
            let load_word = first & 0xFF70 == 0xF850;
            let write = !bit(first, 7) && bit(second, 11) && bit(second, 8) && n == SP;
            let stack = match write {
                true if load_word && t == SP => Stack::Unknown,
                true => writeback(bit(second, 9), i64::from(second & 0xFF)),
                false if load_word && t == SP => Stack::Unknown,
                false => KEEPS,
            };
            let flow = match load_word && t == PC {
                true if write => Flow::Return,
                // From a table: a register is added to its address.
                true if !bit(first, 7) && !bit(second, 11) => Flow::JumpTable,
                true => Flow::JumpRegister,
                false => Flow::Next,
            };
            (stack, flow)
        }
        _ => (KEEPS, Flow::Next),
    }
}

fn branch(address: u32, first: u16, second: u16) -> Flow {
    let bit = |code: u16, place: u32| u32::from(code >> place & 1);
    let sign = bit(first, 10);
    // Of BL and B: the second and third bit are those of the sign where they are set.
    let [high, low] = [13, 11].map(|place| bit(second, place) ^ sign ^ 1);
    let far = sign << 24 | high << 23 | low << 22 | u32::from(first & 0x3FF) << 12 | u32::from(second & 0x7FF) << 1;
    match second & 0xD001 {
        0xD000 | 0xD001 => Flow::Call(target(address, far, 25)),
        0x9000 | 0x9001 => Flow::Branch(target(address, far, 25)),
        // WLS goes forward, LE backward; DLS and LCTP nowhere.
        0xC001 if second & 0xF001 == 0xC001 => {
            let offset = u32::from(second & 0x7FE) << 1 | bit(second, 11) << 1;
            let next = address.wrapping_add(4);
            Flow::Conditional(if first & 0xF == PC { next.wrapping_sub(offset) } else { next.wrapping_add(offset) })
        }
        0x8000 | 0x8001 if first >> 7 & 7 != 7 => {
            let (high, low) = (bit(second, 11), bit(second, 13));
            let near =
                sign << 20 | high << 19 | low << 18 | u32::from(first & 0x3F) << 12 | u32::from(second & 0x7FF) << 1;
            Flow::Conditional(target(address, near, 21))
        }
        0x8000 if first & 0xFFF0 == 0xF7F0 && second & 0xF000 == 0xA000 => Flow::Stop,
        _ => Flow::Next,
    }
}

/// An instruction with a number that writes the stack pointer.
fn immediate(first: u16, second: u16) -> Stack {
    let n = first & 0xF;
    let imm12 = u32::from(first >> 10 & 1) << 11 | u32::from(second >> 12 & 7) << 8 | u32::from(second & 0xFF);
    let grows = match first & 0xFBF0 {
        0xF1A0 => i64::from(expanded(imm12)),
        0xF100 => -i64::from(expanded(imm12)),
        0xF2A0 => i64::from(imm12),
        0xF200 => -i64::from(imm12),
        _ => return Stack::Unknown,
    };
    if n == SP { Stack::Grows(grows) } else { Stack::Unknown }
}

/// The number that 12 bits of an instruction stand for.
fn expanded(imm12: u32) -> u32 {
    let byte = imm12 & 0xFF;
    match imm12 >> 8 {
        0 => byte,
        1 => byte << 16 | byte,
        2 => byte << 24 | byte << 8,
        3 => byte * 0x0101_0101,
        _ => (byte | 0x80).rotate_right(imm12 >> 7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(first: u16, second: u16) -> (u32, Stack, Flow) {
        let Instruction { size, stack, flow, .. } = decode(0x1000, first, second);
        (size, stack, flow)
    }

    /// As GNU as assembles them.
    #[test]
    fn what_moves_the_stack_pointer() {
        let cases: [(&str, [u16; 2], i64); 16] = [
            ("push {r4, r5, r7, lr}", [0xB5B0, 0], 16),
            ("pop {r4, r5}", [0xBC30, 0], -8),
            ("sub sp, #12", [0xB083, 0], 12),
            ("add sp, #508", [0xB07F, 0], -508),
            ("push.w {r4-r11, lr}", [0xE92D, 0x4FF0], 36),
            ("pop.w {r8-r10}", [0xE8BD, 0x0700], -12),
            ("str r8, [sp, #-4]!", [0xF84D, 0x8D04], 4),
            ("ldr r8, [sp], #4", [0xF85D, 0x8B04], -4),
            ("strd r0, r1, [sp, #-16]!", [0xE96D, 0x0104], 16),
            ("ldrd r0, r1, [sp], #16", [0xE8FD, 0x0104], -16),
            ("vpush {d8-d15}", [0xED2D, 0x8B10], 64),
            ("vpop {s16, s17}", [0xECBD, 0x8A02], -8),
            ("sub.w sp, sp, #512", [0xF5AD, 0x7D00], 512),
            ("add.w sp, sp, #1040", [0xF50D, 0x6D82], -1040),
            ("subw sp, sp, #1044", [0xF2AD, 0x4D14], 1044),
            ("addw sp, sp, #1044", [0xF20D, 0x4D14], -1044),
        ];
        for (text, [first, second], bytes) in cases {
            let (size, stack, flow) = of(first, second);
            assert_eq!((stack, flow), (Stack::Grows(bytes), Flow::Next), "{text}");
            assert_eq!(size, if first < 0xE800 { 2 } else { 4 }, "{text}");
        }
        assert_eq!(of(0x46BD, 0).1, Stack::IsSet(7)); // mov sp, r7
        assert_eq!(of(0x44A5, 0).1, Stack::Adds(4)); // add sp, r4
        assert_eq!(of(0xEBAD, 0x0D00).1, Stack::Unknown); // sub.w sp, sp, r0
    }

    #[test]
    fn where_the_core_goes_on() {
        let cases: [(&str, [u16; 2], Flow); 22] = [
            ("pop {r4, pc}", [0xBD10, 0], Flow::Return),
            ("pop.w {r4-r11, pc}", [0xE8BD, 0x8FF0], Flow::Return),
            ("ldr pc, [sp], #4", [0xF85D, 0xFB04], Flow::Return),
            ("bx lr", [0x4770, 0], Flow::Return),
            ("bx r3", [0x4718, 0], Flow::JumpRegister),
            ("blx r2", [0x4790, 0], Flow::CallRegister),
            ("ldr pc, [sp, #24]", [0xF8DD, 0xF018], Flow::JumpRegister),
            ("tbh [pc, r10, lsl #1]", [0xE8DF, 0xF01A], Flow::JumpTable),
            ("mov pc, r0", [0x4687, 0], Flow::JumpTable),
            ("beq .+4", [0xD000, 0], Flow::Conditional(0x1004)),
            ("bls .-60", [0xD9E0, 0], Flow::Conditional(0xFC4)),
            ("b .+24", [0xE00A, 0], Flow::Branch(0x1018)),
            ("cbz r1, .+50", [0xB1B9, 0], Flow::Conditional(0x1032)),
            ("bl .+44", [0xF000, 0xF814], Flow::Call(0x102C)),
            ("bl .-11050", [0xF7FD, 0xFA69], Flow::Call(0xFFFF_E4D6)),
            ("b.w .+44", [0xF000, 0xB814], Flow::Branch(0x102C)),
            ("beq.w .+2000", [0xF000, 0x83E6], Flow::Conditional(0x17D0)),
            ("bne.w .-2000", [0xF47F, 0xAC16], Flow::Conditional(0x830)),
            ("le lr, .-8", [0xF00F, 0xC007], Flow::Conditional(0xFF8)),
            ("wls lr, r2, .+16", [0xF042, 0xC007], Flow::Conditional(0x1010)),
            ("dls lr, r2", [0xF042, 0xE001], Flow::Next),
            ("udf #254", [0xDEFE, 0], Flow::Stop),
        ];
        for (text, [first, second], flow) in cases {
            assert_eq!(of(first, second).2, flow, "{text}");
        }
        // it eq, ite ne, itttt hi
        assert_eq!([0xBF08, 0xBF14, 0xBF81].map(|code| decode(0, code, 0).conditional), [1, 2, 4]);
        assert_eq!(decode(0, 0xBF00, 0).conditional, 0); // nop
        assert_eq!(of(0xF3BF, 0x8F4F).2, Flow::Next); // dsb
    }
}

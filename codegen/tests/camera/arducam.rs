//! An ArduCAM Mini 2MP as its descriptions have it: what each byte on its buses does.

use std::io::{Read, Write};

/// The numbers of the sensor, and the address of its bus.
const SENSOR: u8 = 0x30;
const PRODUCT: [u8; 2] = [0x26, 0x42];

/// What the queue holds before a frame, and behind it.
const LEADING: [u8; 1] = [0xff];
const TRAILING: [u8; 7] = [0; 7];

/// How often the program must ask before the frame is there.
const QUESTIONS: u32 = 3;

/// The camera; `scene` gives the pixels `[row][column]` of RGB565 of the frame of that number, rows and columns.
pub struct Arducam<F> {
    scene: F,
    frames: usize,
    registers: [u8; 128],
    /// The sensor's, and those of its signal processor.
    sensor: [[u8; 256]; 2],
    bank: usize,
    /// Which register the next byte read comes from.
    selected: u8,
    queue: Vec<u8>,
    read: usize,
    questions: u32,
    /// What the transaction on SPI has begun with.
    command: Option<u8>,
}

impl<F: FnMut(usize, usize, usize) -> Vec<u16>> Arducam<F> {
    pub fn new(scene: F) -> Arducam<F> {
        Arducam {
            scene,
            frames: 0,
            registers: [0; 128],
            sensor: [[0; 256]; 2],
            bank: 0,
            selected: 0,
            queue: Vec::new(),
            read: 0,
            questions: 0,
            command: None,
        }
    }

    /// One byte out, one in.
    fn exchange(&mut self, byte: u8) -> u8 {
        let Some(command) = self.command else {
            self.command = Some(byte);
            return 0;
        };
        match command {
            0x3c => {
                self.read += 1;
                self.queue.get(self.read - 1).copied().unwrap_or(0)
            }
            0x80.. => {
                self.write(command & 0x7f, byte);
                0
            }
            _ => self.register(command),
        }
    }

    fn register(&mut self, register: u8) -> u8 {
        let length = (self.queue.len() as u32).to_le_bytes();
        match register {
            0x41 => {
                self.questions += 1;
                if self.questions > QUESTIONS { 0x08 } else { 0 }
            }
            0x42..=0x44 => length[usize::from(register - 0x42)],
            _ => self.registers[usize::from(register)],
        }
    }

    fn write(&mut self, register: u8, value: u8) {
        self.registers[usize::from(register)] = value;
        if register == 0x04 && value & 1 != 0 {
            (self.read, self.questions) = (0, 0);
            self.queue.clear();
        }
        if register == 0x04 && value & 2 != 0 {
            let [processor, sensor] = &self.sensor;
            assert_eq!(processor[0xe0], 0, "the processor is held in reset");
            assert_eq!(processor[0xda], 0x08, "RGB565, the byte with red first");
            assert_eq!(sensor[0x12], 0, "the full size, which is what the processor is told of");
            let [across, down] = [0xc0, 0xc1].map(|place| usize::from(processor[place]) * 8);
            let [columns, rows] = [0x5a, 0x5b].map(|place| usize::from(processor[place]) * 4);
            assert_eq!((across, down), (1600, 1200));
            let shrunk = processor[0x50] & 7;
            assert!(across >> shrunk >= columns && down >> shrunk >= rows, "what is zoomed out of is larger");
            let pixels = (self.scene)(self.frames, rows, columns);
            assert_eq!(pixels.len(), rows * columns);
            self.queue.extend(LEADING);
            self.queue.extend(pixels.into_iter().flat_map(u16::to_be_bytes));
            self.queue.extend(TRAILING);
            self.frames += 1;
        }
    }

    /// Bytes written to the sensor in one go.
    fn set(&mut self, bytes: &[u8]) {
        match *bytes {
            [register] => self.selected = register,
            [0xff, bank] => self.bank = usize::from(bank),
            [0x12, 0x80] if self.bank == 1 => self.sensor = [[0; 256]; 2],
            [register, value] => self.sensor[self.bank][usize::from(register)] = value,
            _ => panic!("{bytes:?} to the sensor"),
        }
    }

    fn get(&self) -> u8 {
        match (self.bank, self.selected) {
            (1, 0x0a) => PRODUCT[0],
            (1, 0x0b) => PRODUCT[1],
            (bank, register) => self.sensor[bank][usize::from(register)],
        }
    }

    /// Answers the program's transactions, in the form of `boards/mps/src/remote.rs`, until it has written so many lines.
    pub fn play(&mut self, port: &mut (impl Read + Write), lines: usize) -> Vec<String> {
        let mut text = String::new();
        let mut address = None;
        while text.lines().count() < lines || !text.ends_with('\n') {
            let [kind] = take(port);
            match kind {
                b's' => (self.command, address) = (None, None),
                b'i' => address = Some(take::<1>(port)[0]),
                b'.' => {}
                b'w' | b'r' | b't' | b'o' => {
                    let length = usize::from(u16::from_le_bytes(take(port)));
                    let mut bytes = vec![0; length];
                    if kind != b'r' {
                        port.read_exact(&mut bytes).unwrap();
                    }
                    if kind == b'o' {
                        text += str::from_utf8(&bytes).unwrap();
                        continue;
                    }
                    match (address, kind) {
                        (None, _) => bytes.iter_mut().for_each(|byte| *byte = self.exchange(*byte)),
                        (Some(SENSOR), b'w') => self.set(&bytes),
                        (Some(SENSOR), b'r') => bytes.fill(self.get()),
                        (Some(address), _) => panic!("{kind} to {address:#x}"),
                    }
                    if kind != b'w' {
                        port.write_all(&bytes).unwrap();
                    }
                }
                _ => panic!("{kind:#x} begins nothing"),
            }
        }
        text.lines().map(str::to_owned).collect()
    }
}

fn take<const N: usize>(port: &mut impl Read) -> [u8; N] {
    let mut bytes = [0; N];
    port.read_exact(&mut bytes).unwrap();
    bytes
}

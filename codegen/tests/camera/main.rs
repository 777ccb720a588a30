//! The program that looks through a camera, in QEMU, where the host plays the camera: photographs go over its buses, and the
//! board says what the host computes.

mod arducam;

use std::fs;
use std::path::Path;

use arducam::Arducam;
use microception::front::colour::{ByteOrder, Colours, Format, Pixel};
use microception::front::{Bilinear, Crop, Stage, resize};
use microception_codegen::convert::Convert;
use microception_codegen::data::picture::Picture;
use microception_codegen::device::board;
use microception_codegen::device::firmware::{self, Program};
use microception_codegen::device::qemu::{Clock, Serial};
use microception_codegen::device::toolchain::{Toolchain, on_path};
use microception_codegen::host::Machine;
use microception_codegen::plan::Strategy;
use object::{Object, ObjectSymbol};

/// Of CIFAR-10's classes; the number of each stands in its name.
const PHOTOS: [(&str, usize); 3] = [("cifar10_13_7.png", 7), ("cifar10_03_0.png", 0), ("cifar10_11_9.png", 9)];

/// What the camera is set to.
const ROWS: usize = 120;
const COLUMNS: usize = 160;

/// A camera's frame with the photograph in the middle, as high as the frame, on grey.
fn frame(photo: &Picture) -> Vec<u16> {
    let rgb565 =
        |[red, green, blue]: [u8; 3]| u16::from(red >> 3) << 11 | u16::from(green >> 2) << 5 | u16::from(blue >> 3);
    let margin = (COLUMNS - ROWS) / 2;
    let pixel = |row: usize, column: usize| match column.checked_sub(margin) {
        Some(column) if column < ROWS => {
            let from = (row * photo.height / ROWS * photo.width + column * photo.width / ROWS) * 3;
            rgb565([photo.pixels[from], photo.pixels[from + 1], photo.pixels[from + 2]])
        }
        _ => rgb565([128; 3]),
    };
    (0..ROWS)
        .flat_map(|row| (0..COLUMNS).map(move |column| (row, column)))
        .map(|(row, column)| pixel(row, column))
        .collect()
}

/// The frame as the network takes it, by the same stages.
fn input(frame: &[u16]) -> Vec<u8> {
    let (mut line, mut resized) = ([0; COLUMNS * 3], [0; resize::memory(ROWS, 32, 3)]);
    let mut front = Colours::new(Format::Rgb565(ByteOrder::HighFirst), Pixel::Rgb, &mut line)
        .then(Crop::centred([ROWS, COLUMNS], [ROWS, ROWS], 3))
        .then(Bilinear::new([ROWS, ROWS], [32, 32], 3, &mut resized).unwrap());
    let mut input = Vec::new();
    for row in frame.chunks_exact(COLUMNS) {
        let bytes: Vec<u8> = row.iter().flat_map(|pixel| pixel.to_be_bytes()).collect();
        front.push_row(&bytes, |row| input.extend_from_slice(row));
    }
    input
}

#[test]
fn what_the_board_sees_is_what_the_host_computes() {
    let board = board::named("mps2-an386").unwrap();
    if Toolchain::find(board.target).is_err() || on_path("qemu-system-arm").is_none() {
        println!("skipped: no compiler for the board, or no QEMU");
        return;
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = package.join("models/xception_lite");
    let conversion = Convert::new(shipped.join("xlite.keras")).calibration(shipped.join("ranges.json"));
    let module = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seen.rs");
    conversion.to_file(&module).unwrap();
    let elf = firmware::build(&module, board, Program::Camera).unwrap();

    let photos = PHOTOS.map(|(name, _)| frame(&Picture::read(&package.join("../tests/photos").join(name)).unwrap()));
    let mut serial = Serial::start(board, elf.path(), Clock::Host).unwrap();
    let mut camera = Arducam::new(|number, rows, columns| {
        assert_eq!([rows, columns], [ROWS, COLUMNS]);
        photos[number].clone()
    });
    let seen = camera.play(&mut serial, PHOTOS.len());

    let graph = conversion.prepare().unwrap().graph;
    let mut machine = Machine::new(&graph, Strategy::Whole).unwrap();
    let labels = fs::read_to_string(shipped.join("labels.txt")).unwrap();
    for ((line, photo), (name, class)) in seen.iter().zip(&photos).zip(PHOTOS) {
        let output = machine.run(&input(photo)).unwrap();
        let scores: String = output.iter().map(|&score| format!(" {}", score.cast_signed())).collect();
        let label = labels.lines().nth(class).unwrap();
        assert_eq!(*line, format!("{class} {label}:{scores}"), "{name}");
    }

    // Rows are all that lies in memory of a picture.
    let bytes = fs::read(elf.path()).unwrap();
    let file = object::read::elf::ElfFile32::<object::Endianness>::parse(&*bytes).unwrap();
    let mut statics: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.address() >= 0x2000_0000 && symbol.size() > 0)
        .map(|symbol| (symbol.size(), symbol.name().unwrap_or_default().to_owned()))
        .collect();
    statics.sort_unstable();
    let (arena, largest) = (statics.pop().unwrap(), statics.pop().unwrap());
    assert!(arena.1.contains("ARENA") && arena.0 < (ROWS * COLUMNS) as u64, "{arena:?}");
    assert!(largest.1.contains("RESIZED") && largest.0 <= (2 * COLUMNS * 3 + 32 * 3 + 4) as u64, "{largest:?}");
}

//! Data files of every kind that is read, and what is said about those that can't be.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use microception_codegen::data::picture::{self, Fit};
use microception_codegen::data::{Examples, Input, Output, Purpose, read_labels, write};
use microception_codegen::error::Error;
use microception_codegen::graph::{Element, Quantization, Shape};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

const PIXELS: Element = Element::U8;

fn input(shape: &[usize], element: Element) -> Input {
    Input { shape: Shape(shape.to_vec()), element, quantization: None }
}

fn int8(shape: &[usize], scale: f32, zero_point: i32) -> Input {
    Input { quantization: Some(Quantization { scale, zero_point }), ..input(shape, Element::I8) }
}

/// An `.npy` file by the specification of the format, not by the crate that reads it.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn saved(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn open(path: &Path, input: &Input) -> Result<Examples, Error> {
    Examples::open(path, input, Purpose::Measurement, Fit::Exact)
}

fn frames(bytes: &[u8], input: &Input) -> Result<Vec<Vec<u8>>, Error> {
    let folder = TempDir::new().unwrap();
    let examples = open(&saved(&folder, "data", bytes), input)?;
    Ok((0..examples.len()).map(|index| examples.frame(index).unwrap().into_owned()).collect())
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Error>, part: &str) {
    let error = result.expect_err("should be refused");
    assert!(error.file.is_some(), "names no file: {error}");
    assert!(error.reason.contains(part), "{:?} does not say {part:?}", error.reason);
}

fn picture(width: u32, height: u32, colour: [u8; 3], format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_pixel(width, height, Rgb(colour));
    DynamicImage::ImageRgb8(picture).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn pixels_come_from_every_type_that_can_hold_them() {
    let pixels = input(&[2, 2], PIXELS);
    let values = [0u8, 1, 254, 255, 7, 8, 9, 10];
    let expected = vec![values[..4].to_vec(), values[4..].to_vec()];
    let as_bytes =
        |convert: &dyn Fn(u8) -> Vec<u8>| values.iter().flat_map(|&value| convert(value)).collect::<Vec<_>>();
    for (descr, data) in [
        ("|u1", values.to_vec()),
        ("<u2", as_bytes(&|value| u16::from(value).to_le_bytes().to_vec())),
        (">u2", as_bytes(&|value| u16::from(value).to_be_bytes().to_vec())),
        ("<i4", as_bytes(&|value| i32::from(value).to_le_bytes().to_vec())),
        ("<i8", as_bytes(&|value| i64::from(value).to_le_bytes().to_vec())),
        (">i8", as_bytes(&|value| i64::from(value).to_be_bytes().to_vec())),
        ("<u8", as_bytes(&|value| u64::from(value).to_le_bytes().to_vec())),
        ("<f4", as_bytes(&|value| f32::from(value).to_le_bytes().to_vec())),
        (">f4", as_bytes(&|value| f32::from(value).to_be_bytes().to_vec())),
        ("<f8", as_bytes(&|value| f64::from(value).to_le_bytes().to_vec())),
    ] {
        assert_eq!(frames(&npy(descr, false, "(2, 2, 2)", &data), &pixels).unwrap(), expected, "{descr}");
    }
}

#[test]
fn what_is_no_pixel_is_refused() {
    let pixels = input(&[2], PIXELS);
    let f32s = |values: [f32; 2]| npy("<f4", false, "(2,)", bytemuck::cast_slice(&values));
    refused(frames(&f32s([0.0, 0.5]), &pixels), "0.5");
    refused(frames(&f32s([0.0, 256.0]), &pixels), "256");
    refused(frames(&f32s([-1.0, 0.0]), &pixels), "-1");
    refused(frames(&f32s([f32::NAN, 0.0]), &pixels), "NaN");
    refused(frames(&npy("<i2", false, "(2,)", &[0, 1, 0, 0]), &pixels), "256");
    refused(frames(&npy("|i1", false, "(2,)", &[0, 1]), &pixels), "uint8");
    refused(frames(&npy("<f2", false, "(2,)", &[0; 4]), &pixels), "<f2");
    refused(frames(&npy("<c8", false, "(2,)", &[0; 16]), &pixels), "c8");
}

#[test]
fn fortran_order_becomes_c_order() {
    // 2x3x2, of which the element [a, b, c] is 100a + 10b + c; stored with a running fastest.
    let stored: Vec<u8> =
        (0..2).flat_map(|c| (0..3).flat_map(move |b| (0..2).map(move |a| 100 * a + 10 * b + c))).collect();
    let expected: Vec<Vec<u8>> =
        (0..2).map(|a| (0..3).flat_map(|b| (0..2).map(move |c| 100 * a + 10 * b + c)).collect()).collect();
    assert_eq!(frames(&npy("|u1", true, "(2, 3, 2)", &stored), &input(&[3, 2], PIXELS)).unwrap(), expected);
}

#[test]
fn real_numbers_stay_as_they_are_and_are_finite() {
    let reals = input(&[2], Element::F32);
    let values = [0.25f32, -3.0];
    let bytes: &[u8] = bytemuck::cast_slice(&values);
    assert_eq!(frames(&npy("<f4", false, "(1, 2)", bytes), &reals).unwrap(), [bytes]);
    assert_eq!(frames(&npy("<f4", false, "(2,)", bytes), &reals).unwrap(), [bytes], "one frame without a list");
    for bad in [f32::NAN, f32::INFINITY] {
        refused(frames(&npy("<f4", false, "(2,)", bytemuck::cast_slice(&[0.0, bad])), &reals), &bad.to_string());
    }
    refused(frames(&npy("|i1", false, "(2,)", &[0, 1]), &reals), "float32");
}

#[test]
fn an_int8_model_takes_int8_as_it_is_and_quantizes_real_numbers() {
    let model = int8(&[3], 0.5, -28);
    assert_eq!(frames(&npy("|i1", false, "(3,)", &[128, 0, 127]), &model).unwrap(), [[128, 0, 127]]);
    let values = [0.0f32, 1.25, -1000.0];
    let expected = [(-28i8).cast_unsigned(), (-25i8).cast_unsigned(), (-128i8).cast_unsigned()];
    assert_eq!(frames(&npy("<f4", false, "(3,)", bytemuck::cast_slice(&values)), &model).unwrap(), [expected]);
    refused(frames(&npy("|u1", false, "(3,)", &[0, 1, 2]), &model), "float32");
    let pixels = int8(&[3], 1.0, -128);
    assert_eq!(frames(&npy("|u1", false, "(3,)", &[0, 128, 255]), &pixels).unwrap(), [[128, 0, 127]]);
}

#[test]
fn a_shape_that_is_not_the_models_is_refused_with_both() {
    let model = input(&[2, 2], PIXELS);
    refused(frames(&npy("|u1", false, "(1, 4)", &[0; 4]), &model), "1x4");
    refused(frames(&npy("|u1", false, "(1, 1, 4)", &[0; 4]), &model), "2x2");
    refused(frames(&npy("|u1", false, "(0, 2, 2)", &[]), &model), "no frames");
}

#[test]
fn no_truncation_or_damage_is_taken_for_data() {
    let model = input(&[4], PIXELS);
    let whole = npy("|u1", false, "(3, 4)", &[9; 12]);
    for length in 0..whole.len() {
        assert!(frames(&whole[..length], &model).is_err(), "{length} bytes of {}", whole.len());
    }
    let zipped = npz(&[("x", whole.clone()), ("y", npy("|u1", false, "(3,)", &[0, 1, 2]))]);
    for length in 0..zipped.len() {
        assert!(frames(&zipped[..length], &model).is_err(), "{length} bytes of {}", zipped.len());
    }
    // Any other byte anywhere: whatever it does, it must not panic.
    for place in 0..whole.len() {
        for byte in [0, b'(', b'9', b'\'', 255] {
            let mut damaged = whole.clone();
            damaged[place] = byte;
            let _ = frames(&damaged, &model);
        }
    }
}

#[test]
fn hostile_headers_neither_overflow_nor_exhaust_memory() {
    let model = input(&[4], PIXELS);
    for shape in [
        "(4294967296, 4294967296)",
        "(99999999999999999999,)",
        "(999999999999999999,)",
        "(-4,)",
        "(1, 4, 0, 9999999999)",
        "'x'",
    ] {
        refused(frames(&npy("|u1", false, shape, &[0; 4]), &model), "");
    }
    let nested = format!("{}4{}", "(".repeat(5000), ")".repeat(5000));
    refused(frames(&npy("|u1", false, &nested, &[0; 4]), &model), "header");
    let mut long = b"\x93NUMPY\x02\x00".to_vec();
    long.extend(u32::MAX.to_le_bytes());
    refused(frames(&long, &model), "header");
    // A gigabyte of zeros in a megabyte of zip.
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("x.npy", SimpleFileOptions::default().large_file(true)).unwrap();
    zip.write_all(&npy("|u1", false, "(268435456, 4)", &[])).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1024 {
        zip.write_all(&zeros).unwrap();
    }
    refused(frames(&zip.finish().unwrap().into_inner(), &model), "exhaust");
}

#[test]
fn named_arrays_are_found_and_the_purpose_chooses() {
    let folder = TempDir::new().unwrap();
    let model = input(&[1], PIXELS);
    let array = |value: u8| npy("|u1", false, "(1, 1)", &[value]);
    let label = |value: u8| npy("|u1", false, "(1,)", &[value]);
    let path = saved(
        &folder,
        "all.npz",
        &npz(&[
            ("x_train", array(1)),
            ("y_train", label(1)),
            ("x_test", array(2)),
            ("y_test", label(2)),
            // Pickled, so it could not be read: nobody asks for it.
            ("classes", npy("|O", false, "(1,)", &[0; 8])),
        ]),
    );
    let measured = open(&path, &model).unwrap();
    assert_eq!((&*measured.frame(0).unwrap(), measured.classes(&[], 3).unwrap()), (&[2u8][..], vec![2]));
    let calibrating = Examples::open(&path, &model, Purpose::Calibration, Fit::Exact).unwrap();
    assert_eq!((&*calibrating.frame(0).unwrap(), calibrating.classes(&[], 3).unwrap()), (&[1u8][..], vec![1]));
    assert!(calibrating.warning().is_none());

    let test_only = saved(&folder, "test.npz", &npz(&[("x_test", array(2))]));
    let calibrating = Examples::open(&test_only, &model, Purpose::Calibration, Fit::Exact).unwrap();
    assert!(calibrating.warning().is_some_and(|warning| warning.contains("x_test")));

    let only = saved(&folder, "only.npz", &npz(&[("pictures", array(3))]));
    assert_eq!(&*open(&only, &model).unwrap().frame(0).unwrap(), [3]);
    let unknown = saved(&folder, "unknown.npz", &npz(&[("a", array(3)), ("b", array(3))]));
    refused(open(&unknown, &model), "a, b");
    refused(open(&saved(&folder, "empty.npz", &npz(&[])), &model), "no arrays");
}

#[test]
fn labels_are_numbers_columns_or_one_value_per_class() {
    let model = input(&[1], PIXELS);
    let classes = |descr: &str, shape: &str, data: &[u8]| {
        let folder = TempDir::new().unwrap();
        let x = npy("|u1", false, "(2, 1)", &[0, 0]);
        let path = saved(&folder, "data.npz", &npz(&[("x", x), ("y", npy(descr, false, shape, data))]));
        open(&path, &model)?.classes(&[], 3)
    };
    assert_eq!(classes("|u1", "(2,)", &[2, 0]).unwrap(), [2, 0]);
    assert_eq!(classes("<i8", "(2, 1)", bytemuck::cast_slice(&[1i64, 2])).unwrap(), [1, 2]);
    assert_eq!(classes("<f4", "(2,)", bytemuck::cast_slice(&[1f32, 2.0])).unwrap(), [1, 2]);
    assert_eq!(classes("<f4", "(2, 3)", bytemuck::cast_slice(&[0f32, 0.0, 1.0, 0.1, 0.8, 0.1])).unwrap(), [2, 1]);
    refused(classes("|u1", "(2,)", &[3, 0]), "class 3");
    refused(classes("|i1", "(2,)", &[255, 0]), "-1");
    refused(classes("<f4", "(2,)", bytemuck::cast_slice(&[0.5f32, 0.0])), "0.5");
    refused(classes("|u1", "(3,)", &[0, 0, 0]), "[3]");
    let folder = TempDir::new().unwrap();
    refused(
        open(&saved(&folder, "x.npy", &npy("|u1", false, "(1,)", &[0])), &model).unwrap().classes(&[], 3),
        "labels",
    );
}

#[test]
fn folders_of_pictures_are_classes_that_take_turns() {
    let folder = TempDir::new().unwrap();
    let png = |value: u8| picture(2, 1, [value, value, value], ImageFormat::Png);
    for (name, value) in [("dog/b.png", 11), ("dog/a.PNG", 10), ("cat/a.bmp", 20), ("dog/c.png", 12)] {
        let bytes = if name.ends_with("bmp") { picture(2, 1, [value; 3], ImageFormat::Bmp) } else { png(value) };
        saved(&folder, name, &bytes);
    }
    saved(&folder, "dog/notes.txt", b"not a picture");
    saved(&folder, ".hidden/a.png", &png(1));
    let model = input(&[1, 2, 3], PIXELS);
    let examples = open(folder.path(), &model).unwrap();
    let firsts: Vec<u8> = (0..examples.len()).map(|index| examples.frame(index).unwrap()[0]).collect();
    assert_eq!(firsts, [20, 10, 11, 12], "a picture of each class, in turns, each class in alphabetical order");
    assert_eq!(examples.classes(&[], 2).unwrap(), [0, 1, 1, 1], "alphabetical");
    let names = ["dog", "eel", "cat"].map(String::from);
    assert_eq!(examples.classes(&names, 3).unwrap(), [2, 0, 0, 0], "as the model names them");
    refused(examples.classes(&[], 3), "--labels");
    refused(examples.classes(&["dog".to_owned(), "eel".to_owned()], 2), "\"cat\"");
}

#[test]
fn folders_that_hold_nothing_usable_say_so() {
    let model = input(&[1, 2, 3], PIXELS);
    let png = picture(2, 1, [0; 3], ImageFormat::Png);
    let folder = TempDir::new().unwrap();
    refused(open(folder.path(), &model), "no pictures");
    std::fs::create_dir(folder.path().join("cat")).unwrap();
    refused(open(folder.path(), &model), "no pictures");
    saved(&folder, "train/cat/a.png", &png);
    refused(open(folder.path(), &model), "train");
    assert_eq!(open(&folder.path().join("train"), &model).unwrap().len(), 1);
    let flat = open(&folder.path().join("train/cat"), &model).unwrap();
    refused(flat.classes(&[], 2), "no labels");
    saved(&folder, "a.png", &png);
    saved(&folder, "cat/a.png", &png);
    refused(open(folder.path(), &model), "as well as");
    refused(open(&folder.path().join("absent"), &model), "cannot be read");
}

#[test]
fn a_picture_must_have_the_models_size() {
    let folder = TempDir::new().unwrap();
    let path = saved(&folder, "a.png", &picture(40, 30, [1, 2, 3], ImageFormat::Png));
    let model = input(&[32, 24, 3], PIXELS);
    let error = picture::frame(&path, &model, Fit::Exact).unwrap_err();
    assert_eq!(error.file.as_deref(), Some(path.as_path()));
    assert!(error.reason.contains("40x30") && error.reason.contains("24x32"), "{error}");
    let frame = picture::frame(&path, &model, Fit::Resize).unwrap();
    assert_eq!(frame.len(), 32 * 24 * 3);
    assert!(frame.chunks(3).all(|pixel| pixel == [1, 2, 3]));
    refused(picture::frame(&path, &input(&[4], PIXELS), Fit::Resize), "takes 4");
    refused(picture::frame(&path, &input(&[30, 40, 2], PIXELS), Fit::Resize), "channels");
}

#[test]
fn resizing_keeps_the_centre() {
    let folder = TempDir::new().unwrap();
    let mut wide = RgbImage::from_pixel(30, 10, Rgb([255, 0, 0]));
    for (x, _, pixel) in wide.enumerate_pixels_mut() {
        if (10..20).contains(&x) {
            *pixel = Rgb([0, 255, 0]);
        }
    }
    let path = folder.path().join("wide.png");
    wide.save(&path).unwrap();
    let frame = picture::frame(&path, &input(&[10, 10, 3], PIXELS), Fit::Resize).unwrap();
    assert!(frame.chunks(3).all(|pixel| pixel == [0, 255, 0]));
}

#[test]
fn pictures_take_the_models_channels_and_type() {
    let folder = TempDir::new().unwrap();
    let path = saved(&folder, "a.png", &picture(2, 1, [200; 3], ImageFormat::Png));
    assert_eq!(picture::frame(&path, &input(&[1, 2, 1], PIXELS), Fit::Exact).unwrap(), [200, 200]);
    assert_eq!(
        picture::frame(&path, &input(&[1, 2, 4], PIXELS), Fit::Exact).unwrap(),
        [200, 200, 200, 255, 200, 200, 200, 255]
    );
    let reals = picture::frame(&path, &input(&[1, 2, 1], Element::F32), Fit::Exact).unwrap();
    assert_eq!(bytemuck::pod_collect_to_vec::<u8, f32>(&reals), [200.0, 200.0]);
    assert_eq!(picture::frame(&path, &int8(&[1, 2, 1], 1.0, -128), Fit::Exact).unwrap(), [72, 72]);
    let jpeg = saved(&folder, "named.png", &picture(16, 16, [90; 3], ImageFormat::Jpeg));
    let frame = picture::frame(&jpeg, &input(&[16, 16, 3], PIXELS), Fit::Exact).unwrap();
    assert!(frame.iter().all(|value| value.abs_diff(90) <= 2), "told by its content");
}

#[test]
fn damaged_pictures_are_errors() {
    let folder = TempDir::new().unwrap();
    let model = input(&[16, 16, 3], PIXELS);
    let mut noise = RgbImage::new(16, 16);
    noise
        .enumerate_pixels_mut()
        .for_each(|(x, y, pixel)| *pixel = Rgb([(x * 13) as u8, (y * 17) as u8, (x * y) as u8]));
    let mut whole = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(noise).write_to(&mut whole, ImageFormat::Png).unwrap();
    let whole = whole.into_inner();
    for length in 0..whole.len() - 12 {
        let path = saved(&folder, "cut.png", &whole[..length]);
        refused(open(&path, &model).and_then(|examples| examples.frame(0).map(drop)), "");
    }
    // Says that it is a picture of 4 gigapixels.
    let mut huge = whole;
    huge[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    refused(picture::frame(&saved(&folder, "huge.png", &huge), &model, Fit::Resize), "");
}

#[test]
fn answers_are_ranked_in_real_numbers() {
    let output = |channels: usize, element: Element, quantization: Option<Quantization>| Output {
        shape: Shape(vec![channels]),
        element,
        quantization,
    };
    let floats = output(3, Element::F32, None);
    let ranked = floats.ranked(bytemuck::cast_slice(&[0.1f32, 0.45, 0.45]));
    assert_eq!(ranked.iter().map(|&(class, _)| class).collect::<Vec<_>>(), [1, 2, 0], "the first of equal ones");
    let int8 = output(2, Element::I8, Some(Quantization { scale: 1.0 / 256.0, zero_point: -128 }));
    assert_eq!(int8.ranked(&[128, 64]), [(1, 0.75), (0, 0.0)]);
    let sigmoid = output(1, Element::I8, Some(Quantization { scale: 1.0 / 256.0, zero_point: -128 }));
    assert_eq!(sigmoid.classes(), 2);
    assert_eq!((sigmoid.class(&[0]), sigmoid.class(&[255])), (1, 0), "one half, and a step below");
}

#[test]
fn label_files_hold_different_names() {
    let folder = TempDir::new().unwrap();
    let names = |text: &str| read_labels(&saved(&folder, "labels.txt", text.as_bytes()));
    assert_eq!(names("cat\r\nblue dog\n\n").unwrap(), ["cat", "blue dog"]);
    refused(names(""), "no names");
    refused(names("cat\n\ndog\n"), "line 2");
    refused(names("cat\ndog\ncat\n"), "twice");
    refused(read_labels(&folder.path().join("absent")), "cannot be read");
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_what_is_no_file_is_not_replaced() {
    let folder = TempDir::new().unwrap();
    let [file, link, pipe] = ["file", "link", "pipe"].map(|name| folder.path().join(name));
    std::fs::write(&file, b"before").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    write::whole(&link, b"after").unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read(&file).unwrap(), b"after");

    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).unwrap()
    });
    write::whole(&pipe, b"through").unwrap();
    assert_eq!(reader.join().unwrap(), b"through");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "no temporary file");
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("out.npy");
    write::npy(&path, &[2, 3], [1i8, -2, 3, 4, 5, 6]).unwrap();
    write::npy(&path, &[2, 3], [1i8, -2, 3, 4, 5, 7]).unwrap();
    assert_eq!(frames(&std::fs::read(&path).unwrap(), &int8(&[3], 1.0, 0)).unwrap(), [[1, 254, 3], [4, 5, 7]]);
    refused(write::whole(&folder.path().join("absent/out"), b"x"), "cannot be written");
    refused(write::whole(folder.path(), b"x"), "folder");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["out.npy"], "nothing else stays");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let ordinary = saved(&folder, "ordinary", b"");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&path), mode(&ordinary));
    }
}

/// A sensor's samples are kept as one row of numbers; no other list lacks its inner extents.
#[test]
fn a_series_of_one_channel_needs_no_second_axis() {
    let of = |shape: &[usize]| input(shape, Element::F32);
    assert_eq!(of(&[1]).frames(&[8_500]), Ok((8_500, true)));
    assert_eq!(of(&[1]).frames(&[8_500, 1]), Ok((8_500, true)));
    assert_eq!(of(&[1]).frames(&[1]), Ok((1, false)));
    assert!(of(&[1]).frames(&[2, 2]).is_err());
    assert!(of(&[2]).frames(&[8_500]).is_err());
}

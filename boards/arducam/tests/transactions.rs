//! Every byte on both buses, and each error. Numbers are those of the chips' descriptions, written down once more.

use embedded_hal::spi::ErrorKind;
use embedded_hal_mock::eh1::delay::NoopDelay;
use embedded_hal_mock::eh1::i2c::{Mock as I2c, Transaction as OnI2c};
use embedded_hal_mock::eh1::spi::{Mock as Spi, Transaction as OnSpi};
use microception_arducam::{Camera, Error, Format, Settings, Size};

const SENSOR: u8 = 0x30;

fn write(register: u8, value: u8) -> Vec<OnSpi<u8>> {
    vec![OnSpi::transaction_start(), OnSpi::write_vec(vec![register | 0x80, value]), OnSpi::transaction_end()]
}

fn read(register: u8, value: u8) -> Vec<OnSpi<u8>> {
    let transfer = OnSpi::transfer_in_place(vec![register, 0], vec![0xee, value]);
    vec![OnSpi::transaction_start(), transfer, OnSpi::transaction_end()]
}

fn row(command: &[u8], bytes: Vec<u8>) -> Vec<OnSpi<u8>> {
    let command = OnSpi::write_vec(command.to_vec());
    vec![OnSpi::transaction_start(), command, OnSpi::read_vec(bytes), OnSpi::transaction_end()]
}

fn probe(test: u8) -> Vec<OnSpi<u8>> {
    [write(0x07, 0x80), write(0x07, 0x00), write(0x00, 0x55), read(0x00, test)].concat()
}

fn identify(id: [u8; 2]) -> Vec<OnI2c> {
    let byte = |register, value| [OnI2c::write(SENSOR, vec![register]), OnI2c::read(SENSOR, vec![value])];
    let mut transactions = vec![OnI2c::write(SENSOR, vec![0xff, 0x01])];
    transactions.extend(byte(0x0a, id[0]));
    transactions.extend(byte(0x0b, id[1]));
    transactions
}

/// The sensor's registers, with three that differ.
fn configure(scale: u8, [columns, rows]: [u8; 2], format: u8) -> Vec<OnI2c> {
    let registers = [
        [0x12, 0x80],
        [0xff, 0x01],
        [0x11, 0x00],
        [0x12, 0x00],
        [0xff, 0x00],
        [0xe0, 0x04],
        [0xc0, 0xc8],
        [0xc1, 0x96],
        [0x8c, 0x00],
        [0x86, 0x3d],
        [0x51, 0x90],
        [0x52, 0x2c],
        [0x53, 0x00],
        [0x54, 0x00],
        [0x55, 0x88],
        [0x50, scale],
        [0x5a, columns],
        [0x5b, rows],
        [0x5c, 0x00],
        [0xd3, 0x04],
        [0xda, format],
        [0xe0, 0x00],
    ];
    registers.map(|register| OnI2c::write(SENSOR, register.to_vec())).to_vec()
}

/// A found and set up camera that takes and reads whatever is expected then.
fn camera(settings: Settings, expected: &[Vec<OnSpi<u8>>], sensor: Vec<OnI2c>) -> Camera<Spi<u8>, I2c, NoopDelay> {
    let spi = [probe(0x55), write(0x03, 0x02), write(0x01, 0x00), expected.concat()].concat();
    let i2c = [identify([0x26, 0x42]), sensor].concat();
    Camera::new(Spi::new(&spi), I2c::new(&i2c), NoopDelay::new(), settings).unwrap()
}

fn done(camera: Camera<Spi<u8>, I2c, NoopDelay>) {
    let (mut spi, mut i2c, _) = camera.release();
    spi.done();
    i2c.done();
}

fn length(bytes: u32) -> Vec<OnSpi<u8>> {
    let [low, middle, high, _] = bytes.to_le_bytes();
    // The uppermost bit is none of the length.
    [read(0x42, low), read(0x43, middle), read(0x44, high | 0x80)].concat()
}

fn started() -> Vec<OnSpi<u8>> {
    [write(0x04, 0x01), write(0x04, 0x02)].concat()
}

const QVGA_YUYV: Settings = Settings { size: Size::Qvga, format: Format::Yuyv, leading_byte: false };

#[test]
fn a_frame_is_read_row_by_row() {
    const SETTINGS: Settings = Settings::QQVGA_RGB565;
    let bytes = |number: usize| -> Vec<u8> { (0..320).map(|place| (place * 7 + number) as u8).collect() };
    let mut expected = vec![started(), read(0x41, 0x00), read(0x41, 0x07), read(0x41, 0x0f), length(120 * 320 + 8)];
    // The first byte is none of the frame.
    expected.push(row(&[0x3c, 0x00], bytes(0)));
    expected.extend((1..120).map(|number| row(&[0x3c], bytes(number))));
    // Another frame begins like the first.
    expected.extend([started(), read(0x41, 0x08), length(120 * 320), row(&[0x3c, 0x00], bytes(0))]);
    let mut camera = camera(SETTINGS, &expected, configure(0x9b, [40, 30], 0x08));
    let mut row = [0; SETTINGS.row_bytes()];
    assert_eq!(camera.read_row(&mut row), Ok(false), "nothing was captured");
    camera.capture().unwrap();
    for number in 0..120 {
        assert_eq!(camera.read_row(&mut row), Ok(true));
        assert_eq!(row.to_vec(), bytes(number));
    }
    assert_eq!(camera.read_row(&mut row), Ok(false));
    camera.capture().unwrap();
    assert_eq!(camera.read_row(&mut row), Ok(true));
    done(camera);
}

#[test]
fn later_controllers_have_no_byte_before_the_frame() {
    let expected = [started(), read(0x41, 0x08), length(240 * 640), row(&[0x3c], vec![9; 640])];
    let mut camera = camera(QVGA_YUYV, &expected, configure(0x92, [80, 60], 0x00));
    let mut row = [0; QVGA_YUYV.row_bytes()];
    camera.capture().unwrap();
    assert_eq!(camera.read_row(&mut row), Ok(true));
    assert_eq!(row, [9; 640]);
    done(camera);
}

#[test]
fn what_is_no_controller_is_named() {
    let mut spi = Spi::new(&probe(0xff));
    let mut i2c = I2c::new(&[]);
    let error = Camera::new(spi.clone(), i2c.clone(), NoopDelay::new(), QVGA_YUYV).err();
    assert_eq!(error, Some(Error::NoController { read: 0xff }));
    spi.done();
    i2c.done();
}

#[test]
fn another_sensor_is_named() {
    let mut spi = Spi::new(&probe(0x55));
    let mut i2c = I2c::new(&identify([0x56, 0x42]));
    let error = Camera::new(spi.clone(), i2c.clone(), NoopDelay::new(), QVGA_YUYV).err().unwrap();
    assert_eq!(error, Error::NoSensor { id: 0x5642 });
    assert!(error.to_string().contains("0x5642"), "{error}");
    spi.done();
    i2c.done();
}

#[test]
fn a_bus_that_fails_is_the_error() {
    use embedded_hal::i2c::{ErrorKind as I2cError, NoAcknowledgeSource};
    let mut spi = Spi::new(&probe(0x55));
    let nobody = I2cError::NoAcknowledge(NoAcknowledgeSource::Address);
    let mut i2c = I2c::new(&[OnI2c::write(SENSOR, vec![0xff, 0x01]).with_error(nobody)]);
    let error = Camera::new(spi.clone(), i2c.clone(), NoopDelay::new(), QVGA_YUYV).err();
    assert_eq!(error, Some(Error::I2c(nobody)));
    spi.done();
    i2c.done();
}

#[test]
fn a_frame_that_does_not_come_ends_the_wait() {
    let waiting: Vec<_> = (0..=2000).flat_map(|_| read(0x41, 0x01)).collect();
    let mut camera = camera(QVGA_YUYV, &[started(), waiting], configure(0x92, [80, 60], 0x00));
    assert_eq!(camera.capture(), Err(Error::<ErrorKind, _>::TimedOut));
    assert_eq!(camera.read_row(&mut []), Ok(false));
    done(camera);
}

#[test]
fn a_queue_of_another_length_is_refused() {
    let frame = 240 * 640;
    for (bytes, right) in [(0, false), (frame - 1, false), (frame, true), (frame + 639, true), (frame + 640, false)] {
        let expected = [started(), read(0x41, 0x08), length(bytes)];
        let mut camera = camera(QVGA_YUYV, &expected, configure(0x92, [80, 60], 0x00));
        assert_eq!(camera.capture(), if right { Ok(()) } else { Err(Error::WrongLength { bytes }) });
        done(camera);
    }
}

//! A camera's picture goes through a front end into a network, row by row.

use bytemuck::Pod;
use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::SpiDevice;
use embedded_io::{Write, WriteFmtError};
use microception::executor::Executor;
use microception::front::Stage;
use microception::model::Model;
use microception::top::top;
use microception_arducam::{Camera, Error};

/// The largest part, `[rows, columns]`, of a picture that has the proportions of `output`.
///
/// ```
/// assert_eq!(microception_app::camera::part([120, 160], [32, 32]), [120, 120]);
/// assert_eq!(microception_app::camera::part([120, 160], [10, 40]), [40, 160]);
/// ```
pub const fn part(picture: [usize; 2], output: [usize; 2]) -> [usize; 2] {
    let [height, width] = picture;
    let [rows, columns] = output;
    if rows == 0 || columns == 0 {
        picture
    } else if height * columns <= width * rows {
        [height, height * columns / rows]
    } else {
        [width * rows / columns, width]
    }
}

/// Takes a picture and runs the network over it. `row` has the bytes of one of the camera's rows; `front` makes rows of
/// the network's input of them. The answer is then [`network.output()`](Executor::output).
///
/// # Errors
/// The camera's. The next picture begins anew.
pub fn look<S: SpiDevice, I: I2c, D: DelayNs, M: Model<Input = u8>>(
    camera: &mut Camera<S, I, D>,
    row: &mut [u8],
    front: &mut impl Stage,
    network: &mut Executor<'_, M>,
) -> Result<(), Error<S::Error, I::Error>>
where
    M::Row: Pod,
{
    front.reset();
    network.reset();
    camera.capture()?;
    while camera.read_row(row)? {
        front.push_row(row, |row| {
            if let Ok(row) = bytemuck::try_from_bytes(row) {
                network.push_row(row);
            }
        });
    }
    Ok(())
}

/// Writes a line: the class with the greatest score, its label, and all scores, as in `7 horse: -128 -12 90`.
///
/// # Errors
/// The port's.
pub fn report<W: Write, T: Copy + PartialOrd + core::fmt::Display>(
    port: &mut W,
    output: &[T],
    labels: &[&str],
) -> Result<(), WriteFmtError<W::Error>> {
    for class in top::<1, T>(output, labels) {
        #[cfg(feature = "defmt")]
        defmt::info!("{=usize} {=str}", class.index, class.label);
        write!(port, "{} {}:", class.index, class.label)?;
    }
    for score in output {
        write!(port, " {score}")?;
    }
    writeln!(port)
}

//! In which coordinates a picture is changed: pixels, or frequencies and uncorrelated colours.
//!
//! Steps along other coordinates of the same pictures lead elsewhere, for a gradient's direction depends on what is one
//! unit long. In natural pictures low frequencies are the strongest and the three colours rise and fall together.

use candle_core::{Device, Result, Tensor};

use super::Coordinates;
use crate::graph::Function;
use crate::visualize::network::elementwise::Each;
use crate::visualize::network::product::Product;
use crate::visualize::network::sums::{Factors, Sums, Table};
use crate::visualize::place::Place;

/// Brightness, red against blue, and green against both, nearly uncorrelated in photographs (Ohta, Kanade and Sakai,
/// Color Information for Region Segmentation, 1980): red, green and blue of each, as long as its deviation is beside
/// the first one's. In the hundred pictures beside the shipped model deviations are as 1 to 0.29 to 0.14, and no two
/// axes are correlated by more than 0.2.
const COLOURS: [[f32; 3]; 3] = {
    // 1 / sqrt(3), 0.29 / sqrt(2), 0.14 / sqrt(6).
    let [brightness, red, green] = [0.577_350_3, 0.205_061, 0.057_154_8];
    [[brightness; 3], [red, 0.0, -red], [-green, 2.0 * green, -green]]
};

/// The deviation of the coordinates in the beginning: nearly a grey picture.
const BEGINNING: f32 = 0.01;

/// Pictures of some coordinates.
pub(super) struct Canvas {
    place: Place,
    batch: usize,
    coordinates: Coordinates,
    range: [f32; 2],
    /// Waves along a row and along a column, `[pixel][wave]`.
    waves: Option<[Product<f32>; 2]>,
    /// What each wave is multiplied with, `[1][1][row][column]`.
    amplitudes: Tensor,
    colours: Option<Product<f32>>,
    neighbours: Sums<f32>,
}

impl Canvas {
    pub(super) fn new(place: &Place, batch: usize, coordinates: Coordinates, range: [f32; 2]) -> Result<Canvas> {
        let Place { height, width, channels } = *place;
        let (waves, amplitudes) = match coordinates {
            Coordinates::Pixels { .. } => (None, vec![1.0; height * width]),
            Coordinates::Frequencies { decay } => {
                let waves = [width, height].map(|extent| Product::new(waves(extent), extent, Vec::new()));
                (Some(waves), amplitudes(place, decay))
            }
        };
        let colours: Vec<f32> = (0..3).flat_map(|colour| COLOURS.map(|axis| axis[colour])).collect();
        Ok(Canvas {
            place: *place,
            batch,
            coordinates,
            range,
            waves,
            amplitudes: Tensor::from_vec(amplitudes, (1, 1, height, width), &Device::Cpu)?,
            colours: (channels == 3).then(|| Product::new(colours, 3, Vec::new())),
            neighbours: neighbours(place),
        })
    }

    /// Coordinates to begin with, the same for every picture.
    pub(super) fn begin(&self, random: &mut fastrand::Rng) -> Vec<f32> {
        let normal = |_| crate::visualize::normal(random) * BEGINNING;
        (0..self.place.elements()).map(normal).collect::<Vec<f32>>().repeat(self.batch)
    }

    /// The pixels `[batch * height * width, channels]` of coordinates: of pixels `[batch][row][column][colour]`, of
    /// frequencies `[batch][colour][vertical][horizontal]`.
    pub(super) fn picture(&self, coordinates: &Tensor) -> Result<Tensor> {
        let Place { height, width, channels } = self.place;
        let pixels = match &self.waves {
            None => coordinates.clone(),
            Some([along_row, along_column]) => {
                let maps = self.batch * channels;
                let waves =
                    coordinates.reshape((self.batch, channels, height, width))?.broadcast_mul(&self.amplitudes)?;
                let rows = waves.reshape((maps * height, width))?.apply_op1(along_row.clone())?;
                let columns = rows.reshape((maps, height, width))?.transpose(1, 2)?.contiguous()?;
                let columns = columns.reshape((maps * width, height))?.apply_op1(along_column.clone())?;
                columns.reshape((self.batch, channels, width, height))?.permute((0, 3, 2, 1))?.contiguous()?
            }
        };
        let mut pixels = pixels.reshape((self.batch * height * width, channels))?;
        if let Some(colours) = &self.colours {
            pixels = pixels.apply_op1(colours.clone())?;
        }
        let [least, greatest] = self.range.map(f64::from);
        pixels.apply_op1(Each(Function::Sigmoid))?.affine(greatest - least, least)
    }

    /// After a step, what pixels need to stay smooth.
    pub(super) fn smooth(&self, coordinates: &mut [f32]) -> Result<()> {
        let Coordinates::Pixels { blur } = self.coordinates else { return Ok(()) };
        let pixels = (coordinates.len() / self.place.channels, self.place.channels);
        let means = Tensor::from_slice(coordinates, pixels, &Device::Cpu)?.apply_op1_no_bwd(&self.neighbours)?;
        let means: Vec<f32> = means.flatten_all()?.to_vec1()?;
        coordinates.iter_mut().zip(means).for_each(|(pixel, mean)| *pixel += blur * (mean - *pixel));
        Ok(())
    }
}

/// `[pixel][wave]`: `cos + sin` of each whole number of turns over the extent, all of length one and at right angles
/// (Hartley, A More Symmetrical Fourier Analysis Applied to Transmission Problems, 1942). Real, where Fourier's are
/// complex; along both axes of a picture, the product of two has the same frequency as Fourier's of the same place.
fn waves(extent: usize) -> Vec<f32> {
    let length = (extent as f64).sqrt();
    let wave = |(pixel, turns): (usize, usize)| {
        let angle = std::f64::consts::TAU * ((pixel * turns) % extent) as f64 / extent as f64;
        ((angle.cos() + angle.sin()) / length) as f32
    };
    (0..extent).flat_map(|pixel| (0..extent).map(move |turns| (pixel, turns))).map(wave).collect()
}

/// One over each wave's frequency to the power of `decay`; the constant one as the lowest.
fn amplitudes(place: &Place, decay: f32) -> Vec<f32> {
    let lowest = 1.0 / place.height.max(place.width) as f32;
    let frequency = |turns: usize, extent: usize| turns.min(extent - turns) as f32 / extent as f32;
    let amplitude = |(row, column): (usize, usize)| {
        let frequency = frequency(row, place.height).hypot(frequency(column, place.width));
        frequency.max(lowest).powf(-decay)
    };
    (0..place.height).flat_map(|row| (0..place.width).map(move |column| (row, column))).map(amplitude).collect()
}

/// The mean of each pixel and its eight neighbours, of which nearer ones count more; beyond the edge lies what is at
/// the edge.
fn neighbours(place: &Place) -> Sums<f32> {
    let near = |at: usize, step: usize, extent: usize| (at + step).saturating_sub(1).min(extent - 1);
    let places = (0..place.height).flat_map(|row| (0..place.width).map(move |column| (row, column)));
    let around = places.map(|(row, column)| {
        let step = move |index: usize| {
            let (down, right) = (near(row, index / 3, place.height), near(column, index % 3, place.width));
            (down * place.width + right, index)
        };
        (0..9).map(step)
    });
    let table = Table::new(place.height * place.width, around);
    let factors = [1.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 2.0, 1.0].map(|factor| factor / 16.0);
    Sums::new(table, place.channels, Factors::Shared(factors.to_vec().into()))
}

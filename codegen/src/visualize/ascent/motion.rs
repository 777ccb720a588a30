//! A picture moved, turned and scaled: what holds after all of these is a feature, and no noise.

use candle_core::{Result, Tensor};

use super::Settings;
use crate::visualize::network::sums::{Factors, Sums, Table};
use crate::visualize::place::Place;

/// Where each pixel comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    /// In pixels, downwards and to the right.
    shift: [f32; 2],
    /// In radians.
    angle: f32,
    scale: f32,
}

impl Motion {
    pub(super) fn random(random: &mut fastrand::Rng, settings: &Settings, place: &Place) -> Motion {
        let mut within = |most: f32| (random.f32() * 2.0 - 1.0) * most;
        let [down, right, angle, scale] = [
            within(settings.jitter),
            within(settings.jitter),
            within(settings.rotation.to_radians()),
            1.0 + within(settings.scaling),
        ];
        // There is nowhere to turn to where there is but one row or column.
        let plane = place.height > 1 && place.width > 1;
        Motion {
            shift: [if place.height > 1 { down } else { 0.0 }, if place.width > 1 { right } else { 0.0 }],
            angle: if plane { angle } else { 0.0 },
            scale,
        }
    }

    /// Pixels `[batch * height * width, channels]` so moved, each between its four nearest. Beyond the edge lies what
    /// is at the edge.
    pub(super) fn apply(&self, pixels: &Tensor, place: &Place) -> Result<Tensor> {
        let mut weights = Vec::with_capacity(4 * place.height * place.width);
        let mut entries = Vec::with_capacity(place.height * place.width);
        for row in 0..place.height {
            for column in 0..place.width {
                let [row, column] = self.source(place, row, column);
                let around = row
                    .into_iter()
                    .flat_map(|(row, above)| column.map(|(column, left)| (row * place.width + column, above * left)));
                let begin = weights.len();
                let around: Vec<(usize, f32)> = around.filter(|&(_, weight)| weight > 0.0).collect();
                weights.extend(around.iter().map(|&(_, weight)| weight));
                let numbered = around.into_iter().enumerate().map(move |(index, (place, _))| (place, begin + index));
                entries.push(numbered.collect::<Vec<_>>());
            }
        }
        let table = Table::new(place.height * place.width, entries);
        pixels.apply_op1(Sums::new(table, place.channels, Factors::Shared(weights.into())))
    }

    /// The rows and columns between which a pixel comes from, and the part of each.
    fn source(&self, place: &Place, row: usize, column: usize) -> [[(usize, f32); 2]; 2] {
        let middle = [place.height, place.width].map(|extent| (extent - 1) as f32 / 2.0);
        let [down, right] = [row as f32 - middle[0], column as f32 - middle[1]];
        let (sine, cosine) = self.angle.sin_cos();
        let turned = [cosine * down - sine * right, sine * down + cosine * right];
        let along = |axis: usize, extent: usize| {
            let last = extent - 1;
            let at = (turned[axis] / self.scale + middle[axis] + self.shift[axis]).clamp(0.0, last as f32);
            let first = (at as usize).min(last);
            let part = at - first as f32;
            [(first, 1.0 - part), ((first + 1).min(last), part)]
        };
        [along(0, place.height), along(1, place.width)]
    }
}

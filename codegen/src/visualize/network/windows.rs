//! Where windows lie, and where values are moved from, as tables of places.

use super::sums::Table;
use crate::graph::{Axis, Linear, Nearest, Shape, Window};

/// The spatial extents of a shape.
fn spatial(shape: &Shape) -> &[usize] {
    shape.0.split_last().map_or(&[], |(_, spatial)| spatial)
}

/// Places of a shape: elements of one channel.
pub(super) fn places(shape: &Shape) -> usize {
    spatial(shape).iter().product()
}

/// Every place of some extents, as one step along each axis, in the order of memory.
fn steps(extents: &[usize]) -> impl Iterator<Item = Vec<usize>> + use<> {
    let extents = extents.to_vec();
    (0..extents.iter().product()).map(move |mut place: usize| {
        let mut steps = vec![0; extents.len()];
        for (step, &extent) in steps.iter_mut().zip(&extents).rev() {
            (*step, place) = (place % extent, place / extent);
        }
        steps
    })
}

/// Where a place lies in memory.
fn place(extents: &[usize], steps: impl IntoIterator<Item = usize>) -> usize {
    extents.iter().zip(steps).fold(0, |place, (extent, step)| place * extent + step)
}

/// For each output place, each tap's input place; none where it is padding.
fn taps(window: &Window, input: &Shape) -> impl Iterator<Item = Vec<Option<usize>>> + use<> {
    let extents = spatial(input).to_vec();
    let along: Vec<_> = extents.iter().enumerate().map(|(axis, &extent)| window.slide(axis, extent)).collect();
    let outputs: Vec<usize> = along.iter().zip(&extents).map(|(taps, &extent)| taps.outputs(extent)).collect();
    let window: Vec<Vec<usize>> = steps(&along.iter().map(|taps| taps.size).collect::<Vec<_>>()).collect();
    steps(&outputs).map(move |output| {
        let source = |tap: &Vec<usize>| {
            let mut source = Vec::with_capacity(extents.len());
            for (axis, taps) in along.iter().enumerate() {
                let step = (output[axis] * taps.stride + tap[axis] * taps.dilation).checked_sub(taps.before)?;
                source.push(Some(step).filter(|&step| step < extents[axis])?);
            }
            Some(place(&extents, source))
        };
        window.iter().map(source).collect()
    })
}

/// The places under the window at each output place, each with the index of its tap.
pub(super) fn window(window: &Window, input: &Shape) -> Table {
    let under = |taps: Vec<Option<usize>>| {
        taps.into_iter().enumerate().filter_map(|(tap, place)| place.map(|place| (place, tap))).collect::<Vec<_>>()
    };
    Table::new(places(input), taps(window, input).map(under))
}

/// Every window's taps one behind the other: `[output place][tap]`.
pub(super) fn gathered(window: &Window, input: &Shape) -> Table {
    Table::copies(places(input), taps(window, input).flatten())
}

/// As [`window`], each place with how many there are under the window as its weight.
pub(super) fn counted(window: &Window, input: &Shape) -> Table {
    let under = |taps: Vec<Option<usize>>| {
        let places: Vec<usize> = taps.into_iter().flatten().collect();
        let count = places.len();
        places.into_iter().map(move |place| (place, count))
    };
    Table::new(places(input), taps(window, input).map(under))
}

/// One output, of all places.
pub(super) fn global(input: &Shape) -> Table {
    Table::new(places(input), [(0..places(input)).map(|place| (place, 0))])
}

/// For each place of extents `to` the one of `from` that it is a copy of, as one step along each axis.
fn moved(from: &[usize], to: &[usize], source: impl Fn(&[usize]) -> Option<Vec<usize>>) -> Table {
    Table::copies(from.iter().product(), steps(to).map(|steps| source(&steps).map(|source| place(from, source))))
}

/// The extents that move, and the channels of each place: where no channel moves, those are left out.
fn split(shape: &Shape, with_channels: bool) -> (&[usize], usize) {
    if with_channels { (&shape.0, 1) } else { (spatial(shape), shape.channels()) }
}

/// A table, and the channels of its places.
pub(super) type Moved = (Table, usize);

/// Places and channels around the input.
pub(super) fn pad(before: &[usize; 4], after: &[usize; 4], input: &Shape, output: &Shape) -> Moved {
    let ((from, channels), (to, _)) = (split(input, before[3] + after[3] > 0), split(output, before[3] + after[3] > 0));
    let mut first = vec![0; input.0.len()];
    for (axis, &before) in Axis::ALL.into_iter().zip(before) {
        if let Some(place) = axis.place(input) {
            first[place] += before;
        }
    }
    let source = |steps: &[usize]| {
        let inside = |(axis, &step): (usize, &usize)| step.checked_sub(first[axis]).filter(|&step| step < from[axis]);
        steps.iter().enumerate().map(inside).collect()
    };
    (moved(from, to, source), channels)
}

/// Some places and channels.
pub(super) fn crop(before: &[usize], input: &Shape, output: &Shape) -> Moved {
    let with_channels = input.channels() != output.channels();
    let ((from, channels), (to, _)) = (split(input, with_channels), split(output, with_channels));
    let source = |steps: &[usize]| Some(steps.iter().zip(before).map(|(step, before)| step + before).collect());
    (moved(from, to, source), channels)
}

/// Axes in another order.
pub(super) fn transpose(axes: &[usize], input: &Shape) -> Moved {
    let last = axes.len().wrapping_sub(1);
    if axes.last() == Some(&last) {
        let (spatial, channels) = (Shape(spatial(input).to_vec()), input.channels());
        return (Table::copies(spatial.elements(), spatial.order(&axes[..last]).into_iter().map(Some)), channels);
    }
    (Table::copies(input.elements(), input.order(axes).into_iter().map(Some)), 1)
}

/// Each place a copy of the nearest.
pub(super) fn resize_nearest(nearest: Nearest, input: &Shape, output: &Shape) -> Table {
    let (from, to) = (spatial(input), spatial(output));
    let source = |steps: &[usize]| {
        let along = |(axis, &step): (usize, &usize)| nearest.source(step, to[axis], from[axis]);
        Some(steps.iter().enumerate().map(along).collect())
    };
    moved(from, to, source)
}

/// Each place between the nearest; and the weights.
pub(super) fn resize_bilinear(linear: Linear, input: &Shape, output: &Shape) -> (Table, Vec<f32>) {
    let (from, to) = (spatial(input), spatial(output));
    let mut weights = Vec::new();
    let mut entries = Vec::new();
    for steps in steps(to) {
        let mut sources = vec![(0, 1.0)];
        for (axis, &step) in steps.iter().enumerate() {
            let between = linear.between(step, to[axis], from[axis]);
            let [first, second] = between.places;
            let ends = [(first, 1.0 - between.weight), (second, between.weight)];
            let along = |(place, weight): (usize, f32)| {
                ends.map(|(step, part)| (place * from[axis] + step, weight * part)).into_iter()
            };
            sources = sources.into_iter().flat_map(along).filter(|&(_, weight)| weight != 0.0).collect();
        }
        let begin = weights.len();
        weights.extend(sources.iter().map(|&(_, weight)| weight));
        let numbered = sources.into_iter().enumerate().map(|(index, (place, _))| (place, begin + index));
        entries.push(numbered.collect::<Vec<_>>());
    }
    (Table::new(places(input), entries), weights)
}

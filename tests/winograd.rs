//! Convolutions by Winograd's algorithm against a plain loop over every tap: the same bits for random shapes, one to 67
//! channels, rows of even and odd widths, padding on all sides, and the extremes of int8.

use microception::layers::Geometry;
use microception::layers::conv::winograd::{self, Int8, int8, int8_scratch_bytes};
use microception::quantized::{Channel, Range};
use microception::simd::winograd::{POSITIONS, transform_taps};
use microception::simd::{FILTERS, PAIRS, Pair, QUAD};
use microception::window::Call;

/// Marsaglia's xorshift with 64 bits.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of the numbers from `least` to `greatest`.
    fn from(&mut self, least: usize, greatest: usize) -> usize {
        least + self.next() as usize % (greatest + 1 - least)
    }

    /// Random values, or one of the two ends of int8 in every place; of weights -127 as well as -128.
    fn values(&mut self, count: usize) -> Vec<i8> {
        match self.from(0, 4) {
            0 => (0..count).map(|_| [-128, 127][self.from(0, 1)]).collect(),
            1 => vec![[-128, -127, 127][self.from(0, 2)]; count],
            _ => (0..count).map(|_| self.next() as i8).collect(),
        }
    }
}

/// A convolution with its input, rows `[row][column][channel]`, and the place of the first row's first tap.
struct Case {
    geometry: Geometry,
    rows: usize,
    lines: Vec<i8>,
    first: isize,
    /// `[filter][vertical][horizontal][channel]`
    weights: Vec<i8>,
    channels: Vec<Channel>,
    padding: i8,
    range: Range,
}

impl Case {
    fn random(random: &mut Random) -> Case {
        let vertical = random.from(1, 4);
        let channels = if random.from(0, 3) == 0 { random.from(1, 67) } else { random.from(1, 12) };
        let filters = random.from(1, 7);
        let width = random.from(1, 13);
        let left = random.from(0, 2);
        // As much padding to the right, or less, or so much that windows see nothing else.
        let right = random.from(if left + width < 3 { 3 - left - width } else { 0 }, 3);
        let (stride, dilation) = (random.from(1, 2), random.from(1, 2));
        let rows = random.from(1, 5);
        let height = random.from(1, 9);
        // A line is a multiple of 4 bytes where there are several.
        let height = if (width * channels).is_multiple_of(4) { height } else { 1 };
        let geometry = Geometry {
            width: width as u16,
            channels: channels as u16,
            output_width: (left + width + right - 2) as u16,
            kernel: [vertical as u8, 3],
            stride: [stride as u8, 1],
            dilation: [dilation as u8, 1],
            left: left as u8,
        };
        let zero_point = i32::from(random.next() as i8);
        let [least, greatest] = [random.from(0, 40) as i8, random.from(0, 40) as i8];
        Case {
            geometry,
            rows,
            lines: random.values(height * width * channels),
            first: random.from(0, 4) as isize - 3,
            weights: random.values(filters * vertical * 3 * channels),
            channels: (0..filters)
                .map(|_| {
                    let multiplier = (1 << 30) | (random.next() >> 34) as i32;
                    Channel::new((random.next() as i32) >> 12, multiplier, -1 - random.from(0, 14) as i8)
                })
                .collect(),
            padding: random.next() as i8,
            range: Range { zero_point, clamp: [-128 + least, 127 - greatest] },
        }
    }

    fn line_elements(&self) -> usize {
        usize::from(self.geometry.width) * usize::from(self.geometry.channels)
    }

    /// The stored value at a place of the padded input.
    fn value(&self, line: isize, column: isize, channel: usize) -> i32 {
        let width = self.geometry.width as isize;
        let height = (self.lines.len() / self.line_elements()) as isize;
        if !(0..height).contains(&line) || !(0..width).contains(&column) {
            return self.padding.into();
        }
        self.lines[(line * width + column) as usize * usize::from(self.geometry.channels) + channel].into()
    }

    /// The sum of every tap, requantized in the literal steps of the specification.
    fn expected(&self) -> Vec<i8> {
        let Geometry { output_width, channels, kernel, stride, dilation, left, .. } = self.geometry;
        let [vertical, horizontal] = kernel.map(usize::from);
        let channels = usize::from(channels);
        let mut output = Vec::new();
        for row in 0..self.rows {
            for column in 0..usize::from(output_width) {
                for (filter, channel) in self.channels.iter().enumerate() {
                    let mut sum = channel.bias;
                    for line in 0..vertical {
                        for tap in 0..horizontal {
                            for index in 0..channels {
                                let place = self.first
                                    + (row * usize::from(stride[0]) + line * usize::from(dilation[0])) as isize;
                                let value = self.value(place, (column + tap) as isize - isize::from(left), index);
                                let weight =
                                    self.weights[((filter * vertical + line) * horizontal + tap) * channels + index];
                                sum += value * i32::from(weight);
                            }
                        }
                    }
                    output.push(self.range.requantize(sum, channel.factor));
                }
            }
        }
        output
    }

    /// The weights in the order that the kernel's documentation states.
    fn transformed(&self) -> Vec<Pair> {
        let [vertical, horizontal] = self.geometry.kernel.map(usize::from);
        let channels = usize::from(self.geometry.channels);
        let weight = |filter: usize, line: usize, channel: usize, position: usize| {
            if filter >= self.channels.len() || channel >= channels {
                return 0;
            }
            let tap = |tap: usize| self.weights[((filter * vertical + line) * horizontal + tap) * channels + channel];
            transform_taps([tap(0), tap(1), tap(2)])[position]
        };
        let mut transformed = Vec::new();
        for first in (0..self.channels.len()).step_by(FILTERS) {
            for position in 0..POSITIONS {
                for line in 0..vertical {
                    for quad in (0..channels).step_by(QUAD) {
                        for pair in PAIRS {
                            for filter in first..first + FILTERS {
                                transformed
                                    .push(Pair(pair.map(|channel| weight(filter, line, quad + channel, position))));
                            }
                        }
                    }
                }
            }
        }
        transformed
    }

    fn found(&self) -> Vec<i8> {
        let weights = self.transformed();
        let layer = Int8 {
            geometry: self.geometry,
            weights: &weights,
            channels: &self.channels,
            padding: self.padding,
            range: self.range,
        };
        let mut output = vec![0i8; self.rows * usize::from(self.geometry.output_width) * self.channels.len()];
        // Exactly what is asked for, full of what another layer left there.
        let bytes = int8_scratch_bytes(&self.geometry);
        let mut scratch = vec![0x7f7f_7f7fu32; bytes.div_ceil(4)];
        let scratch: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut scratch)[..bytes];
        let lines: &[u8] = bytemuck::cast_slice(&self.lines);
        let count = self.lines.len() / self.line_elements();
        let call = Call::on_lines(lines, count, self.first, bytemuck::cast_slice_mut(&mut output), scratch, self.rows);
        int8(&layer, call);
        output
    }
}

#[test]
fn every_shape_gives_the_bits_of_a_plain_loop() {
    let mut random = Random(0x0123_4567_89ab_cdef);
    for index in 0..4000 {
        let case = Case::random(&mut random);
        assert!(winograd::is_possible(&case.geometry));
        assert_eq!(case.found(), case.expected(), "case {index}: {:?}, {} rows", case.geometry, case.rows);
    }
}

#[test]
fn other_windows_are_not_possible() {
    let geometry =
        Geometry { width: 9, channels: 4, output_width: 7, kernel: [3, 3], stride: [1, 1], dilation: [1, 1], left: 0 };
    assert!(winograd::is_possible(&geometry));
    assert!(winograd::is_possible(&Geometry { kernel: [1, 3], stride: [2, 1], dilation: [3, 1], ..geometry }));
    assert!(!winograd::is_possible(&Geometry { kernel: [3, 1], ..geometry }));
    assert!(!winograd::is_possible(&Geometry { kernel: [3, 5], ..geometry }));
    assert!(!winograd::is_possible(&Geometry { stride: [1, 2], ..geometry }));
    assert!(!winograd::is_possible(&Geometry { dilation: [1, 2], ..geometry }));
}

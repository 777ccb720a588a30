//! Weights of four bits: the kernels give what those of int8 give of the same numbers, and every core's order is that of its
//! int8 weights.

use microception::layers::conv::int4::{Int4, int4, literal, scratch_bytes};
use microception::layers::{Geometry, conv, dense, depthwise};
use microception::quantized::{Channel, Factor, Range};
use microception::simd::int4::{NUMBERS, WHOLE_FILTERS, multiply_tile, pack, unpack};
use microception::simd::{LANES, Order, PAIRS, Pair, QUAD, portable};
use microception::window::Call;

/// Numbers that look random, the same in every run.
struct Random(u32);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(self.0) * end as u64) >> 32) as usize
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.below(256) as u8).collect()
    }

    /// Every other one from the ends.
    fn weights(&mut self, count: usize) -> Vec<i8> {
        let mut weight = |_| match self.below(4) {
            0 => -8,
            1 => 7,
            _ => self.below(16) as i8 - 8,
        };
        (0..count).map(&mut weight).collect()
    }

    fn channels(&mut self, count: usize) -> Vec<Channel> {
        let mut channel = |_| {
            let multiplier = (1 << 30) + self.below(1 << 30) as i32;
            Channel::new(self.below(20_001) as i32 - 10_000, multiplier, -(6 + self.below(6) as i8))
        };
        (0..count).map(&mut channel).collect()
    }
}

fn packed(numbers: &[i8]) -> Vec<u32> {
    let word = |numbers: &[i8]| pack(std::array::from_fn(|index| numbers.get(index).copied().unwrap_or(0)));
    numbers.chunks(NUMBERS).map(word).collect()
}

/// What multiplies packed weights, without unpacking them before, on a core that has no better form.
#[test]
fn packed_weights_are_multiplied_as_those_of_int8() {
    let mut random = Random(5);
    for case in 0..300 {
        let (quads, outputs) = (1 + random.below(20), 1 + random.below(13));
        let pairs = pairs(&random.weights(4 * quads * outputs), 4 * quads, 4 * quads);
        let (int8, int4) = (int8_weights(&pairs), int4_weights(&pairs));
        let mut tile = vec![Pair::default(); 2 * quads * LANES];
        let values: Vec<i8> = random.bytes(4 * quads * LANES).into_iter().map(u8::cast_signed).collect();
        portable::widen(&values, 4 * quads, 0..LANES, &mut tile);
        let channels = random.channels(outputs);
        let range = Range { zero_point: random.below(256) as i32 - 128, clamp: [-128, 127] };
        let pixels = 1 + random.below(LANES);
        let [mut expected, mut found] = [vec![0; pixels * outputs], vec![1; pixels * outputs]];
        portable::multiply_tile(&mut tile.clone(), bytemuck::cast_slice(&int8), &channels, &range, &mut expected);
        multiply_tile(&mut tile, &int4, &channels, &range, &mut found);
        assert!(found == expected, "case {case}");
    }
}

/// Filters `[filter][line][run]` as pairs of weights, in groups of two pairs, by the definition in [`microception::simd::portable`].
fn pairs(filters: &[i8], length: usize, run: usize) -> Vec<Vec<[i8; 2]>> {
    let count = filters.len() / length;
    let of = |filter: usize, line: usize, place: usize| match filter < count && place < run {
        true => filters[filter * length + line * run + place],
        false => 0,
    };
    let pair = |first: usize| {
        let mut pair = Vec::new();
        for line in 0..length / run {
            for quad in (0..run).step_by(QUAD) {
                pair.extend(
                    PAIRS.as_flattened().iter().map(|e| [0, 1].map(|filter| of(first + filter, line, quad + e))),
                );
            }
        }
        pair
    };
    (0..count.next_multiple_of(4)).step_by(2).map(pair).collect()
}

fn int8_weights(pairs: &[Vec<[i8; 2]>]) -> Vec<u8> {
    let both = |&[first, second]: &[i8; 2]| (i16::from(first) + 256 * i16::from(second)).to_le_bytes();
    pairs.iter().flatten().flat_map(both).collect()
}

fn int4_weights(pairs: &[Vec<[i8; 2]>]) -> Vec<u32> {
    let mut words = Vec::new();
    for group in pairs.chunks(2) {
        for (first, second) in group[0].chunks(2).zip(group[1].chunks(2)) {
            words.extend(packed([first, second].concat().as_flattened()));
        }
    }
    words
}

#[test]
fn all_numbers_are_unpacked() {
    let numbers: Vec<i8> = (0..16).flat_map(|high| (0..16).map(move |low| [low - 8, high - 8])).flatten().collect();
    for shift in 0..NUMBERS {
        let mut numbers = numbers.clone();
        numbers.rotate_left(shift);
        let mut bytes = vec![0; numbers.len() / 4];
        unpack(&packed(&numbers), &mut bytes);
        assert_eq!(bytemuck::cast_slice::<_, i8>(&bytes), numbers);
    }
}

#[test]
fn filters_are_unpacked_in_every_order() {
    let mut random = Random(1);
    for case in 0..200 {
        let (filters, lines, run) = (1 + random.below(20), 1 + random.below(3), 1 + random.below(30));
        let pairs = pairs(&random.weights(filters * lines * run), lines * run, run);
        let (int8, int4) = (int8_weights(&pairs), int4_weights(&pairs));
        for order in Order::ALL {
            let (mut expected, mut found) = (vec![0; int8.len()], vec![0; int8.len() / 4]);
            order.arrange(&int8, &mut expected, 2 * pairs[0].len());
            order.unpack(&int4, 2 * pairs[0].len(), &mut found);
            assert!(bytemuck::cast_slice::<_, u8>(&found) == expected, "case {case}: {order:?}");
        }
    }
}

fn words(bytes: usize) -> Vec<u32> {
    vec![0x5555_5555; bytes.div_ceil(4)]
}

#[test]
fn convolutions_give_the_bits_of_int8_whatever_scratch_there_is() {
    let mut random = Random(2);
    for case in 0..600 {
        let (channels, outputs) = (1 + random.below(21), 1 + random.below(41));
        let kernel = [1 + random.below(3), 1 + random.below(3)];
        let (width, rows) = (kernel[1] + random.below(7), 1 + random.below(3));
        let geometry = Geometry {
            width: width as u16,
            channels: channels as u16,
            output_width: width as u16,
            kernel: kernel.map(|taps| taps as u8),
            stride: [1, 1],
            dilation: [1, 1],
            left: (kernel[1] / 2) as u8,
        };
        let (run, length) = (kernel[1] * channels, kernel[0] * kernel[1] * channels);
        let pairs = pairs(&random.weights(outputs * length), length, run);
        let (int8, int4_weights) = (int8_weights(&pairs), int4_weights(&pairs));
        let layer_channels = random.channels(outputs);
        let range = Range { zero_point: random.below(256) as i32 - 128, clamp: [-128, [127, 90][random.below(2)]] };
        let padding = random.below(256) as u8 as i8;
        let lines = rows + kernel[0] - 1;
        // The lines of a call lie on whole words.
        let line = (width * channels).next_multiple_of(4);
        let geometry = Geometry { width: (line / channels) as u16, output_width: (line / channels) as u16, ..geometry };
        let line = usize::from(geometry.width) * channels;
        if lines > 1 && line % 4 != 0 {
            continue;
        }
        let input = random.bytes(lines * line);
        let bytes = rows * usize::from(geometry.output_width) * outputs;
        let call = |output: &mut [u8], scratch: &mut [u32], run: &dyn Fn(Call<'_>)| {
            run(Call::on_lines(&input, lines, 0, output, bytemuck::cast_slice_mut(scratch), rows));
        };
        let weights = bytemuck::cast_slice(&int8);
        let layer = conv::Int8 { geometry, weights, channels: &layer_channels, padding, range };
        let own = conv::int8_scratch_bytes(&geometry);
        let mut expected = [vec![0; bytes], vec![0; bytes], vec![0; bytes]];
        call(&mut expected[0], &mut words(own), &|call| conv::int8(&layer, call));
        call(&mut expected[1], &mut words(own), &|call| conv::int8_literal(&layer, call));
        call(&mut expected[2], &mut words(own), &|call| dense::positionwise_int8(&layer, call));
        let layer = Int4 { geometry, weights: &int4_weights, channels: &layer_channels, padding, range };
        let column = conv::pair_bytes(&geometry) / 2;
        let least = WHOLE_FILTERS * (column + 4);
        for scratch in [scratch_bytes(&geometry, outputs), own + least, own + 2 * least, own + 64 * column] {
            if scratch < own + least && outputs > WHOLE_FILTERS {
                continue;
            }
            let mut found = expected.each_ref().map(|_| vec![1; bytes]);
            call(&mut found[0], &mut words(scratch), &|call| int4(&layer, call));
            call(&mut found[1], &mut words(scratch), &|call| literal(&layer, call));
            call(&mut found[2], &mut words(scratch), &|call| dense::positionwise_int4(&layer, call));
            assert!(found == expected, "case {case}: {layer:?} with {scratch} bytes");
        }
    }
}

#[test]
fn depthwise_convolutions_give_the_bits_of_int8() {
    let mut random = Random(3);
    for case in 0..300 {
        let is_3x3 = random.below(2) == 0;
        let channels = if is_3x3 { 4 * (1 + random.below(5)) } else { 1 + random.below(21) };
        let multiplier = if is_3x3 { 1 } else { 1 + random.below(3) };
        let kernel = if is_3x3 { [3, 3] } else { [1 + random.below(4), 1 + random.below(4)] };
        let width = 4 * (1 + random.below(3));
        let geometry = Geometry {
            width: width as u16,
            channels: channels as u16,
            output_width: width as u16,
            kernel: kernel.map(|taps| taps as u8),
            stride: [1, 1],
            dilation: [1, 1],
            left: (kernel[1] / 2) as u8,
        };
        let outputs = channels * multiplier;
        let count = if is_3x3 {
            12 * outputs
        } else {
            let passes = (kernel[0] * kernel[1]).div_ceil(9);
            (0..passes).map(|pass| 9.min(kernel[0] * kernel[1] - 9 * pass) * outputs.next_multiple_of(4)).sum()
        };
        let weights = random.weights(count.next_multiple_of(4));
        let packed = packed(&weights);
        let mut aligned = words(weights.len());
        bytemuck::cast_slice_mut::<_, i8>(&mut aligned)[..weights.len()].copy_from_slice(&weights);
        let layer_channels = random.channels(outputs);
        let range = Range { zero_point: random.below(256) as i32 - 128, clamp: [-128, 127] };
        let padding = random.below(256) as u8 as i8;
        let input = random.bytes(kernel[0] * width * channels);
        let bytes = width * outputs;
        let int8 = depthwise::Int8 {
            geometry,
            weights: &bytemuck::cast_slice(&aligned)[..weights.len()],
            channels: &layer_channels,
            padding,
            range,
        };
        let int4 = depthwise::Int4 { geometry, weights: &packed, channels: &layer_channels, padding, range };
        let own = match is_3x3 {
            true => depthwise::int8_3x3_scratch_bytes(&geometry, 1),
            false => depthwise::int8_scratch_bytes(&geometry, outputs),
        };
        let (mut expected, mut found) = (vec![0; bytes], vec![1; bytes]);
        let (mut scratch, mut more) = (words(own), words(own + depthwise::int4_scratch_bytes(packed.len())));
        let on = |output, scratch| Call::on_lines(&input, kernel[0], 0, output, bytemuck::cast_slice_mut(scratch), 1);
        if is_3x3 {
            depthwise::int8_3x3(&int8, on(&mut expected, &mut scratch));
            depthwise::int4_3x3(&int4, on(&mut found, &mut more));
        } else {
            depthwise::int8(&int8, on(&mut expected, &mut scratch));
            depthwise::int4(&int4, on(&mut found, &mut more));
        }
        assert!(found == expected, "case {case}: {int4:?}");
    }
}

#[test]
fn dense_layers_give_the_bits_of_int8_row_by_row() {
    let mut random = Random(4);
    for case in 0..300 {
        let rows = 1 + random.below(4);
        let length = if rows > 1 { 4 * (1 + random.below(40)) } else { 1 + random.below(200) };
        let outputs = 1 + random.below(12);
        let weights = random.weights(outputs * rows * length);
        let packed: Vec<u32> = weights.chunks(length).flat_map(packed).collect();
        let mut channels = random.channels(outputs);
        channels[0].factor = Factor { multiplier: 0, shift: 0 };
        let range = Range { zero_point: random.below(256) as i32 - 128, clamp: [-128, 127] };
        let input = random.bytes(rows * length);
        let int8 = dense::Int8 { inputs: (rows * length) as u32, weights: &weights, channels: &channels, range };
        let int4 = dense::Int4 { weights: &packed, channels: &channels, range };
        let (mut expected, mut found) = (vec![0; outputs], vec![1; outputs]);
        let (mut sums, mut sums_int4) = (words(4 * outputs), words(4 * outputs));
        for row in 0..rows {
            let input = &input[row * length..][..length];
            for (output, sums, is_int4) in [(&mut expected, &mut sums, false), (&mut found, &mut sums_int4, true)] {
                let mut call = Call::on_lines(input, 1, 0, output, bytemuck::cast_slice_mut(sums), 1);
                call.row = row;
                if is_int4 { dense::int4(&int4, call) } else { dense::int8(&int8, call) }
            }
        }
        assert!(found == expected, "case {case}");
    }
}

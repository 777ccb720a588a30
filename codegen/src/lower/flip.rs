//! The bits of what kernels keep in flash, one of which can be flipped: for tests of what a damaged memory does.

use microception::layers::resize_bilinear::Column;
use microception::quantized::{Channel, Factor, WideChannel};

use super::{Bilinear, HeldNumbers, Kernel, SoftmaxInt16, WindowF32, WindowInt8, WindowInt16};

/// Numbers of one kind.
enum Array<'a> {
    Bytes(&'a mut [u8]),
    Channels(&'a mut [Channel]),
    WideChannels(&'a mut [WideChannel]),
    ColumnsF32(&'a mut [Column<f32>]),
    ColumnsInt16(&'a mut [Column<i16>]),
}

/// Bits of a bias and of its factor: of int8, and of int16x8.
const CHANNEL: usize = 32 + 32 + 8;
const WIDE_CHANNEL: usize = 48 + 32 + 8;

/// Bits of two places and of a weight.
const COLUMN_F32: usize = 16 + 16 + 32;
const COLUMN_INT16: usize = 16 + 16 + 16;

impl Array<'_> {
    fn bits(&self) -> usize {
        match self {
            Array::Bytes(bytes) => 8 * bytes.len(),
            Array::Channels(channels) => CHANNEL * channels.len(),
            Array::WideChannels(channels) => WIDE_CHANNEL * channels.len(),
            Array::ColumnsF32(columns) => COLUMN_F32 * columns.len(),
            Array::ColumnsInt16(columns) => COLUMN_INT16 * columns.len(),
        }
    }

    /// Flips a bit that it has.
    fn flip(self, bit: usize) {
        match self {
            Array::Bytes(bytes) => bytes[bit / 8] ^= 1 << (bit % 8),
            Array::Channels(channels) => {
                let Channel { bias, factor: Factor { multiplier, shift } } = &mut channels[bit / CHANNEL];
                match bit % CHANNEL {
                    bit @ 0..32 => *bias ^= 1 << bit,
                    bit @ 32..64 => *multiplier ^= 1 << (bit - 32),
                    bit => *shift ^= 1 << (bit - 64),
                }
            }
            Array::WideChannels(channels) => {
                let channel = &mut channels[bit / WIDE_CHANNEL];
                let (mut bias, Factor { mut multiplier, mut shift }) = (channel.bias(), channel.factor());
                match bit % WIDE_CHANNEL {
                    bit @ 0..48 => bias ^= 1 << bit,
                    bit @ 48..80 => multiplier ^= 1 << (bit - 48),
                    bit => shift ^= 1 << (bit - 80),
                }
                *channel = WideChannel::new(bias, multiplier, shift);
            }
            Array::ColumnsF32(columns) => {
                let Column { places: [first, second], weight } = &mut columns[bit / COLUMN_F32];
                match bit % COLUMN_F32 {
                    bit @ 0..16 => *first ^= 1 << bit,
                    bit @ 16..32 => *second ^= 1 << (bit - 16),
                    bit => *weight = f32::from_bits(weight.to_bits() ^ 1 << (bit - 32)),
                }
            }
            Array::ColumnsInt16(columns) => {
                let Column { places: [first, second], weight } = &mut columns[bit / COLUMN_INT16];
                match bit % COLUMN_INT16 {
                    bit @ 0..16 => *first ^= 1 << bit,
                    bit @ 16..32 => *second ^= 1 << (bit - 16),
                    bit => *weight ^= 1 << (bit - 32),
                }
            }
        }
    }
}

fn bytes<T: bytemuck::Pod>(numbers: &mut [T]) -> Array<'_> {
    Array::Bytes(bytemuck::cast_slice_mut(numbers))
}

impl Kernel {
    /// Bits of the weights, biases, factors and tables that it keeps in flash, without padding between them.
    pub fn weight_bits(&mut self) -> usize {
        self.arrays().iter().map(Array::bits).sum()
    }

    /// Flips one of its [`weight_bits`](Kernel::weight_bits), counted from 0; none where it has fewer. Twice it is as
    /// it was.
    pub fn flip_weight_bit(&mut self, mut bit: usize) {
        for array in self.arrays() {
            if bit < array.bits() {
                return array.flip(bit);
            }
            bit -= array.bits();
        }
    }

    fn arrays(&mut self) -> Vec<Array<'_>> {
        match self {
            Kernel::ConvF32(WindowF32 { weights, bias, .. })
            | Kernel::DepthwiseF32(WindowF32 { weights, bias, .. })
            | Kernel::DenseF32 { weights, bias, .. } => vec![bytes(weights), bytes(bias)],
            Kernel::ConvInt8(WindowInt8 { weights, channels, .. })
            | Kernel::DepthwiseInt8(WindowInt8 { weights, channels, .. })
            | Kernel::PositionwiseDenseInt8(WindowInt8 { weights, channels, .. })
            | Kernel::Depthwise3x3Int8(WindowInt8 { weights, channels, .. })
            | Kernel::DenseInt8 { weights, channels, .. } => vec![bytes(weights), Array::Channels(channels)],
            Kernel::ConvInt4(WindowInt8 { weights, channels, .. })
            | Kernel::DepthwiseInt4(WindowInt8 { weights, channels, .. })
            | Kernel::Depthwise3x3Int4(WindowInt8 { weights, channels, .. })
            | Kernel::PositionwiseDenseInt4(WindowInt8 { weights, channels, .. })
            | Kernel::DenseInt4 { weights, channels, .. } => vec![bytes(weights), Array::Channels(channels)],
            Kernel::WinogradConvInt8(WindowInt8 { weights, channels, .. }) => {
                vec![bytes(weights), Array::Channels(channels)]
            }
            Kernel::ConvInt16(WindowInt16 { weights, channels, .. })
            | Kernel::DepthwiseInt16(WindowInt16 { weights, channels, .. })
            | Kernel::PositionwiseDenseInt16(WindowInt16 { weights, channels, .. })
            | Kernel::DenseInt16 { weights, channels, .. } => vec![bytes(weights), Array::WideChannels(channels)],
            Kernel::InputLookupInt16(table) => vec![bytes(&mut table[..])],
            Kernel::ActivationInt16(table) => vec![bytes(&mut table[..])],
            Kernel::SigmoidInt16(curve) | Kernel::TanhInt16(curve) => vec![bytes(&mut curve.table[..])],
            Kernel::SoftmaxInt16(SoftmaxInt16 { powers, reciprocals, .. }) => {
                vec![bytes(&mut powers[..]), bytes(&mut reciprocals[..])]
            }
            Kernel::InputLookup(table) | Kernel::ActivationInt8(table) => vec![bytes(&mut table[..])],
            Kernel::ResizeNearest { columns, .. } => vec![bytes(columns)],
            Kernel::ResizeBilinearF32(Bilinear { rows, columns, .. }) => vec![bytes(rows), Array::ColumnsF32(columns)],
            Kernel::ResizeBilinearInt8(Bilinear { rows, columns, .. })
            | Kernel::ResizeBilinearInt16(Bilinear { rows, columns, .. }) => {
                vec![bytes(rows), Array::ColumnsInt16(columns)]
            }
            Kernel::Pairwise(layer) => {
                match layer.broadcast.as_mut().and_then(|broadcast| broadcast.constant.as_mut()) {
                    None => vec![],
                    Some(held) => vec![match &mut held.numbers {
                        HeldNumbers::F32(values) => bytes(values),
                        HeldNumbers::Int8(values) => bytes(values),
                        HeldNumbers::Int16(values) => bytes(values),
                    }],
                }
            }
            Kernel::ByLines { kernel, .. } | Kernel::InPlace { kernel, .. } => kernel.arrays(),
            _ => vec![],
        }
    }
}

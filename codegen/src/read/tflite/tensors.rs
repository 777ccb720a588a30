//! The tensors of a file, checked: values that flow between layers, and constants.

use super::format::{Buffer, Model, QuantizationDetails, SubGraph, Tensor, TensorType};
use crate::error::Error;
use crate::graph::{Element, Quantization, Shape};

/// Scales of activations lie within a factor of this around 1, so that no quotient of two leaves f32.
const LARGEST_SCALE: f32 = 1e18;

type Tables<'a, T> = Option<flatbuffers::Vector<'a, flatbuffers::ForwardsUOffset<T>>>;

/// All tensors, and the buffers that constants lie in.
#[derive(Clone, Copy)]
pub(super) struct Tensors<'a> {
    tensors: Tables<'a, Tensor<'a>>,
    buffers: Tables<'a, Buffer<'a>>,
}

/// A value that flows, as the graph describes one.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) name: String,
    /// Without the batch.
    pub(super) shape: Shape,
    pub(super) element: Element,
    pub(super) quantization: Option<Quantization>,
}

/// Numbers of the file, as many as the shape says.
#[derive(Debug, Clone)]
pub(super) struct Constant<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) element: TensorType,
    pub(super) bytes: &'a [u8],
}

impl<'a> Tensors<'a> {
    pub(super) fn of(model: &Model<'a>, subgraph: &SubGraph<'a>) -> Tensors<'a> {
        Tensors { tensors: subgraph.tensors(), buffers: model.buffers() }
    }

    /// The tensor at `index`.
    pub(super) fn get(&self, index: i32) -> Result<Tensor<'a>, Error> {
        let found = self.tensors.zip(usize::try_from(index).ok());
        let found = found.and_then(|(tensors, index)| (index < tensors.len()).then(|| tensors.get(index)));
        found.ok_or_else(|| Error::model(format!("is damaged: it refers to tensor {index}, which does not exist")))
    }

    /// Its name, or its number where it has none. Where the converter made one operator of several, it wrote down
    /// all their names; the first says which.
    pub(super) fn name(&self, index: i32) -> String {
        let name = self.get(index).ok().and_then(|tensor| tensor.name()?.split(';').next());
        match name {
            Some(name) if !name.is_empty() => name.escape_debug().to_string(),
            _ => format!("tensor {index}"),
        }
    }

    /// An error about the tensor.
    pub(super) fn error(&self, index: i32, reason: impl Into<String>) -> Error {
        Error::layer(self.name(index), reason)
    }

    /// What type the numbers of the tensor have.
    pub(super) fn element(&self, index: i32) -> Result<TensorType, Error> {
        self.get(index).map(|tensor| tensor.type_())
    }

    /// Its extents, the batch included.
    pub(super) fn extents(&self, index: i32) -> Result<Vec<usize>, Error> {
        let shape = self.get(index)?.shape().unwrap_or_default();
        if shape.len() > 8 {
            return Err(self.error(index, format!("has {} axes", shape.len())));
        }
        let extents = shape.iter().map(usize::try_from);
        let extents: Result<Vec<usize>, _> = extents.collect();
        let extents = extents.map_err(|_| self.error(index, "has a negative size: damaged file"))?;
        self.possible(index, extents)
    }

    /// These extents of the tensor at `index`, if any of them can be multiplied.
    pub(super) fn possible(&self, index: i32, extents: Vec<usize>) -> Result<Vec<usize>, Error> {
        match extents.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent.max(1))) {
            Some(_) => Ok(extents),
            None => Err(self.error(index, format!("has the shape {}, which no memory holds", Shape(extents)))),
        }
    }

    /// Whether the file leaves some of its extents open, beside the batch or with it.
    pub(super) fn is_open(&self, index: i32) -> Result<bool, Error> {
        Ok(self.get(index)?.shape_signature().unwrap_or_default().iter().any(|extent| extent < 0))
    }

    /// The value at `index`, which flows between layers, without its batch.
    pub(super) fn value(&self, index: i32) -> Result<Value, Error> {
        self.value_of_shape(index, self.shape(index)?)
    }

    /// The value at `index` as the graph has it, in the shape `shape`.
    pub(super) fn value_of_shape(&self, index: i32, shape: Shape) -> Result<Value, Error> {
        let (element, quantization) = match self.element(index)? {
            TensorType::FLOAT32 => (Element::F32, None),
            TensorType::INT8 => (Element::I8, Some(self.quantization(index, -128)?)),
            TensorType::INT16 => (Element::I16, Some(self.symmetric(index)?)),
            other => {
                let reason = format!(
                    "holds {}; supported are float32, and int8 or int16 from a full-integer conversion",
                    other.variant_name().unwrap_or("numbers of an unknown type")
                );
                return Err(self.error(index, reason));
            }
        };
        Ok(Value { name: self.name(index), shape, element, quantization })
    }

    /// The scale of a value of 16 bits, whose zero point is 0.
    pub(super) fn symmetric(&self, index: i32) -> Result<Quantization, Error> {
        match self.quantization(index, -128)? {
            quantization @ Quantization { zero_point: 0, .. } => Ok(quantization),
            Quantization { zero_point, .. } => {
                Err(self.error(index, format!("holds int16 with the zero point {zero_point}, which has to be 0")))
            }
        }
    }

    /// The extents of a value without the batch.
    pub(super) fn shape(&self, index: i32) -> Result<Shape, Error> {
        match self.extents(index)?.as_slice() {
            [1, extents @ ..] if !extents.is_empty() => Ok(Shape(extents.to_vec())),
            [batch, extents @ ..] if !extents.is_empty() => {
                let reason = format!("has a batch of {batch}; convert the model for one input at a time");
                Err(self.error(index, reason))
            }
            _ => Err(self.error(index, "has no axes beside the batch")),
        }
    }

    /// Scale and zero point of a value whose least stored number is `least`.
    pub(super) fn quantization(&self, index: i32, least: i64) -> Result<Quantization, Error> {
        let (scales, zero_points) = self.scales(index)?;
        let [scale] = scales[..] else {
            let reason = format!("is quantized with {} scales, where a value that flows has one", scales.len());
            return Err(self.error(index, reason));
        };
        if !(LARGEST_SCALE.recip()..=LARGEST_SCALE).contains(&scale) {
            return Err(self.error(index, format!("has the scale {scale}, which is not possible")));
        }
        match zero_points[..] {
            [zero_point] if (least..least + 256).contains(&zero_point) => {
                Ok(Quantization { scale, zero_point: zero_point as i32 })
            }
            _ => {
                Err(self
                    .error(index, format!("has the zero points {zero_points:?}, where one that is stored is needed")))
            }
        }
    }

    /// The scales of symmetric weights: one, or one for each of the `channels` along `axis`.
    pub(super) fn weight_scales(&self, index: i32, axis: usize, channels: usize) -> Result<Vec<f32>, Error> {
        let (scales, zero_points) = self.scales(index)?;
        if zero_points.iter().any(|&zero_point| zero_point != 0) {
            return Err(self.error(index, "has weights with a zero point other than 0, which int8 weights do not have"));
        }
        if scales.len() != 1 && scales.len() != channels {
            return Err(self.error(index, format!("has {} scales for {channels} channels", scales.len())));
        }
        let along = self.get(index)?.quantization().map_or(0, |quantization| quantization.quantized_dimension());
        if scales.len() > 1 && usize::try_from(along) != Ok(axis) {
            return Err(self.error(index, format!("has its scales along axis {along}, expected {axis}")));
        }
        // 0 is that of a channel without weights in an int16x8 model.
        match scales.iter().find(|&&scale| !(scale.is_finite() && scale >= 0.0)) {
            Some(scale) => Err(self.error(index, format!("has the scale {scale}, which is not possible"))),
            None => Ok(scales),
        }
    }

    /// Scales and zero points, as many of these as of those.
    fn scales(&self, index: i32) -> Result<(Vec<f32>, Vec<i64>), Error> {
        let Some(quantization) = self.get(index)?.quantization() else {
            return Err(self.error(index, "is quantized without a scale"));
        };
        // Details of no type are not verified, and not looked at.
        if quantization.details_type() != QuantizationDetails::NONE {
            return Err(self.error(index, "is quantized in a way of its own, which is not supported"));
        }
        let scales = quantization.scale().unwrap_or_default();
        let zero_points = quantization.zero_point().unwrap_or_default();
        // No tensor that is read has more of them; bounds what damaged ones take.
        if scales.len() != zero_points.len() || scales.len() > usize::from(u16::MAX) {
            let reason = format!("has {} scales and {} zero points", scales.len(), zero_points.len());
            return Err(self.error(index, reason));
        }
        Ok((scales.iter().collect(), zero_points.iter().collect()))
    }

    /// Whether the numbers of the tensor are in the file.
    pub(super) fn is_constant(&self, index: i32) -> bool {
        self.data(index).is_ok_and(|bytes| !bytes.is_empty())
    }

    fn data(&self, index: i32) -> Result<&'a [u8], Error> {
        let buffer = self.get(index)?.buffer() as usize;
        let buffers = self.buffers.filter(|buffers| buffer < buffers.len());
        let Some(buffers) = buffers else {
            return Err(self.error(index, format!("refers to buffer {buffer}, which does not exist: damaged file")));
        };
        Ok(buffers.get(buffer).data().map_or(&[], |data| data.bytes()))
    }

    /// The constant at `index`, if its buffer has as many bytes as its shape and type say.
    pub(super) fn constant(&self, index: i32) -> Result<Constant<'a>, Error> {
        let tensor = self.get(index)?;
        let element = tensor.type_();
        let size = match element {
            // Two numbers a byte: see below.
            TensorType::INT8 | TensorType::INT4 => 1,
            TensorType::INT16 => 2,
            TensorType::INT32 | TensorType::FLOAT32 => 4,
            TensorType::INT64 => 8,
            other => {
                let reason =
                    format!("is a constant of {}, which is not supported", other.variant_name().unwrap_or("?"));
                return Err(self.error(index, reason));
            }
        };
        if tensor.sparsity().is_some() {
            return Err(self.error(index, "is sparse, which is not supported"));
        }
        let shape = self.extents(index)?;
        let bytes = self.data(index)?;
        let needed = shape.iter().try_fold(size, |product: usize, &extent| product.checked_mul(extent));
        let needed = if element == TensorType::INT4 { needed.map(|numbers| numbers.div_ceil(2)) } else { needed };
        if needed != Some(bytes.len()) {
            let reason = format!("has {} bytes in the file for numbers of shape {}", bytes.len(), Shape(shape));
            return Err(self.error(index, reason));
        }
        Ok(Constant { shape, element, bytes })
    }
}

impl Constant<'_> {
    /// The numbers of an int4 constant: two a byte, the first in the lower half.
    pub(super) fn int4(&self) -> Vec<i8> {
        let of = |&byte: &u8| [byte << 4, byte].map(|byte| byte.cast_signed() >> 4);
        self.bytes.iter().flat_map(of).take(self.shape.iter().product()).collect()
    }

    /// The numbers of an int32 constant; none of another.
    pub(super) fn int32(&self) -> Option<Vec<i32>> {
        (self.element == TensorType::INT32)
            .then(|| self.bytes.as_chunks::<4>().0.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect())
    }

    /// The numbers of an int64 constant; none of another.
    pub(super) fn int64(&self) -> Option<Vec<i64>> {
        (self.element == TensorType::INT64)
            .then(|| self.bytes.as_chunks::<8>().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
    }

    /// The numbers of an int16 constant; none of another.
    pub(super) fn int16(&self) -> Option<Vec<i16>> {
        (self.element == TensorType::INT16)
            .then(|| self.bytes.as_chunks::<2>().0.iter().map(|&bytes| i16::from_le_bytes(bytes)).collect())
    }

    /// The numbers of a constant of whole numbers, as they state axes, extents and paddings.
    pub(super) fn integers(&self) -> Option<Vec<i64>> {
        self.int64().or_else(|| Some(self.int32()?.into_iter().map(i64::from).collect()))
    }

    /// The numbers of a float32 constant; none of another.
    pub(super) fn float32(&self) -> Option<Vec<f32>> {
        (self.element == TensorType::FLOAT32)
            .then(|| self.bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }
}

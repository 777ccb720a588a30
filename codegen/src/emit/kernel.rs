//! A kernel as Rust text: the statics that hold its numbers, and its call.

mod elementwise;

use std::fmt::Write;

use microception::layers::crop::Crop;
use microception::layers::pad::Pad;
use microception::layers::resize_bilinear::Column;
use microception::layers::transpose::Transpose;
use microception::layers::{Geometry, conv};
use microception::quantized::{Channel, Factor, Range, WideChannel};
use microception::window::planes::Planes;

use super::flash::Flash;
use super::literal::{byte_string, float, list};
use crate::lower::{Bilinear, Curve, Kernel, Sums, WindowF32, WindowInt4, WindowInt8, WindowInt16};

/// Appends the statics of a kernel to `text` and returns the call that runs it. `name` is the
/// static's name, and the beginning of the names of its arrays. `section` is the attribute that places the arrays, if they
/// are placed; `flash` takes note of each array.
pub fn kernel(text: &mut String, flash: &mut Flash, name: &str, kernel: &Kernel, section: &str) -> String {
    let mut module = Writer { text: &mut *text, flash: &mut *flash, name, section };
    match kernel {
        Kernel::InputCopy => "input::copy(call)".to_owned(),
        Kernel::InputCentre => "input::centre(call)".to_owned(),
        Kernel::InputLookup(table) => {
            let table = module.bytes("TABLE", table.as_slice());
            module.item("&[i8; 256]", &format!("must_cast_ref(&{table}.0)"));
            format!("input::lookup({name}, call)")
        }
        Kernel::InputLookupInt16(table) => {
            let table = module.shorts("TABLE", table.as_slice());
            format!("input::lookup(&{table}, call)")
        }
        Kernel::InputRescale(rescale) => {
            let (scale, offset) = (float(rescale.scale), float(rescale.offset));
            module.item("input::Rescale", &format!("input::Rescale {{ scale: {scale}, offset: {offset} }}"));
            format!("input::rescale(&{name}, call)")
        }
        Kernel::ConvF32(layer) => module.window_f32("conv", layer),
        Kernel::ConvInt8(layer) if layer.bounded => module.convolution("conv::int8", layer),
        Kernel::ConvInt8(layer) => module.convolution("conv::int8_literal", layer),
        Kernel::ConvInt16(layer) => {
            let function = match layer.sums {
                Sums::Bounded => "conv::int16",
                Sums::Wide => "conv::int16_literal",
                Sums::Narrow => "conv::int16_narrow",
            };
            module.window_int16("conv", function, layer)
        }
        Kernel::DepthwiseInt16(layer) if layer.sums == Sums::Bounded => {
            module.window_int16("depthwise", "depthwise::int16", layer)
        }
        Kernel::DepthwiseInt16(layer) => module.window_int16("depthwise", "depthwise::int16_literal", layer),
        Kernel::PositionwiseDenseInt16(layer) if layer.sums == Sums::Narrow => {
            module.window_int16("conv", "dense::positionwise_int16_narrow", layer)
        }
        Kernel::PositionwiseDenseInt16(layer) => module.window_int16("conv", "dense::positionwise_int16", layer),
        Kernel::WinogradConvInt8(layer) => {
            let words = bytemuck::cast_slice::<_, u32>(&layer.weights);
            let weights = module.words("WEIGHTS", words);
            module.window_int8("conv::winograd::Int8", "conv::winograd::int8", layer, &weights)
        }
        Kernel::DepthwiseF32(layer) => module.window_f32("depthwise", layer),
        Kernel::DepthwiseInt8(layer) => module.window_int8_of_bytes("depthwise", "depthwise::int8", layer),
        Kernel::Depthwise3x3Int8(layer) => module.window_int8_of_bytes("depthwise", "depthwise::int8_3x3", layer),
        Kernel::PositionwiseDenseInt8(layer) => module.convolution("dense::positionwise_int8", layer),
        Kernel::DenseF32 { inputs, weights, bias, clamp } => {
            let weights = module.floats("WEIGHTS", weights);
            let bias = module.floats("BIAS", bias);
            let fields = format!("inputs: {inputs}, weights: {weights}, bias: {bias}, clamp: {}", clamp_f32(*clamp));
            module.layer("dense::F32", &fields);
            format!("dense::f32(&{name}, call)")
        }
        Kernel::DenseInt8 { inputs, weights, channels, range } => {
            let weights = module.bytes("WEIGHTS", weights);
            let channels = module.channels(channels);
            let fields = format!(
                "inputs: {inputs}, weights: must_cast_slice(&{weights}.0), channels: &{channels}, range: {}",
                range_text(range)
            );
            module.layer("dense::Int8", &fields);
            format!("dense::int8(&{name}, call)")
        }
        Kernel::DenseInt16 { narrow, inputs, weights, channels, clamp } => {
            let weights = module.bytes("WEIGHTS", weights);
            let channels = module.wide_channels(channels);
            let fields = format!(
                "inputs: {inputs}, weights: must_cast_slice(&{weights}.0), channels: &{channels}, clamp: {clamp:?}"
            );
            module.layer("dense::Int16<'_>", &fields);
            format!("dense::{}(&{name}, call)", if *narrow { "int16_narrow" } else { "int16" })
        }
        Kernel::ConvInt4(layer) if layer.bounded => module.window_int4("conv::int4", "conv::int4::int4", layer),
        Kernel::ConvInt4(layer) => module.window_int4("conv::int4", "conv::int4::literal", layer),
        Kernel::PositionwiseDenseInt4(layer) => module.window_int4("conv::int4", "dense::positionwise_int4", layer),
        Kernel::DepthwiseInt4(layer) => module.window_int4("depthwise", "depthwise::int4", layer),
        Kernel::Depthwise3x3Int4(layer) => module.window_int4("depthwise", "depthwise::int4_3x3", layer),
        Kernel::DenseInt4 { weights, channels, range } => {
            let weights = module.words("WEIGHTS", weights);
            let channels = module.channels(channels);
            let fields = format!("weights: {weights}, channels: &{channels}, range: {}", range_text(range));
            module.layer("dense::Int4", &fields);
            format!("dense::int4(&{name}, call)")
        }
        Kernel::MaxPoolF32(geometry) => module.pool("max_pool", "MaxPool", "f32", geometry),
        Kernel::MaxPoolInt8(geometry) => module.pool("max_pool", "MaxPool", "int8", geometry),
        Kernel::MaxPoolInt16(geometry) => module.pool("max_pool", "MaxPool", "int16", geometry),
        Kernel::AveragePoolInt16(geometry) => module.pool("average_pool", "AveragePool", "int16", geometry),
        Kernel::AveragePoolF32(geometry) => module.pool("average_pool", "AveragePool", "f32", geometry),
        Kernel::AveragePoolInt8(geometry) => module.pool("average_pool", "AveragePool", "int8", geometry),
        Kernel::GlobalAveragePoolF32(layer) => {
            module
                .layer("global_average_pool::F32", &format!("channels: {}, places: {}", layer.channels, layer.places));
            format!("global_average_pool::f32(&{name}, call)")
        }
        Kernel::GlobalAveragePoolInt8(layer) => {
            let fields = format!(
                "channels: {}, bias: {}, factor: {}, range: {}",
                layer.channels,
                layer.bias,
                factor_text(layer.factor),
                range_text(&layer.range)
            );
            module.layer("global_average_pool::Int8", &fields);
            format!("global_average_pool::int8(&{name}, call)")
        }
        Kernel::GlobalAveragePoolInt16(layer) => {
            let fields = format!("channels: {}, factor: {}", layer.channels, factor_text(layer.factor));
            module.layer("global_average_pool::Int16", &fields);
            format!("global_average_pool::int16(&{name}, call)")
        }
        Kernel::GlobalMaxPoolInt16 => "global_max_pool::int16(call)".to_owned(),
        Kernel::GlobalMaxPoolF32 => "global_max_pool::f32(call)".to_owned(),
        Kernel::GlobalMaxPoolInt8 => "global_max_pool::int8(call)".to_owned(),
        Kernel::PadF32(layer) => module.pad("f32", layer, &float(layer.value)),
        Kernel::PadInt8(layer) => module.pad("i8", layer, &layer.value.to_string()),
        Kernel::PadInt16(layer) => module.pad("i16", layer, &layer.value.to_string()),
        Kernel::Crop(Crop { pixel_bytes, columns, before, bytes }) => {
            let fields = format!("pixel_bytes: {pixel_bytes}, columns: {columns}, before: {before}, bytes: {bytes}");
            module.layer("crop::Crop", &fields);
            format!("crop::crop(&{name}, call)")
        }
        Kernel::TransposeF32(layer) => module.transpose("f32", layer),
        Kernel::TransposeInt8(layer) => module.transpose("i8", layer),
        Kernel::TransposeInt16(layer) => module.transpose("i16", layer),
        Kernel::ConcatenateWithinRows(parts) => {
            module.layer("concatenate::Parts", &format!("bytes: {:?}", parts.bytes));
            format!("concatenate::within_rows(&{name}, call)")
        }
        Kernel::ConcatenateRows => "concatenate::rows(call)".to_owned(),
        Kernel::Reshape => "reshape::reshape(call)".to_owned(),
        Kernel::ResizeNearest { pixel_bytes, columns } => {
            module.layer(
                "resize_nearest::ResizeNearest<'_>",
                &format!("pixel_bytes: {pixel_bytes}, columns: &{}", list(columns.iter().map(u16::to_string))),
            );
            format!("resize_nearest::resize_nearest(&{name}, call)")
        }
        Kernel::ResizeBilinearF32(layer) => module.bilinear("f32", layer, |&weight| float(weight)),
        Kernel::ResizeBilinearInt8(layer) => module.bilinear("int8", layer, i16::to_string),
        Kernel::ResizeBilinearInt16(layer) => module.bilinear("int16", layer, i16::to_string),
        Kernel::Pairwise(layer) => module.pairwise(layer),
        Kernel::ActivationF32(function) => format!("activation::f32({}, call)", elementwise::function_text(*function)),
        Kernel::ActivationInt8(table) => {
            let table = module.bytes("TABLE", table.as_slice());
            module.layer("activation::Int8<'_>", &format!("table: must_cast_ref(&{table}.0)"));
            format!("activation::int8(&{name}, call)")
        }
        Kernel::ActivationInt16(table) => {
            let table = module.shorts("TABLE", table.as_slice());
            module.layer("activation::Int16<'_>", &format!("table: &{table}"));
            format!("activation::int16(&{name}, call)")
        }
        Kernel::StraightInt16(layer) => {
            let [negative, positive] = layer.factors.map(factor_text);
            module
                .layer("activation::Straight", &format!("factors: [{negative}, {positive}], clamp: {:?}", layer.clamp));
            format!("activation::straight_int16(&{name}, call)")
        }
        Kernel::SigmoidInt16(curve) => module.curve("sigmoid", curve),
        Kernel::TanhInt16(curve) => module.curve("tanh", curve),
        Kernel::Requantize { from, to, layer } => {
            let (zero_points, factor) = (layer.zero_points, factor_text(layer.factor));
            module.layer("requantize::Requantize", &format!("zero_points: {zero_points:?}, factor: {factor}"));
            format!("requantize::requantize::<{}, {}>(&{name}, call)", from.name(), to.name())
        }
        Kernel::Dequantize { from: element, layer } | Kernel::Quantize { to: element, layer } => {
            let (scale, zero_point) = (float(layer.scale), layer.zero_point);
            module.layer("requantize::Scale", &format!("scale: {scale}, zero_point: {zero_point}"));
            let function = if matches!(kernel, Kernel::Quantize { .. }) { "quantize" } else { "dequantize" };
            format!("requantize::{function}::<{}>(&{name}, call)", element.name())
        }
        Kernel::SoftmaxF32(layer) => {
            module.layer("softmax::F32", &format!("channels: {}", layer.channels));
            format!("softmax::f32(&{name}, call)")
        }
        Kernel::SoftmaxInt8(layer) => {
            let fields = format!(
                "channels: {}, multiplier: {}, shift: {}, least_difference: {}",
                layer.channels, layer.multiplier, layer.shift, layer.least_difference
            );
            module.layer("softmax::Int8", &fields);
            format!("softmax::int8(&{name}, call)")
        }
        Kernel::SoftmaxInt16(layer) => {
            let powers = module.shorts("POWERS", layer.powers.as_slice());
            let reciprocals = module.shorts("RECIPROCALS", layer.reciprocals.as_slice());
            let (channels, factor) = (layer.channels, factor_text(layer.factor));
            module.layer(
                "softmax::Int16<'_>",
                &format!("channels: {channels}, factor: {factor}, powers: &{powers}, reciprocals: &{reciprocals}"),
            );
            format!("softmax::int16(&{name}, call)")
        }
        Kernel::Flatten => "flatten::flatten(call)".to_owned(),
        Kernel::ByLines { planes, kernel } => {
            let lines = self::kernel(text, flash, name, kernel, section);
            let planes_name = format!("{name}_PLANES");
            let _ = writeln!(text, "static {planes_name}: Planes = {};", planes_text(planes));
            format!("by_lines(&{planes_name}, call, |call| {lines})")
        }
        Kernel::InPlace { kernel, input } => {
            let apart = self::kernel(text, flash, name, kernel, section);
            let in_place = apart.replacen('(', "_in_place(", 1);
            match **kernel {
                Kernel::Pairwise(_) => in_place.replacen(", call)", &format!(", {input}, call)"), 1),
                _ => in_place,
            }
        }
    }
}

struct Writer<'a> {
    text: &'a mut String,
    flash: &'a mut Flash,
    name: &'a str,
    section: &'a str,
}

impl Writer<'_> {
    fn item(&mut self, kind: &str, value: &str) {
        let _ = writeln!(self.text, "static {}: {kind} = {value};", self.name);
    }

    /// The static that describes the layer.
    fn layer(&mut self, kind: &str, fields: &str) {
        let path = kind.trim_end_matches("<'_>");
        self.item(kind, &format!("{path} {{\n    {fields}\n}}"));
    }

    /// A static of trained numbers or a table, in the section for them.
    fn array(&mut self, name: &str, kind: &str, value: &str) {
        let _ = writeln!(self.text, "{}static {name}: {kind} = {value};", self.section);
    }

    /// A static of aligned bytes; returns its name.
    fn bytes(&mut self, suffix: &str, values: &[i8]) -> String {
        let name = self.aligned(suffix, values, |bytes| bytes);
        self.flash.bytes(&format!("&{name}.0"), bytemuck::cast_slice(values));
        name
    }

    /// A static of aligned bytes, which are what `of` makes of the literal; returns its name.
    fn aligned(&mut self, suffix: &str, values: &[i8], of: impl FnOnce(String) -> String) -> String {
        let name = format!("{}_{suffix}", self.name);
        let bytes = byte_string(values.iter().map(|&value| value.cast_unsigned()));
        let value = format!("Aligned({})", of(format!("*{bytes}")));
        self.array(&name, &format!("Aligned<[u8; {}]>", values.len()), &value);
        name
    }

    /// A static of floats as bits; returns the expression of their slice.
    fn floats(&mut self, suffix: &str, values: &[f32]) -> String {
        let bits: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        self.words(suffix, &bits)
    }

    /// A static of words; returns the expression of their slice, as whatever elements of four bytes.
    fn words(&mut self, suffix: &str, words: &[u32]) -> String {
        let name = format!("{}_{suffix}", self.name);
        let list = list(words.iter().map(|word| format!("{word:#x}")));
        self.array(&name, &format!("[u32; {}]", words.len()), &list);
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.flash.bytes(&format!("must_cast_slice(&{name})"), &bytes);
        format!("must_cast_slice(&{name})")
    }

    fn channels(&mut self, channels: &[Channel]) -> String {
        let name = format!("{}_CHANNELS", self.name);
        let items = channels.iter().map(|Channel { bias, factor: Factor { multiplier, shift } }| {
            format!("Channel::new({bias}, {multiplier}, {shift})")
        });
        self.array(&name, &format!("[Channel; {}]", channels.len()), &list(items));
        self.flash.channels(&name, channels);
        name
    }

    fn wide_channels(&mut self, channels: &[WideChannel]) -> String {
        let name = format!("{}_CHANNELS", self.name);
        let items = channels.iter().map(|channel| {
            let factor = channel.factor();
            format!("WideChannel::new({}, {}, {})", channel.bias(), factor.multiplier, factor.shift)
        });
        self.array(&name, &format!("[WideChannel; {}]", channels.len()), &list(items));
        self.flash.wide_channels(&name, channels);
        name
    }

    /// A static of numbers of 16 bits; returns its name.
    fn shorts(&mut self, suffix: &str, values: &[i16]) -> String {
        self.short_array(suffix, "i16", values.iter().map(|value| (value.to_string(), value.to_le_bytes())))
    }

    fn short_array(
        &mut self,
        suffix: &str,
        kind: &str,
        values: impl ExactSizeIterator<Item = (String, [u8; 2])>,
    ) -> String {
        let name = format!("{}_{suffix}", self.name);
        let (texts, bytes): (Vec<String>, Vec<[u8; 2]>) = values.unzip();
        self.array(&name, &format!("[{kind}; {}]", texts.len()), &list(texts));
        // By its path: what runs the layer does not cast.
        self.flash.bytes(&format!("::microception::bytemuck::must_cast_slice(&{name})"), bytes.as_flattened());
        name
    }

    fn curve(&mut self, function: &str, Curve { table, multiplier, shift }: &Curve) -> String {
        let numbers = table.iter().map(|number| (number.to_string(), number.to_le_bytes()));
        let table = self.short_array("TABLE", "u16", numbers);
        self.layer("activation::Curve<'_>", &format!("table: &{table}, multiplier: {multiplier}, shift: {shift}"));
        format!("activation::{function}_int16(&{}, call)", self.name)
    }

    fn window_int16(&mut self, module: &str, function: &str, layer: &WindowInt16) -> String {
        let weights = self.bytes("WEIGHTS", &layer.weights);
        let channels = self.wide_channels(&layer.channels);
        let fields = format!(
            "geometry: {},\n    weights: must_cast_slice(&{weights}.0), channels: &{channels}, clamp: {:?},",
            geometry_text(&layer.geometry),
            layer.clamp
        );
        self.layer(&format!("{module}::Int16<'_>"), &fields);
        format!("{function}(&{}, call)", self.name)
    }

    fn window_f32(&mut self, module: &str, layer: &WindowF32) -> String {
        let weights = self.floats("WEIGHTS", &layer.weights);
        let bias = self.floats("BIAS", &layer.bias);
        let fields = format!(
            "geometry: {},\n    weights: {weights}, bias: {bias}, clamp: {},",
            geometry_text(&layer.geometry),
            clamp_f32(layer.clamp)
        );
        self.layer(&format!("{module}::F32<'_>"), &fields);
        format!("{module}::f32(&{}, call)", self.name)
    }

    /// Interleaved weights are brought into the order of the core that the module is compiled for.
    fn convolution(&mut self, function: &str, layer: &WindowInt8) -> String {
        let pair_bytes = conv::pair_bytes(&layer.geometry);
        let weights = self.aligned("WEIGHTS", &layer.weights, |bytes| {
            format!("::microception::simd::arrange({bytes}, {pair_bytes})")
        });
        self.flash.arranged(&format!("&{weights}.0"), bytemuck::cast_slice(&layer.weights), pair_bytes);
        self.window_int8("conv::Int8", function, layer, &format!("must_cast_slice(&{weights}.0)"))
    }

    fn window_int8_of_bytes(&mut self, module: &str, function: &str, layer: &WindowInt8) -> String {
        let weights = format!("must_cast_slice(&{}.0)", self.bytes("WEIGHTS", &layer.weights));
        self.window_int8(&format!("{module}::Int8"), function, layer, &weights)
    }

    fn window_int4(&mut self, module: &str, function: &str, layer: &WindowInt4) -> String {
        let weights = self.words("WEIGHTS", &layer.weights);
        self.window_int8(&format!("{module}::Int4"), function, layer, &weights)
    }

    fn window_int8<Weight>(&mut self, kind: &str, function: &str, layer: &WindowInt8<Weight>, weights: &str) -> String {
        let channels = self.channels(&layer.channels);
        let fields = format!(
            "geometry: {},\n    weights: {weights}, channels: &{channels}, padding: {}, range: {},",
            geometry_text(&layer.geometry),
            layer.padding,
            range_text(&layer.range)
        );
        self.layer(&format!("{kind}<'_>"), &fields);
        format!("{function}(&{}, call)", self.name)
    }

    fn pad<T>(&mut self, element: &str, layer: &Pad<T>, value: &str) -> String {
        let Pad { width, channels, columns, around, .. } = layer;
        let fields =
            format!("width: {width}, channels: {channels}, columns: {columns:?}, around: {around:?}, value: {value}");
        self.item(&format!("pad::Pad<{element}>"), &format!("pad::Pad {{ {fields} }}"));
        format!("pad::pad(&{}, call)", self.name)
    }

    fn bilinear<T>(&mut self, function: &str, layer: &Bilinear<T>, weight: impl Fn(&T) -> String) -> String {
        let column = |column: &Column<T>| {
            let Column { places: [first, second], weight: part } = column;
            format!("resize_bilinear::Column::new({first}, {second}, {})", weight(part))
        };
        let fields = format!(
            "channels: {}, rows: &{}, columns: &{}",
            layer.channels,
            list(layer.rows.iter().map(&weight)),
            list(layer.columns.iter().map(column))
        );
        let kind = if function == "f32" { "f32" } else { "i16" };
        self.item(
            &format!("resize_bilinear::ResizeBilinear<'_, {kind}>"),
            &format!("resize_bilinear::ResizeBilinear {{\n    {fields}\n}}"),
        );
        format!("resize_bilinear::{function}(&{}, call)", self.name)
    }

    fn transpose(&mut self, element: &str, layer: &Transpose) -> String {
        let Transpose { lines, width, channels, row_axis, strides } = layer;
        let fields =
            format!("lines: {lines}, width: {width}, channels: {channels}, row_axis: {row_axis}, strides: {strides:?}");
        self.layer("transpose::Transpose", &fields);
        format!("transpose::transpose::<{element}>(&{}, call)", self.name)
    }

    fn pool(&mut self, module: &str, kind: &str, function: &str, geometry: &Geometry) -> String {
        self.layer(&format!("{module}::{kind}"), &format!("geometry: {},", geometry_text(geometry)));
        format!("{module}::{function}(&{}, call)", self.name)
    }
}

fn geometry_text(geometry: &Geometry) -> String {
    let Geometry { width, channels, output_width, kernel, stride, dilation, left } = geometry;
    format!(
        "Geometry {{ width: {width}, channels: {channels}, output_width: {output_width}, \
         kernel: {kernel:?}, stride: {stride:?}, dilation: {dilation:?}, left: {left} }}"
    )
}

fn planes_text(planes: &Planes) -> String {
    let Planes { height, output_height, kernel, stride, dilation, top } = planes;
    format!(
        "Planes {{ height: {height}, output_height: {output_height}, kernel: {kernel:?}, stride: {stride:?}, \
         dilation: {dilation:?}, top: {top} }}"
    )
}

fn range_text(Range { zero_point, clamp }: &Range) -> String {
    format!("Range {{ zero_point: {zero_point}, clamp: {clamp:?} }}")
}

fn factor_text(Factor { multiplier, shift }: Factor) -> String {
    format!("Factor {{ multiplier: {multiplier}, shift: {shift} }}")
}

fn clamp_f32([least, greatest]: [f32; 2]) -> String {
    format!("[{}, {}]", float(least), float(greatest))
}

//! Runs a graph on the host with the very runtime that runs on the target: the same kernels,
//! the same executor, a plan of the same form.

mod elementwise;

use microception::executor::{Executor, Progress};
use microception::layers::{activation, average_pool, conv, dense, depthwise, flatten, global_average_pool, max_pool};
use microception::layers::{
    concatenate, crop, global_max_pool, input, pad, requantize, reshape, resize_bilinear, resize_nearest, softmax,
    transpose,
};
use microception::model::{Model, Period, Plan as RuntimePlan, RowBytes, Step, Tensor, flip_plan_bit};
use microception::window::Call;
use microception::window::planes::by_lines;

use crate::error::Error;
use crate::graph::{Element, Graph, TensorId};
use crate::lower::{Bilinear, Curve, Kernel, SoftmaxInt16, Sums, WindowF32, WindowInt4, WindowInt8, WindowInt16};
use crate::optimize::{Goal, Lowered, lowered};
use crate::plan::{LayerRows, Plan};

/// A graph with its kernels and its plan, ready to run. Frames and outputs are bytes of the
/// model's own element types, `[row][column][channel]`; of several inputs or outputs one after the other.
#[derive(Debug, Clone)]
pub struct Machine {
    network: Network,
    plan: Plan,
    /// Of 8-byte words, so that every element type is aligned.
    arena: Vec<u64>,
    /// Of each input: where its frame begins among those of all, and its bytes.
    frames: Vec<(usize, usize)>,
}

/// Kernels and the runtime's form of a plan: what a generated module holds in statics.
#[derive(Debug, Clone)]
struct Network {
    inputs: usize,
    kernels: Vec<Kernel>,
    rows: Vec<RowBytes>,
    steps: Vec<Step>,
    addresses: Vec<u16>,
    unit: usize,
    outputs: Vec<Tensor>,
    period: Option<Period>,
    /// Per layer, for [`Machine::tensor`].
    layers: Vec<LayerRows>,
}

impl Machine {
    /// Lowers and plans a graph that has gone through the [passes](crate::passes).
    ///
    /// # Errors
    /// When the graph can't be lowered or planned.
    pub fn new(graph: &Graph, goal: impl Into<Goal>) -> Result<Machine, Error> {
        let Lowered { graph, kernels, layers, outputs, plan } = lowered(graph, goal)?;
        Machine::of(&graph, kernels, layers, &outputs, plan)
    }

    /// The parts of a [`Lowered`] graph as a machine.
    ///
    /// # Errors
    /// When a row or an output is longer than the runtime counts.
    pub fn of(
        graph: &Graph,
        kernels: Vec<Kernel>,
        layers: Vec<LayerRows>,
        outputs: &[usize],
        plan: Plan,
    ) -> Result<Machine, Error> {
        let (steps, addresses) = plan.to_runtime();
        let rows = row_bytes(graph, &layers, &plan)?;
        let mut frames = Vec::new();
        for (rows, layer) in rows.iter().zip(&layers).take(graph.inputs().len()) {
            let begin = frames.last().map_or(0, |&(begin, bytes)| begin + bytes);
            frames.push((begin, rows.inputs[0] as usize * layer.rows));
        }
        let network = Network {
            inputs: frames.len(),
            kernels,
            rows,
            steps,
            addresses,
            unit: plan.unit,
            outputs: tensors(&layers, outputs, &plan)?,
            period: plan.runtime_period(),
            layers,
        };
        let arena = vec![0; plan.arena_bytes.div_ceil(8)];
        Ok(Machine { network, plan, arena, frames })
    }

    /// The plan that it replays.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Bytes of one frame, of all inputs.
    pub fn frame_bytes(&self) -> usize {
        self.frames.iter().map(|(_, bytes)| bytes).sum()
    }

    /// Of each input: where its frame begins among the bytes of all, and how many it has.
    pub fn frames(&self) -> &[(usize, usize)] {
        &self.frames
    }

    /// How many outputs there are.
    pub fn outputs(&self) -> usize {
        self.network.outputs.len()
    }

    /// Bytes of all outputs.
    pub fn output_bytes(&self) -> usize {
        self.network.outputs.iter().map(|output| output.bytes as usize).sum()
    }

    /// Runs one frame and returns the output; of several inputs and outputs all, in their order.
    ///
    /// # Errors
    /// When the frame has not the model's length.
    pub fn run(&mut self, frame: &[u8]) -> Result<Vec<u8>, Error> {
        if let [_] = self.frames[..] {
            self.check_length(frame)?;
            self.executor()?.predict(frame);
        } else {
            self.watch(frame, |_, _| Ok(()))?;
        }
        let outputs = 0..self.network.outputs.len();
        let executor = self.executor()?;
        Ok(outputs.flat_map(|output| executor.output_bytes(output)).copied().collect())
    }

    /// Pushes every row of a series into an endless plan, from its beginning, and returns the outputs as they come. Of another
    /// plan the series is frames, one after the other.
    ///
    /// # Errors
    /// When the series is no whole number of rows, or `output` wants no more.
    pub fn stream(&mut self, series: &[u8], mut output: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let row_bytes = self.row_bytes();
        if row_bytes == 0 || !series.len().is_multiple_of(row_bytes) {
            let bytes = series.len();
            return Err(Error::model(format!("a series of {bytes} bytes, where the model takes rows of {row_bytes}")));
        }
        let mut executor = self.executor()?;
        series.chunks_exact(row_bytes).try_for_each(|row| executor.push_row(row).map_or(Ok(()), &mut output))
    }

    /// Bytes of one input row.
    pub fn row_bytes(&self) -> usize {
        self.network.rows.first().map_or(0, |rows| rows.inputs[0] as usize)
    }

    /// Runs one frame and shows `look` the rows that each step makes, as bytes, with the index of their layer.
    /// Rows that nothing reads are made only under plans of whole tensors.
    ///
    /// # Errors
    /// When the frame has not the model's length, or `look` wants no more.
    pub fn watch(
        &mut self,
        frame: &[u8],
        mut look: impl FnMut(usize, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.check_length(frame)?;
        let arena = bytemuck::cast_slice_mut(&mut self.arena);
        let mut executor = over(&self.network, arena, self.plan.arena_bytes)?;
        for step in &self.plan.steps {
            if let Progress::NeedsRow { input, row } = executor.step() {
                let from = self.frames[input].0 + row * executor.row_bytes(input);
                let bytes = frame.get(from..from + executor.row_bytes(input)).unwrap_or(&[]);
                executor.begin_row_bytes(input, bytes);
            }
            if !step.completes {
                continue;
            }
            let bytes = step.rows * self.network.layers[step.layer].row_bytes;
            look(step.layer, executor.arena().get(step.output..step.output + bytes).unwrap_or(&[]))?;
        }
        Ok(())
    }

    fn check_length(&self, frame: &[u8]) -> Result<(), Error> {
        let (found, expected) = (frame.len(), self.frame_bytes());
        if found == expected {
            return Ok(());
        }
        Err(Error::model(format!("a frame of {found} bytes, where the model takes {expected}")))
    }

    /// An executor over this machine's arena, to push rows or run single steps.
    ///
    /// # Errors
    /// Never for a machine made by [`Machine::new`].
    pub fn executor(
        &mut self,
    ) -> Result<Executor<'_, impl Model<Input = u8, Output = u8, Frame = [u8], Row = [u8]> + '_>, Error> {
        let arena = bytemuck::cast_slice_mut(&mut self.arena);
        over(&self.network, arena, self.plan.arena_bytes)
    }

    /// As [`executor`](Machine::executor), over memory of the caller's, of which it uses the first
    /// [`arena_bytes`](Plan::arena_bytes).
    ///
    /// # Errors
    /// When the memory is shorter, or does not begin at a multiple of 4.
    pub fn executor_in<'a>(
        &'a self,
        memory: &'a mut [u8],
    ) -> Result<Executor<'a, impl Model<Input = u8, Output = u8, Frame = [u8], Row = [u8]> + 'a>, Error> {
        Executor::over(&self.network, memory, self.plan.arena_bytes)
            .map_err(|error| Error::model(format!("the memory does not serve as an arena: {error:?}")))
    }

    /// Bits of the weights, biases, factors and tables of each layer, for [`flip_weight_bit`](Machine::flip_weight_bit).
    pub fn weight_bits(&mut self) -> Vec<usize> {
        self.network.kernels.iter_mut().map(Kernel::weight_bits).collect()
    }

    /// Flips a bit of what the layer with that index keeps in flash, as a damaged memory does; none where it has fewer. Twice
    /// it is as it was.
    pub fn flip_weight_bit(&mut self, layer: usize, bit: usize) {
        if let Some(kernel) = self.network.kernels.get_mut(layer) {
            kernel.flip_weight_bit(bit);
        }
    }

    /// Bits of the plan's steps and addresses, for [`flip_plan_bit`](Machine::flip_plan_bit).
    pub fn plan_bits(&self) -> usize {
        (&self.network).plan().bits()
    }

    /// Flips a bit of the plan as it lies in flash; none behind its end. Twice it is as it was.
    pub fn flip_plan_bit(&mut self, bit: usize) {
        let Network { steps, addresses, .. } = &mut self.network;
        flip_plan_bit(steps, addresses, bit);
    }

    /// A tensor's bytes after [`run`](Machine::run), under a plan that keeps it
    /// ([`Strategy::Everything`](crate::plan::Strategy::Everything)); `None` where the plan has none of it.
    pub fn tensor(&self, graph: &Graph, tensor: TensorId) -> Option<&[u8]> {
        let layer = graph.maker(tensor)?;
        let from = self.plan.tensor(layer)?;
        let rows = &self.network.layers[layer];
        let arena: &[u8] = bytemuck::cast_slice(&self.arena);
        arena.get(from..from + rows.rows * rows.row_bytes)
    }
}

fn over<'a>(network: &'a Network, arena: &'a mut [u8], bytes: usize) -> Result<Executor<'a, &'a Network>, Error> {
    Executor::over(network, arena, bytes)
        .map_err(|error| Error::model(format!("the arena does not serve its own plan: {error:?}")))
}

/// The lengths in bytes that the runtime needs of every layer.
///
/// # Errors
/// When a row is longer than 32 bits count.
pub fn row_bytes(graph: &Graph, layers: &[LayerRows], plan: &Plan) -> Result<Vec<RowBytes>, Error> {
    layers
        .iter()
        .zip(&graph.layers)
        .zip(&plan.scratch_bytes)
        .map(|((rows, layer), &scratch)| {
            let narrow = |bytes: usize| {
                u32::try_from(bytes)
                    .map_err(|_| Error::layer(&rows.name, format!("a row of {bytes} bytes is too long")))
            };
            let mut inputs = [0; 2];
            for (bytes, &input) in inputs.iter_mut().zip(&rows.inputs) {
                *bytes = narrow(layers[input].row_bytes)?;
            }
            if let crate::graph::Operator::Input { element, .. } = &layer.operator {
                inputs[0] = narrow(graph.tensor(layer.output).shape.row_elements() * element.bytes())?;
            }
            if rows.folds {
                inputs[1] = narrow(rows.row_bytes)?;
            }
            Ok(RowBytes { inputs, output: narrow(rows.row_bytes)?, scratch: narrow(scratch)? })
        })
        .collect()
}

/// Where the outputs are, as the runtime has it.
///
/// # Errors
/// When one is longer than 32 bits count.
pub fn tensors(layers: &[LayerRows], outputs: &[usize], plan: &Plan) -> Result<Vec<Tensor>, Error> {
    let tensor = |&output: &usize| {
        let LayerRows { name, rows, row_bytes, .. } = &layers[output];
        // Of an endless plan the output is one row, at one place.
        let address = if plan.period.is_some() { Some(plan.output) } else { plan.tensor(output) };
        let address = address.and_then(|address| u16::try_from(address / plan.unit).ok());
        let bytes = u32::try_from(rows * row_bytes).ok();
        let misfit = || Error::layer(name, "is an output that is too long, or is never made");
        Ok(Tensor { address: address.ok_or_else(misfit)?, bytes: bytes.ok_or_else(misfit)? })
    };
    outputs.iter().map(tensor).collect()
}

/// What the caller hands over, and what comes out; of several inputs or outputs, the first.
pub fn elements(graph: &Graph) -> (Element, Element) {
    let input = match graph.layers.first().map(|layer| &layer.operator) {
        Some(crate::graph::Operator::Input { element, .. }) => *element,
        _ => Element::F32,
    };
    let output = graph.outputs.first().map_or(Element::F32, |&output| graph.tensor(output).element);
    (input, output)
}

impl Model for &Network {
    type Input = u8;
    type Output = u8;
    type Frame = [u8];
    type Row = [u8];
    // Known only at run time; `Executor::over` is told.
    const ARENA_BYTES: usize = usize::MAX;

    fn plan(&self) -> RuntimePlan<'_> {
        RuntimePlan {
            inputs: self.inputs,
            rows: &self.rows,
            steps: &self.steps,
            addresses: &self.addresses,
            unit: self.unit,
            outputs: &self.outputs,
        }
    }

    fn period(&self) -> Option<Period> {
        self.period
    }

    fn run(&self, layer: usize, call: Call<'_>) {
        // As in a generated module the last one stands for what no step of an undamaged plan has.
        if let Some(kernel) = self.kernels.get(layer).or(self.kernels.last()) {
            run(kernel, call);
        }
    }
}

fn run(kernel: &Kernel, call: Call<'_>) {
    match kernel {
        Kernel::InputCopy => input::copy(call),
        Kernel::InputCentre => input::centre(call),
        Kernel::InputLookup(table) => input::lookup(table, call),
        Kernel::InputLookupInt16(table) => input::lookup(table, call),
        Kernel::InputRescale(rescale) => input::rescale(rescale, call),
        Kernel::ConvF32(layer) => {
            let WindowF32 { geometry, ref weights, ref bias, clamp } = *layer;
            conv::f32(&conv::F32 { geometry, weights, bias, clamp }, call);
        }
        Kernel::ConvInt8(layer) => {
            let WindowInt8 { geometry, ref weights, ref channels, padding, range, bounded, .. } = *layer;
            let run = if bounded { conv::int8 } else { conv::int8_literal };
            run(&conv::Int8 { geometry, weights, channels, padding, range }, call);
        }
        Kernel::ConvInt16(layer) => {
            let WindowInt16 { geometry, ref weights, ref channels, clamp, sums } = *layer;
            let run = match sums {
                Sums::Bounded => conv::int16,
                Sums::Wide => conv::int16_literal,
                Sums::Narrow => conv::int16_narrow,
            };
            run(&conv::Int16 { geometry, weights, channels, clamp }, call);
        }
        Kernel::DepthwiseInt16(layer) => {
            let WindowInt16 { geometry, ref weights, ref channels, clamp, sums } = *layer;
            let run = if sums == Sums::Bounded { depthwise::int16 } else { depthwise::int16_literal };
            run(&depthwise::Int16 { geometry, weights, channels, clamp }, call);
        }
        Kernel::PositionwiseDenseInt16(layer) => {
            let WindowInt16 { geometry, ref weights, ref channels, clamp, sums } = *layer;
            let run = match sums {
                Sums::Narrow => dense::positionwise_int16_narrow,
                _ => dense::positionwise_int16,
            };
            run(&conv::Int16 { geometry, weights, channels, clamp }, call);
        }
        Kernel::DenseInt16 { narrow, inputs, weights, channels, clamp } => {
            let run = if *narrow { dense::int16_narrow } else { dense::int16 };
            run(&dense::Int16 { inputs: *inputs, weights, channels, clamp: *clamp }, call);
        }
        Kernel::WinogradConvInt8(layer) => {
            let WindowInt8 { geometry, ref weights, ref channels, padding, range, .. } = *layer;
            conv::winograd::int8(&conv::winograd::Int8 { geometry, weights, channels, padding, range }, call);
        }
        Kernel::DepthwiseF32(layer) => {
            let WindowF32 { geometry, ref weights, ref bias, clamp } = *layer;
            depthwise::f32(&depthwise::F32 { geometry, weights, bias, clamp }, call);
        }
        Kernel::DepthwiseInt8(layer) => {
            let WindowInt8 { geometry, ref weights, ref channels, padding, range, .. } = *layer;
            depthwise::int8(&depthwise::Int8 { geometry, weights, channels, padding, range }, call);
        }
        Kernel::Depthwise3x3Int8(layer) => {
            let WindowInt8 { geometry, ref weights, ref channels, padding, range, .. } = *layer;
            depthwise::int8_3x3(&depthwise::Int8 { geometry, weights, channels, padding, range }, call);
        }
        Kernel::DenseF32 { inputs, weights, bias, clamp } => {
            dense::f32(&dense::F32 { inputs: *inputs, weights, bias, clamp: *clamp }, call);
        }
        Kernel::DenseInt8 { inputs, weights, channels, range } => {
            dense::int8(&dense::Int8 { inputs: *inputs, weights, channels, range: *range }, call);
        }
        Kernel::PositionwiseDenseInt8(layer) => {
            let WindowInt8 { geometry, ref weights, ref channels, padding, range, .. } = *layer;
            dense::positionwise_int8(&conv::Int8 { geometry, weights, channels, padding, range }, call);
        }
        Kernel::ConvInt4(layer) => {
            let run = if layer.bounded { conv::int4::int4 } else { conv::int4::literal };
            run(&convolution_int4(layer), call);
        }
        Kernel::PositionwiseDenseInt4(layer) => dense::positionwise_int4(&convolution_int4(layer), call),
        Kernel::DepthwiseInt4(layer) => depthwise::int4(&depthwise_int4(layer), call),
        Kernel::Depthwise3x3Int4(layer) => depthwise::int4_3x3(&depthwise_int4(layer), call),
        Kernel::DenseInt4 { weights, channels, range } => {
            dense::int4(&dense::Int4 { weights, channels, range: *range }, call);
        }
        Kernel::GlobalMaxPoolF32 => global_max_pool::f32(call),
        Kernel::GlobalMaxPoolInt8 => global_max_pool::int8(call),
        Kernel::GlobalMaxPoolInt16 => global_max_pool::int16(call),
        Kernel::PadInt16(layer) => pad::pad(layer, call),
        Kernel::TransposeInt16(layer) => transpose::transpose::<i16>(layer, call),
        Kernel::PadF32(layer) => pad::pad(layer, call),
        Kernel::PadInt8(layer) => pad::pad(layer, call),
        Kernel::Crop(layer) => crop::crop(layer, call),
        Kernel::TransposeF32(layer) => transpose::transpose::<f32>(layer, call),
        Kernel::TransposeInt8(layer) => transpose::transpose::<i8>(layer, call),
        Kernel::ConcatenateWithinRows(parts) => concatenate::within_rows(parts, call),
        Kernel::ConcatenateRows => concatenate::rows(call),
        Kernel::Reshape => reshape::reshape(call),
        &Kernel::ResizeNearest { pixel_bytes, ref columns } => {
            resize_nearest::resize_nearest(&resize_nearest::ResizeNearest { pixel_bytes, columns }, call);
        }
        Kernel::ResizeBilinearF32(layer) => {
            let Bilinear { channels, ref rows, ref columns } = *layer;
            resize_bilinear::f32(&resize_bilinear::ResizeBilinear { channels, rows, columns }, call);
        }
        Kernel::ResizeBilinearInt8(layer) => {
            let Bilinear { channels, ref rows, ref columns } = *layer;
            resize_bilinear::int8(&resize_bilinear::ResizeBilinear { channels, rows, columns }, call);
        }
        Kernel::ResizeBilinearInt16(layer) => {
            let Bilinear { channels, ref rows, ref columns } = *layer;
            resize_bilinear::int16(&resize_bilinear::ResizeBilinear { channels, rows, columns }, call);
        }
        Kernel::MaxPoolInt16(geometry) => max_pool::int16(&max_pool::MaxPool { geometry: *geometry }, call),
        Kernel::AveragePoolInt16(geometry) => {
            average_pool::int16(&average_pool::AveragePool { geometry: *geometry }, call);
        }
        Kernel::GlobalAveragePoolInt16(layer) => global_average_pool::int16(layer, call),
        Kernel::ActivationInt16(table) => activation::int16(&activation::Int16 { table }, call),
        Kernel::StraightInt16(layer) => activation::straight_int16(layer, call),
        Kernel::SigmoidInt16(curve) => activation::sigmoid_int16(&runtime_curve(curve), call),
        Kernel::TanhInt16(curve) => activation::tanh_int16(&runtime_curve(curve), call),
        Kernel::Requantize { from: Element::I8, to: Element::I16, layer } => {
            requantize::requantize::<i8, i16>(layer, call);
        }
        Kernel::Requantize { from: Element::I16, to: Element::I8, layer } => {
            requantize::requantize::<i16, i8>(layer, call);
        }
        Kernel::Requantize { layer, .. } => requantize::requantize::<i16, i16>(layer, call),
        Kernel::Dequantize { from: Element::I8, layer } => requantize::dequantize::<i8>(layer, call),
        Kernel::Dequantize { layer, .. } => requantize::dequantize::<i16>(layer, call),
        Kernel::Quantize { to: Element::I8, layer } => requantize::quantize::<i8>(layer, call),
        Kernel::Quantize { layer, .. } => requantize::quantize::<i16>(layer, call),
        Kernel::SoftmaxInt16(layer) => {
            let SoftmaxInt16 { channels, factor, powers, reciprocals } = layer;
            softmax::int16(&softmax::Int16 { channels: *channels, factor: *factor, powers, reciprocals }, call);
        }
        Kernel::MaxPoolF32(geometry) => max_pool::f32(&max_pool::MaxPool { geometry: *geometry }, call),
        Kernel::MaxPoolInt8(geometry) => max_pool::int8(&max_pool::MaxPool { geometry: *geometry }, call),
        Kernel::AveragePoolF32(geometry) => {
            average_pool::f32(&average_pool::AveragePool { geometry: *geometry }, call);
        }
        Kernel::AveragePoolInt8(geometry) => {
            average_pool::int8(&average_pool::AveragePool { geometry: *geometry }, call);
        }
        Kernel::GlobalAveragePoolF32(layer) => global_average_pool::f32(layer, call),
        Kernel::GlobalAveragePoolInt8(layer) => global_average_pool::int8(layer, call),
        Kernel::Pairwise(layer) => elementwise::pairwise(layer, call),
        Kernel::ActivationF32(function) => elementwise::activation(*function, call),
        Kernel::ActivationInt8(table) => activation::int8(&activation::Int8 { table }, call),
        Kernel::SoftmaxF32(layer) => softmax::f32(layer, call),
        Kernel::SoftmaxInt8(layer) => softmax::int8(layer, call),
        Kernel::Flatten => flatten::flatten(call),
        Kernel::ByLines { planes, kernel } => by_lines(planes, call, |call| run(kernel, call)),
        Kernel::InPlace { kernel, input } => run_in_place(kernel, *input, call),
    }
}

fn runtime_curve(Curve { table, multiplier, shift }: &Curve) -> activation::Curve<'_> {
    activation::Curve { table, multiplier: *multiplier, shift: *shift }
}

fn convolution_int4(layer: &WindowInt4) -> conv::int4::Int4<'_> {
    let WindowInt8 { geometry, ref weights, ref channels, padding, range, .. } = *layer;
    conv::int4::Int4 { geometry, weights, channels, padding, range }
}

fn depthwise_int4(layer: &WindowInt4) -> depthwise::Int4<'_> {
    let WindowInt8 { geometry, ref weights, ref channels, padding, range, .. } = *layer;
    depthwise::Int4 { geometry, weights, channels, padding, range }
}

/// Of other kernels no plan asks for it.
fn run_in_place(kernel: &Kernel, input: usize, call: Call<'_>) {
    match kernel {
        Kernel::ConvInt8(layer) => {
            let WindowInt8 { geometry, ref weights, ref channels, padding, range, .. } = *layer;
            conv::int8_in_place(&conv::Int8 { geometry, weights, channels, padding, range }, call);
        }
        Kernel::Pairwise(layer) => elementwise::pairwise_in_place(layer, input, call),
        Kernel::ActivationF32(function) => elementwise::activation_in_place(*function, call),
        Kernel::ActivationInt8(table) => activation::int8_in_place(&activation::Int8 { table }, call),
        Kernel::ActivationInt16(table) => activation::int16_in_place(&activation::Int16 { table }, call),
        Kernel::StraightInt16(layer) => activation::straight_int16_in_place(layer, call),
        Kernel::SigmoidInt16(curve) => activation::sigmoid_int16_in_place(&runtime_curve(curve), call),
        Kernel::TanhInt16(curve) => activation::tanh_int16_in_place(&runtime_curve(curve), call),
        kernel => run(kernel, call),
    }
}

//! Where on a tensor an operator looks: windows and their padding, axes, the nearest places and those between them.

use super::Shape;

/// How the border of an image is treated by a layer with a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// The window stays inside; the output shrinks.
    Valid,
    /// As many places around the input as the output needs to have `ceil(input / stride)`
    /// places; an odd one goes after the input (below, to the right), as in Keras.
    Same,
    /// As many places as are said, whatever the input. Every pair is `[vertical, horizontal]`.
    Explicit {
        /// Above and to the left.
        before: [usize; 2],
        /// Below and to the right.
        after: [usize; 2],
    },
}

/// A window along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Taps {
    /// How many there are.
    pub size: usize,
    /// Places between two outputs.
    pub stride: usize,
    /// Places between two taps; 1 is a dense window.
    pub dilation: usize,
    /// Padded places before the first.
    pub before: usize,
    /// Padded places behind the last.
    pub after: usize,
}

impl Taps {
    /// One place after the other.
    pub const POINT: Taps = Taps { size: 1, stride: 1, dilation: 1, before: 0, after: 0 };

    /// Places from the first tap to the last, both included.
    pub fn reach(&self) -> usize {
        (self.size - 1) * self.dilation + 1
    }

    /// Outputs for an input of `extent` places; 0 when the window does not fit.
    pub fn outputs(&self, extent: usize) -> usize {
        (self.before + extent + self.after + self.stride).saturating_sub(self.reach()) / self.stride
    }
}

/// A window that slides over rows and columns, and of a volume over planes. Every pair is `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Taps.
    pub size: [usize; 2],
    /// Places between two outputs.
    pub stride: [usize; 2],
    /// Places between two taps; 1 is a dense window.
    pub dilation: [usize; 2],
    /// Border treatment, vertical and horizontal.
    pub padding: Padding,
    /// From plane to plane of a volume; `None` where the input is none, or is seen place by place.
    pub depth: Option<Taps>,
}

impl Window {
    /// A window of one place, as of a pointwise convolution.
    pub const POINT: Window =
        Window { size: [1, 1], stride: [1, 1], dilation: [1, 1], padding: Padding::Valid, depth: None };

    /// Taps in all.
    pub fn taps(&self) -> usize {
        self.size[0] * self.size[1] * self.depth.map_or(1, |depth| depth.size)
    }

    /// Its taps along each axis.
    pub fn extents(&self) -> Shape {
        Shape(self.depth.iter().map(|depth| depth.size).chain(self.size).collect())
    }

    /// Whether it is one place with padding around: a convolution reads it where it lies, and can't.
    pub fn pads_a_point(&self) -> bool {
        let within = matches!(self.padding, Padding::Explicit { before, after } if [before, after] != [[0; 2]; 2]);
        let outside = self.depth.is_some_and(|depth| [depth.before, depth.after] != [0; 2]);
        self.taps() == 1 && (within || outside)
    }

    /// How it slides along the spatial axis at `place` of its input's shape, which has an extent of `extent` there.
    pub fn slide(&self, place: usize, extent: usize) -> Taps {
        match (self.depth, place) {
            (Some(depth), 0) => depth,
            (Some(_), place) => self.along(place - 1, extent),
            (None, 0 | 1) => self.along(place, extent),
            // A volume, seen place by place.
            (None, _) => Taps::POINT,
        }
    }

    /// How it slides along `axis` (0 vertical) of an input of `extent` places.
    pub fn along(&self, axis: usize, extent: usize) -> Taps {
        let (size, stride, dilation) = (self.size[axis], self.stride[axis], self.dilation[axis]);
        let before = self.before(axis, extent);
        let after = match self.padding {
            Padding::Valid => 0,
            Padding::Same => {
                let outputs = self.outputs(axis, extent).max(1);
                ((outputs - 1) * stride + self.reach(axis)).saturating_sub(extent + before)
            }
            Padding::Explicit { after, .. } => after[axis],
        };
        Taps { size, stride, dilation, before, after }
    }

    /// Places from the first tap to the last, both included, along `axis` (0 vertical).
    pub fn reach(&self, axis: usize) -> usize {
        (self.size[axis] - 1) * self.dilation[axis] + 1
    }

    /// Outputs along `axis` for an input of `extent` places; 0 when the window does not fit.
    pub fn outputs(&self, axis: usize, extent: usize) -> usize {
        let inside = |extent: usize| (extent + self.stride[axis]).saturating_sub(self.reach(axis)) / self.stride[axis];
        match self.padding {
            Padding::Valid => inside(extent),
            Padding::Same => extent.div_ceil(self.stride[axis]),
            Padding::Explicit { before, after } => inside(extent + before[axis] + after[axis]),
        }
    }

    /// Padded places before the first along `axis` for an input of `extent` places.
    pub fn before(&self, axis: usize, extent: usize) -> usize {
        match self.padding {
            Padding::Valid => 0,
            Padding::Same => {
                let outputs = self.outputs(axis, extent);
                ((outputs.max(1) - 1) * self.stride[axis] + self.reach(axis)).saturating_sub(extent) / 2
            }
            Padding::Explicit { before, .. } => before[axis],
        }
    }
}

/// An axis of a shape. Only a volume has lines, a time series no columns, a flat tensor channels alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Axis {
    /// The first of several: a volume's planes, an image's lines, the steps of a time series.
    Rows,
    /// The second of four: the lines of a volume's planes.
    Lines,
    /// The last but one of three or four.
    Columns,
    /// The last.
    Channels,
}

impl Axis {
    /// All of them, in the order of memory.
    pub const ALL: [Axis; 4] = [Axis::Rows, Axis::Lines, Axis::Columns, Axis::Channels];

    /// Its place among the extents of a shape, where the shape has it.
    pub fn place(self, shape: &Shape) -> Option<usize> {
        let axes = shape.0.len();
        match self {
            Axis::Rows => (axes > 1).then_some(0),
            Axis::Lines => (axes > 3).then_some(1),
            Axis::Columns => (axes > 2).then_some(axes.wrapping_sub(2)),
            Axis::Channels => axes.checked_sub(1),
        }
    }
}

/// Which place of an axis is nearest when the axis is resized, in the three ways of TensorFlow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nearest {
    /// First and last places of both lie on each other.
    pub align_corners: bool,
    /// A place stands in the middle of its value.
    pub half_pixel_centers: bool,
}

impl Nearest {
    /// The input place, of `inputs`, that output place `place`, of `outputs`, is a copy of: as
    /// RESIZE_NEAREST_NEIGHBOR of LiteRT's reference kernels computes it, in f32.
    ///
    /// ```
    /// use microception_codegen::graph::Nearest;
    /// let nearest = Nearest { align_corners: false, half_pixel_centers: true };
    /// assert_eq!((0..6).map(|place| nearest.source(place, 6, 3)).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
    /// ```
    pub fn source(self, place: usize, outputs: usize, inputs: usize) -> usize {
        let last = inputs.saturating_sub(1);
        let scale = if self.align_corners && outputs > 1 {
            last as f32 / (outputs - 1) as f32
        } else {
            inputs as f32 / outputs as f32
        };
        let offset = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let near = (place as f32 + offset) * scale;
        let near = if self.align_corners { near.round() } else { near.floor() };
        // Never negative, never a NaN.
        (near as usize).min(last)
    }
}

/// Between which places of an axis one of the resized axis lies, in the three ways of TensorFlow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Linear {
    /// First and last places of both lie on each other.
    pub align_corners: bool,
    /// A place stands in the middle of its value.
    pub half_pixel_centers: bool,
}

/// Two neighbouring places, or one twice, and how near the second is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Between<Weight> {
    /// The places.
    pub places: [usize; 2],
    /// The second's part of what lies between them; the first has the rest.
    pub weight: Weight,
}

impl Linear {
    /// Where output place `place`, of `outputs`, lies among `inputs` places: as RESIZE_BILINEAR of LiteRT's reference
    /// kernels computes it in f32.
    ///
    /// ```
    /// use microception_codegen::graph::{Between, Linear};
    /// let linear = Linear { align_corners: false, half_pixel_centers: true };
    /// assert_eq!(linear.between(2, 8, 4), Between { places: [0, 1], weight: 0.75 });
    /// assert_eq!(linear.between(7, 8, 4).places, [3, 3]);
    /// ```
    pub fn between(self, place: usize, outputs: usize, inputs: usize) -> Between<f32> {
        let last = inputs.saturating_sub(1);
        let scale = if self.align_corners && outputs > 1 {
            last as f32 / (outputs - 1) as f32
        } else {
            inputs as f32 / outputs as f32
        };
        let at = if self.half_pixel_centers { (place as f32 + 0.5) * scale - 0.5 } else { place as f32 * scale };
        // Beyond the ends, which no number of an axis leaves by more than one, lies the end.
        let places = [at.floor().max(0.0) as usize, at.ceil().max(0.0) as usize].map(|place| place.min(last));
        // Where both are one place its part is the whole, whatever the weight.
        let weight = if places[0] == places[1] { 0.0 } else { at - places[0] as f32 };
        Between { places, weight }
    }

    /// As [`between`](Linear::between) for int8, which LiteRT computes in 1024ths.
    ///
    /// ```
    /// use microception_codegen::graph::{Between, Linear};
    /// let linear = Linear { align_corners: false, half_pixel_centers: false };
    /// assert_eq!(linear.between_int8(1, 3, 2), Between { places: [0, 1], weight: 683 });
    /// ```
    pub fn between_int8(self, place: usize, outputs: usize, inputs: usize) -> Between<i16> {
        const ONE: i64 = 1 << 10;
        let [place, outputs, inputs] = [place, outputs, inputs].map(|number| number as i64);
        let last = (inputs - 1).max(0);
        let scale = match self.align_corners && outputs > 1 {
            true => (ONE * last + (outputs - 1) / 2) / (outputs - 1),
            false => (ONE * inputs + outputs / 2) / outputs.max(1),
        };
        let at = place * scale + if self.half_pixel_centers { scale / 2 - ONE / 2 } else { 0 };
        let places = [at / ONE, (at + ONE - 1) / ONE].map(|place| place.clamp(0, last));
        // Where both are one place its part is the whole, whatever the weight.
        let weight = if places[0] == places[1] { 0 } else { at - ONE * places[0] };
        Between { places: places.map(|place| place as usize), weight: weight as i16 }
    }
}

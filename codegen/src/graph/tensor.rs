//! Values that flow between layers, and the numbers that a model holds: shapes, element types, weights.

/// The element type of a tensor in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    /// IEEE single precision.
    F32,
    /// Quantized to eight bits, see [`Quantization`].
    I8,
    /// Quantized to sixteen bits, around zero.
    I16,
    /// Pixels as a camera gives them, 0 to 255. Only a model's input has this type.
    U8,
}

impl Element {
    /// Bytes of one element.
    pub fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::I16 => 2,
            Element::I8 | Element::U8 => 1,
        }
    }

    /// Whether its numbers stand for real ones by a [`Quantization`].
    pub fn is_quantized(self) -> bool {
        matches!(self, Element::I8 | Element::I16)
    }

    /// The type's name in Rust.
    pub fn name(self) -> &'static str {
        match self {
            Element::F32 => "f32",
            Element::I8 => "i8",
            Element::I16 => "i16",
            Element::U8 => "u8",
        }
    }
}

/// How a quantized tensor stands for real numbers: `real = scale * (stored - zero_point)`,
/// as in the TensorFlow Lite 8-bit quantization specification.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantization {
    /// Real value of one step; positive and finite.
    pub scale: f32,
    /// The stored value that stands for zero, -128 to 127; of 16 bits always 0.
    pub zero_point: i32,
}

/// The extents of a tensor without its batch, channels last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Shape(pub Vec<usize>);

impl Shape {
    /// Elements in all.
    pub fn elements(&self) -> usize {
        self.0.iter().product()
    }

    /// Rows: the extent of the first spatial axis; one for a flat tensor.
    pub fn rows(&self) -> usize {
        if self.0.len() > 1 { self.0[0] } else { 1 }
    }

    /// Elements of one row.
    pub fn row_elements(&self) -> usize {
        self.0[usize::from(self.0.len() > 1)..].iter().product()
    }

    /// Lines of a row: the height of a volume's planes, one for all others.
    pub fn lines(&self) -> usize {
        if self.0.len() > 3 { self.0[1] } else { 1 }
    }

    /// Width of a line in pixels; one for a time series or a flat tensor.
    pub fn width(&self) -> usize {
        if self.0.len() > 2 { self.0[self.0.len() - 2] } else { 1 }
    }

    /// Pixels of a row: of a volume, of all lines of a plane.
    pub fn pixels(&self) -> usize {
        self.lines() * self.width()
    }

    /// For each element of the tensor with its axes in another order, its place in this one's.
    ///
    /// ```
    /// use microception_codegen::graph::Shape;
    /// // Down the columns of a matrix.
    /// assert_eq!(Shape(vec![2, 3]).order(&[1, 0]), [0, 3, 1, 4, 2, 5]);
    /// ```
    pub fn order(&self, axes: &[usize]) -> Vec<usize> {
        let stride = |axis: usize| self.0[axis + 1..].iter().product::<usize>();
        let mut places = vec![0];
        for &axis in axes {
            let along = |place: usize| (0..self.0[axis]).map(move |step| (place, step));
            places = places.into_iter().flat_map(along).map(|(place, step)| place + step * stride(axis)).collect();
        }
        places
    }

    /// The last extent.
    pub fn channels(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }

    /// The same places with another number of channels.
    #[must_use]
    pub fn with_channels(&self, channels: usize) -> Shape {
        let places = self.0.split_last().map_or(&[][..], |(_, places)| places);
        Shape([places, &[channels]].concat())
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let extents: Vec<String> = self.0.iter().map(usize::to_string).collect();
        formatter.write_str(&extents.join("x"))
    }
}

/// A value that flows between layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// The name of the layer that makes it.
    pub name: String,
    /// Extents without the batch. Readers set the input's; [`crate::passes`] infers the others.
    pub shape: Shape,
    /// Element type; [`Element::F32`] until the graph is quantized.
    pub element: Element,
    /// Set when `element` is [`Element::I8`] or [`Element::I16`].
    pub quantization: Option<Quantization>,
}

/// Trained numbers of a layer, in the layout that its [`Operator`](super::Operator) states.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// As trained.
    F32(Vec<f32>),
    /// Symmetric (zero point 0), with one scale per output channel.
    I8 {
        /// The quantized numbers.
        values: Vec<i8>,
        /// Real value of one step, per output channel.
        scales: Vec<f32>,
    },
    /// As [`I8`](Weights::I8), in four bits.
    I4 {
        /// The quantized numbers, -8 to 7.
        values: Vec<i8>,
        /// Real value of one step, per output channel.
        scales: Vec<f32>,
    },
}

impl Weights {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Weights::F32(values) => values.len(),
            Weights::I8 { values, .. } | Weights::I4 { values, .. } => values.len(),
        }
    }

    /// The quantized numbers and their scales.
    pub fn quantized(&self) -> Option<(&[i8], &[f32])> {
        match self {
            Weights::F32(_) => None,
            Weights::I8 { values, scales } | Weights::I4 { values, scales } => Some((values, scales)),
        }
    }

    /// The numbers at these places, with the same scales.
    ///
    /// # Panics
    /// When there is no number at one.
    #[must_use]
    pub fn at(&self, places: impl Iterator<Item = usize>) -> Weights {
        match self {
            Weights::F32(values) => Weights::F32(places.map(|place| values[place]).collect()),
            Weights::I8 { values, scales } => {
                Weights::I8 { values: places.map(|place| values[place]).collect(), scales: scales.clone() }
            }
            Weights::I4 { values, scales } => {
                Weights::I4 { values: places.map(|place| values[place]).collect(), scales: scales.clone() }
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One number per output channel, added to the accumulator.
#[derive(Debug, Clone, PartialEq)]
pub enum Bias {
    /// As trained.
    F32(Vec<f32>),
    /// In steps of `input scale * weight scale` of the channel.
    I32(Vec<i32>),
    /// The same of a layer with values of 16 bits, whose accumulator has 64.
    I64(Vec<i64>),
}

impl Bias {
    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Bias::F32(values) => values.len(),
            Bias::I32(values) => values.len(),
            Bias::I64(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

//! Every tolerance that the tests allow, with its reason.

/// f32 against Keras and against LiteRT's float kernels, as a part of the largest magnitude in the tensor: all
/// round every step to 24 bits but add in different orders, and a batch norm is folded before it is rounded.
pub const F32: f32 = 1e-5;

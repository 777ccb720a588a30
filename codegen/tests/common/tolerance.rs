//! Every tolerance that the tests allow, with its reason.

/// f32 against Keras, as a part of the largest magnitude in the tensor: both round every step to
/// 24 bits but add in different orders, and a batch norm is folded before it is rounded.
pub const F32_AGAINST_KERAS: f32 = 1e-5;

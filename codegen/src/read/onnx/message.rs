//! The messages of an ONNX file, as far as they are read.
//!
//! Numbers and types are those of [`onnx.proto`](https://github.com/onnx/onnx/blob/main/onnx/onnx.proto) (Apache-2.0). What lies
//! within a message and comes many times is kept as bytes of the file and decoded where it is looked at, so that a message takes
//! no more memory than a few times its bytes.

use prost::Message;
use prost::bytes::Bytes;

use crate::error::Error;

/// The whole file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Model {
    /// [`Graph`].
    #[prost(bytes = "bytes", tag = "7")]
    pub(super) graph: Bytes,
    /// [`OperatorSet`]s.
    #[prost(bytes = "bytes", repeated, tag = "8")]
    pub(super) operator_sets: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "25")]
    pub(super) functions: Vec<Bytes>,
}

/// A version of the operators of a domain.
#[derive(Clone, PartialEq, Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Graph {
    /// [`Node`]s.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) nodes: Vec<Bytes>,
    #[prost(string, tag = "2")]
    pub(super) name: String,
    /// [`Tensor`]s.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(super) initializers: Vec<Bytes>,
    /// [`ValueInfo`]s.
    #[prost(bytes = "bytes", repeated, tag = "11")]
    pub(super) inputs: Vec<Bytes>,
    /// [`Named`].
    #[prost(bytes = "bytes", repeated, tag = "12")]
    pub(super) outputs: Vec<Bytes>,
}

/// The call of an operator.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Node {
    #[prost(string, repeated, tag = "1")]
    pub(super) inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) outputs: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) kind: String,
    /// [`Attribute`]s.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(super) attributes: Vec<Bytes>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Attribute {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, tag = "2")]
    pub(super) float: f32,
    #[prost(int64, tag = "3")]
    pub(super) integer: i64,
    #[prost(bytes = "bytes", tag = "4")]
    pub(super) text: Bytes,
    /// A [`Tensor`].
    #[prost(bytes = "bytes", tag = "5")]
    pub(super) tensor: Bytes,
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) integers: Vec<i64>,
}

/// Numbers of the file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    pub(super) extents: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) element: i32,
    #[prost(float, repeated, tag = "4")]
    pub(super) floats: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub(super) small_integers: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) integers: Vec<i64>,
    #[prost(string, tag = "8")]
    pub(super) name: String,
    /// Little endian.
    #[prost(bytes = "bytes", tag = "9")]
    pub(super) raw: Bytes,
    #[prost(double, repeated, tag = "10")]
    pub(super) doubles: Vec<f64>,
    /// [`Entry`]s that say where the numbers lie.
    #[prost(bytes = "bytes", repeated, tag = "13")]
    pub(super) external: Vec<Bytes>,
    /// 1 where the numbers lie in another file.
    #[prost(int32, tag = "14")]
    pub(super) location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// What has a name, whatever else it is.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Named {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// An input of the model.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) kind: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Type {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) element: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<Extents>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Extents {
    /// [`Extent`]s.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) extents: Vec<Bytes>,
}

/// One extent: a number, or a word where it is left open.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Extent {
    #[prost(int64, optional, tag = "1")]
    pub(super) number: Option<i64>,
    #[prost(string, tag = "2")]
    pub(super) word: String,
}

/// The message in these bytes of the file.
pub(super) fn decode<M: Message + Default>(bytes: &Bytes) -> Result<M, Error> {
    M::decode(bytes.clone()).map_err(|error| Error::model(format!("is a damaged .onnx file: {error}")))
}

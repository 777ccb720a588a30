//! What several tests share.

pub mod naive;
pub mod random_graph;
pub mod tolerance;

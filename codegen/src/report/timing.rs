//! What one inference takes on a board, layer by layer.

use serde::Serialize;

/// Counts of one inference.
#[derive(Debug, Clone, Serialize)]
pub struct Timing {
    /// The board.
    pub board: String,
    /// What is counted, in the plural: instructions, cycles.
    pub unit: String,
    /// Of one inference in one go.
    pub inference: u64,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Each layer, in the order of execution: its steps, each with its part of the executor.
    pub layers: Vec<LayerTime>,
    /// Bytes of stack that an inference needs, where the board can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_bytes: Option<u64>,
    /// Bytes of code with the plan, where the program was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_bytes: Option<u64>,
}

/// One layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerTime {
    /// Its name in the model.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// Multiply-accumulates.
    pub macs: u64,
    /// In the [unit](Timing::unit).
    pub count: u64,
}

impl LayerTime {
    /// Counts for each multiply-accumulate; none of a layer without.
    pub fn per_mac(&self) -> Option<f64> {
        (self.macs > 0).then(|| self.count as f64 / self.macs as f64)
    }
}

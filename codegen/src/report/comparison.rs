//! Two models, or one in two precisions, beside each other.

use serde::Serialize;

use crate::convert::{Precision, Summary};
use crate::device::bench::Bench;

/// Two models.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The first and the second.
    pub models: [Compared; 2],
    /// The board whose instructions are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// How both answer to the same labelled data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
}

/// One of them.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Its file.
    pub file: String,
    /// Its arithmetic.
    pub precision: Precision,
    /// Layers that run.
    pub layers: usize,
    /// Trained numbers.
    pub parameters: usize,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Bytes of weights, biases, factors and tables.
    pub weight_bytes: usize,
    /// Bytes of arena, scratch included.
    pub arena_bytes: usize,
    /// On the board: instructions of one inference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// On the board: bytes of code with the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_bytes: Option<u64>,
    /// On the board: bytes of stack of one inference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_bytes: Option<u64>,
}

/// How two models answer to the same frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Answers {
    /// Frames.
    pub total: usize,
    /// Of each model, how many frames it takes for what they are.
    pub correct: [usize; 2],
    /// Frames that each alone takes for what they are.
    pub alone: [usize; 2],
    /// Frames that both take for the same class, be it right or wrong.
    pub agree: usize,
}

impl Compared {
    /// Of a model's conversion, and what its program takes on a board.
    pub fn of(file: String, summary: &Summary, measured: Option<&Bench>) -> Compared {
        Compared {
            file,
            precision: summary.precision,
            layers: summary.layers.len(),
            parameters: summary.figures.parameters,
            macs: summary.figures.macs,
            weight_bytes: summary.figures.weight_bytes,
            arena_bytes: summary.figures.arena_bytes,
            instructions: measured.map(|bench| bench.instructions),
            code_bytes: measured.map(|bench| bench.code_bytes),
            stack_bytes: measured.map(|bench| bench.stack_bytes),
        }
    }
}

impl Answers {
    /// Of the classes that each model says, and those that are right.
    ///
    /// ```
    /// use microception_codegen::report::comparison::Answers;
    /// let answers = Answers::of([&[1, 2, 0, 3], &[1, 0, 0, 0]], &[1, 2, 2, 0]);
    /// assert_eq!(answers, Answers { total: 4, correct: [2, 2], alone: [1, 1], agree: 2 });
    /// ```
    pub fn of(said: [&[usize]; 2], right: &[usize]) -> Answers {
        let mut answers = Answers { total: 0, correct: [0; 2], alone: [0; 2], agree: 0 };
        for ((first, second), class) in said[0].iter().zip(said[1]).zip(right) {
            let is_right = [first == class, second == class];
            answers.total += 1;
            answers.agree += usize::from(first == second);
            for model in 0..2 {
                answers.correct[model] += usize::from(is_right[model]);
                answers.alone[model] += usize::from(is_right[model] && !is_right[1 - model]);
            }
        }
        answers
    }
}

//! Time against memory: where several kernels give the same numbers, which one runs. What is chosen here changes cycles,
//! flash and arena, never a result.
//!
//! So far there is one choice. A convolution with three taps and stride 1 along a row can run [by Winograd's
//! algorithm](microception::layers::conv::winograd): two thirds of the products, 2.67 times the weights in flash, a
//! third more scratch. That is faster on a Cortex-M4, M7 or M33. On a Cortex-M3 and with Helium, whose own kernels make
//! plain products, it is slower: there [`Optimize::Size`] is the fastest as well.

use std::borrow::Cow;
use std::collections::BTreeSet;

use microception::simd;

use crate::endless;
use crate::error::Error;
use crate::graph::Graph;
use crate::lower::{self, Kernel};
use crate::plan::{self, LayerRows, Plan, Strategy};

/// What kernels are to be good at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Optimize {
    /// Flash for time where it is well spent: by Winograd's algorithm from [`WELL_SPENT`] output pixels on, those with the
    /// most first, as long as weights and factors grow by an [eighth](FLASH_PART) at most.
    Balanced,
    /// The least flash: every convolution by its plain products, whose code the others need anyway. What a module does
    /// well on every core.
    #[default]
    Size,
    /// The least time, whatever flash and arena it takes.
    Speed,
    /// The least arena, and of the kernels that leave it so the fastest.
    Ram,
}

/// Output pixels from which on a convolution's transformed weights are worth their flash. Each weight is multiplied once
/// for every pixel; on a Cortex-M4 a third of a cycle is saved each time, and 1.67 bytes are added once. From 256 pixels
/// on, 16 by 16, a byte of flash saves 50 cycles of every inference.
pub const WELL_SPENT: usize = 256;

/// [`Optimize::Balanced`] adds one of so many parts of the weights and factors at most.
pub const FLASH_PART: usize = 8;

/// What a conversion is to be good at: the order of the rows, and the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    /// The order.
    pub strategy: Strategy,
    /// The kernels.
    pub optimize: Optimize,
}

impl From<Strategy> for Goal {
    fn from(strategy: Strategy) -> Goal {
        Goal { strategy, optimize: Optimize::default() }
    }
}

impl From<Optimize> for Goal {
    /// The order that goes with the kernels: of [`Optimize::Ram`] the one in the least memory, be it
    /// [`Strategy::Smallest`]'s or [`Strategy::Balanced`]'s.
    fn from(optimize: Optimize) -> Goal {
        let strategy = if optimize == Optimize::Ram { Strategy::Smallest } else { Strategy::Balanced };
        Goal { strategy, optimize }
    }
}

/// A graph with its kernels and its plan.
#[derive(Debug, Clone)]
pub struct Lowered<'a> {
    /// The graph that is planned: the one given, or of an endless plan that of [one window](endless::windowed).
    pub graph: Cow<'a, Graph>,
    /// Per layer.
    pub kernels: Vec<Kernel>,
    /// Per layer: what the planner had to know.
    pub layers: Vec<LayerRows>,
    /// The indices of the layers that make the model's outputs.
    pub outputs: Vec<usize>,
    /// The plan.
    pub plan: Plan,
}

/// Lowers and plans a graph that has gone through the [passes](crate::passes).
///
/// # Errors
/// When the graph can't be lowered or planned.
pub fn lowered(graph: &Graph, goal: impl Into<Goal>) -> Result<Lowered<'_>, Error> {
    let Goal { strategy, optimize } = goal.into();
    let planned_graph = planned_graph(graph, strategy)?;
    let graph = planned_graph.as_ref();
    let outputs = lower::outputs(graph)?;
    let output = outputs[0];
    let planned = |transformed: BTreeSet<usize>| -> Result<Planned, Error> {
        let layers = lower::rows(graph, &transformed)?;
        let plan = match (strategy, optimize) {
            (Strategy::Smallest, Optimize::Ram) => plan::plan_in_least(&layers, output)?,
            _ => plan::plan(&layers, output, strategy)?,
        };
        Ok(Planned { transformed, layers, plan })
    };
    let Planned { transformed, layers, plan } = match optimize {
        Optimize::Ram => least_arena(graph, planned)?,
        _ => planned(transformed(graph, optimize)?)?,
    };
    let kernels = lower::kernels(graph, &transformed)?.into_iter().zip(&plan.in_place);
    let kernels = kernels.map(|(kernel, in_place)| match *in_place {
        Some(input) => Kernel::InPlace { kernel: Box::new(kernel), input },
        None => kernel,
    });
    let kernels = kernels.collect();
    Ok(Lowered { graph: planned_graph, kernels, layers, outputs, plan })
}

/// The graph whose shapes a plan of that strategy has.
///
/// # Errors
/// When the plan is to be endless, and a layer can't.
pub fn planned_graph(graph: &Graph, strategy: Strategy) -> Result<Cow<'_, Graph>, Error> {
    Ok(match strategy {
        Strategy::Endless => Cow::Owned(endless::windowed(graph)?),
        _ => Cow::Borrowed(graph),
    })
}

/// The layers that run by Winograd's algorithm. Of [`Optimize::Ram`] none: there the plan decides.
///
/// # Errors
/// When the graph can't be lowered.
pub fn transformed(graph: &Graph, optimize: Optimize) -> Result<BTreeSet<usize>, Error> {
    let mut layers = match optimize {
        Optimize::Balanced | Optimize::Speed => gaining(graph)?,
        Optimize::Size | Optimize::Ram => Vec::new(),
    };
    if optimize == Optimize::Balanced {
        layers.retain(|&layer| pixels(graph, layer) >= WELL_SPENT);
        if layers.is_empty() {
            return Ok(BTreeSet::new());
        }
        layers.sort_by_key(|&layer| std::cmp::Reverse(pixels(graph, layer)));
        let bytes = |transformed: BTreeSet<usize>| -> Result<Vec<usize>, Error> {
            Ok(lower::kernels(graph, &transformed)?.iter().map(Kernel::weight_bytes).collect())
        };
        let (plain, more) = (bytes(BTreeSet::new())?, bytes(layers.iter().copied().collect())?);
        let mut left = plain.iter().sum::<usize>() / FLASH_PART;
        layers.retain(|&layer| {
            let added = more[layer] - plain[layer];
            let fits = added <= left;
            left -= if fits { added } else { 0 };
            fits
        });
    }
    Ok(layers.into_iter().collect())
}

struct Planned {
    transformed: BTreeSet<usize>,
    layers: Vec<LayerRows>,
    plan: Plan,
}

/// The plan with the most transformed layers that takes no more arena than the one with none. All are tried together, then,
/// where that takes more, one after the other, those first that save the most for their flash.
fn least_arena(graph: &Graph, planned: impl Fn(BTreeSet<usize>) -> Result<Planned, Error>) -> Result<Planned, Error> {
    let mut layers = gaining(graph)?;
    let mut best = planned(BTreeSet::new())?;
    if layers.is_empty() {
        return Ok(best);
    }
    let all = planned(layers.iter().copied().collect())?;
    if all.plan.arena_bytes <= best.plan.arena_bytes {
        return Ok(all);
    }
    layers.sort_by_key(|&layer| std::cmp::Reverse(pixels(graph, layer)));
    for layer in layers {
        let mut more = best.transformed.clone();
        more.insert(layer);
        let next = planned(more)?;
        if next.plan.arena_bytes <= best.plan.arena_bytes {
            best = next;
        }
    }
    Ok(best)
}

/// The layers that Winograd's algorithm makes faster. A row that fits into one tile of plain products is none: it leaves
/// half a tile of pairs idle.
fn gaining(graph: &Graph) -> Result<Vec<usize>, Error> {
    let width = |layer: usize| graph.tensor(graph.layers[layer].output).shape.width();
    Ok(lower::transformable(graph)?.into_iter().filter(|&layer| width(layer) > simd::LANES).collect())
}

/// Output pixels of a layer.
fn pixels(graph: &Graph, layer: usize) -> usize {
    let shape = &graph.tensor(graph.layers[layer].output).shape;
    shape.elements() / shape.channels().max(1)
}

//! The graph as a list of layers with the tensors between them as lines at its left: each line is a tensor that some layer
//! below still reads. What was folded into a layer is folded out by a click.

use maud::{Markup, PreEscaped, html};

use crate::report::overview::{Layer, Overview};
use crate::report::text::{extents, grouped};

/// Pixels between two lines, and of a row that is folded.
const LANE: usize = 14;
const HEIGHT: usize = 30;

/// One row's lines.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    /// The lanes of the tensors that come from above, each with whether this layer reads it and whether it goes on below.
    above: Vec<Above>,
    /// The lane of what the layer makes.
    node: usize,
    /// The lanes that go on below.
    below: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq)]
struct Above {
    lane: usize,
    read: bool,
    goes_on: bool,
}

/// Gives every tensor a lane for as long as it is read.
fn rows(overview: &Overview) -> Vec<Row> {
    let last_reader = |layer: usize| {
        let reader = overview.layers.iter().rposition(|other| other.inputs.contains(&layer));
        if overview.outputs.contains(&layer) { Some(usize::MAX) } else { reader }
    };
    let mut lanes: Vec<Option<usize>> = Vec::new();
    let mut rows = Vec::new();
    for (index, layer) in overview.layers.iter().enumerate() {
        let mut above = Vec::new();
        for (lane, tensor) in lanes.iter().enumerate() {
            let Some(tensor) = *tensor else { continue };
            let goes_on = last_reader(tensor).is_some_and(|last| last > index);
            above.push(Above { lane, read: layer.inputs.contains(&tensor), goes_on });
        }
        for Above { lane, goes_on, .. } in &above {
            if !goes_on {
                lanes[*lane] = None;
            }
        }
        // Where its input's line ends its own goes on; else the leftmost that is free.
        let ended = above.iter().find(|above| above.read && !above.goes_on).map(|above| above.lane);
        let node = ended.or_else(|| lanes.iter().position(Option::is_none)).unwrap_or(lanes.len());
        if node == lanes.len() {
            lanes.push(None);
        }
        lanes[node] = last_reader(index).is_some_and(|last| last > index).then_some(index);
        let below = (0..lanes.len()).filter(|&lane| lanes[lane].is_some()).collect();
        rows.push(Row { above, node, below });
    }
    rows
}

/// The list.
pub fn list(overview: &Overview) -> Markup {
    let rows = rows(overview);
    let lanes = rows.iter().flat_map(|row| row.below.iter().chain([&row.node])).max().map_or(1, |most| most + 1);
    html! {
        ol class="graph" {
            @for (index, (layer, row)) in overview.layers.iter().zip(&rows).enumerate() {
                li id=(format!("layer{index}")) {
                    div class="lanes" style=(format!("width:{}px", lanes * LANE)) { (lines(row, lanes)) }
                    (details(overview, layer))
                }
            }
        }
    }
}

fn details(overview: &Overview, layer: &Layer) -> Markup {
    let name = |index: &usize| overview.layers.get(*index).map_or("?", |layer| &layer.name);
    html! {
        details {
            summary {
                span class="name" { (layer.name) }
                span class="kind" { (layer.kind) }
                span class="shape" { (extents(&layer.shape)) }
                @if !layer.parts.is_empty() { span class="folded" { "+" (layer.parts.len()) " folded" } }
            }
            dl {
                @if !layer.inputs.is_empty() {
                    dt { "reads" }
                    dd { (layer.inputs.iter().map(name).collect::<Vec<_>>().join(", ")) }
                }
                dt { "makes" }
                dd { (extents(&layer.shape)) " " (layer.element) }
                @if !layer.facts.is_empty() { dt { "how" } dd { (layer.facts.join(", ")) } }
                @if let Some(weights) = layer.weights {
                    dt { "weights" }
                    dd { (grouped(layer.parameters)) " in " (weights) ", " (grouped(layer.weight_bytes)) " bytes with factors" }
                }
                @if layer.macs > 0 { dt { "MACs" } dd { (grouped(layer.macs)) } }
                @if !layer.parts.is_empty() {
                    dt { "folded in" }
                    dd { ul { @for part in &layer.parts { li { (part.name) " " span class="kind" { (part.kind) } } } } }
                }
            }
        }
    }
}

/// The lines of a row: those of fixed height beside its name, and those beside what is folded out.
fn lines(row: &Row, lanes: usize) -> Markup {
    let x = |lane: usize| lane * LANE + LANE / 2;
    let middle = HEIGHT / 2;
    let mut top = String::new();
    for above in &row.above {
        let (from, node) = (x(above.lane), x(row.node));
        if above.read {
            top += &format!("<path d=\"M{from} 0 C{from} {middle} {node} 0 {node} {middle}\"/>");
        }
        if above.goes_on {
            top += &format!("<path d=\"M{from} 0 V{HEIGHT}\"/>");
        }
    }
    let node = x(row.node);
    if row.below.contains(&row.node) {
        top += &format!("<path d=\"M{node} {middle} V{HEIGHT}\"/>");
    }
    top += &format!("<circle cx=\"{node}\" cy=\"{middle}\" r=\"4\"/>");
    let rest: String = row.below.iter().map(|&lane| format!("<path d=\"M{} 0 V1\"/>", x(lane))).collect();
    let width = lanes * LANE;
    let svg = format!(
        "<svg aria-hidden=\"true\" width=\"{width}\" height=\"{HEIGHT}\">{top}</svg>\
         <svg aria-hidden=\"true\" class=\"rest\" width=\"{width}\" viewBox=\"0 0 {width} 1\" preserveAspectRatio=\"none\">{rest}</svg>"
    );
    PreEscaped(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::{ModelFigures, Precision};

    fn overview(inputs: &[&[usize]]) -> Overview {
        let layer = |inputs: &[usize]| Layer {
            name: String::new(),
            kind: "",
            shape: vec![1],
            element: "f32",
            weights: None,
            inputs: inputs.to_vec(),
            facts: Vec::new(),
            parts: Vec::new(),
            parameters: 0,
            macs: 0,
            weight_bytes: 0,
        };
        Overview {
            model: String::new(),
            precision: Precision::F32,
            layers: inputs.iter().map(|inputs| layer(inputs)).collect(),
            outputs: vec![inputs.len() - 1],
            labels: Vec::new(),
            figures: ModelFigures {
                parameters: 0,
                macs: 0,
                weight_bytes: 0,
                step_bytes: 0,
                flash_bytes: 0,
                arena_bytes: 0,
            },
            warnings: Vec::new(),
        }
    }

    #[test]
    fn a_residual_branch_has_a_lane_of_its_own() {
        // 0 -> 1 -> 2, and 0 beside them to 3.
        let rows = rows(&overview(&[&[], &[0], &[1], &[2, 0]]));
        assert_eq!(rows.iter().map(|row| row.node).collect::<Vec<_>>(), [0, 1, 1, 0]);
        assert_eq!(rows[1].above, [Above { lane: 0, read: true, goes_on: true }]);
        assert_eq!(rows[3].above.iter().filter(|above| above.read).count(), 2);
        assert_eq!(rows[3].below, [0]);
    }
}

//! Figures as tables.

use comfy_table::presets::{ASCII_MARKDOWN, UTF8_FULL_CONDENSED};
use comfy_table::{Cell, Table};

use super::Run;
use super::microflow::Beside;
use super::record::{Figures, INSTRUCTIONS};
use crate::size::{align_numbers, grouped};

/// The figures of bytes, in the order of the table.
const BYTES: [(&str, &str); 7] = [
    ("arena with scratch, bytes", "arena_bytes"),
    ("stack, bytes", "stack_bytes"),
    ("other statics, bytes", "static_bytes"),
    ("weights, bytes", "weight_bytes"),
    ("code with plan, bytes", "code_bytes"),
    ("flash, bytes", "flash_bytes"),
    ("answers unlike LiteRT's", "unlike_litert"),
];

/// All runs of one model: a column a board, a row a figure, then a row a layer.
pub fn model(runs: &[&Run]) -> String {
    let Some(first) = runs.first() else { return String::new() };
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([first.model.as_str()].into_iter().chain(runs.iter().map(|run| run.board)));
    let mut row = |name: &str, cell: &dyn Fn(&Run) -> String| {
        table.add_row([Cell::new(name)].into_iter().chain(runs.iter().map(|run| Cell::new(cell(run)))));
    };
    let figure = |run: &Run, name: &str| {
        let of = |figures: &Figures| figures.figures.get(name).copied();
        change(run.old.as_ref().and_then(of), of(&run.new))
    };
    row("instructions (per MAC)", &|run| figure(run, INSTRUCTIONS) + &per_mac(run.new.get(INSTRUCTIONS), run.macs));
    for (title, name) in BYTES.into_iter().filter(|(_, name)| first.new.figures.contains_key(*name)) {
        row(title, &|run| figure(run, name));
    }
    for (index, (name, ..)) in first.layers.iter().enumerate() {
        row(name, &|run| {
            let Some((name, _, macs, instructions)) = run.layers.get(index) else { return String::new() };
            let old = run.old.as_ref().and_then(|old| old.layers.get(name).copied());
            change(old, Some(*instructions)) + &per_mac(*instructions, *macs)
        });
    }
    align_numbers(&mut table);
    table.to_string()
}

/// Models by us and by microflow, in Markdown; and why answers differ, where they do.
pub fn beside(pairs: &[Beside]) -> String {
    let mut table = Table::new();
    let header =
        ["model", "by", "instructions (per MAC)", "RAM with stack, bytes", "flash, bytes", "answers as LiteRT's"];
    table.load_style(ASCII_MARKDOWN).set_header(header);
    for Beside { name, ours, theirs, answers } in pairs {
        let classes = answers.classes_of_theirs.filter(|_| answers.theirs != answers.inputs);
        let classes = classes.map(|classes| format!(", class of {classes}")).unwrap_or_default();
        let theirs_alike = format!("{} of {}{classes}", answers.theirs, answers.inputs);
        let ours_alike = format!("{} of {}", answers.ours, answers.inputs);
        for (run, by, alike) in [(ours, "microception", ours_alike), (theirs, "microflow", theirs_alike)] {
            let sum = |names: &[&str]| names.iter().map(|name| run.new.get(name)).sum::<u64>();
            let instructions = run.new.get(INSTRUCTIONS);
            table.add_row([
                name.to_string(),
                by.to_owned(),
                grouped(instructions) + &per_mac(instructions, run.macs),
                grouped(sum(&["arena_bytes", "stack_bytes", "static_bytes"])),
                grouped(sum(&["weight_bytes", "code_bytes", "flash_bytes"])),
                alike,
            ]);
        }
    }
    align_numbers(&mut table);
    let differ = pairs.iter().any(|pair| pair.answers.theirs != pair.answers.inputs);
    let why = "microflow pads `same` as with stride 1 whatever the stride: with stride 2 of even extents a row above and a \
               column on the left, where TensorFlow Lite pads below and on the right.";
    if differ { format!("{table}\n{why}") } else { table.to_string() }
}

/// `old → new (+1.2%)`, or the one number where it stayed the same or there is no other.
pub fn change(old: Option<u64>, new: Option<u64>) -> String {
    match (old, new) {
        (Some(old), Some(new)) if old != new => {
            let percent = 100.0 * (new as f64 / old as f64 - 1.0);
            format!("{} → {} ({percent:+.1}%)", grouped(old), grouped(new))
        }
        (_, Some(new)) => grouped(new),
        (Some(old), None) => format!("{} → none", grouped(old)),
        (None, None) => String::new(),
    }
}

fn per_mac(instructions: u64, macs: u64) -> String {
    if macs == 0 { String::new() } else { format!(" ({:.2})", instructions as f64 / macs as f64) }
}

#[cfg(test)]
mod tests {
    use super::change;

    #[test]
    fn old_and_new_stand_beside_each_other() {
        assert_eq!(change(Some(1000), Some(1012)), "1,000 → 1,012 (+1.2%)");
        assert_eq!(change(Some(1000), Some(500)), "1,000 → 500 (-50.0%)");
        assert_eq!(change(Some(1000), Some(1000)), "1,000");
        assert_eq!(change(None, Some(1000)), "1,000");
        assert_eq!(change(Some(1000), None), "1,000 → none");
    }
}

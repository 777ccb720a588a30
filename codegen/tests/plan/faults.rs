//! Tests of the checker: plans made by hand, good ones that it must accept, and bad ones that it
//! must refuse for the right reason.

use microception_codegen::plan::{Plan, Step};

use crate::checker::{Byte, Fault, Replay, check};
use crate::demand::{Definition, Demand, Over};

fn definition(inputs: &[usize], demand: Demand, rows: usize) -> Definition {
    let (name, inputs) = (format!("{demand:?}"), inputs.to_vec());
    Definition { name, inputs, demand, rows, row_bytes: 4, by_lines: false, over: Over::Nothing }
}

/// Four rows from the caller, three taps with same padding, and a mean over the rows.
fn definitions() -> Vec<Definition> {
    let taps = Demand::Taps { top: -1, stride: 1, dilation: 1, taps: 3 };
    vec![
        definition(&[], Demand::Caller, 4),
        definition(&[0], taps, 4),
        definition(&[1], Demand::EveryRow { sums: 4 }, 1),
    ]
}

const SCRATCH: [usize; 3] = [0, 4, 4];

fn caller(row: usize, output: usize) -> Step {
    Step { layer: 0, row, rows: 1, first: 0, lines: [vec![], vec![]], output, completes: true, scratch: 0 }
}

fn taps(row: usize, first: isize, lines: &[usize], output: usize, scratch: usize) -> Step {
    Step { layer: 1, row, rows: 1, first, lines: [lines.to_vec(), vec![]], output, completes: true, scratch }
}

fn mean(row: usize, line: usize, rows: usize, output: usize) -> Step {
    Step { layer: 2, row, rows, first: 0, lines: [vec![line], vec![]], output, completes: true, scratch: 20 }
}

/// Rows of the input at 0, 4, 8 and 0 again, a row of the window at 12, its scratch at 16, the sums at
/// 20, the answer at 24.
fn streamed() -> Plan {
    let steps = vec![
        caller(0, 0),
        caller(1, 4),
        taps(0, -1, &[0, 4], 12, 16),
        mean(0, 12, 0, 0),
        caller(2, 8),
        taps(1, 0, &[0, 4, 8], 12, 16),
        mean(1, 12, 0, 0),
        caller(3, 0),
        taps(2, 0, &[4, 8, 0], 12, 16),
        mean(2, 12, 0, 0),
        taps(3, 0, &[8, 0], 12, 16),
        mean(3, 12, 1, 24),
    ];
    Plan {
        steps,
        arena_bytes: 28,
        floor_bytes: 24,
        output: 24,
        unit: 4,
        cuts: vec![],
        scratch_bytes: SCRATCH.to_vec(),
        in_place: vec![None; 3],
        period: None,
    }
}

/// The same without the mean: the rows of the window are the answer, at 12 to 28, with scratch at 28.
fn with_rows_out() -> Plan {
    let steps = vec![
        caller(0, 0),
        caller(1, 4),
        taps(0, -1, &[0, 4], 12, 28),
        caller(2, 8),
        taps(1, 0, &[0, 4, 8], 16, 28),
        caller(3, 0),
        taps(2, 0, &[4, 8, 0], 20, 28),
        taps(3, 0, &[8, 0], 24, 28),
    ];
    Plan {
        steps,
        arena_bytes: 32,
        floor_bytes: 28,
        output: 12,
        unit: 4,
        cuts: vec![],
        scratch_bytes: SCRATCH.to_vec(),
        in_place: vec![None; 3],
        period: None,
    }
}

fn check_streamed(plan: &Plan) -> Result<Replay, Fault> {
    check(&definitions(), &SCRATCH, &[2], plan)
}

fn check_rows_out(plan: &Plan) -> Result<Replay, Fault> {
    check(&definitions()[..2], &SCRATCH[..2], &[1], plan)
}

#[test]
fn good_plans_pass() {
    let replay = check_streamed(&streamed()).expect("a good plan");
    assert_eq!(replay.made_after[1], [Some(2), Some(3), Some(4), Some(4)]);
    assert_eq!(replay.alive_bytes, 24);
    let replay = check_rows_out(&with_rows_out()).expect("a good plan");
    assert_eq!(replay.tensor(&definitions(), 1), Some(12));
    assert_eq!(replay.tensor(&definitions(), 0), None, "its first row was overwritten");
}

#[test]
fn several_rows_of_a_call_pass() {
    let mut plan = with_rows_out();
    plan.steps = vec![caller(0, 0), caller(1, 4), caller(2, 8), caller(3, 32), taps(0, -1, &[0, 4, 8, 32], 12, 28)];
    plan.steps[4].rows = 4;
    plan.arena_bytes = 36;
    plan.floor_bytes = 36;
    check_rows_out(&plan).expect("a good plan");
    plan.steps[4].lines[0].pop();
    assert!(matches!(check_rows_out(&plan), Err(Fault::Lines { step: 4, .. })));
}

/// Rows that no tap of a dilated window falls on may be listed, or left out at the ends.
#[test]
fn lines_between_taps_pass() {
    let apart = Demand::Taps { top: -1, stride: 1, dilation: 2, taps: 2 };
    let definitions = [definition(&[], Demand::Caller, 2), definition(&[0], apart, 2)];
    let with = |first, lines: &[usize]| {
        // Row 0 has its taps at -1 and 1, row 1 at 0 and 2.
        let steps = vec![caller(0, 0), caller(1, 4), taps(0, first, lines, 8, 0), taps(1, 0, &[0], 12, 0)];
        let plan = Plan {
            steps,
            arena_bytes: 16,
            floor_bytes: 16,
            output: 8,
            unit: 4,
            cuts: vec![],
            scratch_bytes: SCRATCH.to_vec(),
            in_place: vec![None; 3],
            period: None,
        };
        check(&definitions, &[0, 0], &[1], &plan)
    };
    with(-1, &[0, 4]).expect("all that lies under the window");
    with(-2, &[4]).expect("from the first tap to the last");
    assert!(matches!(with(-1, &[4]), Err(Fault::Lines { .. })));
    assert!(matches!(with(-3, &[4]), Err(Fault::FirstTap { .. })));
    assert!(matches!(with(-2, &[0]), Err(Fault::Content { .. })));
}

type Damage = fn(&mut Plan);
type Reason = fn(&Fault) -> bool;

fn refuses(check: fn(&Plan) -> Result<Replay, Fault>, good: fn() -> Plan, cases: &[(&str, Damage, Reason)]) {
    for (name, damage, reason) in cases {
        let mut plan = good();
        damage(&mut plan);
        match check(&plan) {
            Ok(_) => panic!("{name}: not caught"),
            Err(fault) => assert!(reason(&fault), "{name}: caught as {fault:?}"),
        }
    }
}

#[test]
fn bad_plans_are_caught() {
    let cases: [(&str, Damage, Reason); 26] = [
        (
            "a live row overwritten",
            |plan| plan.steps[4].output = 4,
            |fault| matches!(fault, Fault::Content { step: 5, row: 1, found: Byte::Row { layer: 0, row: 2, .. }, .. }),
        ),
        (
            "an unaligned row of whole words",
            |plan| (plan.unit, plan.steps[4].output) = (1, 7),
            |fault| *fault == Fault::Unaligned { step: 4, address: 7 },
        ),
        (
            "unaligned scratch",
            |plan| (plan.unit, plan.steps[2].scratch) = (1, 18),
            |fault| *fault == Fault::Unaligned { step: 2, address: 18 },
        ),
        (
            "a row read before it is written",
            |plan| plan.steps.swap(1, 2),
            |fault| matches!(fault, Fault::Content { step: 1, row: 1, found: Byte::Empty, .. }),
        ),
        (
            "a row read where it is not yet",
            |plan| plan.steps.swap(4, 5),
            |fault| matches!(fault, Fault::Content { step: 4, row: 2, found: Byte::Empty, .. }),
        ),
        (
            "the first tap too low",
            |plan| plan.steps[2].first = 0,
            |fault| matches!(fault, Fault::FirstTap { step: 2, first: 0 }),
        ),
        (
            "the first tap too high",
            |plan| plan.steps[5].first = -1,
            |fault| matches!(fault, Fault::FirstTap { step: 5, first: -1 }),
        ),
        (
            "the last line missing",
            |plan| plan.steps[5].lines[0].truncate(2),
            |fault| matches!(fault, Fault::Lines { step: 5, listed: 2, .. }),
        ),
        (
            "the first line missing",
            |plan| plan.steps[5].lines[0] = vec![4, 8],
            |fault| matches!(fault, Fault::Lines { step: 5, .. }),
        ),
        (
            "no lines at all",
            |plan| plan.steps[5].lines[0].clear(),
            |fault| matches!(fault, Fault::Lines { step: 5, .. }),
        ),
        (
            "a line too many",
            |plan| plan.steps[2].lines[0].push(8),
            |fault| matches!(fault, Fault::Lines { step: 2, .. }),
        ),
        (
            "lines for an input that is none",
            |plan| plan.steps[2].lines[1].push(0),
            |fault| matches!(fault, Fault::Lines { step: 2, input: 1, .. }),
        ),
        (
            "lines in another order",
            |plan| plan.steps[5].lines[0].swap(0, 1),
            |fault| matches!(fault, Fault::Content { step: 5, row: 0, found: Byte::Row { row: 1, .. }, .. }),
        ),
        (
            "the row of another layer",
            |plan| plan.steps[6].lines[0][0] = 8,
            |fault| matches!(fault, Fault::Content { step: 6, layer: 1, found: Byte::Row { layer: 0, .. }, .. }),
        ),
        ("the output on the scratch", |plan| plan.steps[2].scratch = 12, |fault| *fault == Fault::Overlap { step: 2 }),
        ("the output on a line read", |plan| plan.steps[5].output = 4, |fault| *fault == Fault::Overlap { step: 5 }),
        ("the scratch on a line read", |plan| plan.steps[5].scratch = 8, |fault| *fault == Fault::Overlap { step: 5 }),
        (
            "the sums overwritten",
            |plan| plan.steps[5].scratch = 20,
            |fault| *fault == Fault::Sums { step: 6, found: Byte::Leftover },
        ),
        ("the sums moved", |plan| plan.steps[9].scratch = 24, |fault| matches!(fault, Fault::Sums { step: 9, .. })),
        (
            "a row left out of the sums",
            |plan| drop(plan.steps.remove(6)),
            |fault| matches!(fault, Fault::Consumption { step: 8, row: 2, .. }),
        ),
        (
            "an answer too early",
            |plan| plan.steps[9].rows = 1,
            |fault| matches!(fault, Fault::Consumption { step: 9, .. }),
        ),
        ("no answer", |plan| plan.steps[11].rows = 0, |fault| matches!(fault, Fault::Consumption { step: 11, .. })),
        (
            "an output beyond the arena",
            |plan| plan.steps[11].output = 28,
            |fault| *fault == Fault::Outside { step: 11, end: 32 },
        ),
        (
            "a line beyond the arena",
            |plan| plan.steps[2].lines[0][1] = 28,
            |fault| *fault == Fault::Outside { step: 2, end: 32 },
        ),
        (
            "an unaligned address",
            |plan| plan.steps[2].output = 14,
            |fault| *fault == Fault::Unaligned { step: 2, address: 14 },
        ),
        ("the answer elsewhere", |plan| plan.output = 12, |fault| matches!(fault, Fault::Answer { row: 0, .. })),
    ];
    refuses(check_streamed, streamed, &cases);
}

#[test]
fn bad_answers_and_bad_order_are_caught() {
    let cases: [(&str, Damage, Reason); 16] = [
        (
            "a row of the answer overwritten by scratch",
            |plan| plan.steps[4].scratch = 12,
            |fault| *fault == Fault::Answer { layer: 1, row: 0, found: Byte::Leftover },
        ),
        (
            "a row of the answer overwritten by another",
            |plan| plan.steps[7].output = 20,
            |fault| matches!(fault, Fault::Answer { row: 2, found: Byte::Row { row: 3, .. }, .. }),
        ),
        (
            "the answer not in one piece",
            |plan| (plan.steps[6].output, plan.arena_bytes) = (32, 36),
            |fault| *fault == Fault::Answer { layer: 1, row: 2, found: Byte::Empty },
        ),
        (
            "the caller's rows out of order",
            |plan| (plan.steps[0].row, plan.steps[1].row) = (1, 0),
            |fault| *fault == Fault::InputOrder { step: 0, row: 1, expected: 0 },
        ),
        (
            "a row of the caller's twice",
            |plan| plan.steps[1].row = 0,
            |fault| *fault == Fault::InputOrder { step: 1, row: 0, expected: 1 },
        ),
        (
            "two rows of the caller's at once",
            |plan| plan.steps[0].rows = 2,
            |fault| matches!(fault, Fault::InputOrder { step: 0, .. }),
        ),
        (
            "a frame that begins without a row",
            |plan| plan.steps.rotate_left(2),
            |fault| *fault == Fault::InputOrder { step: 0, row: 0, expected: 0 },
        ),
        (
            "a row made again",
            |plan| plan.steps.insert(5, plan.steps[4].clone()),
            |fault| *fault == Fault::MadeAgain { step: 5, layer: 1, row: 1 },
        ),
        ("a row never made", |plan| drop(plan.steps.pop()), |fault| *fault == Fault::NeverMade { layer: 1, row: 3 }),
        ("no rows made", |plan| plan.steps[4].rows = 0, |fault| *fault == Fault::NoSuchRow { step: 4 }),
        ("rows below the last", |plan| plan.steps[7].rows = 2, |fault| *fault == Fault::NoSuchRow { step: 7 }),
        ("a layer that is none", |plan| plan.steps[4].layer = 2, |fault| *fault == Fault::NoSuchRow { step: 4 }),
        (
            "an arena too long",
            |plan| plan.arena_bytes = 36,
            |fault| *fault == Fault::ArenaBytes { touched: 32, stated: 36 },
        ),
        (
            "a floor too low",
            |plan| plan.floor_bytes = 24,
            |fault| matches!(fault, Fault::FloorBytes { stated: 24, .. }),
        ),
        ("a floor above the arena", |plan| plan.floor_bytes = 36, |fault| matches!(fault, Fault::FloorBytes { .. })),
        ("an odd unit", |plan| plan.unit = 3, |fault| matches!(fault, Fault::Unaligned { .. })),
    ];
    refuses(check_rows_out, with_rows_out, &cases);
}

/// Rows of three bytes, of which the answer's lie at any address, and one byte of which is overwritten.
#[test]
fn one_byte_overwritten_is_caught() {
    let mut definitions = definitions();
    definitions.truncate(2);
    definitions.iter_mut().for_each(|definition| definition.row_bytes = 3);
    let mut plan = with_rows_out();
    plan.unit = 1;
    (plan.arena_bytes, plan.floor_bytes) = (32, 28);
    for (place, step) in plan.steps.iter_mut().filter(|step| step.layer == 1).enumerate() {
        step.output = 12 + 3 * place;
    }
    check(&definitions, &SCRATCH[..2], &[1], &plan).expect("a good plan");
    plan.steps[3].output = 6;
    let fault = check(&definitions, &SCRATCH[..2], &[1], &plan).unwrap_err();
    assert!(matches!(fault, Fault::Content { step: 4, row: 1, offset: 2, .. }), "{fault:?}");
}

/// The caller pushes every row, those that nothing reads too.
#[test]
fn a_row_never_taken_is_caught() {
    let every_second = Demand::Taps { top: 0, stride: 2, dilation: 1, taps: 1 };
    let definitions = [definition(&[], Demand::Caller, 2), definition(&[0], every_second, 1)];
    let steps = vec![caller(0, 0), taps(0, 0, &[0], 4, 0)];
    let mut plan = Plan {
        steps,
        arena_bytes: 8,
        floor_bytes: 8,
        output: 4,
        unit: 4,
        cuts: vec![],
        scratch_bytes: SCRATCH.to_vec(),
        in_place: vec![None; 3],
        period: None,
    };
    assert_eq!(check(&definitions, &[0, 0], &[1], &plan).unwrap_err(), Fault::NeverMade { layer: 0, row: 1 });
    plan.steps.push(caller(1, 0));
    check(&definitions, &[0, 0], &[1], &plan).expect("a good plan");
}

/// A maximum over three rows, two apart, of five: the rows of the input at 0, those of the maximum at 4 and 8.
fn folded() -> Plan {
    let part = |row: usize, first: isize, begun: bool, completes: bool| {
        let output = 4 + 4 * row;
        let lines = [vec![0], if begun { vec![output] } else { vec![] }];
        Step { layer: 1, row, rows: 1, first, lines, output, completes, scratch: 0 }
    };
    let steps = vec![
        caller(0, 0),
        part(0, 0, false, false),
        caller(1, 0),
        part(0, -1, true, false),
        caller(2, 0),
        part(0, -2, true, true),
        part(1, 0, false, false),
        caller(3, 0),
        part(1, -1, true, false),
        caller(4, 0),
        part(1, -2, true, true),
    ];
    Plan {
        steps,
        arena_bytes: 12,
        floor_bytes: 12,
        output: 4,
        unit: 4,
        cuts: vec![],
        scratch_bytes: SCRATCH.to_vec(),
        in_place: vec![None; 3],
        period: None,
    }
}

fn check_folded(plan: &Plan) -> Result<Replay, Fault> {
    let maximum = Demand::Taps { top: 0, stride: 2, dilation: 1, taps: 3 };
    let pool = Definition { by_lines: true, ..definition(&[0], maximum, 2) };
    check(&[definition(&[], Demand::Caller, 5), pool], &[0, 0], &[1], plan)
}

#[test]
fn rows_that_are_computed_line_by_line_pass() {
    let replay = check_folded(&folded()).expect("a good plan");
    assert_eq!(replay.made_after[1], [Some(3), Some(5)]);
    assert_eq!(replay.alive_bytes, 12);
}

#[test]
fn bad_folds_are_caught() {
    let cases: [(&str, Damage, Reason); 9] = [
        (
            "gone on with elsewhere",
            |plan| plan.steps[3].output = 8,
            |fault| matches!(fault, Fault::Folded { step: 3, row: 0 }),
        ),
        (
            "begun again",
            |plan| plan.steps[3].lines[1].clear(),
            |fault| matches!(fault, Fault::Folded { step: 3, row: 0 }),
        ),
        (
            "gone on with before it is begun",
            |plan| plan.steps[1].lines[1].push(4),
            |fault| matches!(fault, Fault::Folded { step: 1, row: 0 }),
        ),
        (
            "whole too early",
            |plan| plan.steps[3].completes = true,
            |fault| matches!(fault, Fault::Folded { step: 3, row: 0 }),
        ),
        (
            "never whole",
            |plan| plan.steps[10].completes = false,
            |fault| matches!(fault, Fault::Folded { step: 10, row: 1 }),
        ),
        (
            "a line left out",
            |plan| drop(plan.steps.remove(3)),
            |fault| matches!(fault, Fault::Folded { step: 4, row: 0 }),
        ),
        (
            "a line taken late",
            |plan| plan.steps.swap(3, 4),
            |fault| matches!(fault, Fault::Content { step: 4, input: 0, row: 1, .. }),
        ),
        (
            "a begun row overwritten",
            |plan| plan.steps[4].output = 4,
            |fault| matches!(fault, Fault::Content { step: 5, .. }),
        ),
        (
            "the wrong tap",
            |plan| plan.steps[5].first = -1,
            |fault| matches!(fault, Fault::FirstTap { step: 5, first: -1 }),
        ),
    ];
    refuses(check_folded, folded, &cases);
}

/// Three taps with same padding over four rows at 0, 4, 8 and 12, each written over its topmost line, and then a function
/// of each place, over the same row. The answer is the maximum of all, at 20.
fn in_place() -> Plan {
    let function = |row: usize, at: usize| Step {
        layer: 2,
        row,
        rows: 1,
        first: 0,
        lines: [vec![at], vec![]],
        output: at,
        completes: true,
        scratch: 0,
    };
    let maximum = |row: usize, at: usize, rows: usize| Step {
        layer: 3,
        row,
        rows,
        first: 0,
        lines: [vec![at], vec![]],
        output: 20,
        completes: true,
        scratch: 24,
    };
    let steps = vec![
        caller(0, 0),
        caller(1, 4),
        // Nothing is read for the last time yet.
        taps(0, -1, &[0, 4], 12, 16),
        function(0, 12),
        maximum(0, 12, 0),
        caller(2, 8),
        taps(1, 0, &[0, 4, 8], 0, 16),
        function(1, 0),
        maximum(1, 0, 0),
        caller(3, 12),
        taps(2, 0, &[4, 8, 12], 4, 16),
        function(2, 4),
        maximum(2, 4, 0),
        taps(3, 0, &[8, 12], 8, 16),
        function(3, 8),
        maximum(3, 8, 1),
    ];
    Plan {
        steps,
        arena_bytes: 28,
        floor_bytes: 24,
        output: 20,
        unit: 4,
        cuts: vec![],
        scratch_bytes: vec![0, 4, 0, 4],
        in_place: vec![None, None, Some(0), None],
        period: None,
    }
}

fn check_in_place(plan: &Plan) -> Result<Replay, Fault> {
    let [caller, taps, maximum] = definitions().try_into().expect("three layers");
    let definitions = [
        caller,
        Definition { over: Over::TopmostLine, ..taps },
        Definition { over: Over::SamePlaces, ..definition(&[1], Demand::SameRow, 4) },
        Definition { inputs: vec![2], ..maximum },
    ];
    check(&definitions, &[0, 4, 0, 4], &[3], plan)
}

#[test]
fn rows_over_others_pass() {
    // Two rows and one that becomes another, scratch, sums; a row more with one of its own for what comes of the window.
    assert_eq!(check_in_place(&in_place()).expect("a good plan").alive_bytes, 20);
}

#[test]
fn rows_over_the_wrong_ones_are_caught() {
    let cases: [(&str, Damage, Reason); 6] = [
        (
            "over a line that is not the topmost",
            |plan| plan.steps[6].output = 4,
            |fault| *fault == Fault::Overlap { step: 6 },
        ),
        (
            "over a line that is read again",
            |plan| plan.steps[2].output = 0,
            |fault| *fault == Fault::Overlap { step: 2 },
        ),
        (
            "over a line partly",
            |plan| (plan.unit, plan.steps[6].output) = (1, 2),
            |fault| matches!(fault, Fault::Unaligned { step: 6, .. } | Fault::Overlap { step: 6 }),
        ),
        (
            "scratch over the topmost line",
            |plan| plan.steps[6].scratch = 0,
            |fault| *fault == Fault::Overlap { step: 6 },
        ),
        (
            "over rows, but not always",
            |plan| plan.steps[7].output = 16,
            |fault| *fault == Fault::NotInPlace { step: 7 },
        ),
        (
            "over rows by a kernel that can't",
            |plan| plan.in_place[2] = None,
            |fault| *fault == Fault::Overlap { step: 3 },
        ),
    ];
    refuses(check_in_place, in_place, &cases);
}

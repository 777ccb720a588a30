//! A stage of `cargo xtask test`: one command, its output, and what its output counts.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use microception_codegen::error::Error;

use crate::work_folder;

/// What came of a stage, or of several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Tests that passed; a command that counts none is one.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Why tests did not run.
    pub skipped: Vec<String>,
}

impl Counts {
    /// One check that passed, or that failed.
    pub fn one(passed: bool) -> Counts {
        Counts { passed: usize::from(passed), failed: usize::from(!passed), skipped: Vec::new() }
    }

    /// Adds what came of another.
    pub fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped.extend(other.skipped);
    }

    /// Reads what tests print: cargo's `test result: ..`, unittest's `Ran ..`, and lines that begin with
    /// `skipped: `. A command that failed has at least one failure, whatever it printed.
    pub fn of(output: &str, success: bool) -> Counts {
        let mut counts = Counts::default();
        for line in output.lines().map(str::trim) {
            // Tests write in the middle of the harness's line, too.
            if let Some((_, why)) =
                line.split_once("skipped: ").filter(|(before, _)| before.is_empty() || before.ends_with("... "))
            {
                counts.skipped.push(why.to_owned());
            } else if let Some(result) = line.strip_prefix("test result: ") {
                counts.passed += number_before(result, " passed");
                counts.failed += number_before(result, " failed");
                let ignored = number_before(result, " ignored");
                counts.skipped.extend((0..ignored).map(|_| "a test marked #[ignore]".to_owned()));
            } else if let Some(ran) = line.strip_prefix("Ran ") {
                counts.passed += number_before(&format!(" {ran}"), " test");
            } else if line.starts_with("OK (") || line.starts_with("FAILED (") {
                let skipped = number_after(line, "skipped=");
                let failed = number_after(line, "failures=") + number_after(line, "errors=");
                counts.skipped.extend((0..skipped).map(|_| "a Python test".to_owned()));
                counts.failed += failed;
                counts.passed = counts.passed.saturating_sub(skipped + failed);
            }
        }
        match success {
            false => counts.failed = counts.failed.max(1),
            true if counts.passed == 0 && counts.skipped.is_empty() => counts.passed = 1,
            true => {}
        }
        counts
    }
}

/// The number that ends right before `word`; 0 without one.
fn number_before(text: &str, word: &str) -> usize {
    let number = text.split_once(word).and_then(|(before, _)| before.rsplit(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The number that begins right after `word`; 0 without one.
fn number_after(text: &str, word: &str) -> usize {
    let digits = text.split_once(word).map(|(_, after)| after.split(|digit: char| !digit.is_ascii_digit()).next());
    digits.flatten().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Runs one stage's commands and reports what came of them.
pub fn run(name: &str, commands: Result<Vec<Command>, Error>) -> Result<Counts, Error> {
    let start = Instant::now();
    let (counts, log) = match commands {
        Ok(commands) => outcome(commands)?,
        Err(error) => (Counts::one(false), error.to_string()),
    };
    report(name, start, counts, &log)
}

/// Says what came of a stage, with its output when it failed. The output stays in
/// `target/xtask/NAME.log`.
pub fn report(name: &str, start: Instant, counts: Counts, log: &str) -> Result<Counts, Error> {
    let file = work_folder()?.join(format!("{}.log", name.replace(' ', "-")));
    fs::write(&file, log).map_err(|error| Error::file(&file, error.to_string()))?;
    let seconds = start.elapsed().as_secs_f64();
    if counts.failed != 0 {
        eprintln!("{name} ... FAILED after {seconds:.1} s\n{}", excerpt(log));
        eprintln!("the whole output: {}\n", file.display());
    } else {
        eprintln!("{name} ... {} passed, {seconds:.1} s", counts.passed);
    }
    Ok(counts)
}

/// Of a log what says why it failed: cargo's lists of failures, or the last lines.
fn excerpt(log: &str) -> String {
    const LAST: usize = 100;
    let mut failing = false;
    let listed = log.lines().filter(|line| {
        failing = (failing || *line == "failures:") && !line.starts_with("test result: ");
        failing || line.starts_with("test result: FAILED")
    });
    let listed: Vec<_> = listed.collect();
    let lines: Vec<_> = log.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST)..];
    if listed.is_empty() { last.join("\n") } else { listed.join("\n") }
}

fn outcome(commands: Vec<Command>) -> Result<(Counts, String), Error> {
    let mut counts = Counts::default();
    let mut log = String::new();
    for mut command in commands {
        let shown = format!("{command:?}");
        command.stdin(Stdio::null());
        let output = command.output().map_err(|error| Error::model(format!("{shown} does not start: {error}")))?;
        let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).join("\n");
        counts.add(Counts::of(&text, output.status.success()));
        log.push_str(&format!("$ {shown}\n{text}\n"));
    }
    Ok((counts, log))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(output: &str, success: bool) -> (usize, usize, usize) {
        let counts = Counts::of(output, success);
        (counts.passed, counts.failed, counts.skipped.len())
    }

    #[test]
    fn what_cargo_prints_is_counted() {
        let output = "running 3 tests\ntest a ... ok\n\
            test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\n\
            test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured\n";
        assert_eq!(counted(output, false), (15, 2, 1));
    }

    #[test]
    fn what_unittest_prints_is_counted() {
        assert_eq!(counted("...\nRan 23 tests in 1.5s\n\nOK\n", true), (23, 0, 0));
        assert_eq!(counted("Ran 23 tests in 1.5s\n\nOK (skipped=2)\n", true), (21, 0, 2));
        assert_eq!(counted("Ran 1 test in 1.5s\n\nOK\n", true), (1, 0, 0));
        assert_eq!(counted("Ran 9 tests in 1s\n\nFAILED (failures=1, errors=2)\n", false), (6, 3, 0));
    }

    #[test]
    fn skipped_tests_are_never_lost() {
        let output = "test a ... skipped: no QEMU\nok\nskipped: no data\nnothing was skipped: really\n\
            test result: ok. 2 passed; 0 failed; 0 ignored\n";
        assert_eq!(Counts::of(output, true).skipped, ["no QEMU", "no data"]);
    }

    #[test]
    fn of_a_log_the_failures_are_shown() {
        let log = "successes:\n\n---- good stdout ----\nfine\n\ntest result: ok. 1 passed; 0 failed\n\
            successes:\n\n---- better stdout ----\nfine\n\nfailures:\n\n---- bad stdout ----\noops\n\nfailures:\n    bad\n\n\
            test result: FAILED. 1 passed; 1 failed\nrunning 1 test\n";
        let expected =
            "failures:\n\n---- bad stdout ----\noops\n\nfailures:\n    bad\n\ntest result: FAILED. 1 passed; 1 failed";
        assert_eq!(excerpt(log), expected);
        assert_eq!(excerpt("error: no\n"), "error: no");
        assert_eq!(excerpt(&"line\n".repeat(1000)).lines().count(), 100);
    }

    #[test]
    fn a_command_without_tests_is_one_check() {
        assert_eq!(counted("", true), (1, 0, 0));
        assert_eq!(counted("warning: unused", false), (0, 1, 0));
        assert_eq!(counted("test result: ok. 5 passed; 0 failed; 0 ignored\n", false), (5, 1, 0));
    }
}

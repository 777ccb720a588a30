//! `cargo xtask fuzz`: the readers of model files, ranges files, the planner and both ends of the serial line, against what libFuzzer
//! thinks of.
//!
//! The targets lie in `codegen/fuzz`, laid out for cargo-fuzz, which takes a nightly compiler. Here they are built
//! with the flags that it would set, by whatever compiler is there: measuring coverage is stable, only the
//! sanitizers are not, and the readers have no unsafe code of their own for these to look at.

use std::collections::{BinaryHeap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use microception_codegen::error::Error;

use crate::stage::{Counts, report};
use crate::{root, setup};

/// The readers, ranges files, the planner, and the two ends of the line.
pub const TARGETS: [&str; 8] = ["h5", "keras", "onnx", "tflite", "ranges", "plan", "board", "link"];

/// Bytes of the largest file that is tried; Keras's smallest files have 13,000. A graph has no more than some hundred choices.
fn longest(target: &str) -> u32 {
    match target {
        "plan" => 512,
        "board" | "link" | "ranges" => 4 << 10,
        _ => 32 << 10,
    }
}

/// Seconds after which a file counts as one that hangs. The slowest take less than one; but the clock goes on while a
/// virtual machine stands still.
const TIMEOUT: u32 = 120;

/// Megabytes at which the whole program ends, corpus and libFuzzer included.
const MEMORY: u32 = 2048;

/// Bytes of the largest file of the corpus in the repository, and of all files of one reader.
const LARGEST_SEED: usize = 20_000;
const LARGEST_CORPUS: usize = 480_000;

/// How many seconds each is tried where nothing else is said, as by `cargo xtask test`.
const STAGE_SECONDS: u32 = 60;

/// What makes rustc count edges and tell libFuzzer what is compared with what.
const FLAGS: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
];

/// What the command is asked to do.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The reader: h5, keras, onnx or tflite; ranges files: ranges; the planner: plan; or the end of the serial line: board or link; all of
    /// them where none is named
    #[arg(value_name = "TARGET", value_parser = TARGETS)]
    target: Option<String>,
    /// How long, each [default: 60]
    #[arg(long, value_name = "N")]
    seconds: Option<u32>,
    /// Where libFuzzer's random numbers begin; 0 begins elsewhere every time
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Only read this file, as to see what was found in it
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
    /// Afterwards keep in the corpus, of all files that were found, those that reach most for their size
    #[arg(long, conflicts_with = "input")]
    merge: bool,
}

/// Runs the readers that are asked for.
pub fn fuzz(arguments: &Arguments) -> Result<(), Error> {
    let folder = build()?;
    if let (Some(target), Some(input)) = (&arguments.target, &arguments.input) {
        let mut command = Command::new(folder.join(target));
        command.args([format!("-timeout={TIMEOUT}"), format!("-rss_limit_mb={MEMORY}")]).arg(input);
        let status = command.status().map_err(|error| Error::file(folder.join(target), error.to_string()))?;
        return if status.success() { Ok(()) } else { Err(Error::file(input, "is a finding")) };
    }
    let targets: Vec<&str> = match &arguments.target {
        Some(target) => vec![target],
        None => TARGETS.to_vec(),
    };
    let outcomes = outcomes(&folder, &targets, arguments.seconds, arguments.seed)?;
    for outcome in &outcomes {
        println!("{}", outcome.line);
    }
    let findings: Vec<&str> = outcomes.iter().filter(|outcome| !outcome.passed).map(|outcome| outcome.target).collect();
    if !findings.is_empty() {
        return Err(Error::model(format!("findings: {}", findings.join(", "))));
    }
    if arguments.merge {
        targets.iter().try_for_each(|target| merge(&folder, target))?;
    }
    Ok(())
}

/// Where the random numbers of the stage begin: the same files for the same code, so that it is a change that fails.
const STAGE_SEED: u32 = 1;

/// The stage of `cargo xtask test`.
pub fn stage(name: &str) -> Result<Counts, Error> {
    let start = Instant::now();
    let folder = match build() {
        Ok(folder) => folder,
        Err(error) => return report(name, start, Counts::one(false), &error.to_string()),
    };
    let mut counts = Counts::default();
    let mut log = String::new();
    for outcome in outcomes(&folder, &TARGETS, None, STAGE_SEED)? {
        eprintln!("{}", outcome.line);
        counts.add(Counts::one(outcome.passed));
        // What libFuzzer said last: of a finding what panicked, and where.
        let lines: Vec<&str> = outcome.log.lines().filter(|line| outcome.passed || !line.starts_with('#')).collect();
        log.push_str(&format!("{}\n{}\n", lines.join("\n"), outcome.line));
    }
    report(name, start, counts, &log)
}

/// What came of one reader.
struct Outcome {
    target: &'static str,
    passed: bool,
    line: String,
    log: String,
}

/// As many readers at a time as there are cores.
fn outcomes(folder: &Path, targets: &[&str], seconds: Option<u32>, seed: u32) -> Result<Vec<Outcome>, Error> {
    let targets: Vec<&'static str> = TARGETS.into_iter().filter(|target| targets.contains(target)).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from).min(targets.len());
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = run(folder, target, seconds.unwrap_or(STAGE_SECONDS), seed);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                }
            });
        }
    });
    let outcomes: Result<Vec<Outcome>, Error> =
        outcomes.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect();
    outcomes.map(|mut outcomes| {
        outcomes.sort_by_key(|outcome| outcome.target);
        outcomes
    })
}

/// One reader, from the corpus on.
fn run(folder: &Path, target: &'static str, seconds: u32, seed: u32) -> Result<Outcome, Error> {
    let found = made(&found(target))?;
    let artifacts = made(&package().join("artifacts").join(target))?;
    let mut command = Command::new(folder.join(target));
    // New files go to the first folder.
    command.arg(found).arg(corpus(target)).args([
        format!("-max_total_time={seconds}"),
        format!("-seed={seed}"),
        format!("-max_len={}", longest(target)),
        format!("-timeout={TIMEOUT}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-artifact_prefix={}/", artifacts.display()),
        "-print_final_stats=1".to_owned(),
        "-reload=0".to_owned(),
    ]);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Error::file(folder.join(target), error.to_string()))?;
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = match output.status.success() {
        true => line(target, &log),
        false => {
            let input = log.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path);
            let input = input.unwrap_or("(no file was written)");
            format!("{target}: a finding in {input}\n    again: cargo xtask fuzz {target} --input {input}")
        }
    };
    Ok(Outcome { target, passed: output.status.success(), line, log })
}

/// What libFuzzer counted, in one line.
fn line(target: &str, log: &str) -> String {
    let word_after = |line: &str, word: &str| {
        let (_, after) = line.split_once(word)?;
        after.split_whitespace().next().map(str::to_owned)
    };
    let last = |word: &str| log.lines().rev().find_map(|line| word_after(line, word)).unwrap_or_else(|| "?".to_owned());
    let executions = last("number_of_executed_units:");
    let corpus = last(" corp: ");
    let corpus = corpus.split('/').next().unwrap_or_default();
    format!("{target}: {executions} executions, {} edges covered, {corpus} files in the corpus", last(" cov: "))
}

/// Puts into the corpus what reaches most of all that was found.
fn merge(folder: &Path, target: &str) -> Result<(), Error> {
    let work = root().join("target/fuzz/merged").join(target);
    let _ = fs::remove_dir_all(&work);
    let reached = made(&work)?.join("reached.txt");
    let mut command = Command::new(folder.join(target));
    // What each file reaches, as edges: how often it does would keep ten times as many files.
    command.args(["-set_cover_merge=1", "-use_counters=0"]).arg(format!("-max_len={LARGEST_SEED}"));
    command.arg(format!("-merge_control_file={}", reached.display()));
    command.arg(made(&work.join("cover"))?).arg(corpus(target)).arg(made(&found(target))?);
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Error::file(folder.join(target), error.to_string()))?;
    if !output.status.success() {
        return Err(Error::model(format!("merging fails:\n{}", String::from_utf8_lossy(&output.stderr))));
    }
    let reached = fs::read_to_string(&reached).map_err(|error| Error::file(&reached, error.to_string()))?;
    let chosen = chosen(&reached, LARGEST_SEED, LARGEST_CORPUS);
    let merged = made(&work.join("corpus"))?;
    let replaced = chosen
        .iter()
        .filter_map(|path| Some((path, Path::new(path).file_name()?)))
        .try_for_each(|(path, name)| fs::copy(path, merged.join(name)).map(|_| ()))
        .and_then(|()| fs::remove_dir_all(corpus(target)))
        .and_then(|()| fs::rename(&merged, corpus(target)));
    replaced.map_err(|error| Error::file(corpus(target), error.to_string()))?;
    println!("{target}: {} files in {}", chosen.len(), corpus(target).display());
    Ok(())
}

/// The files that reach most edges for their size, of libFuzzer's account of what each reaches: one file after the
/// other by what it adds, none above `largest` bytes and no more than `most` in all.
fn chosen(account: &str, largest: usize, most: usize) -> Vec<&str> {
    let mut lines = account.lines();
    let count: usize = lines.next().and_then(|count| count.parse().ok()).unwrap_or(0);
    let paths: Vec<&str> = lines.by_ref().skip(1).take(count).collect();
    let mut sizes = vec![usize::MAX; count];
    let mut edges: Vec<Vec<u32>> = vec![Vec::new(); count];
    for line in lines {
        let mut words = line.split(' ');
        let kind = words.next();
        let Some(file) = words.next().and_then(|file| file.parse().ok()).filter(|&file: &usize| file < count) else {
            continue;
        };
        match kind {
            Some("STARTED") => sizes[file] = words.next().and_then(|size| size.parse().ok()).unwrap_or(usize::MAX),
            Some("FT") => edges[file] = words.filter_map(|edge| edge.parse().ok()).collect(),
            _ => {}
        }
    }
    let mut reached = HashSet::new();
    let mut left = most;
    let mut chosen = Vec::new();
    // What a file adds only becomes less, so that the one that seemed to add most is looked at again, and taken if
    // it still does.
    let worth = |added: usize, size: usize| added * LARGEST_CORPUS / size.max(1);
    let mut waiting: BinaryHeap<(usize, usize)> = (0..count)
        .filter(|&file| sizes[file] <= largest)
        .map(|file| (worth(edges[file].len(), sizes[file]), file))
        .collect();
    while let Some((seemed, file)) = waiting.pop() {
        let added = edges[file].iter().filter(|edge| !reached.contains(*edge)).count();
        let is = worth(added, sizes[file]);
        if added == 0 || sizes[file] > left {
            continue;
        } else if is < seemed {
            waiting.push((is, file));
        } else {
            reached.extend(edges[file].iter().copied());
            left -= sizes[file];
            chosen.push(paths[file]);
        }
    }
    chosen
}

/// Builds the targets; the folder that they are in.
fn build() -> Result<PathBuf, Error> {
    setup::for_fuzzing()?;
    let host = host()?;
    let target_folder = root().join("target/fuzz");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--locked", "--release", "--bins", "--manifest-path"]).arg(package().join("Cargo.toml"));
    // With a target named, build scripts and macros are built without the flags.
    command.args(["--target", &host, "--target-dir"]).arg(&target_folder).current_dir(root());
    command.env("RUSTFLAGS", FLAGS.join(" ")).env_remove("CARGO_ENCODED_RUSTFLAGS").stdin(Stdio::null());
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| Error::model(format!("{shown} does not start: {error}")))?;
    if !output.status.success() {
        return Err(Error::model(format!("{shown} fails:\n{}", String::from_utf8_lossy(&output.stderr).trim_end())));
    }
    Ok(target_folder.join(host).join("release"))
}

/// The triple of this machine, as the compiler calls it.
fn host() -> Result<String, Error> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output();
    let output = output.map_err(|error| Error::model(format!("rustc does not start: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Error::model("rustc does not say for which machine it is"))
}

fn package() -> PathBuf {
    root().join("codegen/fuzz")
}

fn corpus(target: &str) -> PathBuf {
    package().join("corpus").join(target)
}

/// Where files with new coverage go, until they are merged into the corpus.
fn found(target: &str) -> PathBuf {
    root().join("target/fuzz/found").join(target)
}

fn made(folder: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(folder).map_err(|error| Error::file(folder, error.to_string()))?;
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{chosen, line};

    #[test]
    fn what_libfuzzer_counts_is_shown() {
        let log = "#2\tINITED cov: 17 ft: 18 corp: 1/1b exec/s: 0 rss: 30Mb\n\
            #481\tNEW    cov: 4486 ft: 8771 corp: 1021/1291Kb lim: 32768 exec/s: 10944 rss: 35Mb L: 20/169 MS: 1 Custom-\n\
            #513\tDONE   cov: 4487 ft: 8772 corp: 1022/1291Kb lim: 32768 exec/s: 10944 rss: 35Mb\n\
            Done 513 runs in 61 second(s)\nstat::number_of_executed_units: 513\nstat::average_exec_per_sec:     8\n";
        assert_eq!(line("h5", log), "h5: 513 executions, 4487 edges covered, 1022 files in the corpus");
        assert_eq!(line("h5", ""), "h5: ? executions, ? edges covered, ? files in the corpus");
    }

    #[test]
    fn files_that_reach_most_for_their_size_are_chosen() {
        let account = "5\n0\nlarge\nsmall\nsame\nother\nhuge\n\
            STARTED 0 100\nFT 0 1 2 3 4 5\nCOV 0 1 2 3 4 5\nSTARTED 1 10\nFT 1 1 2\nCOV 1\n\
            STARTED 2 11\nFT 2 1 2\nCOV 2\nSTARTED 3 50\nFT 3 6 7\nCOV 3 6 7\nSTARTED 4 5000\nFT 4 8\nCOV 4 8\n";
        assert_eq!(chosen(account, 1000, 10_000), ["small", "other", "large"]);
        assert_eq!(chosen(account, 1000, 110), ["small", "other"]);
        assert_eq!(chosen(account, 9000, 10_000), ["small", "other", "large", "huge"]);
        assert!(chosen("", 1000, 1000).is_empty());
    }
}

//! What a program says while it runs: defmt's logs, or plain text.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use defmt_decoder::{DecodeError, Table};

/// Lines that a thread collects.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    collected: Arc<Mutex<Collected>>,
    collector: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Collected {
    lines: Vec<String>,
    /// What is told of each further line.
    shown: Option<fn(&str)>,
}

impl Lines {
    /// Collects the lines of `source`, which hold defmt's frames when the program `elf` logs with defmt.
    pub(crate) fn collect(source: impl Read + Send + 'static, elf: &[u8]) -> Lines {
        let collected = Arc::default();
        let sink = Sink(Arc::clone(&collected));
        let table = Table::parse(elf).ok().flatten();
        let collector = thread::spawn(move || match table {
            Some(table) => sink.decode(source, &table),
            None => sink.read(source),
        });
        Lines { collected, collector: Some(collector) }
    }

    /// The lines so far.
    pub(crate) fn so_far(&self) -> Vec<String> {
        self.collected.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    /// Hands the lines so far to `show`, and each further one as it comes.
    pub(crate) fn show(&self, show: fn(&str)) {
        let mut collected = self.collected.lock().unwrap_or_else(PoisonError::into_inner);
        collected.lines.iter().for_each(|line| show(line));
        collected.shown = Some(show);
    }

    /// All lines, once the source has ended.
    pub(crate) fn all(&mut self) -> Vec<String> {
        // A collector that panicked leaves what it had.
        let _ = self.collector.take().map(JoinHandle::join);
        self.so_far()
    }
}

/// Where a collector puts its lines.
struct Sink(Arc<Mutex<Collected>>);

impl Sink {
    fn push(&self, line: String) {
        let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(show) = collected.shown {
            show(&line);
        }
        collected.lines.push(line);
    }

    fn read(&self, source: impl Read) {
        BufReader::new(source).split(b'\n').map_while(Result::ok).for_each(|line| {
            self.push(String::from_utf8_lossy(&line).into_owned());
        });
    }

    fn decode(&self, mut source: impl Read, table: &Table) {
        let mut decoder = table.new_stream_decoder();
        let mut bytes = [0; 1024];
        while let Ok(count @ 1..) = source.read(&mut bytes) {
            decoder.received(&bytes[..count]);
            loop {
                match decoder.decode() {
                    Ok(frame) => self.push(frame.display(false).to_string()),
                    Err(DecodeError::UnexpectedEof) => break,
                    Err(DecodeError::Malformed) => self.push("(a damaged log line)".to_owned()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn plain_text_is_collected_line_by_line() {
        let mut lines = Lines::collect(&b"one\ntwo\n\xff"[..], b"no program");
        assert_eq!(lines.all(), ["one", "two", "\u{fffd}"]);
    }

    #[test]
    fn what_came_before_is_shown_with_what_comes() {
        static SHOWN: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let (ours, theirs) = std::io::pipe().unwrap();
        let mut theirs = theirs;
        let mut lines = Lines::collect(ours, b"no program");
        theirs.write_all(b"one\n").unwrap();
        while lines.so_far().is_empty() {
            thread::yield_now();
        }
        lines.show(|line| SHOWN.lock().unwrap().push(line.to_owned()));
        theirs.write_all(b"two\n").unwrap();
        drop(theirs);
        assert_eq!(lines.all(), ["one", "two"]);
        assert_eq!(*SHOWN.lock().unwrap(), ["one", "two"]);
    }
}

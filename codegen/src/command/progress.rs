//! Progress bars, on standard error, where that is a terminal.

use std::cell::OnceCell;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` frames.
pub fn bar(what: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_message(what);
    match ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {per_sec}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A bar for calibration, which appears with the first frame.
pub fn calibration() -> impl Fn(usize, usize) + 'static {
    let shown = OnceCell::new();
    move |done, total| {
        let bar = shown.get_or_init(|| bar("calibrating", total));
        bar.set_position(done as u64);
        if done == total {
            bar.finish_and_clear();
        }
    }
}

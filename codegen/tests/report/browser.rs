//! A page in a headless Chromium: everything in it is named, can be read, fits the screen and works, and it can be printed.

use std::path::{Path, PathBuf};
use std::process::Command;

use microception_codegen::device::toolchain::on_path;
use tempfile::TempDir;

const CHECK: &str = include_str!("check.js");

/// Chromium, if this machine has it.
pub fn chromium() -> Option<PathBuf> {
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path);
    if found.is_none() {
        println!("skipped: no Chromium on this machine: nothing was looked at in a browser");
    }
    found
}

/// A run over a page in a file, with these arguments; what it prints.
fn run(chromium: &Path, page: &Path, arguments: &[&str]) -> String {
    let profile = TempDir::new().unwrap();
    let mut command = Command::new(chromium);
    command.args([
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
    ]);
    command.arg(format!("--user-data-dir={}", profile.path().display())).args(arguments);
    let output = command.arg(format!("file://{}", page.display())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What is wrong with a page, in words: in a window of that width, and light or dark.
pub fn faults(chromium: &Path, page: &str, width: u32, theme: &str) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let checked = page
        .replace("<html lang=\"en\">", &format!("<html lang=\"en\" data-theme=\"{theme}\">"))
        .replace("</body>", &format!("<script>{CHECK}</script></body>"));
    assert_ne!(checked.len(), page.len());
    let file = folder.path().join("checked.html");
    std::fs::write(&file, checked).unwrap();
    let size = format!("--window-size={width},900");
    let document = run(chromium, &file, &[&size, "--virtual-time-budget=5000", "--dump-dom"]);
    let found = document.split("<pre id=\"found-wrong\">").nth(1).expect("the check did not run to its end");
    let found = found.split("</pre>").next().unwrap();
    let found = found.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&found).unwrap()
}

/// The pages that a printer makes of it, as the bytes of a PDF.
pub fn printed(chromium: &Path, page: &str) -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let [file, pdf] = ["page.html", "page.pdf"].map(|name| folder.path().join(name));
    std::fs::write(&file, page).unwrap();
    run(chromium, &file, &[&format!("--print-to-pdf={}", pdf.display())]);
    std::fs::read(pdf).unwrap()
}

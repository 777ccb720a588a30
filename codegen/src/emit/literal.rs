//! Rust literals: numbers that read back to the same bits, arrays that compile fast, names.

use std::collections::HashSet;
use std::fmt::Write;

/// Columns after which array literals break.
const WIDTH: usize = 116;

/// An f32 in the shortest form that reads back to the same bits.
pub fn float(value: f32) -> String {
    if value == f32::INFINITY {
        "f32::INFINITY".to_owned()
    } else if value == f32::NEG_INFINITY {
        "f32::NEG_INFINITY".to_owned()
    } else {
        format!("{value:?}")
    }
}

/// The inside of a byte string, with a line break wherever a line is full: `rustc` reads a
/// million bytes in this form in a fifth of a second, as numbers in four.
pub fn byte_string(bytes: impl IntoIterator<Item = u8>) -> String {
    let mut text = String::from("b\"");
    let mut column = 2;
    for byte in bytes {
        let start = text.len();
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(byte.into());
            }
            // A blank after a line break would be swallowed with it.
            b'!'..=b'~' => text.push(byte.into()),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
        column += text.len() - start;
        if column > WIDTH {
            text.push_str("\\\n");
            column = 0;
        }
    }
    text.push('"');
    text
}

/// Items between brackets, as many on a line as fit.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let mut text = String::from("[\n   ");
    let mut column = 3;
    for item in items {
        if column + item.len() + 2 > WIDTH {
            text.push_str("\n   ");
            column = 3;
        }
        column += item.len() + 2;
        let _ = write!(text, " {item},");
    }
    text.push_str("\n]");
    text
}

/// What the names of a layer's arrays end with, behind the layer's own.
const ARRAYS: [&str; 7] = ["_WEIGHTS", "_BIAS", "_CHANNELS", "_TABLE", "_CONSTANT", "_OPERANDS", "_PLANES"];

/// Words in lower case that are no names of fields.
const KEYWORDS: [&str; 51] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct", "super", "trait", "true",
    "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names for items, each given out once.
#[derive(Debug, Default)]
pub struct Names(HashSet<String>);

impl Names {
    /// Keeps names from being given out.
    pub fn reserve(&mut self, names: &[&str]) {
        self.0.extend(names.iter().map(|&name| name.to_owned()));
    }

    /// The name of a static for a layer: `separable_conv2d/depthwise` is `SEPARABLE_CONV2D_DEPTHWISE`. Its arrays have
    /// it with an ending of their own, which no other layer has as its name.
    pub fn constant(&mut self, layer: &str) -> String {
        let mut name: String = layer
            .chars()
            .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
            .collect();
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            name.insert_str(0, "LAYER_");
        }
        self.once(name, &ARRAYS)
    }

    /// The name of a field for an input: `Left image` is `left_image`, `in` is `in_`.
    pub fn field(&mut self, input: &str) -> String {
        let mut name = String::new();
        for word in input.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            let _ = write!(name, "{}{}", if name.is_empty() { "" } else { "_" }, word.to_ascii_lowercase());
        }
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            name.insert_str(0, "input_");
        }
        if KEYWORDS.contains(&name.as_str()) {
            name.push('_');
        }
        self.once(name, &[])
    }

    /// The name of a type for a model: `xception-lite` is `XceptionLite`.
    pub fn of_type(&mut self, model: &str) -> String {
        let mut name = String::new();
        for word in model.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            let (first, rest) = word.split_at(1);
            name.push_str(&first.to_ascii_uppercase());
            name.push_str(rest);
        }
        if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            name.insert_str(0, "Model");
        }
        self.once(name, &[])
    }

    fn once(&mut self, name: String, endings: &[&str]) -> String {
        let mut unique = name.clone();
        let mut count = 1;
        let all = |name: &str| [&[""], endings].concat().into_iter().map(|ending| format!("{name}{ending}")).collect();
        let mut names: Vec<String> = all(&unique);
        while names.iter().any(|name| self.0.contains(name)) {
            count += 1;
            unique = format!("{name}_{count}");
            names = all(&unique);
        }
        self.0.extend(names);
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_back() {
        for value in [0.1, -0.0, 1e-40, f32::MAX, 16777217.0, f32::MIN_POSITIVE] {
            assert_eq!(float(value).parse::<f32>().map(f32::to_bits), Ok(value.to_bits()));
        }
    }

    #[test]
    fn byte_strings_escape_what_rust_would_read_otherwise() {
        assert_eq!(byte_string(*b"a\"\\ \n\xff"), r#"b"a\"\\\x20\x0a\xff""#);
    }

    #[test]
    fn names_are_given_out_once() {
        let mut names = Names::default();
        assert_eq!(names.constant("conv2d/a"), "CONV2D_A");
        assert_eq!(names.constant("conv2d_a"), "CONV2D_A_2");
        assert_eq!(names.constant("0"), "LAYER_0");
        assert_eq!(names.constant("conv2d_a/channels"), "CONV2D_A_CHANNELS_2");
        assert_eq!(names.constant("dense/bias"), "DENSE_BIAS");
        assert_eq!(names.constant("dense"), "DENSE_2");
        assert_eq!(names.field("Left--image:0"), "left_image_0");
        assert_eq!(names.field("left image 0"), "left_image_0_2");
        assert_eq!(names.field("in"), "in_");
        assert_eq!(names.field("3"), "input_3");
        assert_eq!(names.of_type("xception-lite 32"), "XceptionLite32");
        assert_eq!(names.of_type("сеть"), "Model");
    }
}

//! Numbers as people read them.

/// With commas between groups of three digits.
///
/// ```
/// assert_eq!(microception_codegen::report::text::grouped(7_387_968u64), "7,387,968");
/// ```
pub fn grouped(number: impl TryInto<u64>) -> String {
    let Ok(number) = number.try_into() else { return "?".to_owned() };
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In about three digits, with k, M or G for thousands.
pub fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let (scaled, unit) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 0.1 => 2,
        size if size >= 0.001 => 4,
        _ => return format!("{value:.1e}"),
    };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// Extents with crosses between.
pub fn extents(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("\u{d7}")
}

/// Decibels; where nothing is lost, so.
pub fn decibels(value: Option<f64>) -> String {
    value.map_or_else(|| "exact".to_owned(), |value| format!("{value:.1} dB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 3.0, 0.25, 12345.0, 7_387_968.0, -0.00321, 1e-9, 999.6, 2.5e9].map(short);
        assert_eq!(texts, ["0", "3", "0.25", "12.3k", "7.39M", "-0.0032", "1.0e-9", "1000", "2.5G"]);
        assert_eq!([0u64, 999, 1000, 7_387_968].map(grouped), ["0", "999", "1,000", "7,387,968"]);
    }
}

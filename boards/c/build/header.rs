//! The text of `microception.h`: constants and types of the model from the facts, the rest by cbindgen from the source.

use std::fmt::Write;

use cbindgen::{Builder, Config, DocumentationStyle, EnumConfig, ExportConfig, Language, RenameRule, Style};

use crate::facts::{ELEMENTS, Facts, Port};

/// What declares the interface.
const SOURCE: &str = "src/lib.rs";

/// What is no part of it, or depends on the model and so stands among the constants.
const EXCLUDED: [&str; 3] = ["MicroceptionInput", "MicroceptionOutput", "panic_path"];

/// What Rust's documentation has to say of each function, and the header says on top.
const SAFETY: &str = "\n\n # Safety\n What the header asks for.";

/// What stands on top.
const TOP: &str = "\
/*
 * A model of microception, as a static library for C and C++. Generated with the library: do not edit.
 *
 * What each call asks for: a network and an arena that do not overlap, that live as long as the network is in use, that
 * nothing else writes to, and that no two calls use at once, be it from a thread or an interrupt. A network holds zeros
 * before microception_init, as a static does. Frames, rows and scores have as many elements as the constants say and
 * lie in neither. A null pointer, or one that is not aligned for its type, is an error code and nothing is done.
 *
 * Nothing here allocates, recurses, or stops the program.
 */";

/// The whole header.
pub fn header(facts: &Facts) -> Result<String, String> {
    let config = Config {
        language: Language::C,
        cpp_compat: true,
        style: Style::Both,
        documentation_style: DocumentationStyle::C,
        header: Some(TOP.to_owned()),
        include_guard: Some("MICROCEPTION_H".to_owned()),
        no_includes: true,
        sys_includes: vec!["stddef.h".to_owned(), "stdint.h".to_owned()],
        after_includes: Some(constants(facts)),
        usize_is_size_t: true,
        enumeration: EnumConfig { rename_variants: RenameRule::QualifiedScreamingSnakeCase, ..EnumConfig::default() },
        export: ExportConfig { exclude: EXCLUDED.map(str::to_owned).into(), ..ExportConfig::default() },
        ..Config::default()
    };
    let bindings = Builder::new().with_src(SOURCE).with_config(config).generate();
    let bindings = bindings.map_err(|error| format!("the header cannot be generated: {error}"))?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).map_err(|error| error.to_string())?;
    Ok(text.replace(SAFETY, ""))
}

/// The constants, and the types that depend on the model.
fn constants(facts: &Facts) -> String {
    let mut text = String::new();
    let mut define = |what: &str, name: &str, value: &dyn std::fmt::Display| {
        if !what.is_empty() {
            // Writing to a string can't fail.
            let _ = writeln!(text, "\n/* {what} */");
        }
        let _ = writeln!(text, "#define MICROCEPTION_{name} {value}");
    };
    define("The model's name.", "NAME", &quoted(&facts.name));
    define(
        "What tells the model from others, for microception_init: it refuses a header that is not its library's.",
        "MODEL_ID",
        &format_args!("0x{:08x}u", facts.id),
    );
    define("Bytes of arena that it needs.", "ARENA_BYTES", &facts.arena_bytes);
    define("Bytes of weights, biases, factors and tables.", "WEIGHT_BYTES", &facts.weight_bytes);
    define("Multiply-accumulates of one inference.", "MACS", &format_args!("{}ULL", facts.macs));
    define(
        "1 of a model whose input is a series without an end: rows go in for ever, a frame is what the first output \
         needs.",
        "ENDLESS",
        &u8::from(facts.endless),
    );
    for (number, element) in (1..).zip(ELEMENTS) {
        let what = if number == 1 { "What one number can be." } else { "" };
        define(what, &format!("ELEMENT_{}", element.name), &number);
    }
    for (name, Port { shape, element, scale, zero_point }) in [("INPUT", &facts.input), ("OUTPUT", &facts.output)] {
        let extents: Vec<_> = shape.iter().map(usize::to_string).collect();
        let of = |what: &str| format!("{name}_{what}");
        let tensor = name.to_lowercase();
        define(
            &format!("The {tensor}'s extents, channels last."),
            &of("SHAPE"),
            &format_args!("{{{}}}", extents.join(", ")),
        );
        define("", &of("DIMENSIONS"), &shape.len());
        define(
            &format!("The {tensor}'s numbers."),
            &of("ELEMENT"),
            &format_args!("MICROCEPTION_ELEMENT_{}", element.name),
        );
        define("", &of("ELEMENTS"), &shape.iter().product::<usize>());
        define("", &of("BYTES"), &(shape.iter().product::<usize>() * element.bytes));
        let real = format!("The real number is MICROCEPTION_{name}_SCALE * (stored - MICROCEPTION_{name}_ZERO_POINT).");
        define(&real, &of("SCALE"), &format_args!("{scale:?}f"));
        define("", &of("ZERO_POINT"), &format_args!("({zero_point:?}f)"));
        if name == "INPUT" {
            define("Rows of a frame, and what is in one.", &of("ROWS"), &(facts.input.elements() / facts.row_elements));
            define("", &of("ROW_ELEMENTS"), &facts.row_elements);
            define("", &of("ROW_BYTES"), &(facts.row_elements * element.bytes));
        }
    }
    let labels: Vec<_> = facts.labels.iter().map(|label| quoted(label)).collect();
    define("The classes' names in the order of the scores; one null pointer where the model names none.", "LABELS", &{
        if labels.is_empty() { "{0}".to_owned() } else { format!("{{{}}}", labels.join(", ")) }
    });
    define("", "LABEL_COUNT", &labels.len());
    let _ = write!(
        text,
        "
/* One number of the input, [row][column][channel]. */
typedef {input} MicroceptionInput;

/* One number of the output. */
typedef {output} MicroceptionOutput;

/* Memory that the model runs in, aligned as it has to be. */
typedef struct MicroceptionArena {{
  uint64_t words[(MICROCEPTION_ARENA_BYTES + 7) / 8];
}} MicroceptionArena;",
        input = facts.input.element.c,
        output = facts.output.element.c,
    );
    text
}

/// A string in C: printable ASCII, all else as three octal digits, so that no digit that follows is taken for one more.
fn quoted(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'?' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

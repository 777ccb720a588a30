//! What the header says of the model, read out of its module.

use syn::{Expr, ExprStruct, ImplItem, Item, Lit, Type, UnOp};

/// A model with one input and one output.
#[derive(Debug)]
pub struct Facts {
    /// A number that no other module has: FNV-1a of its text.
    pub id: u32,
    pub name: String,
    pub labels: Vec<String>,
    pub arena_bytes: usize,
    pub weight_bytes: usize,
    pub macs: u64,
    /// Elements of one row of the input.
    pub row_elements: usize,
    /// Whether its input is a series without an end.
    pub endless: bool,
    pub input: Port,
    pub output: Port,
}

/// An input or an output.
#[derive(Debug)]
pub struct Port {
    pub shape: Vec<usize>,
    pub element: Element,
    /// `real = scale * (stored - zero_point)`.
    pub scale: f32,
    pub zero_point: f32,
}

/// What one number is: its name, its type in C, and its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Element {
    pub name: &'static str,
    pub c: &'static str,
    pub bytes: usize,
}

/// All there are, in the order of their numbers in C.
pub const ELEMENTS: [Element; 4] = [
    Element { name: "U8", c: "uint8_t", bytes: 1 },
    Element { name: "I8", c: "int8_t", bytes: 1 },
    Element { name: "I16", c: "int16_t", bytes: 2 },
    Element { name: "F32", c: "float", bytes: 4 },
];

impl Port {
    /// Numbers of the whole tensor.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of the whole tensor.
    pub fn bytes(&self) -> usize {
        self.elements() * self.element.bytes
    }
}

impl Facts {
    /// Reads the module's text.
    pub fn of(module: &str) -> Result<Facts, String> {
        let file = syn::parse_file(module).map_err(|error| format!("is no Rust: {error}"))?;
        let named = |wanted: &str| {
            let expression = file.items.iter().find_map(|item| match item {
                Item::Const(item) if item.ident == wanted => Some(&*item.expr),
                Item::Static(item) if item.ident == wanted => Some(&*item.expr),
                _ => None,
            });
            expression.ok_or_else(|| format!("has no {wanted}: it is no module of `microception convert`"))
        };
        let whole = |name: &str| named(name).and_then(|expression| integer(expression).ok_or(unread(name)));
        let items = file.items.iter().filter_map(|item| match item {
            Item::Impl(item) => Some(&item.items),
            _ => None,
        });
        let items: Vec<&ImplItem> = items.flatten().collect();
        let row_elements = items.iter().find_map(|item| match item {
            ImplItem::Type(item) if item.ident == "Row" => match &item.ty {
                Type::Array(array) => integer(&array.len),
                _ => None,
            },
            _ => None,
        });
        let endless = items.iter().any(|item| matches!(item, ImplItem::Fn(item) if item.sig.ident == "period"));
        let id = module.bytes().fold(0x811c_9dc5, |id, byte| (id ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Ok(Facts {
            id,
            name: text(named("NAME")?).ok_or(unread("NAME"))?,
            labels: list(named("LABELS")?).and_then(|labels| labels.map(text).collect()).ok_or(unread("LABELS"))?,
            arena_bytes: whole("ARENA_BYTES")? as usize,
            weight_bytes: whole("WEIGHT_BYTES")? as usize,
            macs: whole("MACS")?,
            row_elements: row_elements.ok_or(unread("Row"))? as usize,
            endless,
            input: only("inputs", named("INPUTS")?)?,
            output: only("outputs", named("OUTPUTS")?)?,
        })
    }

    /// Rust that does not compile where the header says anything else than the module has, with the number of scores.
    pub fn held_against_the_module(&self) -> String {
        let Facts { id, arena_bytes, row_elements, input, output, .. } = self;
        let equal = |what: &str, number: usize| {
            format!("const _: () = assert!({what} == {number}, \"microception.h and the module differ\");\n")
        };
        let port = |which: &str, port: &Port| {
            let table = format!("model::{which}[0]");
            let shape: String = (0..)
                .zip(&port.shape)
                .map(|(axis, &extent)| equal(&format!("{table}.shape[{axis}]"), extent))
                .collect();
            let element = format!("model::{which}[0].element, ::microception::model::Element::{}", port.element.name);
            let bits = |what: &str, number: f32| {
                equal(&format!("{table}.{what}.to_bits() as usize"), number.to_bits() as usize)
            };
            shape
                + &equal(&format!("{table}.shape.len()"), port.shape.len())
                + &format!("const _: () = assert!(matches!({element}));\n")
                + &bits("scale", port.scale)
                + &bits("zero_point", port.zero_point)
        };
        format!("/// Numbers of the output.\nconst OUTPUT_ELEMENTS: usize = {};\n", output.elements())
            + &format!("/// What the header calls the model.\nconst MODEL_ID: u32 = {id};\n")
            + &equal("model::ARENA_BYTES", *arena_bytes)
            + &equal("size_of::<MicroceptionInput>()", input.element.bytes)
            + &equal("size_of::<MicroceptionOutput>()", output.element.bytes)
            + &equal("size_of::<Row>()", row_elements * input.element.bytes)
            + &equal("size_of::<Frame>()", input.bytes())
            + &port("INPUTS", input)
            + &port("OUTPUTS", output)
    }
}

fn unread(name: &str) -> String {
    format!("has another {name} than `microception convert` of this version writes: convert the model again")
}

/// The only port of a table.
fn only(what: &str, table: &Expr) -> Result<Port, String> {
    let ports: Vec<&Expr> = list(table).ok_or(unread(what))?.collect();
    match ports[..] {
        [Expr::Struct(fields)] => port(fields).ok_or(unread(what)),
        _ => Err(format!(
            "its model has {} {what}, and the C interface takes a model with one input and one output",
            ports.len()
        )),
    }
}

fn port(fields: &ExprStruct) -> Option<Port> {
    let field = |wanted: &str| {
        let is = |member: &syn::Member| matches!(member, syn::Member::Named(name) if name == wanted);
        fields.fields.iter().find(|field| is(&field.member)).map(|field| &field.expr)
    };
    let Expr::Path(element) = field("element")? else { return None };
    let element = &element.path.segments.last()?.ident;
    Some(Port {
        shape: list(field("shape")?)?
            .map(|extent| integer(extent).map(|extent| extent as usize))
            .collect::<Option<_>>()?,
        element: ELEMENTS.into_iter().find(|known| element == known.name)?,
        scale: real(field("scale")?)?,
        zero_point: real(field("zero_point")?)?,
    })
}

/// What stands in the brackets of an array, or of a reference to one.
fn list(expression: &Expr) -> Option<impl Iterator<Item = &Expr>> {
    match expression {
        Expr::Array(array) => Some(array.elems.iter()),
        Expr::Reference(reference) => match &*reference.expr {
            Expr::Array(array) => Some(array.elems.iter()),
            _ => None,
        },
        _ => None,
    }
}

fn integer(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

fn real(expression: &Expr) -> Option<f32> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Float(number) => number.base10_parse().ok(),
            _ => None,
        },
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) => real(&unary.expr).map(|number| -number),
        _ => None,
    }
}

fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

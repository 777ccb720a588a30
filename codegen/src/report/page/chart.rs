//! Charts as SVG in the page's own colours: `plotters` lays them out, and what it draws has classes instead of colours, so that
//! a chart is light where the page is light and dark where it is dark.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write;

use plotters::chart::MeshStyle;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind, FontTransform};

use crate::report::memory::{Arena, Holds};
use crate::report::quantization::Histogram;
use crate::report::text::{grouped, short};

/// The page's inks, by their number in the class `ink0` and so on.
const TEXT: RGBColor = RGBColor(0, 0, 0);
const GRID: RGBColor = RGBColor(1, 0, 0);
const LINE: RGBColor = RGBColor(2, 0, 0);
const SCRATCH: RGBColor = RGBColor(3, 0, 0);
const RANGE: RGBColor = RGBColor(4, 0, 0);
const CUT: RGBColor = RGBColor(5, 0, 0);
/// The first of so many that tell layers apart.
const FIRST_HUE: u8 = 8;
const HUES: usize = 8;

/// Height of a letter, and about what one is wide.
const FONT: f64 = 12.0;
const LETTER: f64 = 6.6;

/// What plotters draws, as the inside of an SVG.
struct Svg<'a> {
    size: (u32, u32),
    body: &'a mut String,
    /// What the next shape says when it is pointed at, and to a screen reader.
    title: &'a RefCell<Option<String>>,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl Svg<'_> {
    fn push(&mut self, element: &str, attributes: std::fmt::Arguments<'_>) -> Drawn {
        // Writing to a string can't fail.
        let _ = match self.title.take() {
            Some(title) => write!(self.body, "<{element} {attributes}><title>{}</title></{element}>", escaped(&title)),
            None => write!(self.body, "<{element} {attributes}/>"),
        };
        Ok(())
    }
}

/// The class of a colour, and how much of it is seen.
fn ink(color: BackendColor, filled: bool) -> String {
    let kind = if filled { "fill" } else { "stroke" };
    let opacity = if color.alpha < 1.0 { format!(" opacity=\"{:.2}\"", color.alpha) } else { String::new() };
    format!("class=\"{kind} ink{}\"{opacity}", color.rgb.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn points(path: impl IntoIterator<Item = BackendCoord>) -> String {
    path.into_iter().map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
}

impl DrawingBackend for Svg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.push("rect", format_args!("x=\"{x}\" y=\"{y}\" width=\"1\" height=\"1\" {}", ink(color, true)))
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push("line", format_args!("x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {}", ink(style.color(), false)))
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        let (left, top) = (from.0.min(to.0), from.1.min(to.1));
        // What is there at all is seen.
        let (width, height) = ((to.0 - from.0).abs().max(1), (to.1 - from.1).abs().max(1));
        let ink = ink(style.color(), fill);
        self.push("rect", format_args!("x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" {ink}"))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        if style.color().alpha == 0.0 {
            return Ok(());
        }
        self.push("polyline", format_args!("points=\"{}\" {}", points(path), ink(style.color(), false)))
    }

    fn draw_circle<S: BackendStyle>(&mut self, (x, y): BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        self.push("circle", format_args!("cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {}", ink(style.color(), fill)))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.push("polygon", format_args!("points=\"{}\" {}", points(path), ink(style.color(), true)))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let anchor = match style.anchor().h_pos {
            HPos::Left => "start",
            HPos::Center => "middle",
            HPos::Right => "end",
        };
        let baseline = match style.anchor().v_pos {
            VPos::Top => "hanging",
            VPos::Center => "central",
            VPos::Bottom => "auto",
        };
        let turned = match style.transform() {
            FontTransform::None => String::new(),
            FontTransform::Rotate90 => format!(" transform=\"rotate(90 {x} {y})\""),
            FontTransform::Rotate180 => format!(" transform=\"rotate(180 {x} {y})\""),
            FontTransform::Rotate270 => format!(" transform=\"rotate(270 {x} {y})\""),
        };
        let (size, ink, text) = (style.size(), ink(style.color(), true), escaped(text));
        let _ = write!(
            self.body,
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\" dominant-baseline=\"{baseline}\"{turned} \
             {ink}>{text}</text>"
        );
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let width = text.chars().count() as f64 * LETTER * style.size() / FONT;
        Ok((width.ceil() as u32, style.size().ceil() as u32))
    }
}

type Failed = Box<dyn std::error::Error>;
type Area<'a> = DrawingArea<Svg<'a>, plotters::coord::Shift>;

/// An SVG of that size that says `about` to who can't see it, drawn by `draw`, which puts the title of the next shape into its
/// second argument.
fn svg(
    size: (u32, u32),
    about: &str,
    draw: impl FnOnce(&Area<'_>, &RefCell<Option<String>>) -> Result<(), Failed>,
) -> String {
    let (mut body, title) = (String::new(), RefCell::new(None));
    let area = Svg { size, body: &mut body, title: &title }.into_drawing_area();
    let drawn = draw(&area, &title);
    drop(area);
    match drawn {
        Ok(()) => format!(
            "<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
            size.0,
            size.1,
            escaped(about)
        ),
        Err(error) => format!("<p>This chart could not be drawn: {}</p>", escaped(&error.to_string())),
    }
}

fn font() -> TextStyle<'static> {
    ("sans-serif", FONT).into_font().color(&TEXT)
}

/// Axes and the lines of a grid in the page's inks.
fn inked<'m, 'a, 'b, X: Ranged, Y: Ranged, Backend: DrawingBackend>(
    mesh: &'m mut MeshStyle<'a, 'b, X, Y, Backend>,
) -> &'m mut MeshStyle<'a, 'b, X, Y, Backend> {
    mesh.label_style(font())
        .axis_desc_style(font())
        .axis_style(GRID)
        .bold_line_style(GRID.mix(0.5))
        .light_line_style(TRANSPARENT)
}

/// The ink of a layer.
fn hue(layer: usize) -> RGBColor {
    RGBColor(FIRST_HUE + (layer % HUES) as u8, 0, 0)
}

/// An arena as time goes by. `names` are the layers', `beside` another line at so many bytes.
pub fn arena(arena: &Arena, names: &[&str], beside: Option<(&str, usize)>, about: &str) -> String {
    let size = (1200, 460);
    let most = arena.bytes.max(1);
    svg(size, about, |area, title| {
        let steps = arena.steps.max(1) as f64;
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(64)
            .build_cartesian_2d(0f64..steps, 0f64..most as f64 * 1.04)?;
        inked(&mut chart.configure_mesh())
            .x_labels(10)
            .y_labels(8)
            .x_desc("steps of one inference")
            .y_desc("bytes")
            .x_label_formatter(&|step| format!("{step:.0}"))
            .y_label_formatter(&|bytes| grouped(*bytes as u64))
            .draw()?;
        let (across, _) = chart.plotting_area().dim_in_pixel();
        let across = f64::from(across);
        let blocks = arena.blocks.iter().map(|block| {
            let name = names.get(block.layer).copied().unwrap_or("?");
            let what = match block.holds {
                Holds::Rows if block.rows == 1 => format!("row {}", block.row),
                Holds::Rows => format!("rows {} to {}", block.row, block.row + block.rows - 1),
                Holds::Sums => "running sums".to_owned(),
                Holds::Scratch => "scratch".to_owned(),
            };
            *title.borrow_mut() = Some(format!(
                "{name}: {what}, {} bytes at {}, steps {} to {}",
                grouped(block.bytes as u64),
                grouped(block.address as u64),
                block.from,
                block.until
            ));
            let color = if block.holds == Holds::Scratch { SCRATCH } else { hue(block.layer) };
            let (from, until) = (block.from as f64, (block.until + 1) as f64);
            let (bottom, top) = (block.address as f64, (block.address + block.bytes) as f64);
            Rectangle::new([(from, bottom), (until, top)], color.filled())
        });
        chart.draw_series(blocks)?;
        title.take();
        // Names where there is room for them.
        for block in arena.blocks.iter().filter(|block| block.holds != Holds::Scratch) {
            let name = names.get(block.layer).copied().unwrap_or("?");
            let width = (block.until + 1 - block.from) as f64 / steps * across;
            let height = block.bytes as f64 / (most as f64 * 1.04) * f64::from(size.1 - 60);
            if width > name.chars().count() as f64 * LETTER && height > FONT {
                let middle = (block.address as f64) + block.bytes as f64 / 2.0;
                let centred = font().pos(plotters::style::text_anchor::Pos::new(HPos::Left, VPos::Center));
                chart.draw_series([Text::new(
                    name.to_owned(),
                    (block.from as f64 + steps / across * 4.0, middle),
                    centred,
                )])?;
            }
        }
        for &cut in &arena.cuts {
            *title.borrow_mut() = Some(format!("end of a segment: step {cut}"));
            let at = (cut + 1) as f64;
            chart.draw_series([PathElement::new([(at, 0.0), (at, most as f64 * 1.04)], CUT)])?;
        }
        let lines = [(arena.bytes, "arena", LINE), (arena.floor_bytes, "lower bound of this order", RANGE)];
        for (bytes, name, color) in lines.into_iter().chain(beside.map(|(name, bytes)| (bytes, name, CUT))) {
            *title.borrow_mut() = Some(format!("{name}: {} bytes", grouped(bytes as u64)));
            chart.draw_series([PathElement::new([(0.0, bytes as f64), (steps, bytes as f64)], color)])?;
        }
        title.take();
        Ok(())
    })
}

/// One bar of a chart.
pub struct Bar {
    /// What stands before it.
    pub name: String,
    /// How long it is.
    pub value: f64,
    /// What stands behind it.
    pub label: String,
}

/// Bars, one below the other.
pub fn bars(rows: &[Bar], unit: &str, about: &str) -> String {
    let letters = |text: fn(&Bar) -> &str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0) as f64;
    let names = (letters(|row| &row.name) * LETTER).clamp(60.0, 330.0) as u32 + 16;
    let labels = (letters(|row| &row.label) * LETTER) as u32 + 16;
    let height = 56 + 18 * rows.len() as u32;
    svg((960, height), about, |area, title| {
        let most = rows.iter().fold(f64::MIN_POSITIVE, |most, row| most.max(row.value));
        let count = rows.len().max(1);
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(labels)
            .x_label_area_size(36)
            .y_label_area_size(names)
            .build_cartesian_2d(0f64..most, (0..count).into_segmented())?;
        inked(&mut chart.configure_mesh())
            .disable_y_mesh()
            .disable_y_axis()
            .x_labels(8)
            .x_desc(unit)
            .x_label_formatter(&|value| short(*value))
            .draw()?;
        for (place, Bar { name, value, label }) in rows.iter().enumerate() {
            let row = count - 1 - place;
            *title.borrow_mut() = Some(format!("{name}: {label}"));
            let ends = [(0.0, SegmentValue::Exact(row)), (value.max(0.0), SegmentValue::Exact(row + 1))];
            let mut bar = Rectangle::new(ends, hue(0).filled());
            bar.set_margin(3, 3, 0, 0);
            chart.draw_series([bar])?;
            title.take();
            let (x, y) = chart.backend_coord(&(0.0, SegmentValue::CenterOf(row)));
            let right = font().pos(plotters::style::text_anchor::Pos::new(HPos::Right, VPos::Center));
            let left = font().pos(plotters::style::text_anchor::Pos::new(HPos::Left, VPos::Center));
            area.draw(&Text::new(name.clone(), (x - 6, y), right))?;
            let (end, _) = chart.backend_coord(&(value.max(0.0), SegmentValue::CenterOf(row)));
            area.draw(&Text::new(label.clone(), (end + 4, y), left))?;
        }
        Ok(())
    })
}

/// How many numbers lie where, on a logarithmic scale, and the range that is covered.
pub fn histogram(histogram: &Histogram, range: Option<[f32; 2]>, about: &str) -> String {
    svg((320, 110), about, |area, title| {
        let (mut from, mut to) = (f64::from(histogram.from), f64::from(histogram.to));
        if let Some([least, greatest]) = range {
            (from, to) = (from.min(f64::from(least)), to.max(f64::from(greatest)));
        }
        let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
        let logarithm = |count: u64| (1.0 + count as f64).ln();
        let mut chart = ChartBuilder::on(area)
            .margin(4)
            .x_label_area_size(20)
            .build_cartesian_2d(from..to, 0f64..logarithm(most) * 1.05)?;
        inked(&mut chart.configure_mesh())
            .disable_mesh()
            .disable_y_axis()
            .x_labels(5)
            // Steps of an axis add up to a zero that is not quite one.
            .x_label_formatter(&|value| if value.abs() < (to - from) * 1e-9 { short(0.0) } else { short(*value) })
            .draw()?;
        if let Some([least, greatest]) = range {
            *title.borrow_mut() = Some(format!("range {} to {}", short(least.into()), short(greatest.into())));
            let corners = [(f64::from(least), 0.0), (f64::from(greatest), logarithm(most) * 1.05)];
            chart.draw_series([Rectangle::new(corners, RANGE.mix(0.2).filled())])?;
        }
        let width = f64::from(histogram.to - histogram.from) / histogram.counts.len() as f64;
        let bins = histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(bin, &count)| {
            let left = f64::from(histogram.from) + width * bin as f64;
            *title.borrow_mut() =
                Some(format!("{} between {} and {}", grouped(count), short(left), short(left + width)));
            Rectangle::new([(left, 0.0), (left + width, logarithm(count))], hue(0).filled())
        });
        chart.draw_series(bins)?;
        title.take();
        for end in range.into_iter().flatten() {
            let end = f64::from(end);
            chart.draw_series([PathElement::new([(end, 0.0), (end, logarithm(most) * 1.05)], RANGE)])?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_is_svg_with_classes_and_titles() {
        let bar = |name: &str, value| Bar { name: name.to_owned(), value, label: format!("{value} of them") };
        let chart = bars(&[bar("a<b", 2.0), bar("c", 1.0)], "things", "how many");
        assert!(chart.starts_with("<svg class=\"chart\"") && chart.ends_with("</svg>"));
        assert!(chart.contains("aria-label=\"how many\"") && chart.contains("a&lt;b"));
        assert!(chart.contains("<title>c: 1 of them</title>") && chart.contains("ink8"));
        assert!(!chart.contains("NaN") && !chart.contains("rgb("));
    }

    #[test]
    fn an_empty_histogram_is_drawn_all_the_same() {
        let chart = histogram(&Histogram::new([0.0, 0.0]), Some([-1.0, 1.0]), "nothing");
        assert!(chart.starts_with("<svg"), "{chart}");
    }
}

//! A laid out picture as SVG. Text is measured by the letter, since the font is one of fixed width.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::export::escaped;
use super::layout::{Layout, Rect, Size};

/// The width of a letter for each pixel of the size of the font.
const LETTER: f64 = 0.605;

const LABEL_SIZE: f64 = 13.0;
const GROUP_SIZE: f64 = 10.5;

/// The most letters of a label. The tooltip has all of them.
const LONGEST: usize = 48;

const PADDING: f64 = 10.0;
const MARGIN: f64 = 24.0;

/// The room between the ends of two arrows at a box, as long as that is not higher than [`HIGHEST`].
const ARROW_ROOM: f64 = 6.0;

/// The highest box.
const HIGHEST: f64 = 160.0;

/// How high the loop of an arrow from a box to itself is.
const LOOP: f64 = 11.0;

/// What is drawn.
#[derive(Default)]
pub(super) struct Drawing {
    pub(super) cards: Vec<Card>,
    /// Sorted by their ends, each pair once.
    pub(super) arrows: Vec<Arrow>,
    /// Of the cards and of [`Drawing::pairs`].
    pub(super) layout: Layout,
}

/// A box.
pub(super) struct Card {
    /// The whole name.
    pub(super) name: String,
    pub(super) label: String,
    /// Where it belongs to: a smaller line above the label, unless it is empty.
    pub(super) group: String,
    pub(super) title: String,
    pub(super) look: Look,
}

/// An arrow between two cards, or from one to itself.
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) certain: bool,
    pub(super) title: String,
}

/// What a box looks like: classes of kinds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Module,
    Public,
    Private,
    Macro,
    Test,
    Other,
}

impl Look {
    const ALL: [Look; 6] = [Look::Module, Look::Public, Look::Private, Look::Macro, Look::Test, Look::Other];

    /// The name of its class, its explanation, and fill and border in light and in dark.
    fn colours(self) -> (&'static str, &'static str, [&'static str; 4]) {
        match self {
            Look::Module => ("module", "module", ["#e3f4e6", "#3f9150", "#1d3324", "#58a968"]),
            Look::Public => ("public", "public function", ["#e2effc", "#3679bd", "#172d45", "#5a9bdc"]),
            Look::Private => ("private", "private function", ["#f4f6f8", "#8795a5", "#23282f", "#75828f"]),
            Look::Macro => ("macro", "macro or guard", ["#f0e8fb", "#8258bd", "#2e2145", "#a683dc"]),
            Look::Test => ("test", "test", ["#fcf2d9", "#b98a1e", "#3a2e12", "#cda34a"]),
            Look::Other => ("other", "other definition", ["#def2f1", "#32908b", "#133332", "#53b3ae"]),
        }
    }
}

impl Card {
    /// The size of a box that has at most so many arrows on one side: they need some room each.
    fn size(&self, arrows: usize) -> Size {
        let label = shortened(&self.label).1 * LABEL_SIZE * LETTER;
        let group = shortened(&self.group).1 * GROUP_SIZE * LETTER;
        let least = if self.group.is_empty() { 30.0 } else { 42.0 };
        let height = ((arrows + 1) as f64 * ARROW_ROOM).clamp(least, HIGHEST);
        Size { width: label.max(group).ceil() + 2.0 * PADDING, height }
    }
}

impl Drawing {
    /// The sizes of the cards.
    pub(super) fn sizes(&self) -> Vec<Size> {
        let (mut outs, mut ins) = (vec![0; self.cards.len()], vec![0; self.cards.len()]);
        for (from, to) in self.pairs() {
            outs[from] += 1;
            ins[to] += 1;
        }
        let arrows = outs.iter().zip(ins).map(|(outs, ins)| ins.max(*outs));
        self.cards.iter().zip(arrows).map(|(card, arrows)| card.size(arrows)).collect()
    }

    /// The ends of the arrows between different cards.
    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        self.arrows
            .iter()
            .filter(|arrow| arrow.from != arrow.to)
            .map(|arrow| (arrow.from, arrow.to))
            .collect()
    }
}

/// The document.
pub(super) fn write(drawing: &Drawing) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = document(drawing, &mut out);
    out
}

fn document(drawing: &Drawing, out: &mut String) -> std::fmt::Result {
    let layout = &drawing.layout;
    let legend = Legend::of(drawing);
    let width = (layout.width.max(legend.width) + 2.0 * MARGIN).ceil();
    let height = (layout.height + LOOP + legend.height + 2.0 * MARGIN).ceil();
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\">\n<title>Code graph</title>"
    )?;
    style(out)?;
    for class in ["arrow", "back"] {
        writeln!(
            out,
            "<defs><marker id=\"{class}-head\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"7\" \
             markerHeight=\"7\" orient=\"auto\"><path class=\"{class}-head\" d=\"M0 0.8L8 4L0 7.2Z\"/></marker></defs>"
        )?;
    }
    writeln!(out, "<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>")?;
    writeln!(out, "<g transform=\"translate({MARGIN} {})\">", MARGIN + LOOP)?;
    let mut routes = layout.routes.iter();
    for arrow in &drawing.arrows {
        let (path, is_back) = if arrow.from == arrow.to {
            (round(&layout.boxes[arrow.from]), false)
        } else {
            let Some(route) = routes.next() else { continue };
            (curve(&route.points), route.is_back)
        };
        let guess = if arrow.certain { "" } else { " guess" };
        let back = if is_back { " back" } else { "" };
        writeln!(
            out,
            "<g><title>{}</title><path class=\"arrow{guess}{back}\" d=\"{path}\"/></g>",
            escaped(&arrow.title)
        )?;
    }
    for (card, rect) in drawing.cards.iter().zip(&layout.boxes) {
        write_card(card, rect, out)?;
    }
    writeln!(out, "</g>")?;
    legend.write(MARGIN, height - MARGIN - legend.height, out)?;
    out.write_str("</svg>\n")
}

fn style(out: &mut String) -> std::fmt::Result {
    out.write_str(
        "<style>\n\
         text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #1c2733; }\n\
         .paper { fill: #ffffff; }\n.group, .legend { fill: #5d6b7a; }\n\
         .box { stroke-width: 1.2; }\n.arrow { fill: none; stroke: #8b98a6; stroke-width: 1.2; marker-end: url(#arrow-head); }\n\
         .arrow-head { fill: #8b98a6; }\n.guess { stroke-dasharray: 5 4; }\n\
         .back { stroke: #c8562f; marker-end: url(#back-head); }\n.back-head { fill: #c8562f; }\n\
         g:hover > .arrow { stroke-width: 2.6; }\n",
    )?;
    for look in Look::ALL {
        let (class, _, [fill, stroke, ..]) = look.colours();
        writeln!(out, ".{class} {{ fill: {fill}; stroke: {stroke}; }}")?;
    }
    out.write_str(
        "@media (prefers-color-scheme: dark) {\ntext { fill: #e4eaf0; }\n.paper { fill: #12161b; }\n\
         .group, .legend { fill: #9aa7b4; }\n.arrow { stroke: #6d7a88; }\n.arrow-head { fill: #6d7a88; }\n\
         .back { stroke: #e0815c; }\n.back-head { fill: #e0815c; }\n",
    )?;
    for look in Look::ALL {
        let (class, _, [.., fill, stroke]) = look.colours();
        writeln!(out, ".{class} {{ fill: {fill}; stroke: {stroke}; }}")?;
    }
    out.write_str("}\n</style>\n")
}

fn write_card(card: &Card, rect: &Rect, out: &mut String) -> std::fmt::Result {
    let Rect { x, y, width, height } = *rect;
    let (class, ..) = card.look.colours();
    write!(
        out,
        "<g><title>{}</title><rect class=\"box {class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\"/>",
        escaped(&card.title),
        short(x),
        short(y),
        short(width),
        short(height)
    )?;
    let mut line = |class: &str, text: &str, size: f64, down: f64| {
        write!(
            out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\" font-size=\"{size}\">{}</text>",
            short(x + PADDING),
            short(y + down),
            escaped(&shortened(text).0)
        )
    };
    let middle = height / 2.0;
    if card.group.is_empty() {
        line("label", &card.label, LABEL_SIZE, middle + 4.5)?;
    } else {
        line("group", &card.group, GROUP_SIZE, middle - 5.0)?;
        line("label", &card.label, LABEL_SIZE, middle + 11.0)?;
    }
    out.write_str("</g>\n")
}

/// Level from the first point to the second, by a curve to the third, and so on.
fn curve(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let mut last: Option<(f64, f64)> = None;
    for (at, &(x, y)) in points.iter().enumerate() {
        match last {
            None => path.push_str(&format!("M{} {}", short(x), short(y))),
            Some(last) if last == (x, y) => {}
            Some(_) if at % 2 == 1 => path.push_str(&format!("H{}", short(x))),
            Some((from_x, from_y)) => {
                let middle = short((from_x + x) / 2.0);
                path.push_str(&format!(
                    "C{middle} {} {middle} {} {} {}",
                    short(from_y),
                    short(y),
                    short(x),
                    short(y)
                ));
            }
        }
        last = Some((x, y));
    }
    path
}

/// A loop above the right end of a box.
fn round(rect: &Rect) -> String {
    let (right, left) = (rect.x + rect.width - 8.0, rect.x + rect.width - 26.0);
    let (low, high) = (short(rect.y), short(rect.y - LOOP - 4.0));
    let (right, left) = (short(right), short(left));
    format!("M{right} {low}C{right} {high} {left} {high} {left} {low}")
}

/// A coordinate with one digit after the point.
fn short(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The text on one line, cut if it is long, and its width in letters. Letters of eastern scripts are two wide.
fn shortened(text: &str) -> (String, f64) {
    let mut line = String::new();
    let mut width = 0;
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        let wide = usize::from(matches!(u32::from(c), 0x1100..)) + 1;
        if width + wide > LONGEST {
            line.push('…');
            width += 1;
            break;
        }
        line.push(c);
        width += wide;
    }
    (line, width as f64)
}

/// What the colours and lines mean, as far as they occur.
struct Legend {
    entries: Vec<(Key, &'static str)>,
    width: f64,
    height: f64,
}

enum Key {
    Fill(&'static str),
    Line(&'static str),
}

impl Legend {
    const ROW: f64 = 34.0;

    fn of(drawing: &Drawing) -> Self {
        let looks: BTreeSet<Look> = drawing.cards.iter().map(|card| card.look).collect();
        let mut entries: Vec<_> = looks
            .into_iter()
            .map(|look| {
                let (class, text, _) = look.colours();
                (Key::Fill(class), text)
            })
            .collect();
        if drawing.arrows.iter().any(|arrow| !arrow.certain) {
            entries.push((Key::Line("arrow guess"), "not certain"));
        }
        if drawing.layout.routes.iter().any(|route| route.is_back) {
            entries.push((Key::Line("arrow back"), "closes a cycle"));
        }
        let width = entries.iter().map(|(_, text)| Self::width(text)).sum();
        let height = if entries.is_empty() { 0.0 } else { Self::ROW };
        Legend { entries, width, height }
    }

    fn width(text: &str) -> f64 {
        text.len() as f64 * GROUP_SIZE * LETTER + 54.0
    }

    fn write(&self, x: f64, y: f64, out: &mut String) -> std::fmt::Result {
        let (mut x, middle) = (x, y + Self::ROW - 8.0);
        for (key, text) in &self.entries {
            match key {
                Key::Fill(class) => write!(
                    out,
                    "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"28\" height=\"14\" rx=\"4\"/>",
                    short(x),
                    short(middle - 7.0)
                )?,
                Key::Line(class) => {
                    write!(out, "<path class=\"{class}\" d=\"M{} {}h28\"/>", short(x), short(middle))?;
                }
            }
            writeln!(
                out,
                "<text class=\"legend\" x=\"{}\" y=\"{}\" font-size=\"{GROUP_SIZE}\">{text}</text>",
                short(x + 35.0),
                short(middle + 3.5)
            )?;
            x += Self::width(text);
        }
        Ok(())
    }
}

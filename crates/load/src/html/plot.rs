//! Plots as inline SVG, drawn here: no script, nothing from elsewhere. Colours come from the page's own style, so that
//! they follow the reader's light or dark.

use std::fmt::Write as _;

use super::axis::Axis;
use super::text::escape;

/// Size of a plot in its own units, and the room for words around it.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 236.0;
const LEFT: f64 = 50.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

/// How a line looks: a colour of the style and a pattern, so that colour is not all that tells lines apart.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Class of the colour.
    pub colour: &'static str,
    /// Class of the pattern; empty for a solid line.
    pub pattern: &'static str,
}

/// A line of a plot.
#[derive(Debug, Clone)]
pub struct Line {
    /// What it shows.
    pub name: &'static str,
    /// How it looks.
    pub look: Look,
    /// Its points; the line is broken where a value is missing.
    pub points: Vec<(f64, Option<f64>)>,
}

/// A plot in the making.
#[derive(Debug)]
pub struct Plot {
    x: Axis,
    y: Axis,
    body: String,
}

impl Plot {
    /// An empty plot with its axes.
    pub fn new(x: Axis, y: Axis) -> Self {
        let mut plot = Self { x, y, body: String::new() };
        plot.axes();
        plot
    }

    fn left(&self, x: f64) -> f64 {
        LEFT + self.x.at(x) * (WIDTH - LEFT - RIGHT)
    }

    fn top(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.at(y) * (HEIGHT - TOP - BOTTOM)
    }

    fn axes(&mut self) {
        let mut out = String::new();
        for (value, word) in &self.y.ticks {
            let y = self.top(*value);
            let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{}\"/>", WIDTH - RIGHT);
            let _ = write!(
                out,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 5.0,
                y + 4.0,
                escape(word)
            );
        }
        for (value, word) in &self.x.ticks {
            let x = self.left(*value);
            let _ = write!(out, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{}\"/>", HEIGHT - BOTTOM);
            let anchor = if x > WIDTH - 40.0 { "end" } else { "middle" };
            let at = if anchor == "end" { WIDTH - 4.0 } else { x };
            let _ = write!(
                out,
                "<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
                HEIGHT - 8.0,
                escape(word)
            );
        }
        let _ = write!(
            out,
            "<path class=\"axis\" fill=\"none\" d=\"M{LEFT} {TOP}V{}H{}\"/>",
            HEIGHT - BOTTOM,
            WIDTH - RIGHT
        );
        self.body.push_str(&out);
    }

    /// Draws a line.
    pub fn line(&mut self, line: &Line) {
        let mut path = String::new();
        let mut drawing = false;
        for (x, y) in &line.points {
            let Some(y) = y.filter(|y| y.is_finite()) else {
                drawing = false;
                continue;
            };
            let (left, top) = (self.left(*x), self.top(y));
            // A lone point is a line to itself, which its round ends make visible.
            let step = if drawing { format!("L{left:.1} {top:.1}") } else { format!("M{left:.1} {top:.1}h.01") };
            path.push_str(&step);
            drawing = true;
        }
        let Look { colour, pattern } = line.look;
        let _ = write!(self.body, "<path class=\"line {colour} {pattern}\" d=\"{path}\"/>");
    }

    /// Draws a bar from the axis up.
    pub fn bar(&mut self, (from, to): (f64, f64), height: f64) {
        let (left, right, top) = (self.left(from), self.left(to), self.top(height));
        let (width, tall) = ((right - left - 0.6).max(0.5), HEIGHT - BOTTOM - top);
        let _ = write!(
            self.body,
            "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{tall:.1}\"/>"
        );
    }

    /// Draws the outline of bars: left and right end and height of each.
    pub fn outline(&mut self, bars: &[(f64, f64, f64)]) {
        let floor = HEIGHT - BOTTOM;
        let mut path = String::new();
        for (from, to, height) in bars {
            let (left, right, top) = (self.left(*from), self.left(*to), self.top(*height));
            let _ = write!(path, "M{left:.1} {floor}V{top:.1}H{right:.1}V{floor}");
        }
        let _ = write!(self.body, "<path class=\"outline\" d=\"{path}\"/>");
    }

    /// Draws a mark: a circle, or a cross for what went wrong.
    pub fn mark(&mut self, (x, y): (f64, f64), colour: &str, cross: bool) {
        let (x, y) = (self.left(x), self.top(y));
        let shape = match cross {
            false => format!("<circle class=\"mark {colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>"),
            true => format!("<path class=\"mark {colour}\" d=\"M{:.1} {:.1}l7 7m0-7l-7 7\"/>", x - 3.5, y - 3.5),
        };
        self.body.push_str(&shape);
    }

    /// The finished picture, with its words for those who do not see it.
    pub fn finish(self, id: &str, title: &str, told: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{}</svg>",
            escape(title),
            escape(told),
            self.body
        )
    }
}

/// The legend of lines.
pub fn legend(lines: &[Line]) -> String {
    let mut out = String::from("<ul class=\"legend\">");
    for line in lines {
        let Look { colour, pattern } = line.look;
        let _ = write!(
            out,
            "<li><svg viewBox=\"0 0 30 10\" aria-hidden=\"true\"><path class=\"line {colour} {pattern}\" d=\"M2 5H28\"/></svg>{}</li>",
            escape(line.name)
        );
    }
    out.push_str("</ul>");
    out
}

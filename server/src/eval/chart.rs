//! Lines over two axes as an SVG picture, for the reports of `signalbox eval`.

use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
/// Room for the labels at each side.
const MARGIN: f64 = 60.0;
/// Colours that people who see colours differently can tell apart (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Points of a line that are drawn; more are not seen.
const DRAWN: usize = 400;

/// One line.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Its name in the picture; empty: none.
    pub label: String,
    /// Which colour it has; equal numbers look alike.
    pub colour: usize,
    /// Shares, 0..=1, from left to right.
    pub points: Vec<(f64, f64)>,
    /// Something to compare with.
    pub dashed: bool,
    /// Whether its points are shown.
    pub dots: bool,
}

/// A picture whose horizontal axis is a share, 0 to 100 %, and whose vertical one goes over the values in twentieths.
pub fn svg(horizontal: &str, vertical: &str, series: &[Series]) -> String {
    let values = series
        .iter()
        .flat_map(|series| series.points.iter().map(|point| point.1));
    let (mut low, mut high) = values.fold((1f64, 0f64), |(low, high), y| (low.min(y), high.max(y)));
    low = (low * 20.0).floor() / 20.0;
    high = ((high * 20.0).ceil() / 20.0).max(low + 0.05);
    let x = |share: f64| MARGIN + share * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - (value - low) / (high - low) * (HEIGHT - 2.0 * MARGIN);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>"#
    );
    for step in 0..=5 {
        let part = f64::from(step) / 5.0;
        let value = low + (high - low) * part;
        let (left, right, top, bottom) = (x(0.0), x(1.0), y(high), y(low));
        let _ = writeln!(
            out,
            r##"<path d="M{left} {0:.1}H{right} M{1:.1} {top}V{bottom}" stroke="#ddd"/>
<text x="{2}" y="{3:.1}" text-anchor="end">{value:.2}</text>
<text x="{1:.1}" y="{4}" text-anchor="middle">{5:.0} %</text>"##,
            y(value),
            x(part),
            left - 6.0,
            y(value) + 4.0,
            bottom + 16.0,
            part * 100.0
        );
    }
    let (middle, centre) = (WIDTH / 2.0, HEIGHT / 2.0);
    let _ = writeln!(
        out,
        r#"<text x="{middle}" y="{}" text-anchor="middle">{}</text>
<text x="14" y="{centre}" text-anchor="middle" transform="rotate(-90 14 {centre})">{}</text>"#,
        HEIGHT - 16.0,
        escaped(horizontal),
        escaped(vertical)
    );
    let mut labels = 0;
    for line in series.iter().filter(|line| !line.points.is_empty()) {
        let colour = COLOURS[line.colour % COLOURS.len()];
        let every = line.points.len().div_ceil(DRAWN);
        let drawn = line.points.iter().step_by(every).chain(line.points.last());
        let at: Vec<(f64, f64)> = drawn.map(|&(share, value)| (x(share), y(value))).collect();
        let points: Vec<String> = at.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dashes = if line.dashed {
            r#" stroke-dasharray="2 4""#
        } else {
            ""
        };
        let _ = writeln!(
            out,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>"#,
            points.join(" ")
        );
        for (x, y) in at.iter().filter(|_| line.dots) {
            let _ = writeln!(out, r#"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}"/>"#);
        }
        if !line.label.is_empty() {
            let (left, top) = (MARGIN + 10.0, 20.0 + 15.0 * f64::from(labels));
            let label = escaped(&line.label);
            let _ = writeln!(
                out,
                r#"<text x="{left}" y="{top}" fill="{colour}">{label}</text>"#
            );
            labels += 1;
        }
    }
    out += "</svg>\n";
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

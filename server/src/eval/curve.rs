//! The cost-quality curve as a picture: quality over the share of strong calls, one line for each benchmark, chance dotted.

use std::fmt::Write;

use super::cost_quality::Figures;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 420.0;
/// Room for the labels at each side.
const MARGIN: f64 = 60.0;
/// Colours that people who see colours differently can tell apart (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/// Points of a line that are drawn; more are not seen.
const DRAWN: usize = 400;

/// The curves by name as an SVG document.
pub fn svg(curves: &[(&str, &Figures)]) -> String {
    let qualities = curves
        .iter()
        .flat_map(|(_, figures)| figures.curve.iter().map(|p| p.quality));
    let (mut low, mut high) = qualities.fold((1f64, 0f64), |(low, high), q| (low.min(q), high.max(q)));
    low = (low * 20.0).floor() / 20.0;
    high = ((high * 20.0).ceil() / 20.0).max(low + 0.05);
    let x = |strong: f64| MARGIN + strong * (WIDTH - 2.0 * MARGIN);
    let y = |quality: f64| HEIGHT - MARGIN - (quality - low) / (high - low) * (HEIGHT - 2.0 * MARGIN);
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>"#
    );
    for step in 0..=5 {
        let part = f64::from(step) / 5.0;
        let quality = low + (high - low) * part;
        let (left, right, top, bottom) = (x(0.0), x(1.0), y(high), y(low));
        let _ = writeln!(
            out,
            r##"<path d="M{left} {0:.1}H{right} M{1:.1} {top}V{bottom}" stroke="#ddd"/>
<text x="{2}" y="{3:.1}" text-anchor="end">{quality:.2}</text>
<text x="{1:.1}" y="{4}" text-anchor="middle">{5:.0} %</text>"##,
            y(quality),
            x(part),
            left - 6.0,
            y(quality) + 4.0,
            bottom + 16.0,
            part * 100.0
        );
    }
    let _ = writeln!(
        out,
        r#"<text x="{}" y="{}" text-anchor="middle">requests that go to the strong model</text>
<text x="14" y="{}" text-anchor="middle" transform="rotate(-90 14 {3})">quality</text>"#,
        WIDTH / 2.0,
        HEIGHT - 16.0,
        HEIGHT / 2.0,
        HEIGHT / 2.0
    );
    for (at, (name, figures)) in curves.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let curve = &figures.curve;
        let every = curve.len().div_ceil(DRAWN);
        let drawn = curve.iter().step_by(every).chain(curve.last());
        let points: Vec<String> = drawn
            .map(|p| format!("{:.1},{:.1}", x(p.strong), y(p.quality)))
            .collect();
        let (first, last) = (curve[0], curve[curve.len() - 1]);
        let _ = writeln!(
            out,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>
<path d="M{:.1} {:.1}L{:.1} {:.1}" stroke="{colour}" stroke-dasharray="2 4"/>
<text x="{}" y="{}" fill="{colour}">{} (APGR {})</text>"#,
            points.join(" "),
            x(0.0),
            y(first.quality),
            x(1.0),
            y(last.quality),
            MARGIN + 10.0,
            20.0 + 15.0 * at as f64,
            escaped(name),
            figures.apgr.map_or("–".to_owned(), |apgr| format!("{apgr:.3}")),
        );
    }
    out += "</svg>\n";
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::cost_quality::Judged;

    #[test]
    fn the_picture_has_a_line_for_each_benchmark_and_shows_names_as_they_are() {
        let judged = |difficulty: f64, strong: f64| Judged {
            difficulty,
            quality: [0.5, strong],
            cost: [0.1, 1.0],
        };
        let figures = Figures::new(&[judged(0.9, 1.0), judged(0.1, 0.5)]);
        let picture = svg(&[("a<b", &figures), ("c", &figures)]);
        assert_eq!(picture.matches("<polyline").count(), 2);
        assert!(picture.contains("a&lt;b (APGR 0.750)"), "{picture}");
        assert!(
            picture.starts_with("<svg") && picture.ends_with("</svg>\n"),
            "{picture}"
        );
    }
}

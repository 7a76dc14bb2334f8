//! The cost-quality curve as a picture: quality over the share of strong calls, one line for each benchmark, chance dotted.

use super::chart::{self, Series};
use super::cost_quality::Figures;

/// The curves by name as an SVG document.
pub fn svg(curves: &[(&str, &Figures)]) -> String {
    let lines = curves.iter().enumerate().flat_map(|(colour, (name, figures))| {
        let points: Vec<(f64, f64)> = figures.curve.iter().map(|p| (p.strong, p.quality)).collect();
        let (first, last) = (points[0].1, points[points.len() - 1].1);
        let apgr = figures.apgr.map_or("–".to_owned(), |apgr| format!("{apgr:.3}"));
        let curve = Series {
            label: format!("{name} (APGR {apgr})"),
            colour,
            points,
            ..Series::default()
        };
        let chance = Series {
            colour,
            points: vec![(0.0, first), (1.0, last)],
            dashed: true,
            ..Series::default()
        };
        [curve, chance]
    });
    let lines: Vec<Series> = lines.collect();
    chart::svg("requests that go to the strong model", "quality", &lines)
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
        assert_eq!(picture.matches("<polyline").count(), 4);
        assert_eq!(picture.matches("stroke-dasharray").count(), 2);
        assert!(picture.contains("a&lt;b (APGR 0.750)"), "{picture}");
        assert!(
            picture.starts_with("<svg") && picture.ends_with("</svg>\n"),
            "{picture}"
        );
    }
}

use super::*;

/// Difficulty, quality of the weak and of the strong model, cost of the weak and of the strong one.
const SAMPLE: &[[f64; 5]] = &[
    [0.7, 0.62, 0.92, 0.0019, 0.018],
    [0.1, 0.92, 0.92, 0.0018, 0.0184],
    [0.1, 0.05, 0.05, 0.0015, 0.0111],
    [0.0, 0.54, 0.34, 0.0017, 0.0125],
    [0.6, 0.18, 0.68, 0.0018, 0.0116],
    [0.0, 0.62, 0.62, 0.002, 0.0113],
    [0.6, 0.77, 0.77, 0.0013, 0.0187],
    [0.1, 0.54, 0.54, 0.002, 0.0118],
    [0.1, 0.97, 1.0, 0.0014, 0.013],
    [0.4, 0.15, 0.15, 0.0018, 0.0133],
    [0.5, 0.6, 0.9, 0.0014, 0.0107],
    [0.0, 0.7, 0.7, 0.0017, 0.0148],
    [0.2, 0.98, 0.98, 0.0014, 0.0195],
    [0.5, 0.55, 1.0, 0.0016, 0.0137],
    [0.1, 0.05, 0.05, 0.002, 0.0162],
    [0.8, 0.25, 0.75, 0.0014, 0.0134],
    [0.2, 0.78, 0.78, 0.0018, 0.0159],
    [0.7, 0.3, 0.8, 0.0011, 0.0195],
    [0.3, 0.61, 0.61, 0.0019, 0.0134],
    [0.7, 0.31, 0.61, 0.0018, 0.0131],
    [0.3, 0.72, 1.0, 0.0012, 0.02],
    [0.2, 0.99, 0.79, 0.001, 0.0192],
    [0.3, 0.34, 0.64, 0.0014, 0.0146],
    [0.1, 0.92, 0.92, 0.0013, 0.018],
];

fn judged() -> Vec<Judged> {
    let line = |&[difficulty, weak, strong, cheap, dear]: &[f64; 5]| Judged {
        difficulty,
        quality: [weak, strong],
        cost: [cheap, dear],
    };
    SAMPLE.iter().map(line).collect()
}

/// The wanted figures were computed by an independent scorer from the same numbers.
#[test]
fn the_figures_are_those_of_an_independent_scorer() {
    let figures = Figures::new(&judged());
    let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
    close(figures.curve[0].quality, 0.560_833_333_333_333_4);
    close(
        figures.curve[figures.curve.len() - 1].quality,
        0.688_333_333_333_333_5,
    );
    close(figures.apgr.unwrap(), 0.858_474_945_533_770_2);
    close(figures.cpt50.unwrap(), 16.567_796_610_169_5);
    close(figures.cpt80.unwrap(), 28.639_999_999_999_976);
    close(figures.area, 0.675_441_815_047_144_7);
}

#[test]
fn equal_scores_move_together_so_their_order_does_not_matter() {
    let mut turned = judged();
    turned.reverse();
    let (one, two) = (Figures::new(&judged()), Figures::new(&turned));
    assert_eq!(one.curve.len(), two.curve.len());
    assert!((one.apgr.unwrap() - two.apgr.unwrap()).abs() < 1e-9);
}

#[test]
fn a_gap_of_nothing_has_no_share() {
    let alike: Vec<Judged> = judged()
        .into_iter()
        .map(|j| Judged {
            quality: [0.5, 0.5],
            ..j
        })
        .collect();
    let figures = Figures::new(&alike);
    assert_eq!((figures.apgr, figures.cpt50, figures.cpt80), (None, None, None));
}

#[test]
fn a_set_is_known_by_its_scores_and_a_bad_line_is_named() {
    let good = r#"{"id":"1","prompt":"p","scores":{"a":1,"b":0},"strong":"a","weak":"b"}"#;
    assert!(is_cost_quality(good));
    assert!(!is_cost_quality(r#"{"id":"1","conversation":[]}"#));
    assert_eq!(read(good).unwrap()[0].judged(0.5).quality, [0.0, 1.0]);
    let unknown = format!("{good}\n{}", good.replace("\"strong\":\"a\"", "\"strong\":\"c\""));
    assert_eq!(read(&unknown).unwrap_err().to_string(), "line 2: no score of `c`");
}

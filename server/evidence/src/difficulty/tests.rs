use super::*;

/// Sums of numbers are hard, greetings are easy; the words around them vary.
fn prompts(count: usize) -> Vec<(String, f64)> {
    (0..count)
        .map(|n| match n % 2 {
            0 => (format!("what is {n} times {} plus {}", n + 7, n * 3), 1.0),
            _ => (
                format!("say hello to my friend number {n}, please"),
                if n % 3 == 0 { -0.5 } else { 0.0 },
            ),
        })
        .collect()
}

fn learned(count: usize) -> Option<Difficulty> {
    let prompts = prompts(count);
    let lesson = Lesson::new(prompts.iter().map(|(prompt, _)| prompt.as_str()));
    let gains: Vec<_> = prompts.iter().map(|(_, gain)| *gain).enumerate().collect();
    lesson.learn(&gains)
}

#[test]
fn a_prompt_like_the_hard_ones_is_harder_than_one_like_the_easy_ones() {
    let difficulty = learned(200).unwrap();
    let hard = difficulty.score("what is 31 times 12 plus 5");
    let easy = difficulty.score("say hello to my neighbour, please");
    assert!(hard > 0.6 && easy < 0.4, "{hard} {easy}");
}

#[test]
fn a_threshold_leaves_its_share_of_the_labelled_prompts_to_the_weak_model() {
    let difficulty = learned(400).unwrap();
    let scores: Vec<f64> = prompts(400)
        .iter()
        .map(|(prompt, _)| difficulty.score(prompt))
        .collect();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
    let above = scores.iter().filter(|&&score| score >= 0.5).count();
    assert!((180..=220).contains(&above), "{above}");
}

#[test]
fn too_few_labels_teach_nothing() {
    assert!(learned(LEAST_LABELS - 1).is_none());
    assert!(learned(LEAST_LABELS).is_some());
}

#[test]
fn labels_that_are_all_alike_make_every_prompt_alike() {
    let prompts = prompts(40);
    let lesson = Lesson::new(prompts.iter().map(|(prompt, _)| prompt.as_str()));
    let gains: Vec<_> = (0..40).map(|at| (at, 0.25)).collect();
    let difficulty = lesson.learn(&gains).unwrap();
    let scores: Vec<f64> = ["", "hello", "what is 7 times 8"]
        .map(|p| difficulty.score(p))
        .to_vec();
    assert!(
        scores.iter().all(|s| *s == scores[0] && s.is_finite()),
        "{scores:?}"
    );
}

#[test]
fn the_same_labels_teach_the_same_bits() {
    let (one, two) = (learned(120).unwrap(), learned(120).unwrap());
    for text in ["", "hello", "what is 3 times 4", "ünïcödé ☃ 12"] {
        assert_eq!(one.score(text).to_bits(), two.score(text).to_bits(), "{text}");
    }
}

#[test]
fn the_solution_is_that_of_the_normal_equations() {
    let prompts = prompts(60);
    let lesson = Lesson::new(prompts.iter().map(|(prompt, _)| prompt.as_str()));
    let rows: Vec<&Row> = lesson.rows.iter().collect();
    let targets: Vec<f64> = prompts.iter().map(|(_, gain)| *gain).collect();
    let model = ridge::fit(&rows, &targets, lesson.space.len());
    // y − prediction = λ a, and the prediction is made of a: the residuals must reproduce the model.
    let mean = targets.iter().sum::<f64>() / 60.0;
    let a: Vec<f64> = rows
        .iter()
        .zip(&targets)
        .map(|(row, y)| (y - model.predict(row)) / 10.0)
        .collect();
    let kernel = |x: &Row, y: &Row| {
        let dense: std::collections::BTreeMap<u32, f32> = y.grams.iter().copied().collect();
        let grams: f64 = x
            .grams
            .iter()
            .map(|(id, v)| f64::from(*v) * f64::from(dense.get(id).copied().unwrap_or(0.0)))
            .sum();
        let surface: f64 = x.surface.iter().zip(&y.surface).map(|(a, b)| a * b).sum();
        grams + surface + 1.0
    };
    for row in &rows {
        let sum: f64 = rows.iter().zip(&a).map(|(other, a)| a * kernel(row, other)).sum();
        let found = model.predict(row);
        assert!((sum + mean - found).abs() < 1e-4, "{} {found}", sum + mean);
    }
}

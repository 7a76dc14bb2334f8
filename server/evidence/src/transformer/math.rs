//! What lies between the products: normalisation, the activation, a softmax. Sums have one order, and there is no function
//! whose last bit is a platform's choice.

const LANES: usize = 8;

fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += of(*value);
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let rest = rest.iter().fold(0.0, |sum, value| sum + of(*value));
    (((a + e) + (c + g)) + ((b + f) + (d + h))) + rest
}

/// Mean 0 and variance 1, then a scale and a shift of each value.
pub(super) fn layer_norm(row: &mut [f32], scale: &[f32], shift: &[f32], epsilon: f32) {
    let count = row.len() as f32;
    let mean = sum(row, |value| value) / count;
    let variance = sum(row, |value| (value - mean) * (value - mean)) / count;
    let factor = 1.0 / (variance + epsilon).sqrt();
    for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
        *value = (*value - mean) * factor * scale + shift;
    }
}

/// Half of `x (1 + erf(x / √2))`, of each value.
pub(super) fn gelu(values: &mut [f32]) {
    for value in values {
        *value = 0.5 * *value * (1.0 + erf(*value * std::f32::consts::FRAC_1_SQRT_2));
    }
}

/// The error function as a quotient of polynomials, to about 1e-7: the coefficients of Eigen and XLA (`ErfImpl32`).
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let polynomial = |coefficients: &[f32]| coefficients.iter().fold(0.0, |sum, c| sum * square + c);
    let above = polynomial(&[
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ]);
    let below = polynomial(&[
        -1.456_607_2e-5,
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329e-3,
        -1.426_473_9e-2,
    ]);
    x * above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_right_to_six_digits() {
        for step in -500..=500 {
            let x = step as f32 / 100.0;
            let wanted = libm::erf(f64::from(x));
            assert!(
                (f64::from(erf(x)) - wanted).abs() < 5e-7,
                "{x}: {} {wanted}",
                erf(x)
            );
        }
    }

    #[test]
    fn a_normalised_row_has_mean_0_and_variance_1() {
        let mut row: Vec<f32> = (0..37).map(|n| (n * n % 11) as f32).collect();
        layer_norm(&mut row, &[1.0; 37], &[0.0; 37], 1e-12);
        assert!(sum(&row, |v| v).abs() < 1e-4);
        assert!((sum(&row, |v| v * v) / 37.0 - 1.0).abs() < 1e-4);
    }
}

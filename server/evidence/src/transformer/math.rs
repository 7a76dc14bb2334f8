//! What lies between the products: normalisation, the activation, a softmax. Sums have one order, and there is no function
//! whose last bit is a platform's choice.

use super::lanes::{EIGHT, Eight, Lanes, Work};

/// The sum of what is made of each value, eight sums at a time.
#[inline(always)]
fn sum<L: Lanes>(lanes: L, values: &[f32], of: impl Fn(L::Floats) -> L::Floats) -> f32 {
    let (eights, rest) = values.as_chunks();
    let mut sums = lanes.all(0.0);
    for eight in eights {
        sums = lanes.add(sums, of(lanes.read(eight)));
    }
    let [a, b, c, d, e, f, g, h] = lanes.write(sums);
    let mut last = [0f32; EIGHT];
    last[..rest.len()].copy_from_slice(rest);
    let last = lanes.write(of(lanes.read(&last)));
    let rest = last[..rest.len()].iter().fold(0.0, |sum, value| sum + value);
    (((a + e) + (c + g)) + ((b + f) + (d + h))) + rest
}

/// Rows to be given mean 0 and variance 1, then a scale and a shift of each value.
pub(super) struct LayerNorm<'a> {
    pub(super) rows: &'a mut [f32],
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
    pub(super) epsilon: f32,
}

impl Work for LayerNorm<'_> {
    type Done = ();

    #[inline(always)]
    fn by(self, lanes: impl Lanes) {
        for row in self.rows.chunks_exact_mut(self.scale.len()) {
            let count = row.len() as f32;
            let mean = sum(lanes, row, |values| values) / count;
            let means = lanes.all(mean);
            let square = |values| {
                let off = lanes.sub(values, means);
                lanes.mul(off, off)
            };
            let variance = sum(lanes, row, square) / count;
            let factor = 1.0 / (variance + self.epsilon).sqrt();
            for ((value, scale), shift) in row.iter_mut().zip(self.scale).zip(self.shift) {
                *value = (*value - mean) * factor * scale + shift;
            }
        }
    }
}

/// Values to be replaced by half of `x (1 + erf(x / √2))`.
pub(super) struct Gelu<'a>(pub(super) &'a mut [f32]);

impl Work for Gelu<'_> {
    type Done = ();

    #[inline(always)]
    fn by(self, lanes: impl Lanes) {
        let (eights, rest) = self.0.as_chunks_mut();
        for eight in eights {
            *eight = gelu(lanes, eight);
        }
        let mut last = [0f32; EIGHT];
        last[..rest.len()].copy_from_slice(rest);
        rest.copy_from_slice(&gelu(lanes, &last)[..rest.len()]);
    }
}

#[inline(always)]
fn gelu<L: Lanes>(lanes: L, x: &Eight) -> Eight {
    let x = lanes.read(x);
    let erf = erf(lanes, lanes.mul(x, lanes.all(std::f32::consts::FRAC_1_SQRT_2)));
    lanes.write(lanes.mul(lanes.mul(lanes.all(0.5), x), lanes.add(lanes.all(1.0), erf)))
}

/// The error function as a quotient of polynomials, to about 1e-7: the coefficients of Eigen and XLA (`ErfImpl32`).
#[inline(always)]
fn erf<L: Lanes>(lanes: L, x: L::Floats) -> L::Floats {
    const ABOVE: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const BELOW: [f32; 5] = [
        -1.456_607_2e-5,
        -2.133_740_6e-4,
        -1.682_827e-3,
        -7.373_329e-3,
        -1.426_473_9e-2,
    ];
    let x = lanes.smaller(lanes.all(4.0), lanes.larger(lanes.all(-4.0), x));
    let square = lanes.mul(x, x);
    let mut above = lanes.all(0.0);
    for c in ABOVE {
        above = lanes.add(lanes.mul(above, square), lanes.all(c));
    }
    let mut below = lanes.all(0.0);
    for c in BELOW {
        below = lanes.add(lanes.mul(below, square), lanes.all(c));
    }
    lanes.div(lanes.mul(x, above), below)
}

/// `e` to powers that are not positive: the steps and so the bits of `libm::expf`, without a branch.
#[inline(always)]
pub(super) fn exp<L: Lanes>(lanes: L, x: L::Floats) -> L::Floats {
    /// Adding it leaves the nearest whole number in the low bits.
    const WHOLE: f32 = 12_582_912.0;
    const LN_2: (f32, f32) = (6.931_457_5e-1, 1.428_606_8e-6);
    let all = |value| lanes.all(value);
    let power = lanes.sub(lanes.mul(all(std::f32::consts::LOG2_E), x), all(0.5));
    let nearest = lanes.sub(lanes.add(power, all(WHOLE)), all(WHOLE));
    let towards_zero = lanes.where_less(nearest, power, lanes.add(nearest, all(1.0)), nearest);
    let power = lanes.where_less(x, all(-1.039_720_8), towards_zero, all(-1.0));
    let power = lanes.where_less(x, all(-0.346_573_6), power, all(0.0));
    let high = lanes.sub(x, lanes.mul(power, all(LN_2.0)));
    let low = lanes.mul(power, all(LN_2.1));
    let rest = lanes.sub(high, low);
    let square = lanes.mul(rest, rest);
    let c = lanes.add(all(1.666_662_5e-1), lanes.mul(square, all(-2.766_733_3e-3)));
    let c = lanes.sub(rest, lanes.mul(square, c));
    let quotient = lanes.div(lanes.mul(rest, c), lanes.sub(all(2.0), c));
    let y = lanes.add(all(1.0), lanes.add(lanes.sub(quotient, low), high));
    let y = lanes.where_less(x, all(-1.220_703_1e-4), y, lanes.add(all(1.0), x));
    // In two steps: what is below the smallest normal number is then rounded once.
    let exponent = lanes.add(power, all(WHOLE + 64.0 + 127.0));
    let y = lanes.mul(lanes.mul(y, lanes.power(exponent)), all(5.421_011e-20));
    lanes.where_less(all(-103.972_084), x, y, all(0.0))
}

#[cfg(test)]
mod tests {
    use super::super::lanes::{Plain, best, by_all};
    use super::*;

    #[test]
    fn the_error_function_is_right_to_six_digits() {
        for step in -500..=500 {
            let x = step as f32 / 100.0;
            let wanted = libm::erf(f64::from(x));
            let [got, ..] = erf(Plain, [x; EIGHT]);
            assert!((f64::from(got) - wanted).abs() < 5e-7, "{x}: {got} {wanted}");
        }
    }

    #[test]
    fn the_exponential_has_the_bits_of_libm() {
        let agrees = |bits: u32| {
            let x = f32::from_bits(bits);
            exp(Plain, [x; EIGHT])[0].to_bits() == libm::expf(x).to_bits()
        };
        let (zero, least) = ((-0f32).to_bits(), (-120f32).to_bits());
        assert!((zero..least).step_by(1009).chain([0]).all(agrees));
        // Where it changes its way.
        for border in [0x3eb1_7218u32, 0x3f85_1592, 0x3900_0000, 0x42ae_ac50, 0x42cf_f1b5] {
            let border = border | 0x8000_0000;
            assert!((border - 300..border + 300).all(agrees));
        }
    }

    #[test]
    fn a_normalised_row_has_mean_0_and_variance_1() {
        let mut row: Vec<f32> = (0..37).map(|n| (n * n % 11) as f32).collect();
        best(LayerNorm {
            rows: &mut row,
            scale: &[1.0; 37],
            shift: &[0.0; 37],
            epsilon: 1e-12,
        });
        assert!(sum(Plain, &row, |v| v).abs() < 1e-4);
        assert!((sum(Plain, &row, |v| Plain.mul(v, v)) / 37.0 - 1.0).abs() < 1e-4);
    }

    /// All that is here, of rows of a width.
    #[derive(Clone, Copy)]
    struct All(usize);

    impl Work for All {
        type Done = Vec<u32>;

        #[inline(always)]
        fn by(self, lanes: impl Lanes) -> Vec<u32> {
            let values = (0..3 * self.0).map(|n| (n * 7919 % 8191) as f32 / 819.0 - 5.0);
            let mut rows: Vec<f32> = values.collect();
            let scale: Vec<f32> = (0..self.0).map(|n| 1.0 + n as f32 / 7.0).collect();
            Gelu(&mut rows).by(lanes);
            let norm = LayerNorm {
                rows: &mut rows,
                scale: &scale,
                shift: &scale,
                epsilon: 1e-12,
            };
            norm.by(lanes);
            for eight in rows.as_chunks_mut().0 {
                let powers = lanes.mul(lanes.read(eight), lanes.read(eight));
                *eight = lanes.write(exp(lanes, lanes.sub(lanes.all(0.0), powers)));
            }
            rows.iter().map(|value| value.to_bits()).collect()
        }
    }

    #[test]
    fn every_cpu_gives_the_same_bits() {
        for width in [1, 8, 13, 384] {
            let [first, others @ ..] = &by_all(All(width))[..] else {
                panic!("none");
            };
            assert!(others.iter().all(|other| other == first), "{width}");
        }
    }
}

//! Several numbers at a time, by what the CPU has. Sums of products of whole numbers are exact, and of `f32` each lane
//! is computed for itself, so it does not show.

#[cfg(target_arch = "x86_64")]
mod x86;

/// Outputs whose sums are in registers together.
pub(super) const OUTS: usize = 16;

/// Of two inputs that follow each other, by turns, the weights for each of the outputs, in one line of the cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Step(pub(super) [i16; 2 * OUTS]);

impl Step {
    pub(super) const ZERO: Self = Self([0; 2 * OUTS]);
}

/// The same as bytes in two's complement.
pub(super) type Bytes = [u8; 2 * OUTS];

/// Numbers that are computed with together.
pub(super) const EIGHT: usize = 8;
pub(super) type Eight = [f32; EIGHT];

/// Instructions for several numbers.
pub(super) trait Lanes: Copy {
    /// A sum of whole numbers for each output.
    type Sums: Copy;
    /// Rows of inputs whose sums fit the registers.
    fn rows(self) -> usize;
    fn widen(self, bytes: &Bytes) -> Step;
    fn read_sums(self, sums: &[i32; OUTS]) -> Self::Sums;
    fn write_sums(self, sums: Self::Sums) -> [i32; OUTS];
    /// Adds each output's products with the two inputs.
    fn add_products(self, sums: Self::Sums, inputs: [i16; 2], weights: &Step) -> Self::Sums;

    /// Eight `f32`.
    type Floats: Copy;
    fn read(self, values: &Eight) -> Self::Floats;
    fn write(self, floats: Self::Floats) -> Eight;
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn sub(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn div(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `b` where neither is larger.
    fn larger(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn smaller(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// Where `a` is less than `b` the one, elsewhere the other.
    fn where_less(
        self,
        a: Self::Floats,
        b: Self::Floats,
        one: Self::Floats,
        other: Self::Floats,
    ) -> Self::Floats;
    /// 2 to the power that is in the low nine bits of each, 127 of them being 0.
    fn power(self, low_bits: Self::Floats) -> Self::Floats;

    #[inline(always)]
    fn all(self, value: f32) -> Self::Floats {
        self.read(&[value; EIGHT])
    }

    /// `sums + a * b`, both rounded.
    #[inline(always)]
    fn add_product(self, sums: Self::Floats, a: Self::Floats, b: Self::Floats) -> Self::Floats {
        self.add(sums, self.mul(a, b))
    }
}

/// What every CPU has.
#[derive(Clone, Copy)]
pub(super) struct Plain;

#[inline(always)]
fn each(a: Eight, b: Eight, of: impl Fn(f32, f32) -> f32) -> Eight {
    std::array::from_fn(
        #[inline(always)]
        |at| of(a[at], b[at]),
    )
}

impl Lanes for Plain {
    type Sums = [i32; OUTS];
    type Floats = Eight;

    #[inline(always)]
    fn rows(self) -> usize {
        1
    }

    #[inline(always)]
    fn widen(self, bytes: &Bytes) -> Step {
        Step(bytes.map(|byte| i16::from(byte as i8)))
    }

    #[inline(always)]
    fn read_sums(self, sums: &[i32; OUTS]) -> [i32; OUTS] {
        *sums
    }

    #[inline(always)]
    fn write_sums(self, sums: [i32; OUTS]) -> [i32; OUTS] {
        sums
    }

    #[inline(always)]
    fn add_products(self, mut sums: [i32; OUTS], inputs: [i16; 2], weights: &Step) -> [i32; OUTS] {
        for (sum, weights) in sums.iter_mut().zip(weights.0.as_chunks::<2>().0) {
            let products = [0, 1].map(|at| i32::from(inputs[at]) * i32::from(weights[at]));
            *sum = sum.wrapping_add(products[0]).wrapping_add(products[1]);
        }
        sums
    }

    #[inline(always)]
    fn read(self, values: &Eight) -> Eight {
        *values
    }

    #[inline(always)]
    fn write(self, floats: Eight) -> Eight {
        floats
    }

    #[inline(always)]
    fn add(self, a: Eight, b: Eight) -> Eight {
        each(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: Eight, b: Eight) -> Eight {
        each(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: Eight, b: Eight) -> Eight {
        each(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: Eight, b: Eight) -> Eight {
        each(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn larger(self, a: Eight, b: Eight) -> Eight {
        each(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn smaller(self, a: Eight, b: Eight) -> Eight {
        each(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn where_less(self, a: Eight, b: Eight, one: Eight, other: Eight) -> Eight {
        std::array::from_fn(
            #[inline(always)]
            |at| if a[at] < b[at] { one[at] } else { other[at] },
        )
    }

    #[inline(always)]
    fn power(self, low_bits: Eight) -> Eight {
        low_bits.map(|low| f32::from_bits(low.to_bits() << 23))
    }
}

/// Work that can be done with any of them.
pub(super) trait Work {
    type Done;
    /// Must be `#[inline(always)]`, and all that it calls, or the CPU's own instructions are not used.
    fn by(self, lanes: impl Lanes) -> Self::Done;
}

/// Has work done by the best that this CPU has.
pub(super) fn best<W: Work>(work: W) -> W::Done {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(lanes) = pulp::x86::V3::try_new() {
            return lanes.vectorize(
                #[inline(always)]
                || work.by(lanes),
            );
        }
        if let Some(lanes) = pulp::x86::V1::try_new() {
            return work.by(lanes);
        }
    }
    work.by(Plain)
}

/// What comes out of work with the best instructions, without any, and with each kind that this CPU has.
#[cfg(test)]
pub(super) fn by_all<W: Work + Copy>(work: W) -> Vec<W::Done> {
    let mut all = vec![best(work), work.by(Plain)];
    #[cfg(target_arch = "x86_64")]
    {
        all.extend(pulp::x86::V1::try_new().map(|lanes| work.by(lanes)));
        all.extend(pulp::x86::V3::try_new().map(|lanes| lanes.vectorize(|| work.by(lanes))));
    }
    all
}

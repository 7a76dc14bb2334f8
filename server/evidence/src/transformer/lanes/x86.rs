//! The baseline of x86-64, and what most of these CPUs have had since 2013.

use std::arch::x86_64::{__m128, __m128i, __m256, __m256i};

use pulp::cast;
use pulp::x86::{V1, V3};

use super::{Bytes, Eight, Lanes, OUTS, Step};

/// Of both halves.
#[inline(always)]
fn both(a: [__m128; 2], b: [__m128; 2], of: impl Fn(__m128, __m128) -> __m128) -> [__m128; 2] {
    [of(a[0], b[0]), of(a[1], b[1])]
}

impl Lanes for V1 {
    type Sums = [__m128i; 4];
    type Floats = [__m128; 2];

    #[inline(always)]
    fn rows(self) -> usize {
        2
    }

    #[inline(always)]
    fn widen(self, bytes: &Bytes) -> Step {
        let [a, b]: [__m128i; 2] = cast(*bytes);
        let twice = [
            self.sse2._mm_unpacklo_epi8(a, a),
            self.sse2._mm_unpackhi_epi8(a, a),
            self.sse2._mm_unpacklo_epi8(b, b),
            self.sse2._mm_unpackhi_epi8(b, b),
        ];
        Step(cast(twice.map(
            #[inline(always)]
            |twice| self.sse2._mm_srai_epi16::<8>(twice),
        )))
    }

    #[inline(always)]
    fn read_sums(self, sums: &[i32; OUTS]) -> [__m128i; 4] {
        cast(*sums)
    }

    #[inline(always)]
    fn write_sums(self, sums: [__m128i; 4]) -> [i32; OUTS] {
        cast(sums)
    }

    #[inline(always)]
    fn add_products(self, mut sums: [__m128i; 4], inputs: [i16; 2], weights: &Step) -> [__m128i; 4] {
        let inputs = self.sse2._mm_set1_epi32(cast(inputs));
        let weights: [__m128i; 4] = cast(weights.0);
        for part in 0..4 {
            let products = self.sse2._mm_madd_epi16(inputs, weights[part]);
            sums[part] = self.sse2._mm_add_epi32(sums[part], products);
        }
        sums
    }

    #[inline(always)]
    fn read(self, values: &Eight) -> [__m128; 2] {
        cast(*values)
    }

    #[inline(always)]
    fn write(self, floats: [__m128; 2]) -> Eight {
        cast(floats)
    }

    #[inline(always)]
    fn add(self, a: [__m128; 2], b: [__m128; 2]) -> [__m128; 2] {
        both(
            a,
            b,
            #[inline(always)]
            |a, b| self.sse._mm_add_ps(a, b),
        )
    }

    #[inline(always)]
    fn sub(self, a: [__m128; 2], b: [__m128; 2]) -> [__m128; 2] {
        both(
            a,
            b,
            #[inline(always)]
            |a, b| self.sse._mm_sub_ps(a, b),
        )
    }

    #[inline(always)]
    fn mul(self, a: [__m128; 2], b: [__m128; 2]) -> [__m128; 2] {
        both(
            a,
            b,
            #[inline(always)]
            |a, b| self.sse._mm_mul_ps(a, b),
        )
    }

    #[inline(always)]
    fn div(self, a: [__m128; 2], b: [__m128; 2]) -> [__m128; 2] {
        both(
            a,
            b,
            #[inline(always)]
            |a, b| self.sse._mm_div_ps(a, b),
        )
    }

    #[inline(always)]
    fn larger(self, a: [__m128; 2], b: [__m128; 2]) -> [__m128; 2] {
        both(
            a,
            b,
            #[inline(always)]
            |a, b| self.sse._mm_max_ps(a, b),
        )
    }

    #[inline(always)]
    fn smaller(self, a: [__m128; 2], b: [__m128; 2]) -> [__m128; 2] {
        both(
            a,
            b,
            #[inline(always)]
            |a, b| self.sse._mm_min_ps(a, b),
        )
    }

    #[inline(always)]
    fn where_less(self, a: [__m128; 2], b: [__m128; 2], one: [__m128; 2], other: [__m128; 2]) -> [__m128; 2] {
        let less = both(
            a,
            b,
            #[inline(always)]
            |a, b| self.sse._mm_cmplt_ps(a, b),
        );
        let one = both(
            less,
            one,
            #[inline(always)]
            |less, one| self.sse._mm_and_ps(less, one),
        );
        let other = both(
            less,
            other,
            #[inline(always)]
            |less, other| self.sse._mm_andnot_ps(less, other),
        );
        both(
            one,
            other,
            #[inline(always)]
            |one, other| self.sse._mm_or_ps(one, other),
        )
    }

    #[inline(always)]
    fn power(self, low_bits: [__m128; 2]) -> [__m128; 2] {
        low_bits.map(
            #[inline(always)]
            |low| cast(self.sse2._mm_slli_epi32::<23>(cast(low))),
        )
    }
}

impl Lanes for V3 {
    type Sums = [__m256i; 2];
    type Floats = __m256;

    #[inline(always)]
    fn rows(self) -> usize {
        6
    }

    #[inline(always)]
    fn widen(self, bytes: &Bytes) -> Step {
        let [a, b]: [__m128i; 2] = cast(*bytes);
        let wide = [
            self.avx2._mm256_cvtepi8_epi16(a),
            self.avx2._mm256_cvtepi8_epi16(b),
        ];
        Step(cast(wide))
    }

    #[inline(always)]
    fn read_sums(self, sums: &[i32; OUTS]) -> [__m256i; 2] {
        cast(*sums)
    }

    #[inline(always)]
    fn write_sums(self, sums: [__m256i; 2]) -> [i32; OUTS] {
        cast(sums)
    }

    #[inline(always)]
    fn add_products(self, mut sums: [__m256i; 2], inputs: [i16; 2], weights: &Step) -> [__m256i; 2] {
        let inputs = self.avx._mm256_set1_epi32(cast(inputs));
        let weights: [__m256i; 2] = cast(weights.0);
        for part in 0..2 {
            let products = self.avx2._mm256_madd_epi16(inputs, weights[part]);
            sums[part] = self.avx2._mm256_add_epi32(sums[part], products);
        }
        sums
    }

    #[inline(always)]
    fn read(self, values: &Eight) -> __m256 {
        cast(*values)
    }

    #[inline(always)]
    fn write(self, floats: __m256) -> Eight {
        cast(floats)
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_add_ps(a, b)
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_sub_ps(a, b)
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_mul_ps(a, b)
    }

    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_div_ps(a, b)
    }

    #[inline(always)]
    fn larger(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_max_ps(a, b)
    }

    #[inline(always)]
    fn smaller(self, a: __m256, b: __m256) -> __m256 {
        self.avx._mm256_min_ps(a, b)
    }

    #[inline(always)]
    fn where_less(self, a: __m256, b: __m256, one: __m256, other: __m256) -> __m256 {
        let less = self.avx._mm256_cmp_ps::<{ std::arch::x86_64::_CMP_LT_OQ }>(a, b);
        self.avx._mm256_blendv_ps(other, one, less)
    }

    #[inline(always)]
    fn power(self, low_bits: __m256) -> __m256 {
        cast(self.avx2._mm256_slli_epi32::<23>(cast(low_bits)))
    }
}

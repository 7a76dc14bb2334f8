//! Sums of products of whole numbers, several at a time, by what the CPU has. All of them are exact, so it does not show.

/// A way to multiply and add.
pub(super) trait Lanes: Copy {
    /// Some values.
    type Values: Copy;
    /// Their sums so far.
    type Sums: Copy;
    fn none(self) -> Self::Sums;
    fn read(self, values: &[i16]) -> &[Self::Values];
    /// Adds products of two neighbours at a time.
    fn add(self, sums: Self::Sums, a: Self::Values, b: Self::Values) -> Self::Sums;
    fn total(self, sums: Self::Sums) -> i32;
}

/// What every CPU has.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Lanes for Plain {
    type Values = [i16; 8];
    type Sums = i32;

    #[inline(always)]
    fn none(self) -> i32 {
        0
    }

    #[inline(always)]
    fn read(self, values: &[i16]) -> &[[i16; 8]] {
        values.as_chunks().0
    }

    #[inline(always)]
    fn add(self, sum: i32, a: [i16; 8], b: [i16; 8]) -> i32 {
        let products = a.iter().zip(&b).map(|(a, b)| i32::from(*a) * i32::from(*b));
        products.fold(sum, i32::wrapping_add)
    }

    #[inline(always)]
    fn total(self, sum: i32) -> i32 {
        sum
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m128i, __m256i};

    use pulp::cast;
    use pulp::core_arch::x86::Sse2;
    use pulp::x86::V3;

    use super::Lanes;

    impl Lanes for Sse2 {
        type Values = [i16; 8];
        type Sums = __m128i;

        #[inline(always)]
        fn none(self) -> __m128i {
            cast([0i32; 4])
        }

        #[inline(always)]
        fn read(self, values: &[i16]) -> &[[i16; 8]] {
            values.as_chunks().0
        }

        #[inline(always)]
        fn add(self, sums: __m128i, a: [i16; 8], b: [i16; 8]) -> __m128i {
            self._mm_add_epi32(sums, self._mm_madd_epi16(cast(a), cast(b)))
        }

        #[inline(always)]
        fn total(self, sums: __m128i) -> i32 {
            cast::<_, [i32; 4]>(sums).into_iter().fold(0, i32::wrapping_add)
        }
    }

    impl Lanes for V3 {
        type Values = [i16; 16];
        type Sums = __m256i;

        #[inline(always)]
        fn none(self) -> __m256i {
            cast([0i32; 8])
        }

        #[inline(always)]
        fn read(self, values: &[i16]) -> &[[i16; 16]] {
            values.as_chunks().0
        }

        #[inline(always)]
        fn add(self, sums: __m256i, a: [i16; 16], b: [i16; 16]) -> __m256i {
            self.avx2
                ._mm256_add_epi32(sums, self.avx2._mm256_madd_epi16(cast(a), cast(b)))
        }

        #[inline(always)]
        fn total(self, sums: __m256i) -> i32 {
            cast::<_, [i32; 8]>(sums).into_iter().fold(0, i32::wrapping_add)
        }
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
        if let Some(lanes) = pulp::core_arch::x86::Sse2::try_new() {
            return work.by(lanes);
        }
    }
    work.by(Plain)
}

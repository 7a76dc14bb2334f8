//! What a text has of the grams of a policy: each known one with its count, words apart from characters.

use std::cell::RefCell;

use crate::grams::Ends;

/// What a text has of the grams of a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// Known words and pairs of words in the order in which the text first has them, and how often.
    pub(super) words: Vec<(u32, u16)>,
    /// The same of characters.
    pub(super) characters: Vec<(u32, u16)>,
    /// All grams, known and unknown ones, each as often as it occurs.
    pub(crate) grams: u32,
    pub(super) unknown: u32,
    /// White-space separated words.
    pub(crate) tokens: u32,
    pub(super) ends: Ends,
}

impl Counts {
    /// The share of the text's grams that the policy does not know.
    pub(crate) fn unknown_share(&self) -> f32 {
        self.unknown as f32 / self.grams.max(1) as f32
    }

    /// With room for the grams of so many bytes of text.
    pub(super) fn of_bytes(bytes: usize) -> Self {
        // Most texts have about two different known grams a byte, and a word for each four.
        Self {
            words: Vec::with_capacity(bytes / 2),
            characters: Vec::with_capacity(2 * bytes),
            ..Self::default()
        }
    }

    /// With room for all that some parts have.
    pub(super) fn of_parts(parts: &[&Self]) -> Self {
        Self {
            words: Vec::with_capacity(parts.iter().map(|part| part.words.len() + 1).sum()),
            characters: Vec::with_capacity(parts.iter().map(|part| part.characters.len()).sum()),
            ..Self::default()
        }
    }

    /// Has `work` tally grams whose numbers are below `grams`.
    pub(super) fn tally(mut self, grams: usize, work: impl FnOnce(&mut Tally<'_>)) -> Self {
        PLACES.with_borrow_mut(|places| {
            if places.len() < grams {
                places.resize(grams, 0);
            }
            work(&mut Tally {
                places,
                counts: &mut self,
            });
            for block in [&self.words, &self.characters] {
                block.iter().for_each(|&(id, _)| places[id as usize] = 0);
            }
        });
        self
    }
}

/// Looks up where a gram is counted in a table of all grams: 0, or one more than its place in its block. The table is all zero
/// between uses and is kept, so that a request allocates none.
pub(super) struct Tally<'a> {
    places: &'a mut [u32],
    pub(super) counts: &'a mut Counts,
}

thread_local! {
    static PLACES: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

impl Tally<'_> {
    /// A gram that may be known.
    pub(super) fn seen(&mut self, gram: Option<u32>, is_word: bool) {
        self.counts.grams += 1;
        match gram {
            Some(id) if is_word => count(self.places, &mut self.counts.words, [(id, 1)]),
            Some(id) => count(self.places, &mut self.counts.characters, [(id, 1)]),
            None => self.counts.unknown += 1,
        }
    }

    #[inline]
    pub(super) fn words(&mut self, grams: impl IntoIterator<Item = (u32, u16)>) {
        count(self.places, &mut self.counts.words, grams);
    }

    #[inline]
    pub(super) fn characters(&mut self, grams: impl IntoIterator<Item = (u32, u16)>) {
        count(self.places, &mut self.counts.characters, grams);
    }

    /// All that a text has which has grams in common with nothing before: it comes first.
    pub(super) fn first(&mut self, part: &Counts) {
        for (block, of) in [
            (&mut self.counts.words, &part.words),
            (&mut self.counts.characters, &part.characters),
        ] {
            block.extend_from_slice(of);
            for (&(id, _), place) in of.iter().zip(1..) {
                self.places[id as usize] = place;
            }
        }
        self.counts.grams = part.grams;
        self.counts.unknown = part.unknown;
    }

    pub(super) fn further(&mut self, part: &Counts) {
        self.words(part.words.iter().copied());
        self.characters(part.characters.iter().copied());
        self.counts.grams += part.grams;
        self.counts.unknown += part.unknown;
    }
}

#[inline]
fn count(places: &mut [u32], block: &mut Vec<(u32, u16)>, grams: impl IntoIterator<Item = (u32, u16)>) {
    for (id, times) in grams {
        let place = &mut places[id as usize];
        match block.get_mut((*place as usize).wrapping_sub(1)) {
            Some((_, seen)) => *seen = seen.saturating_add(times),
            None => {
                block.push((id, times));
                *place = block.len() as u32;
            }
        }
    }
}

//! A map from 64-bit hashes to running numbers: open addressing, a 32-bit tag and the number in one slot.
//!
//! The vocabulary and the lexicon look up every gram of every request in it. Numbers are given in the order of
//! insertion, so nothing depends on the layout.

const EMPTY: u32 = u32::MAX;

#[derive(Debug, Clone)]
pub(crate) struct Table {
    slots: Vec<(u32, u32)>,
    hashes: Vec<u64>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![(0, EMPTY); 1024],
            hashes: Vec::new(),
        }
    }

    #[inline]
    fn position(&self, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let tag = (hash >> 32) as u32;
        let mut at = hash as usize & mask;
        loop {
            let (seen, id) = self.slots[at];
            if id == EMPTY || seen == tag {
                return at;
            }
            at = (at + 1) & mask;
        }
    }

    /// The number of a hash.
    #[inline]
    pub(crate) fn get(&self, hash: u64) -> Option<u32> {
        let (_, id) = self.slots[self.position(hash)];
        (id != EMPTY).then_some(id)
    }

    /// The number of a hash, and whether it is new.
    pub(crate) fn insert(&mut self, hash: u64) -> (u32, bool) {
        if 2 * self.hashes.len() >= self.slots.len() {
            self.grow();
        }
        let at = self.position(hash);
        if self.slots[at].1 != EMPTY {
            return (self.slots[at].1, false);
        }
        let id = self.hashes.len() as u32;
        self.slots[at] = ((hash >> 32) as u32, id);
        self.hashes.push(hash);
        (id, true)
    }

    fn grow(&mut self) {
        let wider = vec![(0, EMPTY); 2 * self.slots.len()];
        self.slots = wider;
        for id in 0..self.hashes.len() {
            let hash = self.hashes[id];
            let at = self.position(hash);
            self.slots[at] = ((hash >> 32) as u32, id as u32);
        }
    }

    /// Gives every hash the number that `numbers` has at its old one.
    pub(crate) fn renumber(&mut self, numbers: &[u32]) {
        for (_, id) in self.slots.iter_mut().filter(|(_, id)| *id != EMPTY) {
            *id = numbers[*id as usize];
        }
    }

    /// Drops what only insertion needs; nothing can be inserted afterwards.
    pub(crate) fn freeze(&mut self) {
        self.hashes = Vec::new();
    }
}

//! Which blocks of the file are free, pure. Blocks are so large that there are never more than [`MOST`] of them: lists of
//! blocks then take little memory, whatever `limits.spool` is.

/// The blocks of one file.
#[derive(Debug)]
pub(super) struct Blocks {
    size: u64,
    count: u32,
    /// Blocks from here on were never used.
    fresh: u32,
    free: Vec<u32>,
}

impl Blocks {
    /// As many as `limit` bytes hold, at least one.
    pub(super) fn new(limit: u64) -> Self {
        let size = (limit / MOST).next_power_of_two().max(SMALLEST);
        let count = u32::try_from(limit / size).unwrap_or(u32::MAX).max(1);
        Self { size, count, fresh: 0, free: Vec::new() }
    }

    /// Bytes of each.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// A free block; none when all are in use.
    pub(super) fn take(&mut self) -> Option<u32> {
        if let Some(block) = self.free.pop() {
            return Some(block);
        }
        let block = self.fresh;
        (block < self.count).then(|| {
            self.fresh += 1;
            block
        })
    }

    /// The block is not in use any more.
    pub(super) fn give(&mut self, block: u32) {
        self.free.push(block);
    }

    /// Bytes in use.
    pub(super) fn used_bytes(&self) -> u64 {
        (u64::from(self.fresh) - self.free.len() as u64) * self.size
    }

    /// All are as if never used; whether any was.
    pub(super) fn reset(&mut self) -> bool {
        self.free = Vec::new();
        std::mem::take(&mut self.fresh) > 0
    }

    #[cfg(test)]
    pub(super) fn of(size: u64, count: u32) -> Self {
        Self { size, count, fresh: 0, free: Vec::new() }
    }
}

/// A transaction in progress takes at least this much.
const SMALLEST: u64 = 64 * 1024;
/// Blocks at most, give or take a rounding.
const MOST: u64 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_given_out_once_until_given_back() {
        let mut blocks = Blocks::new(3 * SMALLEST + 1);
        assert_eq!(std::iter::from_fn(|| blocks.take()).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(blocks.used_bytes(), 3 * SMALLEST);
        blocks.give(1);
        assert_eq!((blocks.take(), blocks.take()), (Some(1), None));
        assert!(blocks.reset() && !blocks.reset());
        assert_eq!((blocks.used_bytes(), blocks.take()), (0, Some(0)));
    }

    #[test]
    fn are_few_whatever_the_limit() {
        for limit in [1, SMALLEST, 1 << 30, (1 << 30) + 1, 10 << 40] {
            let blocks = Blocks::new(limit);
            assert!(u64::from(blocks.count) <= MOST && blocks.count > 0, "{limit}: {blocks:?}");
            let whole = u64::from(blocks.count) * blocks.size;
            assert!(whole <= limit.max(SMALLEST) && whole >= limit / 2, "{limit}: {blocks:?}");
        }
    }
}

//! The one memory budget, `limits.memory`, and who draws on it.
//!
//! What a record costs in librdkafka is more than its bytes (the message, its headers, the request it is copied into),
//! and the process itself, its threads and libraries take a fixed part, which the configuration has worked out when it
//! divided the process's memory among its pipelines. The shares below were measured, not derived.

use crate::config::Limits;

/// How much each buffer may hold, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Encoded records that the sink has not taken.
    pub records: usize,
    /// Records in the producer's queue, their overhead included.
    pub queue: u64,
    /// Between the stream and the spool.
    pub spool: usize,
}

impl Budget {
    /// Shares of `limits.memory`.
    pub(crate) fn new(limits: &Limits) -> Self {
        let free = limits.memory.saturating_sub(limits.fixed);
        Self {
            records: usize::try_from(free / RECORDS_SHARE).unwrap_or(usize::MAX),
            queue: free / QUEUE_SHARE,
            spool: SPOOL_BYTES,
        }
    }
}

const RECORDS_SHARE: u64 = 10;
/// All of it is for hundreds of topics; the sink fills a quarter when there are few.
const QUEUE_SHARE: u64 = 2;
/// One read or write of the disk; more brings nothing, for the kernel reads ahead and writes behind.
const SPOOL_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn shares_leave_room() {
        let fixed = 20 << 20;
        for memory in [32u64 << 20, 64 << 20, 1 << 30] {
            let limits = Limits {
                memory,
                fixed,
                max_message: memory / 4,
                drain_timeout: Duration::ZERO,
                spool_dir: None,
                spool: 0,
            };
            let budget = Budget::new(&limits);
            let buffers = budget.records as u64 * 2 + budget.spool as u64;
            assert!(buffers + budget.queue < memory - fixed, "{budget:?}");
            assert!(budget.records >= 1 << 20, "{budget:?}");
        }
    }
}

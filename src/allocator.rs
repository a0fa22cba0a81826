//! How the C library's allocator is to behave, set once before any thread starts.
//!
//! librdkafka allocates a record on the data thread and frees it on the broker's thread, ten pieces of memory for one with its
//! headers. glibc gives each thread an arena of its own; freeing into another thread's arena then costs more than the
//! work on the record, and each arena keeps its own free memory. Measured on one INSERT of 1,000,000 rows, CPU time of
//! the process and its peak: arenas as they come 5.2 to 6.3 s and 41 MiB, one arena 3.8 s and 39 MiB, jemalloc 3.6 s and 44 MiB,
//! tcmalloc 3.4 to 4.2 s and 51 MiB, mimalloc 3.5 to 5.5 s and 41 to 87 MiB, snmalloc 6.1 to 7.8 s and 43 MiB. One
//! arena is as good as the best, the smallest of all, and no library at all.

/// One arena for all threads, whose top is not given back and fetched again with each batch.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "mallopt has no safe binding")]
pub fn tune() {
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_TRIM_THRESHOLD, TRIM_BYTES),
        // Set, because the threshold would otherwise follow the largest block that was ever freed.
        (libc::M_MMAP_THRESHOLD, MMAP_BYTES),
    ] {
        // SAFETY: called before another thread exists; the parameters are ones that mallopt(3) names. It answers 0 to
        // a value that it does not take, and then keeps its default, which is slower and no mistake.
        unsafe { libc::mallopt(parameter, value) };
    }
}

/// Other C libraries have no arenas.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn tune() {}

/// Free memory at the top of the heap that is kept: about what one batch of records takes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const TRIM_BYTES: i32 = 8 * 1024 * 1024;
/// Blocks from this size on are mapped on their own and given back at once: those of single large rows.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MMAP_BYTES: i32 = 4 * 1024 * 1024;

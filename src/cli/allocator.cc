/// jemalloc reads this when the program starts. Few arenas, because few threads allocate; what a
/// drained backlog leaves goes back to the system within seconds, by a thread of jemalloc's own.
/// Blocks up to 128 KiB, for large bodies, are kept by their thread (2^17), so that the next body
/// has one that is still in the processor's cache and takes no lock.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf =
    "narenas:2,background_thread:true,dirty_decay_ms:3000,muzzy_decay_ms:0,lg_tcache_max:17";
}

//! Entry of the `tsdb` program.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Number of the allocator's option `purge_delay`, in ms, and what it is unless it was set.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
const PURGE_DELAY_DEFAULT: std::ffi::c_long = 1000;

fn main() -> ExitCode {
    // The allocator asks for huge pages, and the kernel fills up whatever was given back of them: with
    // a million series that is a seventh of all memory, for a fiftieth of the processor. Refused, the
    // server only is larger.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    give_memory_back_at_once();
    tsdb::cli::run()
}

/// A flushed memtable is a good part of all memory: it must not linger while the next one grows.
#[expect(unsafe_code, reason = "options of the allocator have no safe wrapper")]
fn give_memory_back_at_once() {
    // SAFETY: reads and sets a number, before there is a second thread.
    unsafe {
        if libmimalloc_sys::mi_option_get(PURGE_DELAY) == PURGE_DELAY_DEFAULT {
            libmimalloc_sys::mi_option_set(PURGE_DELAY, 0);
        }
    }
}

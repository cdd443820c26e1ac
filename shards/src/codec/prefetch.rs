//! Cache prefetching: a hint that changes nothing but time.

/// Asks the processor to bring the cache line of `item` near.
#[inline(always)]
#[cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "the prefetch intrinsic is unsafe by signature only")
)]
pub fn prefetch<T>(item: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: prefetching does not read memory as far as the program can tell, and the address
        // is that of a live reference.
        unsafe { _mm_prefetch(std::ptr::from_ref(item).cast::<i8>(), _MM_HINT_T0) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = item;
}

//! Asking the processor to load memory that is needed soon.
//!
//! A hint only: it never faults and changes no result. On other processors it does nothing.

/// Starts loading the cache line in which `place` begins.
#[inline]
#[cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "the prefetch instruction has no safe wrapper; a staged lookup is 3x faster by it"
    )
)]
pub fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads no memory architecturally and does not fault on any address;
        // this one even comes from a live reference. SSE is part of every x86_64.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(place).cast::<i8>()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Starts loading an element, if there is one at `index`.
#[inline]
pub fn prefetch_at<T>(slice: &[T], index: usize) {
    if let Some(place) = slice.get(index) {
        prefetch(place);
    }
}

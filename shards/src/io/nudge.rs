//! Keeps executors from oversleeping.
//!
//! glommio 0.9 now and then goes to sleep although a task is ready or a message has come, and sleeps
//! on until something interrupts its system call. A signal does. So a thread of its own sends every
//! registered executor one ten times a second. This bounds the stall to 100 ms; a wake-up for nothing
//! costs some 100 us of a virtual machine's core, which is why it is not done more often.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::Signal;

/// How long an executor may oversleep.
const PERIOD: Duration = Duration::from_millis(100);
/// By default ignored, so that nothing else is disturbed by it.
const SIGNAL: Signal = Signal::SIGURG;

static THREADS: OnceLock<Mutex<Vec<Pthread>>> = OnceLock::new();

/// The calling thread is nudged until this is dropped, which the same thread does before it ends.
#[derive(Debug)]
pub struct Nudged {
    thread: Pthread,
}

/// Has the calling thread nudged from now on.
pub fn nudge_this_thread() -> std::io::Result<Nudged> {
    let thread = pthread_self();
    let mut started = Ok(());
    let threads = THREADS.get_or_init(|| {
        started = start();
        Mutex::default()
    });
    started?;
    threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    Ok(Nudged { thread })
}

fn start() -> std::io::Result<()> {
    // A handler must be there, or the system call would not be interrupted; it need not do anything.
    signal_hook::flag::register(SIGNAL as i32, Arc::new(AtomicBool::new(false)))?;
    std::thread::Builder::new().name("nudge".into()).spawn(|| {
        loop {
            std::thread::sleep(PERIOD);
            let Some(threads) = THREADS.get() else { continue };
            // The lock is held while signals are sent, so no thread in the list has ended.
            for thread in threads.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let _ = pthread_kill(*thread, SIGNAL);
            }
        }
    })?;
    Ok(())
}

impl Drop for Nudged {
    fn drop(&mut self) {
        if let Some(threads) = THREADS.get() {
            let mut threads = threads.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = threads.iter().position(|thread| *thread == self.thread) {
                threads.swap_remove(at);
            }
        }
    }
}

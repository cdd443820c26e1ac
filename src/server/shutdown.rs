//! The order to stop: from a signal to every core.

use async_channel::{Receiver, Sender};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// What every core holds: closed when the server is to stop.
#[derive(Clone, Debug)]
pub(super) struct Stopping(Receiver<()>);

impl Stopping {
    pub(super) fn is_stopping(&self) -> bool {
        self.0.is_closed()
    }

    pub(super) fn receiver(&self) -> Receiver<()> {
        self.0.clone()
    }

    /// Waits for the order.
    pub(super) async fn ordered(&self) {
        // Nothing is ever sent: the channel only closes.
        while self.0.recv().await.is_ok() {}
    }
}

/// Gives the order when dropped or told to.
#[derive(Debug)]
pub(super) struct StopOrder(Sender<()>);

impl StopOrder {
    pub(super) fn give(&self) {
        self.0.close();
    }
}

pub(super) fn stop_order() -> (StopOrder, Stopping) {
    let (sender, receiver) = async_channel::bounded(1);
    (StopOrder(sender), Stopping(receiver))
}

/// Starts the thread that waits for signals. The first SIGTERM or SIGINT orders the stop, a second
/// one ends the process at once; each SIGHUP is passed on through the channel returned.
pub(super) fn watch_signals(order: StopOrder) -> std::io::Result<Receiver<()>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (hangup, hangups) = async_channel::bounded(1);
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        let mut stopping = false;
        for signal in signals.forever() {
            if signal == SIGHUP {
                // One that is not yet seen stands for all later ones.
                let _ = hangup.try_send(());
            } else if stopping {
                tracing::warn!(signal, "stopping at once");
                std::process::exit(128 + signal);
            } else {
                tracing::info!(signal, "stopping: finishing what was begun");
                stopping = true;
                order.give();
            }
        }
    })?;
    Ok(hangups)
}

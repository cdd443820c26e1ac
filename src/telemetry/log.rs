//! The log: events with fields on standard error, as text or as one JSON object a line.
//!
//! Field names used everywhere: `shard`, `took_ms`, `bytes`, `samples`, `series`, `path`, `error`,
//! `remote` (address of a client), `query`. ERROR means that a person must look; nothing is logged
//! per sample, and per request only at debug.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Why there is no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    #[error("log format {0:?} is neither text nor json")]
    Format(String),
    #[error(
        "log level {level:?} is none of error, warn, info, debug, trace, nor a list such as info,tsdb::http=debug"
    )]
    Level { level: String },
    #[error("the log is set up already")]
    Twice,
}

impl FromStr for LogFormat {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(LogError::Format(other.to_owned())),
        }
    }
}

impl LogFormat {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// Sends all events of the process to standard error. `level` is a level, or levels by module as in
/// `info,tsdb::http=debug`.
pub fn init(format: LogFormat, level: &str) -> Result<(), LogError> {
    let dispatch = dispatch(format, level, std::io::stderr)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| LogError::Twice)
}

/// Checks a level without setting anything up.
pub fn check_level(level: &str) -> Result<(), LogError> {
    filter(level).map(|_| ())
}

/// From now on a panic of any thread writes an event that says where, then aborts the process: a
/// server that lacks one of its cores is worse than one that restarts.
pub fn abort_on_panic() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("unknown");
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let backtrace = std::backtrace::Backtrace::capture();
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            tracing::error!(at = location, thread, message, %backtrace, "bug in the server, stopping");
        } else {
            tracing::error!(at = location, thread, message, "bug in the server, stopping");
        }
        std::process::abort();
    }));
}

fn filter(level: &str) -> Result<EnvFilter, LogError> {
    let fault = || LogError::Level { level: level.to_owned() };
    // A lone word that is no level would be read as the name of a module.
    let is_list = level.contains(['=', ',']);
    if !is_list && level.parse::<tracing_subscriber::filter::LevelFilter>().is_err() {
        return Err(fault());
    }
    EnvFilter::try_new(level).map_err(|_| fault())
}

fn dispatch<W>(format: LogFormat, level: &str, writer: W) -> Result<tracing::Dispatch, LogError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // A line that cannot be written, as to a file on a full disk, is lost; complaining about it on
    // standard error, which may be that same file, would end the process.
    let builder = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter(level)?)
        .with_writer(writer);
    Ok(match format {
        LogFormat::Text => builder.with_ansi(false).into(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let dispatch = dispatch(format, level, move || writer.clone()).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::info!(shard = 3, took_ms = 12, "log replayed");
            tracing::debug!("not at info");
        });
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_have_fields_at_the_top() {
        let text = logged(LogFormat::Json, "info");
        let event: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(event["message"], "log replayed");
        assert_eq!((&event["shard"], &event["took_ms"]), (&3.into(), &12.into()));
        assert_eq!(event["level"], "INFO");
    }

    #[test]
    fn text_lines_have_no_colours() {
        let text = logged(LogFormat::Text, "info");
        assert!(text.trim_end().ends_with("log replayed shard=3 took_ms=12"), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert_eq!(logged(LogFormat::Text, "debug").lines().count(), 2);
        assert_eq!(logged(LogFormat::Text, "error"), "");
    }

    #[test]
    fn formats_and_levels_are_checked() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert!("xml".parse::<LogFormat>().is_err());
        assert!(check_level("info").is_ok());
        assert!(check_level("info,tsdb::http=debug").is_ok());
        assert!(check_level("loud").is_err());
        assert!(check_level("tsdb=loud").is_err());
    }
}

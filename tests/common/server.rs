//! A server of our own: the real binary on a free port with a data directory of its own.
//!
//! `TSDB_BIN` names another build of the server to test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::http::Client;
use super::program::{Program, free_address};
use super::wait;

/// How often another port is tried when somebody was faster.
const STARTS_MAX: usize = 5;

/// Flags for small segments and memtables: the log begins new segments all the time, and flushes and
/// merges come every few hundred milliseconds.
pub(crate) const RESTLESS: [&str; 8] = [
    "--wal-segment-bytes",
    "1MiB",
    "--memtable-bytes",
    "1MiB",
    "--flush-wal-bytes",
    "1MiB",
    "--flush-interval",
    "200ms",
];

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    std::env::var_os("TSDB_BIN").map_or_else(|| env!("CARGO_BIN_EXE_tsdb").into(), PathBuf::from)
}

/// A directory that goes away with the test, on the disk that holds the build: direct I/O does not
/// work everywhere.
pub(crate) fn temp_dir() -> TempDir {
    tempfile::Builder::new().prefix("tsdb-test-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A running server.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    pub(crate) program: Program,
}

impl Server {
    /// Starts on a data directory and waits until it is ready.
    ///
    /// # Panics
    /// When it does not get ready.
    #[track_caller]
    pub(crate) fn start(data_dir: &Path, flags: &[&str]) -> Self {
        for _ in 0..STARTS_MAX {
            let mut server = Self::spawn(data_dir, flags);
            if server.wait_ready() {
                return server;
            }
            let printed = server.program.printed();
            assert!(printed.contains("in use"), "the server ended: {printed}");
        }
        panic!("no free port was found");
    }

    /// Starts without waiting.
    pub(crate) fn spawn(data_dir: &Path, flags: &[&str]) -> Self {
        let address = free_address();
        let listen = address.to_string();
        let mut arguments = vec!["start", "--listen", &listen, "--data-dir", data_dir.to_str().unwrap()];
        if !flags.contains(&"--shards") && !data_dir.exists() {
            arguments.extend(["--shards", "2"]);
        }
        if !flags.contains(&"--self-scrape-interval") {
            arguments.extend(["--self-scrape-interval", "0"]);
        }
        arguments.extend(flags);
        let output = data_dir.with_extension("log");
        let program = Program::start(&binary(), &arguments, &output).unwrap();
        Self { client: Client::new(address), address, program }
    }

    /// Whether it got ready; false when it ended before.
    #[track_caller]
    pub(crate) fn wait_ready(&mut self) -> bool {
        wait::until("the server to be ready", || {
            if self.program.ended().is_some() {
                return Some(false);
            }
            let answer = self.client.try_get("/-/ready", &[]).ok()?;
            (answer.status == 200).then_some(true)
        })
    }

    /// Stops it by SIGTERM; it must end well.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.program.terminate();
        let status = self.program.wait();
        assert!(status.success(), "{status}: {}", self.program.printed());
    }
}

/// A server with a fresh data directory that goes away with it.
pub(crate) struct FreshServer {
    pub(crate) server: Server,
    pub(crate) dir: TempDir,
}

impl FreshServer {
    #[track_caller]
    pub(crate) fn start(flags: &[&str]) -> Self {
        let dir = temp_dir();
        Self { server: Server::start(&dir.path().join("data"), flags), dir }
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl std::ops::Deref for FreshServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// The clock, in milliseconds.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

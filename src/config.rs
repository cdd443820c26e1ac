//! Flags of `tsdb start` and the configuration they give.
//!
//! [`StartFlags`] is what may be written, [`Config`] what was checked: every value in it can be used
//! as it is. Each flag can also be given as `TSDB_<FLAG>` in the environment.

use std::fmt::{Display, Write as _};
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use shards::limits::{SHARDS_MAX, WAL_SEGMENT_BYTES_MAX, WAL_SEGMENT_BYTES_MIN};
use shards::wal::{SyncPolicy, WalOptions};

use crate::telemetry::log::{self, LogFormat};
use crate::units::{duration_text, parse_duration, parse_size, size_text};
use crate::{limits, machine};

/// Router cores that make sense: each one more than a gigabyte of requests a second.
const ROUTER_CORES_MAX: usize = 64;
/// Longest interval between two writes of the log.
const SYNC_INTERVAL_MAX: Duration = Duration::from_secs(60);
const SERIES_MAX: u64 = u32::MAX as u64 * SHARDS_MAX as u64;
/// Times further apart than this have no use in a query or as retention.
const SPAN_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The flags of `tsdb start`.
#[derive(Debug, Clone, Args)]
pub struct StartFlags {
    /// Address to serve HTTP on
    #[arg(long, env = "TSDB_LISTEN", default_value = "127.0.0.1:8080", value_name = "HOST:PORT", value_parser = address)]
    listen: SocketAddr,

    /// Directory that holds all data; made if there is none
    #[arg(long, env = "TSDB_DATA_DIR", default_value = "./data", value_name = "PATH")]
    data_dir: PathBuf,

    /// Shards of a new data directory [default: one per core]
    #[arg(long, env = "TSDB_SHARDS", value_name = "NUMBER", value_parser = shards)]
    shards: Option<u16>,

    /// Cores that serve connections
    #[arg(long, env = "TSDB_ROUTER_CORES", default_value = "1", value_name = "NUMBER", value_parser = router_cores)]
    router_cores: usize,

    /// When a write is acknowledged: always (when it is on the disk), interval=<duration>, off
    #[arg(long, env = "TSDB_WAL_SYNC", default_value = "always", value_name = "POLICY", value_parser = sync_policy)]
    wal_sync: SyncPolicy,

    /// Size of a file of the write-ahead log
    #[arg(long, env = "TSDB_WAL_SEGMENT_BYTES", default_value_t = Size(limits::WAL_SEGMENT_BYTES_DEFAULT), value_name = "SIZE", value_parser = segment_bytes)]
    wal_segment_bytes: Size,

    /// Memory of samples that are not yet on disk in their final form; flushed when it is reached
    /// [default: a sixteenth of the memory, from 16MiB to 128MiB]
    #[arg(long, env = "TSDB_MEMTABLE_BYTES", value_name = "SIZE", value_parser = memtable_bytes)]
    memtable_bytes: Option<Size>,

    /// Bytes of log after which a shard flushes
    #[arg(long, env = "TSDB_FLUSH_WAL_BYTES", default_value_t = Size(limits::FLUSH_WAL_BYTES_DEFAULT), value_name = "SIZE", value_parser = flush_wal_bytes)]
    flush_wal_bytes: Size,

    /// Longest time between flushes
    #[arg(long, env = "TSDB_FLUSH_INTERVAL", default_value_t = Span(limits::FLUSH_INTERVAL_DEFAULT), value_name = "DURATION", value_parser = span)]
    flush_interval: Span,

    /// Memory for pieces of files that queries have read [default: a thirty-second of the memory, from
    /// 8MiB to 32MiB]
    #[arg(long, env = "TSDB_CACHE_BYTES", value_name = "SIZE", value_parser = cache_bytes)]
    cache_bytes: Option<Size>,

    /// Bytes a second that compaction may write; 0: as fast as it can
    #[arg(long, env = "TSDB_COMPACTION_RATE", default_value_t = Size(0), value_name = "SIZE", value_parser = any_size)]
    compaction_rate: Size,

    /// Room on the disk that is kept for compaction and retention
    #[arg(long, env = "TSDB_DISK_RESERVE", default_value_t = Size(limits::DISK_RESERVE_DEFAULT), value_name = "SIZE", value_parser = any_size)]
    disk_reserve: Size,

    /// Bytes that all files may take; the oldest data go first
    #[arg(long, env = "TSDB_RETENTION_BYTES", value_name = "SIZE", value_parser = retention_bytes)]
    retention_bytes: Option<Size>,

    /// Share of the file system, in percent, that all files may take
    #[arg(long, env = "TSDB_RETENTION_PERCENT", value_name = "NUMBER", value_parser = percent)]
    retention_percent: Option<u8>,

    /// File of settings, JSON, read at the start and at each SIGHUP: retention, retention_bytes,
    /// retention_percent; what it names counts instead of the flags
    #[arg(long, env = "TSDB_SETTINGS_FILE", value_name = "PATH")]
    settings_file: Option<PathBuf>,

    /// Serve /api/v1/admin/tsdb/: flush, compact, snapshot, delete_series, clean_tombstones, retention
    #[arg(long, env = "TSDB_ENABLE_ADMIN_API")]
    enable_admin_api: bool,

    /// Samples older than this are refused; a block is deleted when all of its samples are older
    #[arg(long, env = "TSDB_RETENTION", default_value_t = Span(limits::RETENTION_DEFAULT), value_name = "DURATION", value_parser = span)]
    retention: Span,

    /// Samples further ahead of the clock than this are refused
    #[arg(long, env = "TSDB_MAX_FUTURE", default_value_t = Span(limits::FUTURE_DEFAULT), value_name = "DURATION", value_parser = span_or_zero)]
    max_future: Span,

    /// Series the server may hold
    #[arg(long, env = "TSDB_MAX_SERIES", default_value_t = limits::SERIES_DEFAULT, value_name = "NUMBER", value_parser = series)]
    max_series: u64,

    /// How often the server writes its own figures into itself; 0 turns it off
    #[arg(long, env = "TSDB_SELF_SCRAPE_INTERVAL", default_value_t = Span(limits::SELF_SCRAPE_INTERVAL_DEFAULT), value_name = "DURATION", value_parser = span_or_zero)]
    self_scrape_interval: Span,

    /// Form of the log: text or json
    #[arg(long, env = "TSDB_LOG_FORMAT", default_value = "text", value_name = "FORMAT", value_parser = log_format)]
    log_format: LogFormat,

    /// What to log: error, warn, info, debug, trace, or by module as in info,tsdb::http=debug
    #[arg(long, env = "TSDB_LOG_LEVEL", default_value = "info", value_name = "LEVEL", value_parser = log_level)]
    log_level: String,

    /// Samples that one query may hold
    #[arg(long, env = "TSDB_QUERY_MAX_SAMPLES", default_value_t = limits::QUERY_SAMPLES_DEFAULT, value_name = "NUMBER", value_parser = query_samples)]
    query_max_samples: u64,

    /// Longest time a query may take
    #[arg(long, env = "TSDB_QUERY_TIMEOUT", default_value_t = Span(limits::QUERY_TIMEOUT_DEFAULT), value_name = "DURATION", value_parser = span)]
    query_timeout: Span,

    /// Queries evaluated at the same time; others wait
    #[arg(long, env = "TSDB_QUERY_MAX_CONCURRENCY", default_value_t = limits::QUERY_CONCURRENCY_DEFAULT, value_name = "NUMBER", value_parser = query_concurrency)]
    query_max_concurrency: usize,

    /// How far an instant selector looks back for a sample
    #[arg(long, env = "TSDB_QUERY_LOOKBACK_DELTA", default_value_t = Span(limits::LOOKBACK_DEFAULT), value_name = "DURATION", value_parser = span)]
    query_lookback_delta: Span,

    /// Largest body of a write, as sent
    #[arg(long, env = "TSDB_MAX_BODY_BYTES", default_value_t = Size(limits::BODY_BYTES_DEFAULT), value_name = "SIZE", value_parser = body_bytes)]
    max_body_bytes: Size,

    /// Largest body of a write, decompressed
    #[arg(long, env = "TSDB_MAX_DECOMPRESSED_BYTES", default_value_t = Size(limits::DECOMPRESSED_BYTES_DEFAULT), value_name = "SIZE", value_parser = decompressed_bytes)]
    max_decompressed_bytes: Size,

    /// Bodies of all requests in flight on one router core together
    #[arg(long, env = "TSDB_MAX_BODY_BYTES_IN_FLIGHT", default_value_t = Size(limits::BODIES_IN_FLIGHT_BYTES_DEFAULT), value_name = "SIZE", value_parser = body_bytes_in_flight)]
    max_body_bytes_in_flight: Size,

    /// Connections of one router core
    #[arg(long, env = "TSDB_MAX_CONNECTIONS", default_value_t = limits::CONNECTIONS_DEFAULT, value_name = "NUMBER", value_parser = connections)]
    max_connections: usize,
}

/// What the server runs with. Checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    /// Of a new data directory; `None`: one per core.
    pub shards: Option<u16>,
    pub router_cores: usize,
    pub wal: WalOptions,
    pub memtable_bytes: u64,
    pub flush_wal_bytes: u64,
    pub flush_interval: Duration,
    pub cache_bytes: u64,
    /// Bytes a second; `None`: no limit.
    pub compaction_rate: Option<u64>,
    pub disk_reserve: u64,
    pub retention: Duration,
    pub retention_bytes: Option<u64>,
    pub retention_percent: Option<u8>,
    pub settings_file: Option<PathBuf>,
    pub admin_api: bool,
    pub future_max: Duration,
    pub series_max: u64,
    /// `None`: the server does not write its own figures.
    pub self_scrape_interval: Option<Duration>,
    pub log_format: LogFormat,
    pub log_level: String,
    pub query_samples_max: u64,
    pub query_timeout: Duration,
    pub query_concurrency_max: usize,
    pub query_lookback: Duration,
    pub body_bytes_max: usize,
    pub decompressed_bytes_max: usize,
    pub bodies_in_flight_bytes_max: u64,
    pub connections_max: usize,
}

/// Flags that are right each by itself but not together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    #[error(
        "--{larger} {larger_value} is less than --{smaller} {smaller_value}; raise the first or lower the second"
    )]
    Order { larger: &'static str, larger_value: String, smaller: &'static str, smaller_value: String },
    #[error("--{flag} {value} is more than this machine can address; choose less")]
    Address { flag: &'static str, value: String },
}

impl StartFlags {
    /// Checks the flags against each other.
    pub fn check(self) -> Result<Config, ConfigError> {
        let order = |larger, larger_size: Size, smaller, smaller_size: Size| {
            if larger_size.0 >= smaller_size.0 {
                return Ok(());
            }
            Err(ConfigError::Order {
                larger,
                larger_value: larger_size.to_string(),
                smaller,
                smaller_value: smaller_size.to_string(),
            })
        };
        order("max-decompressed-bytes", self.max_decompressed_bytes, "max-body-bytes", self.max_body_bytes)?;
        order(
            "max-body-bytes-in-flight",
            self.max_body_bytes_in_flight,
            "max-body-bytes",
            self.max_body_bytes,
        )?;
        let memory = |flag, size: Size| {
            usize::try_from(size.0).map_err(|_| ConfigError::Address { flag, value: size.to_string() })
        };
        let share =
            |divisor: u64, least: u64, most: u64| (machine::memory_bytes() / divisor).clamp(least, most);
        let interval = self.self_scrape_interval.0;
        Ok(Config {
            listen: self.listen,
            data_dir: self.data_dir,
            shards: self.shards,
            router_cores: self.router_cores,
            wal: WalOptions { sync: self.wal_sync, segment_bytes: self.wal_segment_bytes.0 },
            memtable_bytes: self.memtable_bytes.map_or_else(|| share(16, 16 << 20, 128 << 20), |size| size.0),
            flush_wal_bytes: self.flush_wal_bytes.0,
            flush_interval: self.flush_interval.0,
            cache_bytes: self.cache_bytes.map_or_else(|| share(32, 8 << 20, 32 << 20), |size| size.0),
            compaction_rate: Some(self.compaction_rate.0).filter(|rate| *rate > 0),
            disk_reserve: self.disk_reserve.0,
            retention: self.retention.0,
            retention_bytes: self.retention_bytes.map(|size| size.0),
            retention_percent: self.retention_percent,
            settings_file: self.settings_file,
            admin_api: self.enable_admin_api,
            future_max: self.max_future.0,
            series_max: self.max_series,
            self_scrape_interval: (!interval.is_zero()).then_some(interval),
            log_format: self.log_format,
            log_level: self.log_level,
            query_samples_max: self.query_max_samples,
            query_timeout: self.query_timeout.0,
            query_concurrency_max: self.query_max_concurrency,
            query_lookback: self.query_lookback_delta.0,
            body_bytes_max: memory("max-body-bytes", self.max_body_bytes)?,
            decompressed_bytes_max: memory("max-decompressed-bytes", self.max_decompressed_bytes)?,
            bodies_in_flight_bytes_max: self.max_body_bytes_in_flight.0,
            connections_max: self.max_connections,
        })
    }
}

impl Config {
    /// What the server runs with, for the person who started it: the address it serves, where the
    /// data are, and what an acknowledged write is worth.
    #[must_use]
    pub fn banner(&self, address: SocketAddr, shards: u16) -> String {
        let mut text = format!("tsdb {}\n", env!("CARGO_PKG_VERSION"));
        let mut line = |name: &str, value: &dyn Display| {
            let _ = writeln!(text, "  {name:<15}{value}");
        };
        let cores = if self.router_cores == 1 { "core" } else { "cores" };
        line("open", &format_args!("http://{}/", reachable(address)));
        line("send", &format_args!("http://{}/api/v1/write (Prometheus remote write)", reachable(address)));
        let directory = std::path::absolute(&self.data_dir).unwrap_or_else(|_| self.data_dir.clone());
        line("data", &directory.display());
        line("shards", &format_args!("{shards}, and {} router {cores}", self.router_cores));
        line("wal-sync", &format_args!("{}: {}", sync_text(self.wal.sync), promise(self.wal.sync)));
        line("wal-segments", &Size(self.wal.segment_bytes));
        line(
            "memory",
            &format_args!("{} of samples, {} of cache", Size(self.memtable_bytes), Size(self.cache_bytes)),
        );
        line("retention", &format_args!("{}, up to {} ahead", Span(self.retention), Span(self.future_max)));
        line(
            "queries",
            &format_args!(
                "{} at once, {} samples, {} each, lookback {}",
                self.query_concurrency_max,
                self.query_samples_max,
                Span(self.query_timeout),
                Span(self.query_lookback)
            ),
        );
        line(
            "bodies",
            &format_args!(
                "{}, {} decompressed, {} in flight",
                Size(self.body_bytes_max as u64),
                Size(self.decompressed_bytes_max as u64),
                Size(self.bodies_in_flight_bytes_max)
            ),
        );
        match self.self_scrape_interval {
            Some(interval) => line("self-scrape", &format_args!("every {}, job=\"tsdb\"", Span(interval))),
            None => line("self-scrape", &"off"),
        }
        text
    }
}

/// What an acknowledged write is worth under a policy.
#[must_use]
pub fn promise(policy: SyncPolicy) -> String {
    match policy {
        SyncPolicy::Always => {
            "an acknowledged write is on the disk; no crash or power cut loses it".to_owned()
        }
        SyncPolicy::Interval(interval) => format!(
            "a crash or power cut may lose what was acknowledged in the last {}",
            duration_text(interval)
        ),
        SyncPolicy::Off => {
            "a crash or power cut may lose acknowledged writes; nothing waits for the disk".to_owned()
        }
    }
}

/// A policy as it is written on the command line.
#[must_use]
pub fn sync_text(policy: SyncPolicy) -> String {
    match policy {
        SyncPolicy::Always => "always".to_owned(),
        SyncPolicy::Interval(interval) => format!("interval={}", duration_text(interval)),
        SyncPolicy::Off => "off".to_owned(),
    }
}

/// An address that a browser on this machine can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    SocketAddr::new(
        match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        },
        address.port(),
    )
}

/// A count of bytes, shown as in `16MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size(u64);

impl Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&size_text(self.0))
    }
}

/// A duration, shown as in `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&duration_text(self.0))
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    // An empty host means every address of the machine, as with most servers.
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    full.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| "expected an address and port such as 127.0.0.1:8080, [::1]:8080 or :8080".to_owned())
}

fn span(text: &str) -> Result<Span, String> {
    span_or_zero(text).and_then(|span| if span.0.is_zero() { Err(span_fault()) } else { Ok(span) })
}

fn span_or_zero(text: &str) -> Result<Span, String> {
    parse_duration(text).filter(|span| *span <= SPAN_MAX).map(Span).ok_or_else(span_fault)
}

fn span_fault() -> String {
    "expected a duration such as 15s, 1h30m or 30d".to_owned()
}

fn sync_policy(text: &str) -> Result<SyncPolicy, String> {
    match text {
        "always" => Ok(SyncPolicy::Always),
        "off" => Ok(SyncPolicy::Off),
        _ => text
            .strip_prefix("interval=")
            .and_then(parse_duration)
            .filter(|interval| !interval.is_zero() && *interval <= SYNC_INTERVAL_MAX)
            .map(SyncPolicy::Interval)
            .ok_or_else(|| "expected always, off, or interval=<1ms to 1m> such as interval=100ms".to_owned()),
    }
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    text.parse().map_err(|_| "expected text or json".to_owned())
}

fn log_level(text: &str) -> Result<String, String> {
    log::check_level(text).map(|()| text.to_owned()).map_err(|_| {
        "expected error, warn, info, debug, trace, or a list such as info,tsdb::http=debug".to_owned()
    })
}

fn size(text: &str, range: RangeInclusive<u64>) -> Result<Size, String> {
    parse_size(text).filter(|size| range.contains(size)).map(Size).ok_or_else(|| {
        format!(
            "expected a size such as 16MiB, from {} to {}",
            size_text(*range.start()),
            size_text(*range.end())
        )
    })
}

fn number<T: std::str::FromStr + PartialOrd + Display>(
    text: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("expected a number from {} to {}", range.start(), range.end()))
}

fn shards(text: &str) -> Result<u16, String> {
    number(text, 1..=SHARDS_MAX)
}

fn router_cores(text: &str) -> Result<usize, String> {
    number(text, 1..=ROUTER_CORES_MAX)
}

fn series(text: &str) -> Result<u64, String> {
    number(text, 1..=SERIES_MAX)
}

fn query_samples(text: &str) -> Result<u64, String> {
    number(text, 1..=u64::MAX)
}

fn query_concurrency(text: &str) -> Result<usize, String> {
    number(text, 1..=limits::QUERY_CONCURRENCY_MAX)
}

fn connections(text: &str) -> Result<usize, String> {
    number(text, 1..=limits::CONNECTIONS_MAX)
}

fn segment_bytes(text: &str) -> Result<Size, String> {
    size(text, WAL_SEGMENT_BYTES_MIN..=WAL_SEGMENT_BYTES_MAX)
}

fn memtable_bytes(text: &str) -> Result<Size, String> {
    size(text, 1 << 20..=1 << 40)
}

fn flush_wal_bytes(text: &str) -> Result<Size, String> {
    size(text, 1 << 20..=1 << 40)
}

fn cache_bytes(text: &str) -> Result<Size, String> {
    size(text, 1 << 20..=1 << 40)
}

fn retention_bytes(text: &str) -> Result<Size, String> {
    size(text, 1 << 20..=1 << 60)
}

fn any_size(text: &str) -> Result<Size, String> {
    if text == "0" { Ok(Size(0)) } else { size(text, 0..=1 << 60) }
}

fn percent(text: &str) -> Result<u8, String> {
    number(text, 1..=100)
}

fn body_bytes(text: &str) -> Result<Size, String> {
    size(text, 1..=limits::BODY_BYTES_MAX)
}

fn decompressed_bytes(text: &str) -> Result<Size, String> {
    size(text, 1..=limits::DECOMPRESSED_BYTES_MAX)
}

fn body_bytes_in_flight(text: &str) -> Result<Size, String> {
    size(text, 1..=1 << 40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        flags: StartFlags,
    }

    fn parse(flags: &[&str]) -> Result<Config, String> {
        let line = Line::try_parse_from(["start"].iter().chain(flags)).map_err(|error| error.to_string())?;
        line.flags.check().map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_valid_and_what_the_docs_say() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.data_dir, PathBuf::from("./data"));
        assert_eq!(config.wal.sync, SyncPolicy::Always);
        assert_eq!(config.wal.segment_bytes, 128 << 20);
        assert_eq!(config.retention, Duration::from_secs(30 * 86_400));
        assert_eq!(config.self_scrape_interval, Some(Duration::from_secs(15)));
        assert_eq!((config.query_samples_max, config.query_concurrency_max), (50_000_000, 20));
        assert_eq!((config.shards, config.router_cores), (None, 1));
    }

    #[test]
    fn values_are_read_in_their_units() {
        let config = parse(&[
            "--listen=:9",
            "--shards=3",
            "--wal-sync=interval=250ms",
            "--wal-segment-bytes=16MiB",
            "--retention=1h30m",
            "--self-scrape-interval=0",
            "--max-body-bytes=1MB",
            "--log-level=debug",
        ])
        .unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:9");
        assert_eq!(config.shards, Some(3));
        assert_eq!(config.wal.sync, SyncPolicy::Interval(Duration::from_millis(250)));
        assert_eq!(config.wal.segment_bytes, 16 << 20);
        assert_eq!(config.retention, Duration::from_secs(5400));
        assert_eq!(config.self_scrape_interval, None);
        assert_eq!(config.body_bytes_max, 1_000_000);
    }

    #[test]
    fn each_bad_value_is_named_with_the_valid_form() {
        for (flag, form) in [
            ("--listen=nowhere", "such as 127.0.0.1:8080"),
            ("--shards=0", "from 1 to 1024"),
            ("--router-cores=x", "from 1 to 64"),
            ("--wal-sync=sometimes", "expected always, off, or interval="),
            ("--wal-sync=interval=0", "expected always, off, or interval="),
            ("--wal-segment-bytes=4KiB", "from 1MiB to 1GiB"),
            ("--retention=0", "such as 15s, 1h30m or 30d"),
            ("--retention=forever", "such as 15s, 1h30m or 30d"),
            ("--query-timeout=-1s", "such as 15s, 1h30m or 30d"),
            ("--log-format=xml", "expected text or json"),
            ("--log-level=loud", "expected error, warn"),
            ("--max-body-bytes=2TiB", "from 1B to 1GiB"),
            ("--max-connections=0", "expected a number from 1"),
        ] {
            let error = parse(&[flag]).unwrap_err();
            let name = flag.split('=').next().unwrap();
            assert!(error.contains(name) && error.contains(form), "{flag}: {error}");
        }
        let error = parse(&["--max-body-bytes=100MiB", "--max-decompressed-bytes=10MiB"]).unwrap_err();
        assert!(error.starts_with("--max-decompressed-bytes 10MiB is less than --max-body-bytes 100MiB"));
    }

    #[test]
    fn the_banner_tells_address_and_promise() {
        let config = parse(&["--listen=:0", "--wal-sync=interval=1s"]).unwrap();
        let banner = config.banner("0.0.0.0:1234".parse().unwrap(), 2);
        assert!(banner.contains("http://127.0.0.1:1234/\n"), "{banner}");
        assert!(banner.contains("interval=1s: a crash or power cut may lose"), "{banner}");
    }
}

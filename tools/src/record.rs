//! Makes a recording: scrapes an address again and again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::client::{Client, Response, Url};
use crate::exposition::read_line;
use crate::recording::{RecordedSeries, Recording};

/// How a recording is made.
#[derive(Debug, Clone)]
pub struct RecordOptions {
    pub url: Url,
    pub file: PathBuf,
    pub interval: Duration,
    pub scrapes: u64,
    /// The file is written after so many scrapes, and at the end.
    pub save_every: u64,
    pub timeout: Duration,
}

/// What has been scraped so far.
#[derive(Debug, Default)]
struct Recorder {
    recording: Recording,
    places: HashMap<String, usize>,
}

impl Recorder {
    /// Adds the samples of a scrape. Of a series that is there twice the first sample counts.
    fn add(&mut self, at_ms: i64, text: &str) -> Result<()> {
        for line in text.lines() {
            let Some((series, value)) = read_line(line)? else { continue };
            let place = match self.places.get(series) {
                Some(&place) => place,
                None => {
                    let place = self.recording.series.len();
                    self.recording
                        .series
                        .push(RecordedSeries { text: series.to_owned(), samples: Vec::new() });
                    self.places.insert(series.to_owned(), place);
                    place
                }
            };
            let Some(RecordedSeries { samples, .. }) = self.recording.series.get_mut(place) else { continue };
            if samples.last().is_none_or(|&(last_ms, _)| last_ms < at_ms) {
                samples.push((at_ms, value));
            }
        }
        Ok(())
    }
}

/// Scrapes until all scrapes were due; returns the recording. A scrape that fails is left out, but
/// the first one must not.
pub fn run(options: &RecordOptions) -> Result<Recording> {
    let mut recorder = Recorder::default();
    let mut client = Client::new(options.url.clone(), options.timeout);
    let begun = Instant::now();
    for number in 0..options.scrapes {
        let due = begun + options.interval.saturating_mul(u32::try_from(number)?);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let at_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        match scrape(&mut client).and_then(|text| recorder.add(at_ms, &text)) {
            Ok(()) => {}
            Err(error) if number == 0 => return Err(error),
            Err(error) => eprintln!("scrape {number}: {error:#}"),
        }
        if (number + 1).is_multiple_of(options.save_every.max(1)) {
            recorder.recording.write(&options.file)?;
        }
    }
    recorder.recording.write(&options.file)?;
    Ok(recorder.recording)
}

/// The server may have closed the connection since the last scrape, so a second one is tried.
fn scrape(client: &mut Client) -> Result<String> {
    let Response { status, body, .. } = client.get().or_else(|_| client.get())?;
    if status != 200 {
        bail!("status {status}: {}", String::from_utf8_lossy(&body).trim());
    }
    String::from_utf8(body).context("the answer is no text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::serve;

    const SCRAPE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n# HELP a b\na 1\nb{c=\"d\"} 2";
    const LATER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na NaN";
    const FAILED: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

    fn options(url: Url, file: PathBuf) -> RecordOptions {
        RecordOptions {
            url,
            file,
            interval: Duration::from_millis(2),
            scrapes: 3,
            save_every: 2,
            timeout: Duration::from_secs(10),
        }
    }

    #[test]
    fn scrapes_become_a_recording_and_a_failed_one_is_left_out() {
        let (url, _) = serve(1, &[SCRAPE, FAILED, LATER]);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("recording");
        let recording = run(&options(url, file.clone())).unwrap();
        let counts: Vec<_> =
            recording.series.iter().map(|series| (series.text.as_str(), series.samples.len())).collect();
        assert_eq!(counts, [("a", 2), (r#"b{c="d"}"#, 1)]);
        assert!(recording.series[0].samples[1].1.is_nan());
        assert_eq!(std::fs::read(file).unwrap(), recording.encode().unwrap());
    }

    #[test]
    fn a_first_scrape_that_fails_is_an_error() {
        let (url, _) = serve(1, &[FAILED]);
        let dir = tempfile::tempdir().unwrap();
        assert!(run(&options(url, dir.path().join("recording"))).is_err());
    }

    #[test]
    fn a_series_has_one_sample_of_a_scrape() {
        let mut recorder = Recorder::default();
        recorder.add(5, "a 1\na 2\n").unwrap();
        assert_eq!(recorder.recording.series[0].samples, [(5, 1.0)]);
    }
}

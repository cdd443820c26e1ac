//! A small HTTP/1.1 client over one kept-alive connection: cheap, so that the load generator does
//! not compete with the server it measures.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Longest header line and most header lines that are read.
const LINE_BYTES_MAX: u64 = 64 << 10;
const HEADERS_MAX: usize = 100;
/// Longest answer that is read.
const BODY_BYTES_MAX: u64 = 2 << 30;
/// How often a write that must be taken is repeated, and the pause before it is.
const ATTEMPTS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// The parts of a `http://host:port/path` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    pub host: String,
    pub path: String,
}

impl Url {
    pub fn parse(text: &str) -> Result<Self> {
        let Some(rest) = text.strip_prefix("http://") else { bail!("{text}: only http:// addresses work") };
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) => (host, format!("/{path}")),
            None => (rest, String::new()),
        };
        if host.is_empty() {
            bail!("{text}: no host");
        }
        let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { host, path })
    }

    /// The address with something behind its path.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        Self { host: self.host.clone(), path: format!("{}{path}", self.path.trim_end_matches('/')) }
    }
}

/// Whether the same request may be taken when it is sent again.
#[must_use]
pub const fn is_temporary(status: u16) -> bool {
    status == 429 || status >= 500
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Seconds that the server asks to wait.
    pub retry_after: Option<u64>,
    pub body: Vec<u8>,
}

/// One connection; opened on first use and again after it broke.
#[derive(Debug)]
pub struct Client {
    url: Url,
    stream: Option<BufReader<TcpStream>>,
    timeout: Duration,
}

impl Client {
    #[must_use]
    pub fn new(url: Url, timeout: Duration) -> Self {
        Self { url, stream: None, timeout }
    }

    /// Posts a remote-write body.
    pub fn post_write(&mut self, body: &[u8]) -> Result<Response> {
        let headers = "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
                       X-Prometheus-Remote-Write-Version: 0.1.0\r\n";
        self.request("POST", headers, body)
    }

    /// Posts a remote-write body until the server takes it.
    pub fn insist(&mut self, body: &[u8]) -> Result<()> {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            match self.post_write(body) {
                Ok(Response { status: 200..300, .. }) => return Ok(()),
                Ok(Response { status, body, .. }) => {
                    last = format!("status {status}: {}", String::from_utf8_lossy(&body).trim());
                    if !is_temporary(status) {
                        bail!(last);
                    }
                }
                Err(error) => last = format!("{error:#}"),
            }
            std::thread::sleep(PAUSE);
        }
        bail!("given up: {last}")
    }

    pub fn get(&mut self) -> Result<Response> {
        self.request("GET", "", &[])
    }

    /// Posts form parameters.
    pub fn post_form(&mut self, parameters: &[(&str, &str)]) -> Result<Response> {
        let pairs: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.request("POST", headers, pairs.join("&").as_bytes())
    }

    /// A connection that fails is dropped; the next request opens another.
    fn request(&mut self, method: &str, headers: &str, body: &[u8]) -> Result<Response> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let Url { host, path } = &self.url;
        let path = if path.is_empty() { "/" } else { path };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tsdb-loadgen\r\n{headers}Content-Length: {}\r\n\r\n",
            body.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(body);
        stream.get_mut().write_all(&request).context("cannot send the request")?;
        let (response, keep) = read_response(&mut stream).context("cannot read the answer")?;
        if keep {
            self.stream = Some(stream);
        }
        Ok(response)
    }

    fn connect(&self) -> Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(&self.url.host)
            .with_context(|| format!("cannot connect to {}; is the server running?", self.url.host))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.timeout))?;
        stream.set_write_timeout(Some(self.timeout))?;
        Ok(BufReader::new(stream))
    }
}

/// Reads one answer; the flag tells whether the connection may be used again.
fn read_response(stream: &mut impl BufRead) -> Result<(Response, bool)> {
    loop {
        let line = read_line(stream)?;
        let mut words = line.split(' ');
        let version = words.next().unwrap_or_default();
        let status: u16 =
            words.next().unwrap_or_default().parse().with_context(|| format!("bad status line {line:?}"))?;
        let mut keep = version == "HTTP/1.1";
        let (mut length, mut chunked, mut retry_after) = (None, false, None);
        for count in 0.. {
            let line = read_line(stream)?;
            if line.is_empty() {
                break;
            }
            if count == HEADERS_MAX {
                bail!("more than {HEADERS_MAX} headers");
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = Some(value.parse::<u64>().context("bad Content-Length")?),
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "retry-after" => retry_after = value.parse().ok(),
                "connection" if value.eq_ignore_ascii_case("close") => keep = false,
                _ => {}
            }
        }
        if (100..200).contains(&status) {
            continue;
        }
        let mut body = Vec::new();
        if chunked {
            read_chunks(stream, &mut body)?;
        } else if status != 204 && status != 304 {
            match length {
                Some(length) => read_exactly(stream, length, &mut body)?,
                None => {
                    keep = false;
                    stream.take(BODY_BYTES_MAX).read_to_end(&mut body)?;
                }
            }
        }
        return Ok((Response { status, retry_after, body }, keep));
    }
}

fn read_line(stream: &mut impl BufRead) -> Result<String> {
    let mut line = Vec::new();
    stream.take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        bail!("the connection was closed inside the answer");
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn read_exactly(stream: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<()> {
    if length > BODY_BYTES_MAX {
        bail!("an answer of {length} bytes is too long");
    }
    let read = stream.take(length).read_to_end(body)?;
    if (read as u64) < length {
        bail!("the connection was closed inside the answer");
    }
    Ok(())
}

fn read_chunks(stream: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let line = read_line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(digits, 16).with_context(|| format!("bad chunk length {line:?}"))?;
        read_exactly(stream, length.saturating_add(body.len() as u64).min(length), body)?;
        if body.len() as u64 > BODY_BYTES_MAX {
            bail!("the answer is too long");
        }
        if length == 0 {
            while !read_line(stream)?.is_empty() {}
            return Ok(());
        }
        read_line(stream)?;
    }
}

/// Escapes a form value.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text.as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Response, bool)> {
        read_response(&mut text.as_bytes())
    }

    #[test]
    fn addresses_are_taken_apart() {
        let url = Url::parse("http://localhost:8080/api/v1/write").unwrap();
        assert_eq!((url.host.as_str(), url.path.as_str()), ("localhost:8080", "/api/v1/write"));
        let plain = Url::parse("http://example.com").unwrap();
        assert_eq!((plain.host.as_str(), plain.join("/x").path.as_str()), ("example.com:80", "/x"));
        assert!(Url::parse("https://example.com").is_err());
    }

    #[test]
    fn answers_of_every_framing_are_read() {
        let (sized, keep) = read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd").unwrap();
        assert_eq!((sized.status, sized.body.as_slice(), keep), (200, b"abc".as_slice(), true));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(chunked).unwrap().0.body, b"abcde");
        let (closed, keep) = read("HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\nwhy").unwrap();
        assert_eq!((closed.status, closed.body.as_slice(), keep), (400, b"why".as_slice(), false));
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n").unwrap().0.status, 204);
    }

    #[test]
    fn retry_after_is_read() {
        let answer = "HTTP/1.1 503 Busy\r\nretry-after: 2\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(read(answer).unwrap().0.retry_after, Some(2));
    }

    #[test]
    fn cut_answers_are_errors() {
        assert!(read("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab").is_err());
        assert!(read("HTTP/1.1 200 OK\r\nContent-").is_err());
        assert!(read("nonsense\r\n\r\n").is_err());
    }

    #[test]
    fn form_values_are_escaped() {
        assert_eq!(escape("a{b=\"c d\"}"), "a%7Bb%3D%22c%20d%22%7D");
    }
}

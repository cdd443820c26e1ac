//! Connections over real sockets, served by a real executor.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;

use glommio::{LocalExecutorBuilder, Placement};
use hyper::StatusCode;

use super::*;
use crate::http::error::ApiError;
use crate::http::reply::{self, Pieces};

/// A server on a thread of its own; stops when dropped.
pub(in crate::http) struct TestServer {
    pub(in crate::http) address: SocketAddr,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    pub(in crate::http) fn start(
        options: ConnOptions,
        handler: impl FnOnce() -> Rc<dyn Handler> + Send + 'static,
    ) -> Self {
        let (stop, stopped) = async_channel::bounded(1);
        let (address_to, address_from) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let executor = LocalExecutorBuilder::new(Placement::Unbound)
                .spawn(move || async move {
                    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                    address_to.send(listener.address()).unwrap();
                    serve(listener, handler(), options, Rc::default(), stopped).await;
                })
                .unwrap();
            executor.join().unwrap();
        });
        Self { address: address_from.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    /// Tells the server to stop, without waiting for it.
    fn stop(&mut self) {
        self.stop = None;
    }

    /// Waits until the server has stopped.
    fn join(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub(in crate::http) fn connect(&self) -> Client {
        Client { stream: BufReader::new(TcpStream::connect(self.address).unwrap()) }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.join();
        }
    }
}

/// A client that sends what it is told, byte by byte.
pub(in crate::http) struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer as it came.
#[derive(Debug)]
pub(in crate::http) struct Answered {
    pub(in crate::http) status: u16,
    pub(in crate::http) headers: Vec<(String, String)>,
    pub(in crate::http) body: Vec<u8>,
}

impl Answered {
    pub(in crate::http) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(in crate::http) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub(in crate::http) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    pub(in crate::http) fn get(&mut self, target: &str) -> Answered {
        self.send(format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n"));
        self.answer()
    }

    pub(in crate::http) fn post(&mut self, target: &str, headers: &str, body: &[u8]) -> Answered {
        self.send(format!(
            "POST {target} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        ));
        self.send(body);
        self.answer()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    pub(in crate::http) fn answer(&mut self) -> Answered {
        let first = self.line();
        let status = first.split(' ').nth(1).unwrap_or_else(|| panic!("an answer, not {first:?}"));
        let status = status.parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut answered = Answered { status, headers, body: Vec::new() };
        if let Some(length) = answered.header("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            self.stream.read_exact(&mut body).unwrap();
            answered.body = body;
        } else if answered.header("transfer-encoding") == Some("chunked") {
            loop {
                let length = usize::from_str_radix(&self.line(), 16).unwrap();
                let mut chunk = vec![0; length + 2];
                self.stream.read_exact(&mut chunk).unwrap();
                if length == 0 {
                    break;
                }
                answered.body.extend_from_slice(&chunk[..length]);
            }
        }
        answered
    }

    /// What comes until the server closes.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        rest
    }
}

const BODY_MAX: usize = 1 << 20;

/// Does what the path says.
struct TestHandler {
    budget: Rc<BodyBudget>,
    events: mpsc::Sender<&'static str>,
    /// Lets `/wait` end.
    release: Receiver<()>,
}

struct Dropped(mpsc::Sender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

struct Blocks(usize);

impl Pieces for Blocks {
    fn next_piece(&mut self) -> Option<Bytes> {
        self.0 = self.0.checked_sub(1)?;
        Some(Bytes::from(vec![b'x'; 50_000]))
    }
}

impl Handler for TestHandler {
    fn handle(self: Rc<Self>, request: Request<RequestBody>) -> HandlerFuture {
        Box::pin(async move {
            match request.uri().path() {
                "/echo" => match request.into_body().read(BODY_MAX, Rc::clone(&self.budget)).await {
                    Ok((bytes, share)) => {
                        assert_eq!(self.budget.bytes_used(), bytes.len() as u64);
                        drop(share);
                        assert_eq!(self.budget.bytes_used(), 0);
                        reply::text(StatusCode::OK, String::from_utf8(bytes.to_vec()).unwrap())
                    }
                    Err(error) => reply::text_error(&error),
                },
                "/wait" => {
                    let dropped = Dropped(self.events.clone());
                    let _ = self.events.send("began");
                    let _ = self.release.recv().await;
                    std::mem::forget(dropped);
                    reply::text(StatusCode::OK, "waited")
                }
                "/blocks" => reply::reply(StatusCode::OK, "text/plain", ReplyBody::from_pieces(Blocks(100))),
                _ => reply::text_error(&ApiError::bad_data("unread")),
            }
        })
    }
}

struct Fixture {
    server: TestServer,
    events: mpsc::Receiver<&'static str>,
    release: Sender<()>,
}

fn fixture(change: impl FnOnce(&mut ConnOptions)) -> Fixture {
    let mut options = ConnOptions::default();
    change(&mut options);
    let (events_to, events) = mpsc::channel();
    let (release, released) = async_channel::bounded(1);
    let server = TestServer::start(options, move || {
        Rc::new(TestHandler { budget: BodyBudget::new(4 << 20), events: events_to, release: released })
    });
    Fixture { server, events, release }
}

const SHORT: Duration = Duration::from_millis(30);

#[test]
fn one_connection_serves_many_requests() {
    let fixture = fixture(|_| {});
    let mut client = fixture.server.connect();
    for body in ["one", "", "three"] {
        let answer = client.post("/echo", "", body.as_bytes());
        assert_eq!((answer.status, answer.text()), (200, body));
    }
    client.send("GET /echo HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert!(client.rest().is_empty());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let fixture = fixture(|_| {});
    let mut client = fixture.server.connect();
    let mut all = String::new();
    for index in 0..50 {
        let body = format!("body {index}");
        all += &format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    }
    client.send(all);
    for index in 0..50 {
        assert_eq!(client.answer().text(), format!("body {index}"));
    }
}

#[test]
fn chunked_bodies_are_joined_and_answers_streamed() {
    let fixture = fixture(|_| {});
    let mut client = fixture.server.connect();
    client.send("POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client.send("10\r\n0123456789abcdef\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "abc0123456789abcdef");
    let answer = client.get("/blocks");
    assert_eq!((answer.status, answer.body.len()), (200, 5_000_000));
    assert_eq!(client.post("/echo", "", &vec![b'a'; BODY_MAX]).body.len(), BODY_MAX);
}

#[test]
fn a_waiting_sender_is_told_to_go_on_or_not() {
    let fixture = fixture(|_| {});
    let mut client = fixture.server.connect();
    client.send("POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    assert_eq!(client.answer().status, 100);
    client.send("ok");
    assert_eq!(client.answer().text(), "ok");
    let length = BODY_MAX + 1;
    client.send(format!(
        "POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 413);
}

#[test]
fn too_large_bodies_are_refused_in_words() {
    let fixture = fixture(|_| {});
    let mut client = fixture.server.connect();
    let answer = client.post("/echo", "", &vec![b'a'; 8 * BODY_MAX]);
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("--max-body-bytes"), "{}", answer.text());
    // It was read to its end, so the connection goes on.
    assert_eq!(client.post("/echo", "", b"small").text(), "small");
    client.send("POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    for _ in 0..3 {
        client.send(format!("{BODY_MAX:x}\r\n"));
        client.send(vec![b'a'; BODY_MAX]);
        client.send("\r\n");
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.answer().status, 413);
}

#[test]
fn an_answer_reaches_a_sender_whose_body_nobody_reads() {
    let fixture = fixture(|_| {});
    let mut client = fixture.server.connect();
    let answer = client.post("/unread", "", &vec![b'a'; 4 * BODY_MAX]);
    assert_eq!((answer.status, answer.text()), (400, "unread\n"));
}

#[test]
fn slow_heads_bodies_and_idle_connections_end_by_deadline() {
    let fixture = fixture(|options| {
        options.timeouts.head = SHORT;
        options.timeouts.body = SHORT;
        options.timeouts.idle = SHORT;
    });
    let mut silent = fixture.server.connect();
    assert!(silent.rest().is_empty());
    let mut slow_head = fixture.server.connect();
    slow_head.send("GET /echo HT");
    assert!(slow_head.rest().is_empty());
    let mut idle = fixture.server.connect();
    assert_eq!(idle.get("/echo").status, 200);
    assert!(idle.rest().is_empty());
    let mut slow_body = fixture.server.connect();
    slow_body.send("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\npart");
    let answer = slow_body.answer();
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    let mut fixture = fixture(|options| options.timeouts.send = SHORT);
    let mut client = fixture.server.connect();
    for _ in 0..20 {
        client.send("GET /blocks HTTP/1.1\r\nhost: x\r\n\r\n");
    }
    // Far more than the socket buffers hold is never read; the server ends all the same.
    fixture.server.join();
}

#[test]
fn malformed_requests_are_refused() {
    let fixture = fixture(|_| {});
    for (request, status) in [
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        ("GET /\u{1} HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "a".repeat(200_000)), 431),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000)), 431),
        (format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(65_600)), 414),
    ] {
        let mut client = fixture.server.connect();
        client.send(&request);
        let answer = client.answer();
        assert_eq!(answer.status, status, "{:.60}", request.escape_debug().to_string());
        client.rest();
    }
    assert_eq!(fixture.server.connect().get("/echo").status, 200);
}

#[test]
fn a_client_that_leaves_cancels_its_request() {
    let fixture = fixture(|_| {});
    let mut client = fixture.server.connect();
    client.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(fixture.events.recv().unwrap(), "began");
    client.stream.get_ref().shutdown(Shutdown::Both).unwrap();
    assert_eq!(fixture.events.recv().unwrap(), "dropped");
}

#[test]
fn stopping_ends_idle_connections_and_finishes_requests() {
    let mut fixture = fixture(|_| {});
    let mut idle = fixture.server.connect();
    assert_eq!(idle.get("/echo").status, 200);
    let mut busy = fixture.server.connect();
    busy.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(fixture.events.recv().unwrap(), "began");
    fixture.server.stop();
    assert!(idle.rest().is_empty());
    fixture.release.send_blocking(()).unwrap();
    let answer = busy.answer();
    assert_eq!((answer.text(), answer.header("connection")), ("waited", Some("close")));
    assert!(busy.rest().is_empty());
    fixture.server.join();
    assert!(TcpStream::connect(fixture.server.address).is_err());
}

#[test]
fn requests_that_outlast_the_drain_are_cut_off() {
    let mut fixture = fixture(|options| options.timeouts.drain = SHORT);
    let mut busy = fixture.server.connect();
    busy.send("GET /wait HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(fixture.events.recv().unwrap(), "began");
    fixture.server.stop();
    assert_eq!(fixture.events.recv().unwrap(), "dropped");
    fixture.server.join();
}

#[test]
fn too_many_connections_are_turned_away() {
    let fixture = fixture(|options| options.connections_max = 2);
    let mut clients = [fixture.server.connect(), fixture.server.connect()];
    for client in &mut clients {
        assert_eq!(client.get("/echo").status, 200);
    }
    let answer = fixture.server.connect().answer();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(clients[1].get("/echo").status, 200);
}

//! HTTP/1.1 itself, spoken byte by byte.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::common::http::only_series;
use crate::common::remote_write::Request;
use crate::common::server::{FreshServer, now_ms};

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads until so many answers have begun.
fn read_answers(stream: &mut TcpStream, wanted: usize) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    while String::from_utf8_lossy(&text).matches("HTTP/1.1 ").count() < wanted {
        match stream.read(&mut piece).unwrap() {
            0 => break,
            count => text.extend_from_slice(&piece[..count]),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn requests_may_be_pipelined() {
    let server = FreshServer::start(&[]);
    let mut stream = connect(server.address);
    stream.write_all("GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n".repeat(5).as_bytes()).unwrap();
    assert_eq!(read_answers(&mut stream, 5).matches("HTTP/1.1 200").count(), 5);
}

#[test]
fn chunked_bodies_and_continue_work() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let body = Request::new().series(&[("__name__", "chunked")], &[(now, 5.0)]).body();
    let mut stream = connect(server.address);
    let head = "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert!(read_answers(&mut stream, 1).starts_with("HTTP/1.1 100"));
    for piece in body.chunks(7) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).unwrap();
        stream.write_all(piece).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let answer = read_answers(&mut stream, 1);
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(only_series(&server.client.query("chunked", now).data())[0].1, "5");
}

#[test]
fn a_connection_that_breaks_inside_a_body_stores_nothing() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let body = Request::new().series(&[("__name__", "cut")], &[(now, 5.0)]).body();
    let mut stream = connect(server.address);
    let head = format!("POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body[..body.len() - 1]).unwrap();
    drop(stream);
    assert_eq!(server.client.get("/-/ready", &[]).status, 200);
    assert_eq!(server.client.query("cut", now).data()["result"].as_array().unwrap().len(), 0);
}

#[test]
fn nonsense_is_refused_and_the_server_lives() {
    let server = FreshServer::start(&[]);
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(1 << 20));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(5000));
    for text in [
        "\u{0}\u{1}\u{2}\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        &long,
        &many,
    ] {
        let mut stream = connect(server.address);
        // The server may hang up before all is written.
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let refused = answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505");
        assert!(answer.is_empty() || refused, "{answer}");
        assert_eq!(server.client.get("/-/ready", &[]).status, 200);
    }
}

#[test]
fn many_connections_write_at_once() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    std::thread::scope(|scope| {
        for writer in 0..32 {
            let client = server.client.clone();
            scope.spawn(move || {
                let name = writer.to_string();
                for step in 0..20 {
                    let labels = [("__name__", "crowd"), ("writer", name.as_str())];
                    let body = Request::new().series(&labels, &[(now - 20 + step, step as f64)]).body();
                    assert_eq!(client.write(&body).status, 204);
                }
            });
        }
    });
    let count = only_series(&server.client.query("sum(count_over_time(crowd[1m]))", now + 1000).data());
    assert_eq!(count[0].1, "640");
}

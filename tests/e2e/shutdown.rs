//! SIGTERM and SIGINT: requests in flight are finished, then the server ends well.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;

use crate::common::remote_write::Request;
use crate::common::server::{FreshServer, Server, now_ms};
use crate::common::wait;

#[test]
fn an_idle_server_ends_well_on_both_signals() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut fresh = FreshServer::start(&[]);
        fresh.server.program.signal(signal);
        let status = fresh.server.program.wait();
        assert_eq!(status.code(), Some(0), "{}", fresh.server.program.printed());
    }
}

#[test]
fn an_open_connection_does_not_hold_it() {
    let mut fresh = FreshServer::start(&[]);
    let _idle = TcpStream::connect(fresh.address).unwrap();
    assert_eq!(fresh.client.get("/-/ready", &[]).status, 200);
    fresh.server.program.terminate();
    assert!(fresh.server.program.wait().success());
}

#[test]
fn a_write_in_flight_is_finished_and_kept() {
    let mut fresh = FreshServer::start(&[]);
    let now = now_ms();
    let body = Request::new().series(&[("__name__", "last_words")], &[(now, 42.0)]).body();
    let mut stream = TcpStream::connect(fresh.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body: it has begun with the request.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let (first, rest) = body.split_at(body.len() / 2);
    stream.write_all(first).unwrap();
    fresh.server.program.terminate();
    wait::until("the server to stop accepting", || {
        assert_eq!(fresh.server.program.ended(), None, "it did not wait for the request");
        let ready = fresh.client.try_get("/-/ready", &[]);
        ready.map_or(Some(()), |answer| (answer.status == 503).then_some(()))
    });
    stream.write_all(rest).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    let status = String::from_utf8_lossy(&answer).into_owned();
    assert!(fresh.server.program.wait().success());

    let server = Server::start(&fresh.data_dir(), &[]);
    let found = server.client.query("last_words", now).data()["result"].as_array().unwrap().len();
    match status.as_str() {
        "HTTP/1.1 204" => assert_eq!(found, 1, "an acknowledged sample is lost"),
        "HTTP/1.1 503" => {}
        other => panic!("{other}"),
    }
}

//! A small server for tests, which answers as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::client::Url;

/// Serves so many connections; every request is answered by the next text of the list, the last
/// one again and again. Returns the address and the bodies received.
pub(crate) fn serve(connections: usize, answers: &'static [&'static str]) -> (Url, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("http://{}/api/v1/write", listener.local_addr().unwrap())).unwrap();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let received = bodies.clone();
    std::thread::spawn(move || {
        let served = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for stream in listener.incoming().take(connections) {
                let (received, served) = (&received, &served);
                scope.spawn(move || {
                    let mut stream = BufReader::new(stream.unwrap());
                    while let Some(body) = read_request(&mut stream) {
                        received.lock().unwrap().push(body);
                        let index = served.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                        stream.get_mut().write_all(answers[index].as_bytes()).unwrap();
                    }
                });
            }
        });
    });
    (url, bodies)
}

fn read_request(stream: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    Some(body)
}

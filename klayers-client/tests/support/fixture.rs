// A server on loopback for tests, documentation and examples. It needs only the standard library, and
// can send any bytes, so that tests can simulate faults. Documentation tests include this file, so it
// cannot begin with `//!`.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A running server. It stops with the process.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

#[allow(dead_code, reason = "not every test that includes this file uses all of it")]
impl Server {
    /// A server of a small collection, with answers like the public server: unsorted rows, few fields,
    /// and packages only by the collection's spelling.
    pub(crate) fn collection() -> Self {
        Self::start(|path, stream| match collection(path) {
            Some(body) => respond(stream, 200, "application/json", &body),
            None => respond(stream, 200, "application/json", "[]"),
        })
    }

    /// A server that calls `answer` for each request, with the path and the connection, which is closed
    /// afterwards.
    pub(crate) fn start(
        answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start_with_head(move |head, stream| match head[0].split(' ').nth(1) {
            Some(path) => answer(path, stream),
            None => Ok(()),
        })
    }

    /// Like [`start`](Self::start), but with all lines of the request's head.
    pub(crate) fn start_with_head(
        answer: impl Fn(&[String], &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on loopback");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut stream = stream;
                    if let Some(head) = request_head(&stream) {
                        let path = head[0].split(' ').nth(1).unwrap_or_default();
                        log.lock().expect("no thread panics").push(path.to_owned());
                        // The client may close the connection early.
                        let _ = answer(&head, &mut stream);
                    }
                });
            }
        });
        Self { address, asked }
    }

    /// The base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requested paths, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics").clone()
    }
}

/// Writes a complete response.
#[allow(dead_code, reason = "not every test that includes this file uses all of it")]
pub(crate) fn respond(
    stream: &mut TcpStream,
    status: u16,
    content_type: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// The answer of the small collection to a path; none for an unknown path.
pub(crate) fn collection(path: &str) -> Option<String> {
    let arn = |name: &str| format!("arn:aws:lambda:us-east-1:770693421928:layer:{name}");
    let latest = |package: &str, version: &str, name: &str| {
        let arn = arn(name);
        format!(r#"{{"package":"{package}","packageVersion":"{version}","arn":"{arn}"}}"#)
    };
    let version = |name: &str, version: &str, rest: &str| {
        let arn = arn(name);
        format!(r#"{{"arn":"{arn}","packageVersion":"{version}","dependencies":{rest}}}"#)
    };
    let rows = match path {
        "/api/v2/p3.13/layers/latest/us-east-1" => vec![
            latest("requests", "2.32.5", "Klayers-p313-requests:4"),
            latest("Pillow", "12.0.0", "Klayers-p313-Pillow:2"),
            latest("numpy", "2.3.4", "Klayers-p313-numpy:7"),
        ],
        "/api/v2/p3.13/layers/us-east-1/requests" => vec![
            version(
                "Klayers-p313-requests:3",
                "2.32.3",
                r#"["idna==3.10","requests==2.32.3"],"deployStatus":"deprecated","expiryDate":"2026-11-01T02:00:00""#,
            ),
            version(
                "Klayers-p313-requests:4",
                "2.32.5",
                r#"["idna==3.11","requests==2.32.5"],"deployStatus":"latest""#,
            ),
            version(
                "Klayers-p313-requests:1",
                "2.31.0",
                r#"["requests==2.31.0"],"deployStatus":"deprecated","expiryDate":"2026-03-01T02:00:00""#,
            ),
        ],
        "/api/v2/p3.13/layers/us-east-1/Pillow" => vec![version(
            "Klayers-p313-Pillow:2",
            "12.0.0",
            r#"["pillow==12.0.0"],"deployStatus":"latest""#,
        )],
        "/api/v2/p3.8/layers/us-east-1/requests" => vec![version(
            "Klayers-python38-requests:20",
            "2.28.1",
            r#"["requests==2.28.1"],"deployStatus":"latest""#,
        )],
        _ => return None,
    };
    Some(format!("[{}]", rows.join(",")))
}

/// Reads the lines of a request's head.
fn request_head(stream: &TcpStream) -> Option<Vec<String>> {
    let mut head = Vec::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            return (!head.is_empty()).then_some(head);
        }
        head.push(line);
    }
    None
}

// A server on loopback for tests, documentation and examples. It needs the standard library
// alone, and answers a request with whatever bytes it is told to, so that it can answer badly, too.
// Documentation tests include this file, which is why it begins with no `//!`.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A running server. It ends with the process.
pub(crate) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

#[allow(dead_code, reason = "not every test that includes this file uses all of it")]
impl Server {
    /// A server of a small collection, with the bodies of the public API v2: rows in no order, no
    /// more fields than it has always sent, and packages by the collection's spelling alone.
    pub(crate) fn collection() -> Self {
        Self::start(|path, stream| match collection(path) {
            Some(body) => respond(stream, 200, "application/json", &body),
            None => respond(stream, 200, "application/json", "[]"),
        })
    }

    /// A server that answers each request by writing to its connection, which is closed after it.
    pub(crate) fn start(
        answer: impl Fn(&str, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start_with_head(move |head, stream| match head[0].split(' ').nth(1) {
            Some(path) => answer(path, stream),
            None => Ok(()),
        })
    }

    /// The same for who wants to see all lines of a request's head.
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
                        // A client that has had enough closes the connection.
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

    /// The paths that were asked for, in their order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no thread panics").clone()
    }
}

/// Writes a whole answer.
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

/// What the small collection answers to a path; none to one that it does not know.
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

/// The lines of a request's head, once they are read.
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

//! Texts of a server cannot control the terminal. Every command runs on a real terminal and gets
//! answers with escape sequences and line breaks in every field.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::command::klayers;
use crate::fixture::{Server, respond};

/// Clears the screen, sets the title, forges a line, and reverses the direction of writing; as JSON.
const EVIL: &str = "x\\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\r\\nerror: forged\\tcell\\u202e";

const NAME: &str = "Klayers-p313-requests";

/// A row with all fields that a server may send. The free texts are evil.
fn row(number: u64, status: &str) -> String {
    let arn = format!("arn:aws:lambda:us-east-1:770693421928:layer:{NAME}:{number}");
    format!(
        r#"{{"package": "requests", "target": "p3.13", "arn": "{arn}", "packageVersion": "2.{number}",
        "dependencies": ["idna==3.11"], "createdDateTime": "2026-11-01T02:00:00",
        "deployStatus": "{status}", "license": "{EVIL}", "codeSha256": "{EVIL}",
        "requirementsHash": "{EVIL}", "yanked": "{EVIL}",
        "gate": {{"imports": "passed", "warnings": ["{EVIL}"]}}}}"#
    )
}

fn evil(path: &str) -> String {
    match path {
        "/api/v2/regions" => {
            format!(r#"[{{"region": "us-east-1", "name": "{EVIL}", "partition": "aws"}}]"#)
        }
        "/api/v2/targets" => {
            r#"[{"target": "p3.13", "pythonVersion": "3.13", "architecture": "x86_64"}]"#.to_owned()
        }
        path if path.contains("/latest") => format!("[{}]", row(4, "latest")),
        _ => format!("[{},{}]", row(4, "latest"), row(3, "deprecated")),
    }
}

/// Everything that a command writes to a terminal.
fn screen(mut command: Command) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).expect("granted");
    unlockpt(&terminal).expect("unlocked");
    let name = ptsname(&terminal, Vec::new()).expect("a name");
    let name = name.into_string().expect("a path");
    let end = || -> OwnedFd {
        File::options().read(true).write(true).open(&name).expect("its other end").into()
    };
    command.stdout(Stdio::from(end())).stderr(Stdio::from(end()));
    command.env("TERM", "xterm-256color");
    let mut child = command.spawn().expect("it starts");
    // Closes our copies of the terminal, so that reading ends with the child.
    drop(command);
    let mut written = Vec::new();
    // Linux reports the end of the output as an error.
    let _ = File::from(terminal).read_to_end(&mut written);
    child.wait().expect("it ends");
    String::from_utf8(written).expect("text")
}

/// The screen without the styles of the command.
fn without_styles(screen: &str) -> String {
    let mut text = screen.to_owned();
    for style in ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[33m", "\u{1b}[4m"] {
        text = text.replace(style, "");
    }
    text.replace("\r\n", "\n")
}

fn assert_harmless(screen: &str, what: &str) {
    let text = without_styles(screen);
    for character in text.chars().filter(|&character| character != '\n') {
        let obeyed = klayers_core::terminal::is_control(character);
        assert!(!obeyed, "{what}: {character:?} in {text:?}");
    }
    assert!(!text.lines().any(|line| line.starts_with("error: forged")), "{what}: {text:?}");
}

const COMMANDS: [&str; 19] = [
    "latest-arn requests",
    "latest-arn requests>=2,<2.4",
    "show arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:3",
    "where requests",
    "where requests --for cloudformation",
    "where requests --for json",
    "search req",
    "snippet requests:3 requests:4",
    "latest",
    "versions requests",
    "show requests",
    "show requests:3",
    "show requests==2.3",
    "show requests>2",
    "snippet requests:3",
    "regions",
    "targets",
    "external",
    "open --print",
];

#[test]
fn server_texts_cannot_control_the_terminal() {
    let problem = format!(
        r#"{{"title": "{EVIL}", "status": 418, "detail": "{EVIL}", "type": "about:blank"}}"#
    );
    let mut screens = 0;
    for json in ["", "--json"] {
        for arguments in COMMANDS {
            let good =
                Server::start(|path, stream| respond(stream, 200, "application/json", &evil(path)));
            let body = problem.clone();
            let refusing = Server::start(move |_, stream| {
                respond(stream, 418, "application/problem+json", &body)
            });
            let broken = Server::start(|_, stream| {
                respond(stream, 200, "text/\u{1b}[31mhtml\u{9b}", "\u{1b}[2J<title>")
            });
            for server in [&good, &refusing, &broken] {
                let mut command = klayers(&server.url());
                command.args(arguments.split(' '));
                command.args(json.split_whitespace());
                if !["regions", "targets"].contains(&arguments) {
                    command.args(["--region", "us-east-1", "--python", "3.13"]);
                }
                if arguments == "external" {
                    command.stdin(query());
                }
                let screen = screen(command);
                assert!(!screen.is_empty(), "{arguments}");
                assert_harmless(&screen, arguments);
                screens += 1;
            }
        }
    }
    println!("screens {screens}, sequences obeyed 0");
}

/// A query of Terraform.
fn query() -> File {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(br#"{"package": "requests"}"#).expect("written");
    file.rewind().expect("rewound");
    file
}

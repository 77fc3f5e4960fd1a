//! The output of the command on a terminal, and the transcripts in `docs/command.md`.

use std::fs;

use klayers_client::cli::{self, Environment};

use crate::fixture::{Server, collection, respond};

/// The small collection on a server that also has the lists of all targets and regions.
fn documented() -> Server {
    Server::start(|path, stream| {
        let everywhere = |region: &str, target: &str, name: &str, number: u64| {
            format!(
                r#"{{"package":"requests","target":"{target}","deployStatus":"latest",
                "arn":"arn:aws:lambda:{region}:770693421928:layer:Klayers-{name}-requests:{number}",
                "packageVersion":"2.32.5","dependencies":[]}}"#
            )
        };
        let build = |name: &str, version: &str| {
            format!(r#"{{"package":"{name}","packageVersion":"{version}","dependencies":[]}}"#)
        };
        let rows = match path {
            "/api/v2/packages/requests" => vec![
                everywhere("us-east-1", "p3.13", "p313", 4),
                everywhere("eu-west-1", "p3.13", "p313", 4),
                everywhere("eu-west-1", "p3.13-arm64", "p313-arm64", 2),
            ],
            "/api/v2/targets" => vec![
                r#"{"target":"p3.13","pythonVersion":"3.13","architecture":"x86_64"}"#.to_owned(),
                r#"{"target":"p3.13-arm64","pythonVersion":"3.13","architecture":"arm64"}"#
                    .to_owned(),
            ],
            "/api/v2/p3.13/builds/latest" => {
                vec![build("requests", "2.32.5"), build("requests-oauthlib", "2.0.0")]
            }
            "/api/v2/p3.13-arm64/builds/latest" => vec![build("requests", "2.32.5")],
            path => {
                let body = collection(path).unwrap_or_else(|| "[]".to_owned());
                return respond(stream, 200, "application/json", &body);
            }
        };
        respond(stream, 200, "application/json", &format!("[{}]", rows.join(",")))
    })
}

/// The output of a run on a terminal, without colours, with a fixed port instead of the server's.
async fn screen(server: &Server, input: &str, arguments: &[&str]) -> (u8, String) {
    let url = server.url();
    let environment = Environment::new(|name| (name == "KLAYERS_API_URL").then(|| url.clone()))
        .input(std::io::Cursor::new(input.to_owned()))
        .terminal(true);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = ["klayers"].iter().chain(arguments).map(Into::into);
    let code = cli::run(arguments, &environment, &mut out, &mut err).await;
    let text = |bytes: &[u8]| anstream::adapter::strip_bytes(bytes).into_vec();
    let shown = [text(&out), text(&err)].concat();
    (code, String::from_utf8(shown).expect("text").replace(&url, "http://127.0.0.1:8080"))
}

/// The words of a command line, without their quotes.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}

/// Runs every command in `docs/command.md` and compares the output.
#[tokio::test]
async fn transcripts_in_the_documentation_match_the_output() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/command.md");
    let page = fs::read_to_string(path).expect("the page");
    let server = documented();
    let mut written = String::new();
    let mut runs = 0;
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        written += line;
        written.push('\n');
        if line != "```console" {
            continue;
        }
        while let Some(line) = lines.next_if(|line| *line != "```") {
            // Skips the old output.
            let Some(command) = line.strip_prefix("$ ") else { continue };
            let echoed = command.strip_prefix("echo '").and_then(|rest| rest.split_once("' | "));
            let (input, command) = echoed.unwrap_or(("", command));
            let command = command.strip_prefix("klayers ").expect("a run of klayers");
            let words = words(command);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (_, shown) = screen(&server, input, &words).await;
            written += line;
            written.push('\n');
            written += &shown;
            runs += 1;
        }
    }
    if page != written {
        fs::write(path, &written).expect("written");
    }
    assert_eq!(page, written, "docs/command.md was updated; review and commit it");
    println!("transcripts {runs}");
    assert!(runs >= 10, "{runs}");
}

#[tokio::test]
async fn tables_have_a_bold_header() {
    let server = Server::collection();
    let url = server.url();
    let environment = Environment::new(|_| Some(url.clone()).filter(|_| false)).terminal(true);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = format!("klayers latest --region us-east-1 --python 3.13 --api-url {url}");
    let arguments = arguments.split(' ').map(Into::into);
    cli::run(arguments, &environment, &mut out, &mut err).await;
    let text = String::from_utf8(out).expect("text");
    assert!(text.starts_with("\u{1b}[1mPACKAGE   VERSION  ARN\u{1b}[0m\n"), "{text:?}");
}

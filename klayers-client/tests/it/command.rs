use std::io::Write as _;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use crate::fixture::{Server, respond};

/// An address where no server listens.
pub(crate) const NO_SERVER: &str = "http://127.0.0.1:9";

/// The command with a clean environment: only the address of the server, and no usable home folder.
pub(crate) fn klayers(url: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_klayers"));
    command.env_clear().env("KLAYERS_API_URL", url).env("HOME", "/dev/null").stdin(Stdio::null());
    command.current_dir("/");
    command
}

pub(crate) fn run(command: &mut Command, arguments: &str) -> Output {
    command.args(arguments.split_whitespace()).output().expect("it starts")
}

/// The exit code and the output of a run, with a fixed port instead of the server's.
pub(crate) fn transcript(output: &Output, url: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(url, "http://127.0.0.1:8080");
    format!(
        "exit code: {}\n--- stdout\n{}--- stderr\n{}",
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}

macro_rules! assert_run {
    ($name:literal, $command:expr, $arguments:literal, $url:expr) => {
        let output = run(&mut $command, $arguments);
        insta::assert_snapshot!($name, transcript(&output, &$url), $arguments);
    };
}

#[test]
fn latest_arn_prints_only_the_arn() {
    let url = Server::collection().url();
    let place = "--region us-east-1 --python 3.13";
    let output = run(&mut klayers(&url), &format!("latest-arn requests {place}"));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4\n"
    );
    assert_eq!(output.stderr, b"");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn results_are_printed_as_lines_or_json() {
    let url = Server::collection().url();
    assert_run!("latest", klayers(&url), "latest --region us-east-1 --python 3.13", url);
    assert_run!(
        "latest_json",
        klayers(&url),
        "latest --region us-east-1 --python 3.13 --json",
        url
    );
    assert_run!("latest_empty", klayers(&url), "latest --region us-east-1 --python 3.9", url);
    assert_run!(
        "versions",
        klayers(&url),
        "versions Requests --region us-east-1 --python 3.13 --arch x86_64",
        url
    );
    assert_run!(
        "versions_json",
        klayers(&url),
        "versions requests --region us-east-1 --python 3.13 --json",
        url
    );
    assert_run!(
        "latest_arn_json",
        klayers(&url),
        "latest-arn pillow --region us-east-1 --python 3.13 --json",
        url
    );
}

#[test]
fn failures_are_printed_to_stderr_with_exit_code_1() {
    let url = Server::collection().url();
    assert_run!(
        "unknown_package",
        klayers(&url),
        "latest-arn reqeusts --region us-east-1 --python 3.13",
        url
    );
    assert_run!(
        "unknown_in_versions",
        klayers(&url),
        "versions pandas --region us-east-1 --python 3.13 --arch arm64",
        url
    );

    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let down = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    assert_run!("server_down", klayers(&down), "latest --region us-east-1 --python 3.13", down);

    let page = Server::start(|_, stream| respond(stream, 200, "text/html", "<title>Hi</title>"));
    let url = page.url();
    assert_run!("page", klayers(&url), "latest --region us-east-1 --python 3.13", url);
}

#[test]
fn wrong_usage_has_exit_code_2_and_sends_no_request() {
    let server = Server::collection();
    let url = server.url();
    assert_run!("no_region", klayers(&url), "latest-arn requests --python 3.13", url);
    assert_run!(
        "bad_region",
        klayers(&url),
        "latest-arn requests --region mars --python 3.13",
        url
    );
    assert_run!(
        "bad_region_variable",
        klayers(&url).env("AWS_REGION", "mars"),
        "latest-arn requests --python 3.13",
        url
    );
    assert_run!(
        "bad_package",
        klayers(&url),
        "latest-arn psycopg/binary --region us-east-1 --python 3.13",
        url
    );
    assert_run!(
        "bad_python",
        klayers(&url),
        "latest-arn requests --region us-east-1 --python 2.7",
        url
    );
    assert_run!(
        "bad_api_url",
        klayers(&url),
        "latest --region us-east-1 --python 3.13 --api-url localhost:8080",
        url
    );
    assert_run!("no_command", klayers(&url), "", url);
    assert_eq!(server.asked(), [""; 0]);
}

#[test]
fn help_and_version_are_printed_to_stdout() {
    assert_run!("help", klayers(NO_SERVER), "--help", NO_SERVER);
    assert_run!("help_latest_arn", klayers(NO_SERVER), "latest-arn --help", NO_SERVER);
    let output = run(&mut klayers(NO_SERVER), "--version");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        concat!("klayers ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn region_comes_from_the_option_then_from_aws_variables() {
    let url = Server::collection().url();
    for (flag, variables, found) in [
        ("", &[("AWS_REGION", "us-east-1")][..], true),
        ("", &[("AWS_DEFAULT_REGION", "us-east-1")], true),
        ("", &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "us-east-1")], true),
        ("", &[("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "us-east-1")], false),
        ("--region us-east-1", &[("AWS_REGION", "eu-west-1")], true),
        ("--region us-east-1", &[("AWS_REGION", "mars")], true),
    ] {
        let mut command = klayers(&url);
        command.envs(variables.iter().copied());
        let output = run(&mut command, &format!("latest-arn requests --python 3.13 {flag}"));
        assert_eq!(output.status.success(), found, "{flag} {variables:?}");
    }
}

#[test]
fn api_url_option_overrides_the_variable() {
    let url = Server::collection().url();
    let arguments = format!("latest --region us-east-1 --python 3.13 --api-url {url}/");
    let output = run(&mut klayers(NO_SERVER), &arguments);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn closed_pipe_is_not_a_failure() {
    let url = Server::start(|_, stream| {
        // More than fits into a pipe, so the command is still writing when the pipe is closed.
        let row = |number: usize| {
            format!(
                r#"{{"package":"p{number}","packageVersion":"1",
                "arn":"arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-p{number}:1"}}"#
            )
        };
        let rows: Vec<String> = (0..5_000).map(row).collect();
        respond(stream, 200, "application/json", &format!("[{}]", rows.join(",")))
    })
    .url();
    let mut child = klayers(&url)
        .args(["latest", "--region", "us-east-1", "--python", "3.13"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn layer_is_shown_in_detail_or_as_a_snippet() {
    let url = Server::collection().url();
    let place = "--region us-east-1 --python 3.13";
    let shown = run(&mut klayers(&url), &format!("show requests==2.31.* {place} --json"));
    let row: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(row["packageVersion"], "2.31.0");
    assert_run!("show", klayers(&url), "show requests:3 --region us-east-1 --python 3.13", url);
    assert_run!(
        "show_no_match",
        klayers(&url),
        "show requests>=3 --region us-east-1 --python 3.13",
        url
    );
    for tool in [
        "sam",
        "serverless",
        "terraform",
        "cdk",
        "cdk-typescript",
        "cloudformation",
        "aws-cli",
        "pulumi",
    ] {
        let output = run(&mut klayers(&url), &format!("snippet requests --for {tool} {place}"));
        insta::assert_snapshot!(format!("snippet_{tool}"), transcript(&output, &url));
    }
}

/// The public server does not have these lists; a Klayers server does.
#[test]
fn known_regions_and_targets_replace_missing_lists() {
    let bare = Server::start(|_, stream| respond(stream, 404, "text/html", "no"));
    let url = bare.url();
    for (list, first) in [("regions", "af-south-1"), ("targets", "p3.8")] {
        let output = run(&mut klayers(&url), list);
        assert!(output.stdout.starts_with(first.as_bytes()), "{output:?}");
        let note = String::from_utf8_lossy(&output.stderr);
        assert!(note.contains("this server does not list what it has"), "{note}");
        assert_eq!(output.status.code(), Some(0));
    }
    let url = Server::start(|path, stream| {
        let body = match path {
            "/api/v2/regions" => r#"[{"region":"eu-west-1","partition":"aws"}]"#,
            _ => r#"[{"target":"p3.12-arm64","pythonVersion":"3.12","architecture":"arm64"}]"#,
        };
        respond(stream, 200, "application/json", body)
    })
    .url();
    assert_run!("regions", klayers(&url), "regions", url);
    assert_run!("targets_json", klayers(&url), "targets --json", url);
}

#[test]
fn open_print_prints_the_address_of_the_page() {
    let url = Server::collection().url();
    let output = run(&mut klayers(&url), "open --print --region us-east-1 --python 3.13");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, format!("{url}/api/v2/p3.13/layers/latest/us-east-1/html\n"));
}

#[test]
fn completions_and_manual_pages_are_generated() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(&mut klayers(NO_SERVER), &format!("completions {shell}"));
        let script = String::from_utf8(output.stdout).expect("text");
        assert!(script.contains("latest-arn"), "{shell}");
    }
    let page = run(&mut klayers(NO_SERVER), "man");
    assert!(String::from_utf8_lossy(&page.stdout).contains(".TH klayers 1"));
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(&mut klayers(NO_SERVER), &format!("man --out {}", folder.path().display()));
    assert!(output.status.success(), "{output:?}");
    assert!(folder.path().join("klayers-latest-arn.1").is_file());
}

/// The option has precedence over the environment, and the environment over the file.
#[test]
fn settings_come_from_option_environment_and_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::collection();
    let file = |region: &str| {
        let url = server.url();
        let text = format!("[client]\napi_url = '{url}'\nregion = '{region}'\npython = '3.13'\n");
        std::fs::write(folder.path().join("klayers.toml"), text).expect("a file");
    };
    for (in_file, variable, flag, found) in [
        ("us-east-1", None, "", true),
        ("eu-west-1", None, "", false),
        ("eu-west-1", Some("us-east-1"), "", true),
        ("us-east-1", Some("eu-west-1"), "", false),
        ("eu-west-1", Some("eu-west-1"), "--region us-east-1", true),
    ] {
        file(in_file);
        let mut command = klayers("");
        command.current_dir(folder.path()).envs(variable.map(|region| ("AWS_REGION", region)));
        let output = run(&mut command, &format!("latest-arn requests {flag}"));
        assert_eq!(output.status.success(), found, "{in_file} {variable:?} {flag}: {output:?}");
    }
    std::fs::write(folder.path().join("klayers.toml"), "[client]\nregoin = 'x'").expect("a file");
    let output = run(klayers("").current_dir(folder.path()), "targets");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("regoin"), "{output:?}");
}

/// In a Lambda function, the function's Python version and architecture override the file.
#[test]
fn function_environment_overrides_the_config_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let own = std::env::consts::ARCH;
    let other = if own == "x86_64" { "arm64" } else { "x86_64" };
    let file = format!("[client]\npython = '3.12'\narch = '{other}'\n");
    std::fs::write(folder.path().join("klayers.toml"), file).expect("a file");
    let target = if own == "x86_64" { "p3.13" } else { "p3.13-arm64" };
    for (variables, flags, asked) in [
        (&[][..], "--python 3.13 --arch x86_64", "p3.13"),
        (&[("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")], "--arch arm64", "p3.13-arm64"),
        (
            &[
                ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13"),
                ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
            ],
            "",
            target,
        ),
    ] {
        let server = Server::collection();
        let mut command = klayers(&server.url());
        command.current_dir(folder.path()).envs(variables.iter().copied());
        run(&mut command, &format!("latest --region us-east-1 {flags}"));
        assert_eq!(server.asked(), [format!("/api/v2/{asked}/layers/latest/us-east-1")]);
    }
}

#[test]
fn stale_answer_is_printed_with_a_note_if_the_server_fails() {
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start({
        let asked = std::sync::atomic::AtomicUsize::new(0);
        move |path, stream| {
            let first = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            let body = crate::fixture::collection(path).unwrap_or_else(|| "[]".to_owned());
            respond(stream, if first { 200 } else { 503 }, "application/json", &body)
        }
    });
    let place = "latest-arn requests --region us-east-1 --python 3.13";
    let arn = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4\n";
    for (flags, asked, note) in [
        ("", 1, None),
        ("", 5, Some("since http://127.0.0.1")),
        ("--offline", 5, Some("note: offline; this answer is ")),
    ] {
        let mut command = klayers(&server.url());
        let output = run(command.env("HOME", home.path()), &format!("{place} {flags}"));
        assert_eq!(String::from_utf8_lossy(&output.stdout), arn, "{output:?}");
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(note.map_or(err.is_empty(), |note| err.contains(note)), "{err}");
        assert_eq!(server.asked().len(), asked);
    }
    let mut command = klayers(&server.url());
    let output = run(command.env("HOME", home.path()), &format!("{place} --no-cache"));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_run!(
        "offline_without_answer",
        klayers(NO_SERVER),
        "latest --region us-east-1 --python 3.13 --offline",
        NO_SERVER
    );
}

/// A mistyped address may contain a password that no parser can find any more.
#[test]
fn passwords_in_malformed_addresses_are_never_shown() {
    const URLS: [&str; 7] = [
        "https://me:s3cret@index.example:port/",
        "https://me:x s3cret@[index.example]/",
        "https://me:\"'`s3cret@index.example:99999/",
        "https//me:s3cret@index.example/",
        "me:s3cret@index.example/",
        "ftp://me:s3cret@index.example/",
        "https://index.example/?token=s3cret",
    ];
    let assert_hidden = |command: &mut Command, input: &str| {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command");
        let mut stdin = child.stdin.take().expect("its input");
        // A command that does not read its input fails for another reason.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("its end");
        assert!(!output.status.success(), "{command:?}");
        let printed = [output.stdout, output.stderr].concat();
        let printed = String::from_utf8(printed).expect("text");
        assert!(!printed.contains("s3cret"), "{command:?}:\n{printed}");
        assert!(printed.contains("error"), "{command:?}:\n{printed}");
    };
    let folder = tempfile::tempdir().expect("a folder");
    let at = |url: &str, arguments: &[&str]| {
        let mut command = klayers(url);
        command.args(arguments).current_dir(folder.path());
        command
    };
    let unused = "http://127.0.0.1:9";
    let latest = ["latest", "--region", "us-east-1", "--python", "3.13"];
    for url in URLS {
        assert_hidden(&mut at(url, &latest), "");
        assert_hidden(&mut at(unused, &["--api-url", url, "regions"]), "");
        assert_hidden(&mut at(unused, &[url]), "");
        assert_hidden(&mut at(unused, &["show", url]), "");
        assert_hidden(
            &mut at(unused, &["latest", "--python", "3.13", &format!("--region={url}")]),
            "",
        );
        for setting in ["api_url = ", "offline = ", "region = ", "timeout = ", "api_ulr = "] {
            let text = format!("[client]\n{setting}'''{url}'''\n");
            std::fs::write(folder.path().join("klayers.toml"), text).expect("a file");
            assert_hidden(at(unused, &["regions"]).env_remove("KLAYERS_API_URL"), "");
            std::fs::remove_file(folder.path().join("klayers.toml")).expect("a file");
        }
        for key in ["api_url", "region", "package", "python", "url"] {
            let mut query = serde_json::json!({ "package": "requests", "python": "3.13" });
            query[key] = url.into();
            assert_hidden(&mut at(unused, &["external"]), &query.to_string());
            query[key] = serde_json::json!([url]);
            assert_hidden(&mut at(unused, &["external"]), &query.to_string());
        }
    }
}

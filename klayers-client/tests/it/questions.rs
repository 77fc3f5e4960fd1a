//! The commands `show`, `where`, `search` and `snippet`, and the notes about withdrawn and deprecated
//! versions.

use std::fs;
use std::process::{Command, Stdio};

use crate::command::{NO_SERVER, klayers, run, transcript};
use crate::fixture::{Server, collection, respond};

const PLACE: &str = "--region us-east-1 --python 3.13";

/// A Klayers server with two targets, two regions, and a withdrawn version.
fn newer() -> Server {
    Server::start(|path, stream| {
        let version = |region: &str, name: &str, number: u64, package: &str, rest: &str| {
            format!(
                r#"{{"arn": "arn:aws:lambda:{region}:770693421928:layer:Klayers-{name}-requests:{number}",
                "packageVersion": "{package}", "dependencies": ["requests=={package}"]{rest}}}"#
            )
        };
        let latest = r#","deployStatus":"latest""#;
        let withdrawn = r#","deployStatus":"deprecated","expiryDate":"2027-11-01T02:00:00","yanked":"it leaks connections""#;
        let deprecated = r#","deployStatus":"deprecated","expiryDate":"2027-03-01T02:00:00""#;
        let everywhere = |target: &str, row: String| {
            row.replacen('{', &format!(r#"{{"package":"requests","target":"{target}","#), 1)
        };
        let rows = match path {
            "/api/v2/p3.13/layers/us-east-1/requests" => vec![
                version("us-east-1", "p313", 3, "2.32.3", deprecated),
                version("us-east-1", "p313", 4, "2.32.4", latest),
                version("us-east-1", "p313", 5, "2.32.5", withdrawn),
            ],
            "/api/v2/packages/requests" => vec![
                everywhere("p3.13", version("us-east-1", "p313", 4, "2.32.4", latest)),
                everywhere("p3.13", version("us-east-1", "p313", 5, "2.32.5", withdrawn)),
                everywhere("p3.13", version("eu-west-1", "p313", 2, "2.32.4", latest)),
                everywhere("p3.12-arm64", version("eu-west-1", "p312-arm64", 9, "2.32.3", latest)),
            ],
            "/api/v2/p3.13-arm64/layers/us-east-1/numpy" => {
                let row = version("us-east-1", "p313-arm64", 7, "2.3.4", latest);
                vec![row.replace("-requests:", "-numpy:").replace("requests==", "numpy==")]
            }
            "/api/v2/targets" => vec![
                r#"{"target":"p3.13","pythonVersion":"3.13","architecture":"x86_64"}"#.to_owned(),
                r#"{"target":"p3.12-arm64","pythonVersion":"3.12","architecture":"arm64"}"#
                    .to_owned(),
            ],
            "/api/v2/p3.13/builds/latest" | "/api/v2/p3.12-arm64/builds/latest" => {
                let row = |name: &str, version: &str| {
                    format!(
                        r#"{{"package":"{name}","packageVersion":"{version}","dependencies":[]}}"#
                    )
                };
                let mut rows = vec![row("requests", "2.32.4"), row("requests-oauthlib", "2.0.0")];
                if path.contains("p3.13/") {
                    rows.push(row("Pillow", "12.0.0"));
                }
                rows
            }
            _ => vec![],
        };
        respond(stream, 200, "application/json", &format!("[{}]", rows.join(",")))
    })
}

macro_rules! assert_run {
    ($name:literal, $url:expr, $arguments:expr) => {
        let output = run(&mut klayers($url.as_ref()), &$arguments);
        insta::assert_snapshot!($name, transcript(&output, $url.as_ref()), &$arguments);
    };
}

fn arn(number: u64) -> String {
    format!("arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:{number}")
}

#[test]
fn show_prints_the_status_of_an_arn() {
    let url = newer().url();
    assert_run!("show_arn", url, format!("show {}", arn(3)));
    assert_run!("show_arn_withdrawn", url, format!("show {}", arn(5)));
    assert_run!("show_arn_json", url, format!("show {} --json", arn(4)));
    assert_run!("show_arn_not_listed", url, format!("show {}", arn(1)));
    let other = "arn:aws:lambda:us-east-1:770693421928:layer:another-layer:1";
    assert_run!("show_arn_of_another", url, format!("show {other}"));
    let output = run(&mut klayers(&url), "show arn:aws:s3:::bucket");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn latest_arn_accepts_a_version_range() {
    let url = newer().url();
    for (layer, number) in [("requests", 4), ("requests==2.32.3", 3), ("requests<2.32.4", 3)] {
        let output = run(&mut klayers(&url), &format!("latest-arn {layer} {PLACE}"));
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{}\n", arn(number)));
    }
}

#[test]
fn notes_warn_about_withdrawn_and_deprecated_versions() {
    let url = newer().url();
    assert_run!("range_past_a_withdrawn", url, format!("latest-arn requests>=2.32 {PLACE}"));
    assert_run!("range_of_a_withdrawn", url, format!("latest-arn requests>2.32.4 {PLACE}"));
    assert_run!("snippet_of_a_withdrawn", url, format!("snippet requests:5 --for aws-cli {PLACE}"));
    assert_run!(
        "snippet_of_a_deprecated",
        url,
        format!("snippet requests:3 --for aws-cli {PLACE}")
    );
    assert_run!("versions_with_a_withdrawn", url, format!("versions requests {PLACE}"));
}

#[test]
fn where_lists_all_targets_and_regions() {
    let url = newer().url();
    assert_run!("where", url, "where requests");
    assert_run!("where_filtered", url, "where requests --arch aarch64");
    assert_run!("where_json", url, "where requests --region us-east-1 --json");
    assert_run!("where_nowhere", url, "where requests --region ap-south-1");
    for tool in ["cloudformation", "terraform", "cdk", "json"] {
        let output = run(&mut klayers(&url), &format!("where requests --for {tool} --python 3.13"));
        insta::assert_snapshot!(format!("where_{tool}_mapping"), transcript(&output, &url));
    }
    assert_run!("where_without_python", url, "where requests --for json");
}

/// The first version of API v2 has no list of all regions.
#[test]
fn where_asks_each_region_if_the_server_has_no_list() {
    let server = Server::start(|path, stream| match collection(path) {
        Some(body) => respond(stream, 200, "application/json", &body),
        None if path.contains("/layers/") => respond(stream, 200, "application/json", "[]"),
        None => respond(stream, 404, "text/plain", ""),
    });
    let url = server.url();
    let output = run(&mut klayers(&url), "where requests");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let output = run(&mut klayers(&url), "where requests --python 3.13 --arch x86_64");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("p3.13\tus-east-1\t2.32.5\t{}\n", arn(4))
    );
    let note = String::from_utf8_lossy(&output.stderr);
    assert!(note.starts_with("note: this server has no list of all regions"), "{note}");
    assert!(server.asked().iter().any(|path| path.contains("/eu-west-1/requests")));
}

#[test]
fn search_finds_packages_by_a_part_of_their_name() {
    let url = newer().url();
    assert_run!("search", url, "search REQUESTS");
    assert_run!("search_json", url, "search oauth --json");
    assert_run!("search_misspelt", url, "search pilow --python 3.13 --arch amd64");
    assert_run!("search_nothing", url, "search numpy");
}

#[test]
fn note_suggests_the_other_architecture_if_it_was_assumed() {
    let url = newer().url();
    assert_run!("assumed_architecture", url, format!("latest-arn numpy {PLACE}"));
    // The same for an empty list.
    let server = Server::start(|path, stream| {
        let row = r#"[{"package":"numpy","packageVersion":"2.3.4",
            "arn":"arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-arm64-numpy:7"}]"#;
        let body = if path.contains("/p3.13-arm64/") { row } else { "[]" };
        respond(stream, 200, "application/json", body)
    });
    assert_run!("assumed_architecture_of_a_list", server.url(), format!("latest {PLACE}"));
    // There is no note if the architecture was given.
    let output = run(&mut klayers(&url), &format!("latest-arn numpy {PLACE} --arch x86_64"));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("assumed"), "{output:?}");
}

#[test]
fn python_and_architecture_accept_common_aliases() {
    let url = newer().url();
    for (arguments, found) in [
        ("latest-arn requests --region us-east-1 --python python3.13 --arch amd64", true),
        ("latest-arn numpy --region us-east-1 --python python3.13 --arch aarch64", true),
        ("latest-arn numpy --region us-east-1 --python 3.13 --arch armv7l", false),
    ] {
        let output = run(&mut klayers(&url), arguments);
        assert_eq!(output.status.success(), found, "{arguments}: {output:?}");
    }
    for shell in ["bash", "fish", "zsh"] {
        let output = run(&mut klayers(NO_SERVER), &format!("completions {shell}"));
        let script = String::from_utf8(output.stdout).expect("text");
        assert!(script.contains("x86_64") && script.contains("arm64"), "{shell}");
    }
}

#[test]
fn region_comes_from_the_aws_profile_last() {
    let url = newer().url();
    let home = tempfile::tempdir().expect("a folder");
    fs::create_dir(home.path().join(".aws")).expect("a folder");
    let file = "[default]\nregion = eu-west-1\n[profile work]\nregion = us-east-1\n\
                [profile bad]\nregion = mars\n";
    fs::write(home.path().join(".aws/config"), file).expect("written");
    fs::write(home.path().join("other"), "[default]\nregion = us-east-1\n").expect("written");
    let other = home.path().join("other").display().to_string();
    for (variables, code) in [
        (&[("AWS_PROFILE", "work")][..], 0),
        (&[("AWS_CONFIG_FILE", other.as_str())], 0),
        (&[("AWS_PROFILE", "work"), ("AWS_REGION", "eu-west-1")], 1),
        (&[], 1),
        (&[("AWS_PROFILE", "bad")], 2),
        (&[("AWS_PROFILE", "none")], 2),
    ] {
        let mut command = klayers(&url);
        command.env("HOME", home.path()).envs(variables.iter().copied());
        let output = run(&mut command, "latest-arn requests --python 3.13");
        assert_eq!(output.status.code(), Some(code), "{variables:?}: {output:?}");
    }
}

#[test]
fn missing_region_and_python_are_reported_together() {
    assert_run!("no_region_and_no_python", NO_SERVER, "latest-arn requests");
}

#[test]
fn snippet_accepts_several_packages() {
    let server = Server::start(|path, stream| {
        let body = collection(path).unwrap_or_else(|| "[]".to_owned());
        respond(stream, 200, "application/json", &body)
    });
    let url = server.url();
    assert_run!(
        "snippet_of_several",
        url,
        format!("snippet requests Pillow --for terraform {PLACE}")
    );
    let six = "snippet requests requests requests requests requests requests";
    let output = run(&mut klayers(&url), &format!("{six} {PLACE}"));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[cfg(unix)]
#[test]
fn browser_variable_chooses_the_browser() {
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    // The first command in the list does not exist.
    let browser = format!("/no/such/browser:touch {}", seen.display());
    let mut command = klayers(NO_SERVER);
    command.env("BROWSER", browser).current_dir(folder.path());
    // `touch` also gets the address, which it cannot create as a file.
    let output = run(command.env("PATH", "/usr/bin:/bin"), &format!("open {PLACE}"));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    for _ in 0..500 {
        if seen.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    unreachable!("no browser was started");
}

#[cfg(target_os = "linux")]
#[test]
fn unwritable_output_is_an_error() {
    for arguments in [&["--version"][..], &["--help"], &["completions", "bash"]] {
        let full = fs::File::options().write(true).open("/dev/full").expect("a device");
        let mut command: Command = klayers(NO_SERVER);
        let output = command.args(arguments).stdout(Stdio::from(full)).stderr(Stdio::piped());
        let output = output.spawn().expect("it starts").wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("could not write the result"), "{told}");
    }
}

//! Every example runs, against a small collection on loopback.

#[path = "../../klayers-client/tests/support/fixture.rs"]
mod fixture;
#[path = "../../klayers-build/tests/it/support/wheel.rs"]
#[expect(dead_code, reason = "the tests of klayers-build make more kinds of wheels")]
mod wheel;

use std::process::Command;

use crate::fixture::Server;
use crate::wheel::WheelFile;

/// What an example prints.
fn output(program: &str) -> String {
    output_in(program, &[])
}

/// What an example prints with additional environment variables.
fn output_in(program: &str, variables: &[(&str, &str)]) -> String {
    let server = Server::collection();
    let output = Command::new(program)
        .env("KLAYERS_API_URL", server.url())
        .envs(variables.iter().copied())
        .output()
        .expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    assert!(output.status.success(), "{}", text(output.stderr));
    text(output.stdout)
}

#[test]
fn lookup() {
    assert_eq!(
        output(env!("CARGO_BIN_EXE_lookup")),
        "\
requests  arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4
pillow    arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-Pillow:2
reqeusts  no layer of reqeusts for p3.13 in us-east-1; did you mean requests?
"
    );
}

#[test]
fn lookup_blocking() {
    assert_eq!(
        output(env!("CARGO_BIN_EXE_lookup_blocking")),
        "\
arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4  2.32.5  latest
arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:3  2.32.3  until 2026-11-01T02:00:00Z
arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:1  2.31.0  until 2026-03-01T02:00:00Z
"
    );
}

const REQUESTS: &str = "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests";

#[test]
fn pinned() {
    assert_eq!(
        output(env!("CARGO_BIN_EXE_pinned")),
        format!(
            "\
requests==2.32.*  2.32.5 {REQUESTS}:4
requests<2.32     2.31.0 {REQUESTS}:1
requests:3        2.32.3 {REQUESTS}:3
no layer version for p3.13 in us-east-1 is requests>=3; there are 2.32.5, 2.32.3, 2.31.0
"
        )
    );
}

#[test]
fn answers_of_the_server_and_of_the_cache() {
    for program in [env!("CARGO_BIN_EXE_aged"), env!("CARGO_BIN_EXE_patient")] {
        assert_eq!(output(program), format!("{REQUESTS}:4\n"));
    }
    assert_eq!(
        output(env!("CARGO_BIN_EXE_offline")),
        format!("requests  {REQUESTS}:4\npillow    kept: false\n")
    );
}

#[test]
fn many_regions() {
    assert_eq!(
        output(env!("CARGO_BIN_EXE_many_regions")),
        "eu-west-1  0 layers\nus-east-1  3 layers\n"
    );
}

#[test]
fn own_collection() {
    assert_eq!(
        output(env!("CARGO_BIN_EXE_own_collection")),
        format!("770693421928  {REQUESTS}:4\n123456789012  has not published what it lists\n")
    );
}

#[test]
fn in_a_function() {
    let function = [("AWS_REGION", "us-east-1"), ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")];
    assert_eq!(
        output_in(env!("CARGO_BIN_EXE_in_a_function"), &function),
        format!("{REQUESTS}:4\n")
    );
}

#[test]
fn expiring() {
    assert_eq!(
        output(env!("CARGO_BIN_EXE_expiring")),
        format!("2026-03-01T02:00:00Z  {REQUESTS}:1\n2026-11-01T02:00:00Z  {REQUESTS}:3\n")
    );
}

#[test]
fn build_layer() {
    let folder = tempfile::tempdir().expect("a folder");
    let [wheels, out] = ["wheels", "out"].map(|name| folder.path().join(name));
    WheelFile::new("greeting", "1.0").requires("words").file("greeting.py", "").write(&wheels);
    WheelFile::new("words", "2.1").file("words.py", "hello = 'hello'\n").write(&wheels);
    let output = Command::new(env!("CARGO_BIN_EXE_build_layer"))
        .args(["greeting", "p3.13-arm64"])
        .args([&wheels, &out])
        .output()
        .expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    assert!(output.status.success(), "{}", text(output.stderr));
    let printed = text(output.stdout);
    let zip = out.join("Acme-p313-arm64-greeting.zip");
    assert!(printed.starts_with("greeting==1.0\nwords==2.1\n"), "{printed}");
    assert!(printed.ends_with(&format!("{}\n", zip.display())), "{printed}");
    assert!(zip.is_file());
}

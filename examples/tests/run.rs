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
    let server = Server::collection();
    let output =
        Command::new(program).env("KLAYERS_API_URL", server.url()).output().expect("it starts");
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

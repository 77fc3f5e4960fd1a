use klayers_core::{Glibc, Runtimes};

use super::*;

const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn parse(text: &str, target: &str) -> Result<Lock, LockError> {
    let target: Target = target.parse().expect("a target");
    let runtimes = Runtimes::default();
    let runtime = runtimes.get(target.python).expect("a runtime");
    let base = Url::parse("file:///locks/").expect("a URL");
    Lock::parse(text, Some(&base), target, runtime)
}

fn package(name: &str, version: &str, wheels: &[&str]) -> String {
    let wheels: Vec<String> = wheels
        .iter()
        .map(|file| {
            format!(r#"{{ url = "http://index.example/{file}", hashes = {{ sha256 = "{SHA}" }} }}"#)
        })
        .collect();
    format!(
        "[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\nwheels = [{}]\n",
        wheels.join(", ")
    )
}

fn lock(packages: &[String]) -> String {
    format!("lock-version = \"1.0\"\ncreated-by = \"test\"\n{}", packages.concat())
}

fn chosen(lock: &Lock) -> Vec<String> {
    lock.wheels().iter().map(|wheel| wheel.filename.to_string()).collect()
}

#[test]
fn chosen_wheel_is_the_one_installers_choose() {
    let text = lock(&[package(
        "cryptography",
        "50.0.2",
        &[
            "cryptography-50.0.2-cp39-abi3-manylinux_2_34_x86_64.whl",
            "cryptography-50.0.2-cp311-abi3-manylinux_2_28_x86_64.whl",
            "cryptography-50.0.2-cp311-abi3-manylinux_2_34_x86_64.whl",
            "cryptography-50.0.2-cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            "cryptography-50.0.2-cp311-abi3-manylinux_2_34_aarch64.whl",
        ],
    )]);
    let on = |target| chosen(&parse(&text, target).expect("a lock"));
    assert_eq!(on("p3.12"), ["cryptography-50.0.2-cp311-abi3-manylinux_2_34_x86_64.whl"]);
    assert_eq!(on("p3.12-arm64"), ["cryptography-50.0.2-cp311-abi3-manylinux_2_34_aarch64.whl"]);
    assert_eq!(
        on("p3.11"),
        ["cryptography-50.0.2-cp311-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"]
    );
}

#[test]
fn highest_build_number_wins_among_equal_wheels() {
    let text = lock(&[package(
        "a",
        "1",
        &["a-1-2-py3-none-any.whl", "a-1-10-py3-none-any.whl", "a-1-py3-none-any.whl"],
    )]);
    assert_eq!(chosen(&parse(&text, "p3.12").expect("a lock")), ["a-1-10-py3-none-any.whl"]);
}

#[test]
fn markers_are_evaluated_for_lambda() {
    let marked = |name: &str, marker: &str| {
        let wheel = format!("{name}-1-py3-none-any.whl");
        package(name, "1", &[&wheel])
            .replace("version =", &format!("marker = \"{marker}\"\nversion ="))
    };
    let text = lock(&[
        marked("a", "platform_python_implementation != 'PyPy'"),
        marked("b", "sys_platform == 'win32'"),
        marked("c", "python_version < '3.10' or platform_machine == 'aarch64'"),
    ]);
    let names = |target| -> Vec<String> {
        let lock = parse(&text, target).expect("a lock");
        lock.pins().iter().map(|pin| pin.name.to_string()).collect()
    };
    assert_eq!(names("p3.12"), ["a"]);
    assert_eq!(names("p3.12-arm64"), ["a", "c"]);
    assert_eq!(names("p3.9"), ["a", "c"]);
}

#[test]
fn locks_that_cannot_be_verified_are_refused() {
    let fine = package("a", "1", &["a-1-py3-none-any.whl"]);
    let without_hash = fine.replace("sha256", "md5");
    let sdist = format!(
        "[[packages]]\nname = \"a\"\nversion = \"1\"\nsdist = {{ url = \"http://index.example/a-1.tar.gz\", hashes = {{ sha256 = \"{SHA}\" }} }}\n"
    );
    let vcs = "[[packages]]\nname = \"a\"\nvcs = { type = \"git\", url = \"http://index.example/a\", commit-id = \"0\" }\n".to_owned();
    let directory = "[[packages]]\nname = \"a\"\ndirectory = { path = \".\" }\n".to_owned();
    for (text, message) in [
        ("x".to_owned(), "not a pylock.toml"),
        (lock(&[]).replace("1.0", "2.0"), "its lock-version is \"2.0\""),
        (lock(&[]), "it holds no package for p3.12"),
        (lock(&[fine.clone(), fine.clone()]), "package a is locked twice"),
        (lock(&[without_hash]), "wheel a-1-py3-none-any.whl has no SHA-256"),
        (lock(&[fine.replace(SHA, "00")]), "package a: \"00\" is not a SHA-256 digest"),
        (lock(&[sdist]), "package a is locked to a source distribution"),
        (lock(&[vcs]), "package a is locked to a version control repository"),
        (lock(&[directory]), "package a is locked to a directory"),
        (
            lock(&[package("a", "1", &["a-1-cp39-cp39-win_amd64.whl"])]),
            "none of the 1 wheels of a==1 fits p3.12",
        ),
        (
            lock(&[package("a", "1", &["a-2-py3-none-any.whl"])]),
            "wheel a-2-py3-none-any.whl is locked under a==1",
        ),
        (
            lock(&[package("a", "1", &["b-1-py3-none-any.whl"])]),
            "wheel b-1-py3-none-any.whl is locked under a==1",
        ),
        (lock(&[package("a", "1", &["%2e%2e"])]), "package a: \"..\" is not a wheel"),
        (lock(&[fine.replace("http:", "ftp:")]), "wheel"),
        (
            lock(&[fine.replace("version =", "marker = \"nonsense\"\nversion =")]),
            "package a: \"nonsense\"",
        ),
        (lock(&[fine.replace("\"a\"", "\"a b\"")]), "package a b: \"a b\" is not a package name"),
    ] {
        let error = parse(&text, "p3.12").expect_err(&text).to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn the_printed_lock_is_read_back_and_holds_no_secrets() {
    let text = lock(&[
        package("requests", "2.32.5", &["requests-2.32.5-py3-none-any.whl"]),
        package("idna", "3.11", &["idna-3.11-py3-none-any.whl"]),
    ])
    .replace("http://index.example/requests", "https://user:secret@index.example/requests")
    .replace("http://index.example/idna", "file:///home/me/wheels/idna");
    let read = parse(&text, "p3.13-arm64").expect("a lock");
    let printed = read.to_pylock(|wheel| wheel.size.or(Some(7)));
    insta::assert_snapshot!(printed);
    let again = parse(&printed, "p3.13-arm64").expect("a lock");
    assert_eq!(again.wheels_hash(), read.wheels_hash());
    assert_eq!(again.requirements_hash(), read.requirements_hash());
    assert_eq!(again.to_pylock(|wheel| wheel.size), printed);
}

/// A package whose wheel, with this SHA-256, was built here.
fn built(sha256: &str) -> String {
    format!(
        "[[packages]]\nname = \"a\"\nversion = \"1\"\n\
         sdist = {{ name = \"a-1.tar.gz\", url = \"http://user:secret@index.example/a-1.tar.gz\", \
         size = 9, hashes = {{ sha256 = \"{SHA}\" }} }}\n\
         tool = {{ klayers = {{ built = {{ name = \"a-1-py3-none-any.whl\", size = 7, \
         hashes = {{ sha256 = \"{sha256}\" }} }} }} }}\n"
    )
}

#[test]
fn a_wheel_that_was_built_here_is_printed_and_read_back_with_its_source() {
    let read = parse(&lock(&[built(&SHA.replace('e', "f"))]), "p3.12").expect("a lock");
    let source = read.wheels()[0].built_from.clone().expect("it was built");
    assert_eq!(source.filename(), "a-1.tar.gz");
    assert_eq!(source.sha256.to_string(), SHA);
    let printed = read.to_pylock(|wheel| wheel.size);
    insta::assert_snapshot!(printed);
    let again = parse(&printed, "p3.12").expect("a lock");
    assert_eq!(again.to_pylock(|wheel| wheel.size), printed);
    let (one, other) = (&read.wheels()[0], &again.wheels()[0]);
    assert_eq!((&one.filename, one.sha256), (&other.filename, other.sha256));
    // The same source is the same package, whatever bytes the build makes.
    let otherwise = parse(&lock(&[built(SHA)]), "p3.12").expect("a lock");
    assert_eq!(otherwise.wheels_hash(), read.wheels_hash());
}

#[test]
fn the_wheels_hash_depends_on_the_wheels_alone() {
    let one = package("a", "1", &["a-1-py3-none-any.whl"]);
    let moved = one.replace("index.example", "mirror.example");
    let other = one.replace(SHA, &SHA.replace('e', "f"));
    let hash = |package: &String| {
        parse(&lock(std::slice::from_ref(package)), "p3.12").expect("a lock").wheels_hash()
    };
    assert_eq!(hash(&one), hash(&moved));
    assert_ne!(hash(&one), hash(&other));
}

#[test]
fn older_glibc_takes_no_newer_wheel() {
    let target: Target = "p3.12".parse().expect("a target");
    let tags = Tags::new(target, Glibc { major: 2, minor: 17 });
    let newer = "a-1-cp312-cp312-manylinux_2_18_x86_64.whl".parse().expect("a wheel");
    assert_eq!(tags.priority(&newer), None);
}

#[test]
fn slimming_is_recorded_in_the_lock_and_changes_the_wheels_hash() {
    let text = lock(&[package("a", "1", &["a-1-py3-none-any.whl"])]);
    let whole = parse(&text, "p3.12").expect("a lock");
    assert!(!whole.to_pylock(|_| None).contains("[tool"));
    let slimming = Slimming {
        exclude: vec!["**/*.pyi".parse().expect("a pattern")],
        strip: true,
        leave_out: ["Boto3".parse().expect("a name")].into(),
        ..Slimming::default()
    };
    let slim = whole.clone().with_slimming(slimming.clone());
    assert_ne!(slim.wheels_hash(), whole.wheels_hash());
    let printed = slim.to_pylock(|_| None);
    let end = "\n[tool.klayers.slim]\nexclude = [\"**/*.pyi\"]\nstrip = true\n\
         leave_out = [\"Boto3\"]\n";
    assert!(printed.ends_with(end), "{printed}");
    let again = parse(&printed, "p3.12").expect("a lock");
    assert_eq!(*again.slimming(), slimming);
    assert_eq!(again.wheels_hash(), slim.wheels_hash());
    let foreign = printed.replace("klayers.slim", "other");
    assert!(parse(&foreign, "p3.12").expect("a lock").slimming().is_off());
    assert!(parse(&printed.replace("strip", "strap"), "p3.12").is_err());
}

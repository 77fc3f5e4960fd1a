//! `klayers-pipeline build`: from requirements to one zip, at a shell.

use std::fs;

use klayers_core::Digest;
use serde_json::Value;

use crate::support::WheelFile;
use crate::support::command::{Home, uv_is_there};

fn wheels(home: &Home) {
    home.wheels(&[
        WheelFile::new("alpha", "1.0").requires("gamma>=2").file("alpha.py", "import gamma\n"),
        WheelFile::new("beta", "1.5").file("beta.py", "y = 2\n"),
        WheelFile::new("gamma", "1.0").file("gamma.py", "old = True\n"),
        WheelFile::new("gamma", "2.0").file("gamma.py", "old = False\n"),
        WheelFile::new("native", "1.0")
            .tag("cp313-cp313-manylinux_2_28_aarch64")
            .file("native.so", "for arm64"),
        WheelFile::new("native", "1.0")
            .tag("cp313-cp313-manylinux_2_28_x86_64")
            .file("native.so", "for x86_64"),
    ]);
}

const OFFLINE: [&str; 5] = ["--find-links", "wheels", "--no-index", "--out", "out"];

fn build<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["build"], more, &OFFLINE].concat()
}

fn names(zip: &[u8]) -> Vec<String> {
    let archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    archive.file_names().map(|name| name.unwrap().into_owned()).collect()
}

#[test]
fn the_path_the_digest_and_the_sizes_are_printed() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    wheels(&home);
    let arguments = ["alpha", "--python", "3.13", "--bytecode", "off"];
    let done = home.run(&build(&arguments)).ended_with(0);
    assert_eq!(done.stderr, "");
    assert_eq!(home.files("out"), ["Klayers-p313-alpha.zip"]);
    let zip = fs::read(home.path("out/Klayers-p313-alpha.zip")).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&zip)).unwrap();
    let unzipped: u64 = (0..archive.len()).map(|i| archive.by_index(i).unwrap().size()).sum();
    let lines: Vec<&str> = done.stdout.lines().collect();
    let [path, digest, zipped, unpacked] = lines[..] else { panic!("{}", done.stdout) };
    assert_eq!(path, "out/Klayers-p313-alpha.zip");
    assert_eq!(digest, format!("sha256    {}", Digest::of(&zip)));
    assert!(zipped.starts_with(&format!("zipped    {} bytes (", zip.len())), "{zipped}");
    assert!(unpacked.starts_with(&format!("unzipped  {unzipped} bytes (")), "{unpacked}");
    assert!(unpacked.ends_with(&format!(" in {} files", archive.len())), "{unpacked}");
}

#[test]
fn the_result_is_printed_as_json() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    wheels(&home);
    let done = home.run(&build(&["Alpha", "--python", "3.13", "--json"])).ended_with(0);
    let zip = fs::read(home.path("out/Klayers-p313-Alpha.zip")).unwrap();
    let found: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(found["layer"], "Klayers-p313-Alpha");
    assert_eq!(found["target"], "p3.13");
    assert_eq!(found["path"], "out/Klayers-p313-Alpha.zip");
    assert_eq!(found["sha256"], Digest::of(&zip).to_string());
    assert_eq!(found["size"], zip.len());
    assert_eq!(found["files"], names(&zip).len());
    assert_eq!(found["dependencies"], serde_json::json!(["alpha==1.0", "gamma==2.0"]));
    let hash = Digest::of(b"alpha==1.0\ngamma==2.0\n").to_string();
    assert_eq!(found["requirementsHash"], hash);
}

#[test]
fn several_requirements_are_one_zip() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    wheels(&home);
    let wanted = ["beta>=1.5,<2", "gamma<2", "--python", "3.12", "--layer-prefix", "Mine"];
    let done = home.run(&build(&wanted)).ended_with(0);
    assert!(done.stdout.starts_with("out/Mine-p312-beta-gamma.zip\n"), "{}", done.stdout);
    let zip = fs::read(home.path("out/Mine-p312-beta-gamma.zip")).unwrap();
    let python: Vec<String> = names(&zip)
        .into_iter()
        .filter(|name| !name.contains("-info/") && name.starts_with("python/"))
        .collect();
    assert_eq!(python, ["python/beta.py", "python/gamma.py"]);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(zip)).unwrap();
    let gamma = archive.by_name("python/gamma.py").unwrap();
    assert_eq!(std::io::read_to_string(gamma).unwrap(), "old = True\n");
}

#[test]
fn each_architecture_has_its_own_wheel() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    wheels(&home);
    for (arch, layer) in [("arm64", "Klayers-p313-arm64-native"), ("x86_64", "Klayers-p313-native")]
    {
        let wanted = ["native", "--python", "3.13", "--arch", arch];
        home.run(&build(&wanted)).ended_with(0);
        let zip = fs::File::open(home.path(&format!("out/{layer}.zip"))).unwrap();
        let mut archive = zip::ZipArchive::new(zip).unwrap();
        let native = archive.by_name("python/native.so").unwrap();
        assert_eq!(std::io::read_to_string(native).unwrap(), format!("for {arch}"));
    }
}

#[test]
fn another_folder_another_time_and_the_layers_own_lock_give_the_same_bytes() {
    if !uv_is_there() {
        return;
    }
    let zips: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            let home = Home::new();
            wheels(&home);
            home.run(&build(&["alpha", "--python", "3.13"])).ended_with(0);
            fs::read(home.path("out/Klayers-p313-alpha.zip")).unwrap()
        })
        .collect();
    assert_eq!(zips[0], zips[1]);

    let home = Home::new();
    wheels(&home);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&zips[0])).unwrap();
    let lock = archive.by_name("klayers/Klayers-p313-alpha/pylock.toml").unwrap();
    // Its paths are relative to where it lies.
    home.write("wheels/pylock.toml", std::io::read_to_string(lock).unwrap());
    // The lock says it all, so nothing is left to uv.
    home.fake_uv("exit 9");
    let from_lock =
        ["build", "alpha", "--python", "3.13", "--lock", "wheels/pylock.toml", "--out", "out"];
    home.run(&from_lock).ended_with(0);
    let again = fs::read(home.path("out/Klayers-p313-alpha.zip")).unwrap();
    assert_eq!(again, zips[0]);
}

#[test]
fn a_layer_that_is_there_is_replaced_whole() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    wheels(&home);
    home.write("out/Klayers-p313-beta.zip", "what was there before");
    home.run(&build(&["beta", "--python", "3.13"])).ended_with(0);
    assert_eq!(home.files("out"), ["Klayers-p313-beta.zip"]);
    assert!(!names(&fs::read(home.path("out/Klayers-p313-beta.zip")).unwrap()).is_empty());
}

#[test]
fn a_layer_of_many_requirements_can_be_named() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    wheels(&home);
    let wanted = ["alpha", "beta", "--name", "data-tools", "--python", "3.12"];
    let done = home.run(&build(&wanted)).ended_with(0);
    assert!(done.stdout.starts_with("out/Klayers-p312-data-tools.zip\n"), "{}", done.stdout);
    let zip = fs::read(home.path("out/Klayers-p312-data-tools.zip")).unwrap();
    let lock = "klayers/Klayers-p312-data-tools/pylock.toml".to_owned();
    assert!(names(&zip).contains(&lock));
}

#[test]
fn the_settings_of_a_file_count_and_flags_win_over_them() {
    if !uv_is_there() {
        return;
    }
    let home = Home::new();
    wheels(&home);
    home.write(
        "settings/klayers.toml",
        "config_dir = \"config\"\n[publish]\nlayer_prefix = \"Ours\"\n[slim]\n\
         exclude = [\"gamma.py\"]\n[build]\nbytecode = \"off\"\nno_index = true\n\
         find_links = [\"../wheels\"]\n[gate]\nimports = false\n\
         [[runtime]]\npython = \"3.15\"\nos = \"Amazon Linux 2023\"\nglibc = \"2.34\"\n",
    );
    let file = ["build", "alpha", "--config", "settings/klayers.toml", "--out", "out"];
    let done = home.run(&[&file[..], &["--python", "3.15"]].concat()).ended_with(0);
    assert!(done.stdout.starts_with("out/Ours-p315-alpha.zip\n"), "{}", done.stdout);
    let found = names(&fs::read(home.path("out/Ours-p315-alpha.zip")).unwrap());
    assert!(found.contains(&"python/alpha.py".to_owned()), "{found:?}");
    assert!(!found.contains(&"python/gamma.py".to_owned()), "{found:?}");

    // The file says nothing that a flag could not: another prefix, another index.
    let flags = ["--python", "3.13", "--layer-prefix", "Mine"];
    home.run(&[&file[..], &flags].concat()).ended_with(0);
    assert!(home.path("out/Mine-p313-alpha.zip").exists());
    let index = ["--python", "3.13", "--index-url", "http://127.0.0.1:9/simple/"];
    let mut command = home.command(&[&file[..], &index].concat());
    command.env("UV_HTTP_RETRIES", "0");
    let asked = home.finish(command.spawn().unwrap()).ended_with(1);
    assert!(asked.stderr.contains("127.0.0.1:9"), "{}", asked.stderr);
}

#[test]
fn a_file_of_settings_that_is_not_there_is_bad_usage() {
    let home = Home::new();
    let wanted = ["alpha", "--python", "3.13", "--config", "none.toml"];
    home.run(&build(&wanted)).refused(
        2,
        "error: could not read none.toml\n  caused by: No such file or directory (os error 2)\n\
         help: check the path, or create the file\n",
    );
}

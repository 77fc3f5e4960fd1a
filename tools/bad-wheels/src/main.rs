//! `bad-wheels cases FOLDER` writes each case into its own folder, and `cases.json`, which
//! describes them; `tools/wheel-verdicts` runs other installers on them. `bad-wheels seeds FOLDER`
//! writes the seeds of the fuzzer.

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use bad_wheels::{Case, Verdict, cases, seeds};
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let written = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["cases", folder] => write_cases(Path::new(folder)),
        ["seeds", folder] => write_seeds(Path::new(folder)),
        _ => Err(io::Error::other("usage: bad-wheels cases|seeds FOLDER")),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is a command")]
fn report(error: &io::Error) {
    eprintln!("error: {error}");
}

fn write_cases(folder: &Path) -> io::Result<()> {
    let mut list = Vec::new();
    for (index, case) in cases().into_iter().enumerate() {
        let path = format!("{index:03}/{}", case.filename);
        write(&folder.join(&path), &case.bytes)?;
        list.push(describe(&case, &path));
    }
    write(&folder.join("cases.json"), format!("{:#}\n", Value::from(list)).as_bytes())
}

fn describe(case: &Case, path: &str) -> Value {
    let (verdict, because) = match case.verdict {
        Verdict::Accepted => ("accepted", None),
        Verdict::Noticed(notice) => ("noticed", Some(notice)),
        Verdict::Refused(rule) => ("refused", Some(rule)),
    };
    let listed = case.listed.iter().map(|(path, digest)| (path.clone(), digest.to_string().into()));
    json!({
        "number": case.number,
        "name": case.name,
        "path": path,
        "verdict": verdict,
        "because": because,
        "unpacked": case.unpacked,
        "listed": listed.collect::<serde_json::Map<String, Value>>(),
    })
}

fn write_seeds(folder: &Path) -> io::Result<()> {
    for seed in seeds() {
        write(&folder.join(seed.target).join(seed.name), &seed.bytes)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

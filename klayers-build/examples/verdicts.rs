//! `verdicts WHEEL…` says of each wheel whether it is used: `accepted`, `noticed`, `acceptable` (by
//! name) or `refused`, and why. `tools/wheel-verdicts` asks it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use klayers_wheel::{Rule, Wheel, WheelFilename};

fn main() -> ExitCode {
    let wheels: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if wheels.is_empty() {
        report("usage: verdicts WHEEL…");
        return ExitCode::from(2);
    }
    for wheel in wheels {
        print(&verdict(&wheel));
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "this is a command")]
fn print(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "this is a command")]
fn report(line: &str) {
    eprintln!("{line}");
}

/// One line, whatever the wheel's own texts hold.
fn verdict(path: &Path) -> String {
    let filename: WheelFilename =
        match path.file_name().unwrap_or_default().to_string_lossy().parse() {
            Ok(filename) => filename,
            Err(error) => return format!("refused\t{:?}", error.to_string()),
        };
    match Wheel::verify(path, &filename) {
        Ok(wheel) => match wheel.inventory().notices.as_slice() {
            [] => "accepted".to_owned(),
            [notice, ..] => format!("noticed\t{:?}", notice.to_string()),
        },
        Err(error) => {
            let acceptable = matches!(error.rule(), Rule::RecordFaults { .. });
            let verdict = if acceptable { "acceptable" } else { "refused" };
            format!("{verdict}\t{:?}", error.rule().to_string())
        }
    }
}

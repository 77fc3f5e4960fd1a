//! `wheel_verdicts WHEEL…` prints for each wheel whether the pipeline accepts it, and why:
//! `accepted`, `noticed`, `acceptable` (if the package is accepted by name) or `refused`.
//! `tools/wheel-verdicts` runs it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use klayers_wheel::{RuleError, Wheel, WheelFilename};

fn main() -> ExitCode {
    let wheels: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if wheels.is_empty() {
        report("usage: wheel_verdicts WHEEL…");
        return ExitCode::from(2);
    }
    for wheel in wheels {
        print(&verdict(&wheel));
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stdout, reason = "programs print their result")]
fn print(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "programs print their result")]
fn report(line: &str) {
    eprintln!("{line}");
}

/// The verdict in one line. Texts from the wheel are escaped.
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
            let acceptable = matches!(error.rule(), RuleError::RecordFaults { .. });
            let verdict = if acceptable { "acceptable" } else { "refused" };
            format!("{verdict}\t{:?}", error.rule().to_string())
        }
    }
}

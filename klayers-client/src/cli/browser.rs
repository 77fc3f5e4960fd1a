//! Opens an address in a browser.

use std::io;
use std::process::{Command, Stdio};

/// Opens an address with the browser that `BROWSER` names, or else with the system's browser.
///
/// `BROWSER` is a list of commands, as for other tools. The first command that starts is used. `%s` in
/// a command is replaced by the address; without `%s`, the address is appended.
pub(super) fn open(url: &str, browser: Option<&str>) -> io::Result<()> {
    let Some(browsers) = browser else { return open::that_detached(url) };
    let mut failed = None;
    for command in std::env::split_paths(browsers) {
        let command = command.to_string_lossy().into_owned();
        let mut words = words(&command, url).into_iter();
        let Some(program) = words.next() else { continue };
        let started = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(_) => return Ok(()),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::Error::other("BROWSER names no program")))
}

/// The words of a command, with the address.
fn words(command: &str, url: &str) -> Vec<String> {
    let mut words: Vec<String> =
        command.split_whitespace().map(|word| word.replace("%s", url)).collect();
    if !command.contains("%s") && !words.is_empty() {
        words.push(url.to_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_replaces_the_placeholder_or_is_appended() {
        for (command, expected) in [
            ("firefox", &["firefox", "URL"][..]),
            ("firefox --new-tab %s --private", &["firefox", "--new-tab", "URL", "--private"]),
            ("", &[]),
        ] {
            assert_eq!(words(command, "URL"), expected);
        }
    }
}

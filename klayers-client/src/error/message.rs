//! The parts of messages that depend on what is known about an error.

use std::time::Duration;

use klayers_core::{PackageName, PackageVersion};
use reqwest::StatusCode;

use crate::duration::from_now;
use crate::{LayerSpec, WithdrawnVersion};

pub(super) fn through(proxy: Option<&str>) -> String {
    proxy.map(|proxy| format!(" through the proxy {proxy}")).unwrap_or_default()
}

/// Why no layer version is the latest, and what to do.
pub(super) fn no_latest(withdrawn: &[WithdrawnVersion]) -> String {
    match withdrawn {
        [] => "they are deprecated; `klayers versions` lists them and when each will be deleted"
            .to_owned(),
        [newest, ..] => format!("{newest}; name another version, as in package==1.2"),
    }
}

/// Says that the requested version was withdrawn, before the other versions are listed.
pub(super) fn withdrawn_first(withdrawn: &[WithdrawnVersion]) -> String {
    withdrawn.first().map(|newest| format!("{newest}; ")).unwrap_or_default()
}

/// What to do about an offline client that has no cached answer.
pub(super) fn offline_advice(cached: bool) -> &'static str {
    if cached { "" } else { ", and no earlier answer is cached; ask once while online" }
}

/// Lists the versions that exist.
pub(super) fn there_are(spec: &LayerSpec, versions: &[(PackageVersion, u64)]) -> String {
    const MAX_LISTED: usize = 8;
    let mut names: Vec<String> = versions
        .iter()
        .map(|(version, number)| match spec.layer_version() {
            Some(_) => number.to_string(),
            None => version.to_string(),
        })
        .collect();
    names.dedup();
    let more = if names.len() > MAX_LISTED { ", …" } else { "" };
    names.truncate(MAX_LISTED);
    format!("there are {}{more}", names.join(", "))
}

pub(super) fn did_you_mean(suggestions: &[PackageName]) -> String {
    match suggestions {
        [] => "; the list of latest layers shows all packages".to_owned(),
        [name] => format!("; did you mean {name}?"),
        [names @ .., last] => {
            let names: Vec<_> = names.iter().map(PackageName::spelling).collect();
            format!("; did you mean {} or {last}?", names.join(", "))
        }
    }
}

pub(super) fn status_text(status: u16) -> String {
    StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |known| known.to_string())
}

pub(super) fn status_advice(
    status: u16,
    detail: Option<&str>,
    retry_after: Option<Duration>,
) -> String {
    let later = || retry_after.map_or_else(|| "later".to_owned(), from_now);
    let advice = match status {
        401 | 403 => "; check that you are allowed to use it".to_owned(),
        404 | 405 | 410 => "; check that this is the API of a collection".to_owned(),
        407 => "; the proxy requires a user name and a password".to_owned(),
        408 | 429 => format!("; try again {}", later()),
        511 => "; the network requires a login: open a page in a browser".to_owned(),
        500.. => format!("; the server has a fault, try again {}", later()),
        _ => String::new(),
    };
    match detail {
        Some(detail) => format!(" ({detail}){advice}"),
        None => advice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    fn unknown(suggestions: &[&str]) -> Error {
        let names = suggestions.iter().map(|name| name.parse());
        Error::UnknownPackage {
            package: "reqests".parse().expect("a name"),
            region: "eu-west-1".parse().expect("a region"),
            target: "p3.13".parse().expect("a target"),
            suggestions: names.collect::<Result<_, _>>().expect("names"),
        }
    }

    #[test]
    fn unknown_package_message_ends_with_a_question() {
        for (suggestions, end) in [
            (&[][..], "; the list of latest layers shows all packages"),
            (&["requests"], "; did you mean requests?"),
            (&["a", "b"], "; did you mean a or b?"),
            (&["a", "b", "c"], "; did you mean a, b or c?"),
        ] {
            let error = unknown(suggestions);
            assert_eq!(
                error.to_string(),
                format!("no layer of reqests for p3.13 in eu-west-1{end}")
            );
            assert!(error.is_not_found());
        }
    }

    #[test]
    fn status_messages_end_with_advice() {
        for (status, detail, expected) in [
            (404, None, "x answered 404 Not Found; check that this is the API of a collection"),
            (
                503,
                Some("in repair"),
                "x answered 503 Service Unavailable (in repair); the server has a fault, try \
                 again later",
            ),
            (204, None, "x answered 204 No Content"),
            (
                999,
                None,
                "x answered 999 <unknown status code>; the server has a fault, try again later",
            ),
        ] {
            let (url, detail) = ("x".to_owned(), detail.map(str::to_owned));
            let error = Error::Status { url, status, detail, retry_after: None };
            assert_eq!(error.to_string(), expected);
            assert!(!error.is_not_found());
        }
    }

    #[test]
    fn status_messages_show_the_retry_after_time() {
        for (status, seconds, expected) in [
            (429, 3_600, "x answered 429 Too Many Requests; try again in an hour"),
            (
                503,
                30,
                "x answered 503 Service Unavailable; the server has a fault, try again in 30 \
                 seconds",
            ),
        ] {
            let (url, retry_after) = ("x".to_owned(), Some(Duration::from_secs(seconds)));
            let error = Error::Status { url, status, detail: None, retry_after };
            assert_eq!(error.to_string(), expected);
        }
    }
}

//! Hides malformed URLs. They may contain passwords, and no parser can tell where, so such a text is not
//! shown.

use std::borrow::Cow;

/// The part of a malformed URL that is safe to show: a plain host or path completely, otherwise only the
/// scheme.
pub fn hide_url(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    match text.split_once("://") {
        Some((before, _)) if is_before_a_url(before) => format!("{before}://…"),
        _ => "…".to_owned(),
    }
}

/// The part of any malformed text, such as a package name, that is safe to show. A text that looks like
/// a URL or contains a login is hidden as by [`hide_url`].
pub fn hide_secret(text: &str) -> Cow<'_, str> {
    if may_contain_secret(text) { hide_url(text).into() } else { text.into() }
}

/// A message about given texts, with those texts hidden that may contain a secret.
///
/// Texts are found as they are, and as Rust and TOML quote them.
pub fn hide_in_message<'a>(message: &str, given: impl IntoIterator<Item = &'a str>) -> String {
    let mut secret: Vec<&str> = given.into_iter().filter(|text| may_contain_secret(text)).collect();
    // The longest first, since a text may be a part of another.
    secret.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let mut message = message.to_owned();
    for text in secret {
        let shown = hide_url(text);
        message = message.replace(text, &shown);
        message = message.replace(format!("{text:?}").trim_matches('"'), &shown);
    }
    message
}

/// Whether a text looks like a URL, or contains a login like a URL.
pub fn may_contain_secret(text: &str) -> bool {
    let login = text.rsplit_once('@').map(|(login, _)| login);
    text.contains("://") || login.is_some_and(|login| login.contains(':') || login.contains("//"))
}

/// Whether a text is a scheme, possibly after a package name: `requests @ https`.
fn is_before_a_url(text: &str) -> bool {
    let scheme = text.rsplit_once(" @ ").map_or(text, |(_, scheme)| scheme);
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    let name = &text[..text.len() - scheme.len()];
    scheme.chars().all(is_name) && name.trim_end_matches(" @ ").chars().all(is_name)
}

/// Whether a text is a host or a path, possibly with a port, and cannot contain a login.
fn is_plain(text: &str) -> bool {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    host.chars().all(is_part) && port.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_urls_are_shown_without_secrets() {
        for (text, expected) in [
            ("api.klayers.cloud", "api.klayers.cloud"),
            ("localhost:8080", "localhost:8080"),
            ("", ""),
            ("https://user:secret@host:port/simple", "https://…"),
            ("https://user:se cr@et@host", "https://…"),
            ("https//user:secret@host", "…"),
            ("user:secret@host", "…"),
            ("user:secret", "…"),
            ("ht tp://user:secret@host", "…"),
            ("host?token=secret", "…"),
            ("requests @ https://user:secret@host:x/", "requests @ https://…"),
            ("secret@https://host:x/", "…"),
        ] {
            assert_eq!(hide_url(text), expected, "{text}");
        }
    }

    #[test]
    fn messages_hide_texts_that_may_contain_secrets() {
        let secret = "https://me:se\"cr'et@host:port/";
        let given = [secret, "se", "me:x@host", "requests@2.0"];
        for (message, expected) in [
            (
                format!("invalid value '{secret}' for requests@2.0"),
                "invalid value 'https://…' for requests@2.0",
            ),
            (format!("{secret:?} is no name"), "\"https://…\" is no name"),
            ("read me:x@host".to_owned(), "read …"),
        ] {
            assert_eq!(hide_in_message(&message, given), expected);
        }
    }
}

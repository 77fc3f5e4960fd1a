//! Removes secrets from URLs and texts. A user name, a password, a query or a fragment may give
//! access to a server, so none of them is stored or shown.

use klayers_core::secrets;
use url::Url;

/// Returns a URL without the parts that may be secret, as it may appear in locks, SBOMs, errors and
/// logs.
pub(crate) fn public(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for URLs without host, which cannot have a login either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Replaces the parts of URLs that may be secret by `…` in the output of another program.
pub fn redacted(text: &str) -> String {
    let mut parts = text.split("://");
    let mut redacted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_end = |character: char| character.is_whitespace() || "\"'`<>".contains(character);
        let (url, rest) = part.split_at(part.find(is_end).unwrap_or(part.len()));
        let (place, more) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
        redacted.push_str("://");
        match place.rsplit_once('@') {
            Some((_, place)) => redacted.extend(["…@", place]),
            None => redacted.push_str(place),
        }
        if !more.is_empty() {
            redacted.push_str(&more[..1]);
            redacted.push('…');
        }
        redacted.push_str(rest);
    }
    without_logins(&redacted)
}

/// Removes logins of URLs without scheme: `user:password@host`.
fn without_logins(text: &str) -> String {
    let is_end = |character: char| character.is_whitespace() || "\"'`<>(),".contains(character);
    let parts = text.split_inclusive(is_end).map(|part| {
        let (word, end) = part.split_at(part.trim_end_matches(is_end).len());
        match word.rsplit_once('@') {
            Some((login, host)) if login.contains(':') && !login.contains("://") => {
                format!("…@{host}{end}")
            }
            _ => part.to_owned(),
        }
    });
    parts.collect()
}

/// An error in a TOML text, with its position. The parser's own message shows the line, which may
/// hold a password; this one only gives line and column, and hides URLs and values.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TomlError(String);

impl TomlError {
    /// Wraps the parser's error about this text.
    pub fn new(error: &toml::de::Error, text: &str) -> Self {
        let table: toml::Table = text.parse().unwrap_or_default();
        let mut given = Vec::new();
        add_table(&table, &mut given);
        let message = redacted(&secrets::hide_in_message(error.message(), given));
        let before = error.span().and_then(|span| text.get(..span.start));
        let place = before.map(|before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!(" at line {line}, column {column}")
        });
        Self(format!("TOML parse error{}\n{message}", place.unwrap_or_default()))
    }
}

/// Collects the strings and keys of a table.
fn add_table<'v>(table: &'v toml::Table, texts: &mut Vec<&'v str>) {
    for (key, value) in table {
        texts.push(key);
        add_texts(value, texts);
    }
}

fn add_texts<'v>(value: &'v toml::Value, texts: &mut Vec<&'v str>) {
    match value {
        toml::Value::String(text) => texts.push(text),
        toml::Value::Array(values) => values.iter().for_each(|value| add_texts(value, texts)),
        toml::Value::Table(table) => add_table(table, texts),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_url_has_no_secrets() {
        let url = "https://user:secret@index.example/a/b.whl?token=secret#secret";
        let url: Url = url.parse().expect("a URL");
        assert_eq!(public(&url).as_str(), "https://index.example/a/b.whl");
    }

    #[test]
    fn secrets_of_urls_in_a_text_are_redacted() {
        for (text, expected) in [
            ("no URL: a@b?c", "no URL: a@b?c"),
            (
                "Failed to fetch: `https://u:secret@index.example/a?sig=secret#x` (404)",
                "Failed to fetch: `https://…@index.example/a?…` (404)",
            ),
            ("for url (http://h/x?secret)", "for url (http://h/x?…"),
            ("http://h/x#secret, http://h/y", "http://h/x#… http://h/y"),
            ("url = \"https://h/a?secret\"\n      ^^^", "url = \"https://h/a?…\"\n      ^^^"),
            ("https://user:se/cr@et@index.example/a", "https://…@index.example/a"),
            ("git+https://token@h/x.git", "git+https://…@h/x.git"),
            ("https://", "https://"),
            ("'user:secret@index.example/a' is none", "'…@index.example/a' is none"),
            ("read /a/https//user:secret@index.example/a", "read …@index.example/a"),
            ("a==1 @ b, me@index.example", "a==1 @ b, me@index.example"),
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}

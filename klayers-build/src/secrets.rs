//! What may be shown of URLs. A user name, a password, a query or a fragment can open a server to
//! whoever reads them, so none of them is written down or shown.

use url::Url;

/// A URL without what may be secret in it: as it may stand in locks, SBOMs, errors and logs.
pub(crate) fn public(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only for URLs that have no host, which cannot have a login either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// The text of another program, with what may be secret in the URLs of it replaced by `…`.
pub(crate) fn redacted(text: &str) -> String {
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
    redacted
}

/// What a parser of TOML says, without what may be secret in the lines that it shows.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TomlError(String);

impl From<toml::de::Error> for TomlError {
    fn from(error: toml::de::Error) -> Self {
        Self(redacted(&error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_left_of_a_url() {
        let url = "https://user:secret@index.example/a/b.whl?token=secret#secret";
        let url: Url = url.parse().expect("a URL");
        assert_eq!(public(&url).as_str(), "https://index.example/a/b.whl");
    }

    #[test]
    fn nothing_secret_is_left_of_the_urls_in_a_text() {
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
        ] {
            assert_eq!(redacted(text), expected);
        }
    }
}

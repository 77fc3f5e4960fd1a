//! Addresses and texts of servers, as messages show them.

use klayers_core::terminal::one_line;
use url::Url;

/// An address without the user name and the password that it may hold.
pub(crate) fn without_login(url: &Url) -> String {
    let mut url = url.clone();
    // Both calls fail only for addresses without a host, which hold no login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// A text that a server sent, safe to print: one line of at most 200 characters, without control
/// characters.
pub(crate) fn server_text(text: &str) -> String {
    const MAX_CHARACTERS: usize = 200;
    let mut shown: String = one_line(text).chars().take(MAX_CHARACTERS).collect();
    if text.chars().nth(MAX_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_server_texts_are_truncated() {
        assert_eq!(server_text(&"x".repeat(200)).chars().count(), 200);
        assert!(server_text(&"x".repeat(201)).ends_with("x…"));
    }

    #[test]
    fn addresses_are_shown_without_login() {
        let url = "https://me:secret@layers.example/api".parse().expect("a URL");
        assert_eq!(without_login(&url), "https://layers.example/api");
    }
}

//! Makes texts from others safe to print on a terminal.

use std::borrow::Cow;

/// The text on one line. Control characters, and characters that change the direction of writing, are
/// replaced with spaces.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_control) {
        let shown = |character| if is_control(character) { ' ' } else { character };
        Cow::Owned(text.chars().map(shown).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Like [`one_line`], but keeps line breaks and tabs, for our own texts of several lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    let is_control = |character| is_control(character) && !matches!(character, '\n' | '\t');
    if text.chars().any(is_control) {
        let shown = |character| if is_control(character) { ' ' } else { character };
        Cow::Owned(text.chars().map(shown).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// An error with its causes on one line: `could not read a.zip: permission denied`.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    // Texts of other programs have several lines, and indent them.
    texts.join(": ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a terminal may interpret a character instead of printing it: control characters (including
/// U+0080 to U+009F, some of which begin escape sequences), line separators, and characters that change
/// the [direction of writing](https://www.unicode.org/reports/tr9/).
pub fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_removes_control_characters() {
        for (text, expected) in [
            ("MIT", "MIT"),
            ("naïve 東京 …", "naïve 東京 …"),
            ("a\u{1b}[31mb", "a [31mb"),
            ("a\u{9b}31mb\u{7f}", "a 31mb "),
            ("line\r\nerror: forged\tcell", "line  error: forged cell"),
            ("a\u{202e}b\u{2028}c\u{2066}", "a b c "),
        ] {
            assert_eq!(one_line(text), expected, "{text:?}");
        }
    }

    #[test]
    fn lines_keeps_line_breaks_and_tabs() {
        assert_eq!(lines("a\u{1b}[2J\n\tb\r\n"), "a [2J\n\tb \n");
    }
}

//! Texts that others wrote, made fit for a terminal.

use std::borrow::Cow;

/// A text on one line, without anything that a terminal would obey: control characters and those
/// that change the direction of writing become spaces.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_obeyed) {
        let shown = |character| if is_obeyed(character) { ' ' } else { character };
        Cow::Owned(text.chars().map(shown).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The same, with its line breaks and tabs, for a text of several lines that is ours.
pub fn lines(text: &str) -> Cow<'_, str> {
    let is_obeyed = |character| is_obeyed(character) && !matches!(character, '\n' | '\t');
    if text.chars().any(is_obeyed) {
        let shown = |character| if is_obeyed(character) { ' ' } else { character };
        Cow::Owned(text.chars().map(shown).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Whether a terminal may take a character for more than a part of a text. Besides control
/// characters (of which U+0080 to U+009F begin escape sequences, too), these separate lines or
/// change the [direction of writing](https://www.unicode.org/reports/tr9/).
pub fn is_obeyed(character: char) -> bool {
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
    fn nothing_that_a_terminal_obeys_is_left() {
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
    fn lines_stay_lines() {
        assert_eq!(lines("a\u{1b}[2J\n\tb\r\n"), "a [2J\n\tb \n");
    }
}

//! Wraps lines to a limited width.

/// Minimum length of a shortened word, in characters.
const SHORTEST: usize = 32;
/// Number of characters by which such a word is shortened at a time.
const SHRINK: usize = 4;

/// Wraps a line between words, so that no row is wider than `width` columns unless a word is.
/// Further rows are indented by `indent` columns. A flag and its value stay together. Without a
/// width the line stays unchanged.
pub(super) fn wrapped(line: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| line.chars().count() > *width) else {
        return line.to_owned();
    };
    // The words of the line; the first keeps its indentation.
    let start = line.len() - line.trim_start().len();
    let mut text = line[..start].to_owned();
    let mut column = start;
    let mut is_first = true;
    for word in words(&line[start..]) {
        let length = word.chars().count();
        if is_first {
            is_first = false;
        } else if column + 1 + length > width {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(&word);
        column += length;
    }
    text
}

/// Like [`wrapped`], but also breaks words that are wider than the width.
pub(super) fn broken(line: &str, indent: usize, width: usize) -> Vec<String> {
    let rows = wrapped(line, indent, Some(width));
    let rows = rows.lines().flat_map(|row| {
        let characters: Vec<char> = row.chars().collect();
        let parts = characters.chunks(width.max(1)).map(|part| part.iter().collect::<String>());
        parts.collect::<Vec<_>>()
    });
    rows.collect()
}

/// Returns the rows of a line that needs more than `most`. If that saves rows, its longest word,
/// usually a file name, is shortened to its beginning and its end.
pub(super) fn elided(line: &str, indent: usize, width: usize, most: usize) -> Vec<String> {
    let length = |text: &str| text.chars().count();
    let longest = line.split(' ').max_by_key(|word| length(word)).unwrap_or_default();
    let mut rows = broken(line, indent, width);
    // A word is not wider than a row.
    let mut room = width.saturating_sub(indent).min(length(longest));
    while rows.len() > most && room > SHORTEST {
        room = (room - SHRINK).max(SHORTEST);
        let head: String = longest.chars().take(room / 2).collect();
        let tail: String = longest.chars().skip(length(longest) - (room - room / 2 - 1)).collect();
        rows = broken(&line.replacen(longest, &format!("{head}…{tail}"), 1), indent, width);
    }
    rows
}

/// Whether a word stays with the next one.
fn is_bound(word: &str) -> bool {
    matches!(word, "error:" | "help:") || (word.starts_with("--") && !word.contains(' '))
}

/// The words of a line. A flag such as `--allow-sdist` and its value count as one word, and so does
/// the start of a message.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match words.last_mut() {
            Some(first) if is_bound(first) => {
                first.push(' ');
                first.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_shortened_in_the_middle() {
        let line = format!("wheel {}-{}.whl cannot be used", "a".repeat(50), "b".repeat(50));
        assert_eq!(
            elided(&line, 2, 60, 1),
            [format!("wheel {}…{}.whl cannot be used", "a".repeat(19), "b".repeat(14))]
        );
        assert_eq!(elided("a b", 2, 60, 1), ["a b"]);
        // A word of moderate length stays, and the caller handles text that does not fit.
        assert_eq!(elided("some words and more", 0, 10, 1), ["some words", "and more"]);
    }

    #[test]
    fn lines_are_wrapped_between_words() {
        let line = "  a bb ccc dddd eeeeeeeeeeeeeeee f";
        assert_eq!(wrapped(line, 4, None), line);
        assert_eq!(wrapped(line, 4, Some(34)), line);
        assert_eq!(wrapped("allow it: --flag value", 2, Some(18)), "allow it:\n  --flag value");
        assert_eq!(wrapped(line, 4, Some(10)), "  a bb ccc\n    dddd\n    eeeeeeeeeeeeeeee\n    f");
    }
}

//! Lines of a limited width.

/// Breaks a line between words, so that no line is wider than `width` columns unless a word is.
/// Further lines are indented by `indent` columns. A flag and its value stay together. Without a
/// width the line stays as it is.
pub(super) fn wrapped(line: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| line.chars().count() > *width) else {
        return line.to_owned();
    };
    // The words of the line, the first with what it is indented by.
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

/// The words of a line; a flag such as `--allow-sdist` and the word behind it are one.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        match words.last_mut() {
            Some(flag) if flag.starts_with("--") && !flag.contains(' ') => {
                flag.push(' ');
                flag.push_str(word);
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
    fn lines_are_broken_between_words_and_no_word_is_cut() {
        let line = "  a bb ccc dddd eeeeeeeeeeeeeeee f";
        assert_eq!(wrapped(line, 4, None), line);
        assert_eq!(wrapped(line, 4, Some(34)), line);
        assert_eq!(wrapped("allow it: --flag value", 2, Some(18)), "allow it:\n  --flag value");
        assert_eq!(wrapped(line, 4, Some(10)), "  a bb ccc\n    dddd\n    eeeeeeeeeeeeeeee\n    f");
    }
}

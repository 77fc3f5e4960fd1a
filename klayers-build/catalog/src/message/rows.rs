//! The rows that a message takes on a terminal. No message takes more than five, whatever it says;
//! what to do always stands last, and whole.

use super::wrap::{elided, wrapped};
use super::{Message, Shape};

/// How many rows a message takes at most, unless all of it is to be shown.
pub const ROWS: usize = 5;
/// How many of them say what to do, at most. One help that needs more may have one more.
const HELP_ROWS: usize = 3;
/// How many characters of a paragraph are shown where the width of the terminal is not known.
const LONGEST: usize = 400;
/// How far details, and the further rows of other paragraphs, are indented.
const INDENT: usize = 2;
/// What is said of what is not shown.
const MORE: &str = "… (all of it: --verbose)";

/// A text that may be broken into several rows.
struct Paragraph {
    text: String,
    /// How far its further rows are indented.
    indent: usize,
}

impl Paragraph {
    fn headline(text: &str) -> Self {
        Self { text: format!("error: {text}"), indent: INDENT }
    }

    fn detail(text: &str) -> Self {
        Self { text: format!("{:INDENT$}{text}", ""), indent: 2 * INDENT }
    }

    fn rows(&self, width: Option<usize>) -> Vec<String> {
        wrapped(&self.text, self.indent, width).lines().map(str::to_owned).collect()
    }
}

/// The text of a message below its headline.
pub(super) fn rendered(headline: &str, message: &Message, shape: Shape) -> String {
    let Shape { width, whole } = shape;
    let headline = [Paragraph::headline(headline)];
    let details: Vec<Paragraph> =
        message.details.iter().map(|detail| Paragraph::detail(detail)).collect();
    if whole {
        let said = headline.iter().chain(&details).flat_map(|paragraph| paragraph.rows(width));
        let help = message.help.iter().flat_map(|help| help_rows(help, width));
        return said.chain(help).collect::<Vec<_>>().join("\n");
    }
    let help = all_help_rows(&message.help, width);
    let room = ROWS.saturating_sub(rows_on_terminal(&help, width)).max(1);
    let for_details = usize::from(!details.is_empty() && room > 1);
    let (mut rows, headline_is_whole) = fitted(&headline, room - for_details, width);
    let left = room.saturating_sub(rows_on_terminal(&rows, width));
    let (shown, details_are_whole) = fitted(&details, left, width);
    rows.extend(shown);
    if !(headline_is_whole && details_are_whole)
        && let Some(last) = rows.last_mut()
    {
        *last = with_more(last, width);
    }
    rows.extend(help);
    rows.join("\n")
}

/// The rows of one help. A setting has a row of its own, to be copied.
fn help_rows(help: &str, width: Option<usize>) -> Vec<String> {
    let lines = format!("help: {help}");
    let rows = lines.lines().flat_map(|line| {
        wrapped(line, INDENT, width).lines().map(str::to_owned).collect::<Vec<_>>()
    });
    rows.collect()
}

/// The rows of the first helps, as many as there is room for.
fn all_help_rows(help: &[String], width: Option<usize>) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for help in help {
        let mut more = help_rows(help, width);
        if rows.is_empty() {
            // The first is told in any case.
            while rows_on_terminal(&more, width) >= ROWS && more.len() > 1 {
                more.pop();
                if let (Some(last), Some(width)) = (more.last_mut(), width) {
                    *last = cut(last, width, "…");
                }
            }
        } else if rows_on_terminal(&rows, width) + rows_on_terminal(&more, width) > HELP_ROWS {
            break;
        }
        rows.extend(more);
    }
    rows
}

/// How many rows a terminal needs for these: one breaks what is too wide for it.
fn rows_on_terminal(rows: &[String], width: Option<usize>) -> usize {
    let count = |row: &String| width.map_or(1, |width| row.chars().count().div_ceil(width).max(1));
    rows.iter().map(count).sum()
}

/// As much of the paragraphs as `room` rows hold, and whether that is all. Each paragraph gets a
/// row, then the first ones get what they need beyond that.
fn fitted(paragraphs: &[Paragraph], room: usize, width: Option<usize>) -> (Vec<String>, bool) {
    let shown = &paragraphs[..paragraphs.len().min(room)];
    let mut is_whole = shown.len() == paragraphs.len();
    let mut spare = room - shown.len();
    let mut rows = Vec::new();
    for paragraph in shown {
        let mut of_paragraph = paragraph.rows(width);
        let most = 1 + spare;
        let overflows = |rows: &[String]| rows.len() > most || rows_on_terminal(rows, width) > most;
        if let Some(width) = width
            && overflows(&of_paragraph)
        {
            of_paragraph = elided(&paragraph.text, paragraph.indent, width, most);
            if of_paragraph.len() > most {
                of_paragraph.truncate(most);
                if let Some(last) = of_paragraph.last_mut() {
                    *last = cut(last, width, "…");
                }
                is_whole = false;
            }
        } else if width.is_none() && paragraph.text.chars().count() > LONGEST {
            of_paragraph = vec![cut(&paragraph.text, LONGEST, "…")];
            is_whole = false;
        }
        spare -= rows_on_terminal(&of_paragraph, width) - 1;
        rows.extend(of_paragraph);
    }
    (rows, is_whole)
}

/// A row that says that there is more.
fn with_more(row: &str, width: Option<usize>) -> String {
    let row = row.trim_end_matches('…').trim_end();
    let width = width.unwrap_or(usize::MAX);
    let separator = if row.trim().is_empty() { "  " } else { " " };
    cut(row, width, &format!("{separator}{MORE}"))
}

/// A row and an ending, with so little of the row left out that both fit.
fn cut(row: &str, width: usize, ending: &str) -> String {
    let room = width.saturating_sub(ending.chars().count());
    let kept: String = row.chars().take(room).collect();
    format!("{}{ending}", kept.trim_end_matches([' ', '…']))
}

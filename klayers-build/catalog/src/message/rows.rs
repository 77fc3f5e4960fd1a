//! Fits a message into the rows of a terminal: at most five. The advice always comes last and is
//! complete.

use super::wrap::{elided, wrapped};
use super::{Message, Shape};

/// Maximum number of rows of a message, unless all of it is to be shown.
pub const ROWS: usize = 5;
/// Maximum number of rows for advice. A single long help may take one more.
const HELP_ROWS: usize = 3;
/// Number of characters to show of a paragraph if the width of the terminal is unknown.
const LONGEST: usize = 400;
/// Indentation of details, and of wrapped rows of other paragraphs.
const INDENT: usize = 2;
/// Marks omitted text.
const MORE: &str = "… (all of it: --verbose)";

/// A text that may be wrapped into several rows.
struct Paragraph {
    text: String,
    /// Indentation of wrapped rows.
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

/// Renders a message below its headline.
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

/// The rows of one help. A setting gets its own row, so that it can be copied.
fn help_rows(help: &str, width: Option<usize>) -> Vec<String> {
    let lines = format!("help: {help}");
    let rows = lines.lines().flat_map(|line| {
        wrapped(line, INDENT, width).lines().map(str::to_owned).collect::<Vec<_>>()
    });
    rows.collect()
}

/// The rows of as many helps as there is room for.
fn all_help_rows(help: &[String], width: Option<usize>) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for help in help {
        let mut more = help_rows(help, width);
        if rows.is_empty() {
            // The first help is always shown.
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

/// Number of rows that a terminal needs, because it wraps long rows.
fn rows_on_terminal(rows: &[String], width: Option<usize>) -> usize {
    let count = |row: &String| width.map_or(1, |width| row.chars().count().div_ceil(width).max(1));
    rows.iter().map(count).sum()
}

/// Returns as much of the paragraphs as fits in `room` rows, and whether that is everything. Each
/// paragraph gets one row first, then earlier paragraphs get the rows they need.
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

/// A row marked as having more text.
fn with_more(row: &str, width: Option<usize>) -> String {
    let row = row.trim_end_matches('…').trim_end();
    let width = width.unwrap_or(usize::MAX);
    let separator = if row.trim().is_empty() { "  " } else { " " };
    cut(row, width, &format!("{separator}{MORE}"))
}

/// Shortens a row so that it fits together with an ending.
fn cut(row: &str, width: usize, ending: &str) -> String {
    let room = width.saturating_sub(ending.chars().count());
    let kept: String = row.chars().take(room).collect();
    format!("{}{ending}", kept.trim_end_matches([' ', '…']))
}

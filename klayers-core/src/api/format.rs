use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use super::LatestRow;
use crate::{ParseError, Region, Target};

/// The format of a list of latest layers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Format {
    /// An array of objects.
    #[default]
    Json,
    /// Comma-separated values as in RFC 4180, with a header.
    Csv,
    /// An HTML page with a table.
    Html,
}

impl Format {
    /// The media type, for the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

impl FromStr for Format {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            "html" => Ok(Self::Html),
            _ => Err(ParseError::new(text, "a format", "json, csv or html expected")),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Html => "html",
        })
    }
}

/// The list as CSV with the header `Package,Package Version,arn`. Lines end with CR and LF.
///
/// A value that a spreadsheet would interpret as a formula is prefixed with `'`.
pub fn latest_csv(rows: &[LatestRow]) -> String {
    let mut csv = String::from("Package,Package Version,arn\r\n");
    for row in rows {
        let cells = [row.package.to_string(), row.package_version.to_string(), row.arn.to_string()];
        csv.push_str(&cells.map(|cell| csv_cell(&cell)).join(","));
        csv.push_str("\r\n");
    }
    csv
}

fn csv_cell(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let value = if formula { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}

/// The list as an HTML page. Its table has the same three columns as the CSV.
pub fn latest_html(target: Target, region: &Region, rows: &[LatestRow]) -> String {
    let title = format!("Klayers for {target} in {region}");
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <title>{title}</title>\n</head>\n<body>\n<table>\n<caption>{title}</caption>\n\
         <thead>\n<tr><th scope=\"col\">Package</th><th scope=\"col\">Package Version</th>\
         <th scope=\"col\">arn</th></tr>\n</thead>\n<tbody>\n",
        title = html_text(&title),
    );
    for LatestRow { package, package_version, arn, .. } in rows {
        let cells = [package.to_string(), package_version.to_string(), arn.to_string()];
        let [package, version, arn] = cells.map(|cell| html_text(&cell));
        let _ = writeln!(html, "<tr><td>{package}</td><td>{version}</td><td>{arn}</td></tr>");
    }
    html.push_str("</tbody>\n</table>\n</body>\n</html>\n");
    html
}

fn html_text(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows() -> Vec<LatestRow> {
        serde_json::from_str(
            r#"[
                {"package": "Pillow", "packageVersion": "12.0.0",
                 "arn": "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-Pillow:3"},
                {"package": "requests", "packageVersion": "2.32.5",
                 "arn": "arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-requests:18"}
            ]"#,
        )
        .expect("rows")
    }

    #[test]
    fn csv_has_a_header_and_crlf() {
        assert_eq!(
            latest_csv(&rows()),
            "Package,Package Version,arn\r\n\
             Pillow,12.0.0,arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-Pillow:3\r\n\
             requests,2.32.5,arn:aws:lambda:eu-west-1:770693421928:layer:Klayers-p312-requests:18\r\n"
        );
    }

    #[test]
    fn html_is_a_page_with_the_same_columns() {
        let target = "p3.12".parse().expect("a target");
        let region = "eu-west-1".parse().expect("a region");
        insta::assert_snapshot!(latest_html(target, &region, &rows()));
    }

    #[test]
    fn cells_cannot_become_formulas_or_markup() {
        for (value, cell) in [
            ("=cmd|'/c calc'!A0", "'=cmd|'/c calc'!A0"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "\"'\r=1\""),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("plain", "plain"),
        ] {
            assert_eq!(csv_cell(value), cell);
        }
        assert_eq!(html_text("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }

    proptest! {
        #[test]
        fn csv_readers_recover_every_cell(value in ".*") {
            let line = format!("first,{}\r\n", csv_cell(&value));
            let mut reader =
                csv::ReaderBuilder::new().has_headers(false).from_reader(line.as_bytes());
            let record = reader.records().next().expect("a record").expect("readable");
            let escaped = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
            let expected = if escaped { format!("'{value}") } else { value };
            prop_assert_eq!(&record[1], expected);
        }

        #[test]
        fn formats_parse_what_they_print(format in prop_oneof![Just(Format::Json), Just(Format::Csv), Just(Format::Html)]) {
            prop_assert_eq!(format.to_string().parse(), Ok(format));
        }
    }
}

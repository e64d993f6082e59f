//! Text and tables of a page.

use std::fmt::Write as _;

/// Text as it may stand in a page: names of instances and messages come from outside.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A table of text; the first cell of each row is its heading.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = String::from("<table>");
    out.push_str(&heading(head));
    out.push_str("<tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let _ = match at {
                0 => write!(out, "<th scope=\"row\">{}</th>", escape(cell)),
                _ => write!(out, "<td>{}</td>", escape(cell)),
            };
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    out
}

/// The heading of a table; none where no column has a name.
fn heading(head: &[&str]) -> String {
    if head.iter().all(|cell| cell.is_empty()) {
        return String::new();
    }
    let cells: Vec<String> = head.iter().map(|cell| format!("<th scope=\"col\">{}</th>", escape(cell))).collect();
    format!("<thead><tr>{}</tr></thead>", cells.concat())
}

/// A wide table in a frame of its own, which scrolls on a narrow screen, by keyboard too.
pub fn framed(name: &str, table: &str) -> String {
    format!(
        "<h2>{0}</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\">{table}</div>",
        escape(name)
    )
}

/// A table with a bar for a share (0 to 1) in each row's second cell.
pub fn bars(head: &[&str], rows: &[(String, f64, Vec<String>)]) -> String {
    let mut out = format!("<table>{}<tbody>", heading(head));
    for (name, share, cells) in rows {
        let percent = (share * 100.0).clamp(0.0, 100.0);
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"track\"><span class=\"share\" style=\"width:{percent:.2}%\"></span></td>",
            escape(name)
        );
        for cell in cells {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(escape("<b a='1'>&\u{1b}\""), "&lt;b a=&#39;1&#39;&gt;&amp;\u{fffd}&quot;");
        let table = table(&["<"], &[vec!["<script>".to_owned(), "</td>".to_owned()]]);
        assert!(!table.contains("<script>") && table.contains("&lt;/td&gt;"));
        assert!(!bars(&["a"], &[("<i>".to_owned(), 7.0, vec![])]).contains("<i>"));
    }
}

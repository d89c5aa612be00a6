//! Markdown to HTML for pages. Raw HTML is shown as text, whoever wrote it; only the folding that reviews use works.

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options};

/// Text of a course. The page shows its title itself: a heading of the first level at the start is left out.
pub fn document(markdown: &str) -> String {
    render(without_title(markdown), Breaks::Soft)
}

/// A review or a comment: a line end is one, as on other forges.
pub fn comment(markdown: &str) -> String {
    render(markdown, Breaks::Hard)
}

/// A sentence with code spans, as titles are.
pub fn inline(markdown: &str) -> String {
    let html = render(markdown, Breaks::Soft);
    let html = html.trim();
    html.strip_prefix("<p>").and_then(|rest| rest.strip_suffix("</p>")).unwrap_or(html).to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breaks {
    Soft,
    Hard,
}

fn render(markdown: &str, breaks: Breaks) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.extension.autolink = true;
    options.render.hardbreaks = breaks == Breaks::Hard;
    options.render.escape = true;
    let arena = Arena::new();
    let root = comrak::parse_document(&arena, markdown, &options);
    for node in root.descendants() {
        unfold(node);
    }
    if breaks == Breaks::Hard {
        feet(&arena, root);
    }
    let mut html = String::new();
    match comrak::format_html(root, &options, &mut html) {
        Ok(()) => html,
        Err(_) => String::new(),
    }
}

/// Lets the two lines through with which a review folds a part.
fn unfold<'a>(node: &'a AstNode<'a>) {
    let mut data = node.data.borrow_mut();
    let NodeValue::HtmlBlock(block) = &data.value else { return };
    let text = block.literal.trim_end();
    let summary = text.strip_prefix("<details><summary>").and_then(|rest| rest.strip_suffix("</summary>"));
    let ours = match summary {
        Some(summary) => summary.chars().all(|c| c.is_alphanumeric() || " :,".contains(c)),
        None => text == "</details>",
    };
    if ours {
        data.value = NodeValue::Raw(format!("{text}\n"));
    }
}

/// Marks what stands below a rule, up to the next heading: each task of a review has a foot of its own.
fn feet<'a>(arena: &'a Arena<'a>, root: &'a AstNode<'a>) {
    let raw = |html: &str| arena.alloc(NodeValue::Raw(html.to_owned()).into());
    let mut open = false;
    for node in root.children().collect::<Vec<_>>() {
        let is_rule = matches!(node.data.borrow().value, NodeValue::ThematicBreak);
        let is_heading = matches!(node.data.borrow().value, NodeValue::Heading(_));
        if open && (is_rule || is_heading) {
            node.insert_before(raw("</div>\n"));
            open = false;
        }
        if is_rule {
            node.insert_after(raw("<div class=\"below\">\n"));
            open = true;
        }
    }
    if open {
        root.append(raw("</div>\n"));
    }
}

/// Without the heading that the page shows itself.
fn without_title(markdown: &str) -> &str {
    let text = markdown.trim_start_matches('\u{feff}').trim_start();
    match text.strip_prefix("# ") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_of_anybody_is_text() {
        let html = comment("<script>alert(1)</script>\n\n<img src=x onerror=y> **b** [x](javascript:alert(1))");
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("javascript:"), "{html}");
        assert!(html.contains("&lt;script&gt;") && html.contains("<strong>b</strong>"), "{html}");
    }

    #[test]
    fn only_plain_folding_folds() {
        let html = comment("<details><summary>Passed: 4 checkpoints, 7 points</summary>\n\n`a` 3\n\n</details>\n");
        assert!(html.contains("<details><summary>Passed: 4 checkpoints, 7 points</summary>"), "{html}");
        assert!(html.contains("</details>"), "{html}");
        assert!(!comment("<details open onclick=x><summary>a</summary>\n").contains("<details"));
        assert!(!comment("<details><summary><b>a</summary>\n").contains("<details"));
    }

    #[test]
    fn what_stands_below_a_rule_ends_at_the_next_heading() {
        let html = comment("## a\n\n**Not yet**\n\n---\n\nfoot a\n\n## b\n\n**Passed**\n\n---\n\nfoot b\n");
        let below = |foot: &str| format!("<hr />\n<div class=\"below\">\n<p>{foot}</p>\n</div>\n");
        assert!(html.contains(&format!("{}<h2>b</h2>\n<p><strong>Passed", below("foot a"))), "{html}");
        assert!(html.ends_with(&below("foot b")), "{html}");
        assert!(comment("> ---\n>\n> quoted\n").find("below").is_none(), "only at the top");
        let balanced = comment("a\n\n---\n\n---\n");
        assert_eq!(balanced.matches("<div").count(), balanced.matches("</div>").count());
    }

    #[test]
    fn a_document_loses_the_title_that_its_page_shows() {
        assert_eq!(document("# Title\n\ntext\n"), "<p>text</p>\n");
        assert_eq!(inline("uses `a`"), "uses <code>a</code>");
    }
}

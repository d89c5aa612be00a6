//! Authors wrap their lines; forges show a line end in a review as a line end. So paragraphs are put on one line each.

use comrak::nodes::NodeValue;
use comrak::{Arena, Options};

/// The same Markdown with every paragraph on one line and without a title at its start; code blocks keep their lines.
pub(super) fn reflow(markdown: &str) -> String {
    let mut options = Options::default();
    options.extension.table = true;
    options.extension.strikethrough = true;
    options.extension.tasklist = true;
    options.render.width = 0;
    let arena = Arena::new();
    let root = comrak::parse_document(&arena, markdown, &options);
    if let Some(first) = root.first_child()
        && matches!(&first.data.borrow().value, NodeValue::Heading(heading) if heading.level == 1)
    {
        first.detach();
    }
    for node in root.descendants() {
        let mut data = node.data.borrow_mut();
        if matches!(data.value, NodeValue::SoftBreak) {
            data.value = NodeValue::Text(" ".into());
        }
    }
    let mut out = String::new();
    match comrak::format_commonmark(root, &options, &mut out) {
        // Put in by the formatter behind each list; a review holds no comment but the poster's marker.
        Ok(()) => out.replace("<!-- end list -->\n\n", ""),
        Err(_) => markdown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_left_to_the_review() {
        assert_eq!(reflow("# Debrief\n\n## Why\n"), "## Why\n");
    }

    #[test]
    fn paragraphs_and_items_lose_their_line_ends_and_code_keeps_them() {
        let text = "## Why\n\n**Why it works.** Two roles say\nwhat, `pods/*`\nnothing.\n\n1. one\n   more\n2. two\n\n```yaml\na: 1\nb: 2\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
        insta::assert_snapshot!(reflow(text), @r"
        ## Why

        **Why it works.** Two roles say what, `pods/*` nothing.

        1. one more
        2. two

        ```yaml
        a: 1
        b: 2
        ```

        | a | b |
        | --- | --- |
        | 1 | 2 |
        ");
    }
}

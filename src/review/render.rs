//! The templates and the helpers they may use. Nothing is escaped by default, since the output is Markdown: every
//! template says `md` or `code` for what is not ours.

use std::sync::LazyLock;

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, no_escape};
use serde::Serialize;
use serde_json::Value;

use super::{safe, words};

static TEMPLATES: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_escape_fn(no_escape);
    templates.register_helper("md", Box::new(md));
    templates.register_helper("code", Box::new(code));
    templates.register_helper("block", Box::new(block));
    templates.register_helper("indent", Box::new(indent));
    templates.register_helper("count", Box::new(count));
    for (name, text) in [
        ("review", include_str!("templates/review.hbs")),
        ("task", include_str!("templates/task.hbs")),
        ("passed", include_str!("templates/passed.hbs")),
        ("checkpoint", include_str!("templates/checkpoint.hbs")),
        ("near-miss", include_str!("templates/near-miss.hbs")),
        ("comment", include_str!("templates/comment.hbs")),
    ] {
        templates.register_template_string(name, text).expect("our own templates parse: a test renders each of them");
    }
    templates
});

/// The body of a review.
pub(super) fn review(view: &impl Serialize) -> String {
    render("review", view)
}

/// The body of a line comment.
pub(super) fn comment(view: &impl Serialize) -> String {
    render("comment", view).trim_end().to_owned()
}

fn render(name: &str, view: &impl Serialize) -> String {
    match TEMPLATES.render(name, view) {
        Ok(text) => tidy(&text),
        // A fault of a template of ours must not cost a learner the answer: the status still has the score.
        Err(error) => {
            format!("**This review could not be written.** Ours, not yours: {}\n", safe::md(&error.to_string()))
        }
    }
}

/// No trailing spaces and no more than one blank line in a row outside of fences, none at the start, one line end at the end.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fence: Option<&str> = None;
    let mut blank = true;
    for line in text.lines() {
        let start = line.trim_start();
        let run = &start[..start.len() - start.trim_start_matches('`').len()];
        match fence {
            Some(open) if run.len() >= open.len() && start.trim_end() == run => fence = None,
            None if run.len() >= 3 && !start[run.len()..].contains('`') => fence = Some(run),
            _ => {}
        }
        if line.trim().is_empty() && fence.is_none() {
            if !blank {
                out.push('\n');
            }
            blank = true;
        } else {
            out.push_str(if fence.is_none() { line.trim_end() } else { line });
            out.push('\n');
            blank = false;
        }
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

macro_rules! helpers {
    ($($(#[$doc:meta])* $name:ident($($argument:ident),*) => $body:expr;)*) => {$(
        $(#[$doc])*
        fn $name(
            helper: &Helper<'_>,
            _: &Handlebars<'_>,
            _: &Context,
            _: &mut RenderContext<'_, '_>,
            out: &mut dyn Output,
        ) -> HelperResult {
            let mut arguments = helper.params().iter().map(|p| p.value());
            $(let $argument = arguments.next().unwrap_or(&Value::Null);)*
            let text: String = $body;
            out.write(&text)?;
            Ok(())
        }
    )*};
}

helpers! {
    /// `{{md text}}`: prose that says just that text.
    md(text) => safe::md(&words_of(text));
    /// `{{code text}}`: a code span of exactly that text.
    code(text) => safe::code(&words_of(text));
    /// `{{block text language}}`: a fenced block of exactly that text.
    block(text, language) => safe::block(&words_of(text), language.as_str().unwrap_or_default());
    /// `{{indent text}}`: Markdown of an author inside a list item.
    indent(text) => words_of(text).trim().replace('\n', "\n  ");
    /// `{{count n "word"}}`: `1 word`, `2 words`; of a list, its length.
    count(n, word) => {
        let n = n.as_array().map_or_else(|| n.as_u64().unwrap_or_default() as usize, Vec::len);
        words::count(n, word.as_str().unwrap_or_default())
    };
}

fn words_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

//! Pages: typed models in, HTML out. Nothing here reads a store or a repository; who answers a request fills a model.
//!
//! | address | model |
//! |---|---|
//! | `/` | [`model::Home`] |
//! | `/courses/COURSE` | [`model::CoursePage`] |
//! | `/courses/COURSE/lessons/MODULE/SLUG` | [`model::LessonPage`] |
//! | `/courses/COURSE/tasks/TASK` | [`model::TaskPage`] |
//! | `/pulls` | [`model::PullList`] |
//! | `/pulls/N` | [`model::PullPage`]; its form posts `body` to `/pulls/N/comments`, its script listens to `/pulls/N/events` |
//! | `/assets/NAME` | [`assets::get`] |
//!
//! Every page is whole without a script. Templates escape by default; only what [`markdown`] made goes in as it is.

pub mod assets;
pub mod diff;
pub mod markdown;
pub mod model;

use std::sync::LazyLock;

use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext};
use serde::Serialize;
use serde_json::Value;

use crate::review::words;

/// The content security policy of every page: our own style and script, nothing inline, nothing from elsewhere.
pub const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                       connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page that can be rendered.
pub trait Page: Serialize {
    /// The name of its template.
    const TEMPLATE: &'static str;
}

/// The whole HTML document.
pub fn html<P: Page>(page: &P) -> String {
    match TEMPLATES.render(P::TEMPLATE, page) {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(template = P::TEMPLATE, %error, "a page could not be rendered");
            "<!doctype html><title>Gradus</title><p>This page could not be rendered; the log says why.".to_owned()
        }
    }
}

static TEMPLATES: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut templates = Handlebars::new();
    templates.set_strict_mode(true);
    templates.register_helper("count", Box::new(count));
    templates.register_helper("bar", Box::new(bar));
    for (name, text) in [
        ("layout", include_str!("../templates/layout.hbs")),
        ("home", include_str!("../templates/home.hbs")),
        ("course", include_str!("../templates/course.hbs")),
        ("lesson", include_str!("../templates/lesson.hbs")),
        ("task", include_str!("../templates/task.hbs")),
        ("pulls", include_str!("../templates/pulls.hbs")),
        ("pull-rows", include_str!("../templates/pull-rows.hbs")),
        ("pull", include_str!("../templates/pull.hbs")),
        ("message", include_str!("../templates/message.hbs")),
        ("commands", include_str!("../templates/commands.hbs")),
    ] {
        templates.register_template_string(name, text).expect("our own templates parse: a test renders each of them");
    }
    templates
});

/// `{{count n "word"}}`: `1 word`, `2 words`.
fn count(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let n = helper.param(0).map_or(&Value::Null, |p| p.value());
    let n = n.as_array().map_or_else(|| n.as_u64().unwrap_or_default() as usize, Vec::len);
    let word = helper.param(1).and_then(|p| p.value().as_str()).unwrap_or_default();
    out.write(&words::count(n, word))?;
    Ok(())
}

/// `{{bar score points}}`: a bar of that share. An SVG, since the content security policy allows no inline style; hidden
/// from screen readers, since the numbers stand beside it.
fn bar(
    helper: &Helper<'_>,
    _: &Handlebars<'_>,
    _: &Context,
    _: &mut RenderContext<'_, '_>,
    out: &mut dyn Output,
) -> HelperResult {
    let number = |index| helper.param(index).and_then(|p| p.value().as_u64()).unwrap_or_default();
    let (score, points) = (number(0), number(1));
    let share = score.saturating_mul(100).checked_div(points).unwrap_or_default().min(100);
    let done = if points > 0 && score >= points { " done" } else { "" };
    out.write(&format!(
        "<svg class=\"bar{done}\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"track\" width=\"100\" height=\"4\"/><rect class=\"fill\" width=\"{share}\" height=\"4\"/></svg>"
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests;

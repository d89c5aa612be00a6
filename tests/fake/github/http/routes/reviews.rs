//! Reviews and line comments.

use serde_json::Value;

use super::super::super::state::diff::{Anchor, Side};
use super::super::super::state::ids::IssueRef;
use super::super::super::state::issue::ReviewState;
use super::super::super::state::refusal::Refusal;
use super::super::super::state::reviews::{NewReview, ReviewEvent};
use super::super::super::webhooks::{self, Event};
use super::super::ctx::Ctx;
use super::super::reply::Reply;

/// Reviews, oldest first; of the pending ones only the actor's own.
pub fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.pull()?;
    let seen = ctx.state.reviews_seen_by(at, ctx.state.acting(ctx.actor))?;
    Ok(ctx.page(seen, |review| ctx.render().review(at, review)))
}

/// Begins a review; with an event it is submitted at once.
pub fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, user) = (ctx.pull()?, ctx.user()?);
    let comments = ctx.call.field("comments").as_array().into_iter().flatten();
    let new = NewReview {
        commit_id: ctx.call.text("commit_id").map(str::to_owned),
        body: ctx.call.text("body").unwrap_or_default().to_owned(),
        event: event(ctx.call.field("event"))?,
        comments: comments.map(comment).collect::<Result<_, _>>()?,
    };
    let submitted = new.event.is_some();
    let id = ctx.state.create_review(at, user, new, ctx.now)?;
    if submitted {
        webhooks::emit(ctx.state, &ctx.call.base, at, user, Event::ReviewSubmitted(id), ctx.now);
    }
    answer(ctx, at, id)
}

fn event(value: &Value) -> Result<Option<ReviewEvent>, Refusal> {
    match value.as_str() {
        None | Some("") => Ok(None),
        Some(word) => ReviewEvent::parse(word).map(Some).ok_or_else(|| {
            Refusal::unprocessable(format!(
                "Variable $event of type PullRequestReviewEvent was provided invalid value {word}"
            ))
        }),
    }
}

fn comment(value: &Value) -> Result<(Anchor, String), Refusal> {
    let side = |name: &str| match value[name].as_str() {
        None => Ok(Side::Right),
        Some(word) => Side::parse(word).ok_or_else(|| Refusal::unprocessable(format!("{name} is invalid: {word}"))),
    };
    // A legacy position counts lines of the diff; the fake knows none.
    let line = value["line"].as_u64().ok_or_else(|| Refusal::unprocessable("Line could not be resolved"))?;
    let start = match value["start_line"].as_u64() {
        Some(line) => Some((line, if value["start_side"].is_null() { side("side")? } else { side("start_side")? })),
        None => None,
    };
    let path = value["path"].as_str().unwrap_or_default().to_owned();
    let body = value["body"].as_str().unwrap_or_default().to_owned();
    Ok((Anchor { path, line, side: side("side")?, start }, body))
}

fn answer(ctx: &Ctx<'_>, at: IssueRef, id: u64) -> Result<Reply, Refusal> {
    let review = ctx.state.visible_review(at, id, ctx.state.acting(ctx.actor))?;
    Ok(Reply::ok(ctx.render().review(at, review)))
}

/// One review.
pub fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.pull()?;
    answer(ctx, at, ctx.call.number("review_id"))
}

/// Replaces the body of one's own review.
pub fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, user, id) = (ctx.pull()?, ctx.user()?, ctx.call.number("review_id"));
    let body = ctx.call.text("body").unwrap_or_default().to_owned();
    ctx.state.edit_review(at, id, user, body, ctx.now)?;
    if ctx.state.visible_review(at, id, None).is_ok() {
        webhooks::emit(ctx.state, &ctx.call.base, at, user, Event::ReviewEdited(id), ctx.now);
    }
    answer(ctx, at, id)
}

/// Takes one's own pending review away.
pub fn delete(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, user) = (ctx.pull()?, ctx.user()?);
    let gone = ctx.state.delete_review(at, ctx.call.number("review_id"), user)?;
    Ok(Reply::ok(ctx.render().review(at, &gone)))
}

/// Makes one's own pending review visible.
pub fn submit(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, user, id) = (ctx.pull()?, ctx.user()?, ctx.call.number("review_id"));
    let event = event(ctx.call.field("event"))?;
    let event = event.ok_or_else(|| Refusal::unprocessable("Event can't be blank"))?;
    let body = ctx.call.text("body").map(str::to_owned);
    ctx.state.submit_review(at, id, user, event, body, ctx.now)?;
    webhooks::emit(ctx.state, &ctx.call.base, at, user, Event::ReviewSubmitted(id), ctx.now);
    answer(ctx, at, id)
}

/// Takes the verdict of a review back.
pub fn dismiss(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, user, id) = (ctx.pull()?, ctx.user()?, ctx.call.number("review_id"));
    ctx.state.dismiss_review(at, id, ctx.role(at.repo), ctx.now)?;
    webhooks::emit(ctx.state, &ctx.call.base, at, user, Event::ReviewDismissed(id), ctx.now);
    answer(ctx, at, id)
}

/// Line comments of one review.
pub fn comments(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, id) = (ctx.pull()?, ctx.call.number("review_id"));
    ctx.state.visible_review(at, id, ctx.state.acting(ctx.actor))?;
    let all = ctx.state.pull(at)?.comments_of(id).collect();
    Ok(ctx.page(all, |(thread, comment)| ctx.render().review_comment(at, thread, comment)))
}

/// All submitted line comments of a pull request, oldest first.
pub fn all_comments(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.pull()?;
    let pull = ctx.state.pull(at)?;
    let since = ctx.since()?.unwrap_or(i64::MIN);
    let submitted = |review| pull.review(review).is_some_and(|review| review.state != ReviewState::Pending);
    let mut all: Vec<_> =
        pull.line_comments().filter(|(_, comment)| submitted(comment.review) && comment.created_at >= since).collect();
    all.sort_by_key(|(_, comment)| comment.id);
    // Without `sort` the direction is ignored.
    if ctx.call.query("sort").is_some() && ctx.call.query("direction") == Some("desc") {
        all.reverse();
    }
    Ok(ctx.page(all, |(thread, comment)| ctx.render().review_comment(at, thread, comment)))
}

//! Comments of conversations.

use super::super::super::clock::SECOND;
use super::super::super::state::ids::IssueRef;
use super::super::super::state::issue::Comment;
use super::super::super::state::refusal::Refusal;
use super::super::super::webhooks::{self, Event};
use super::super::ctx::Ctx;
use super::super::reply::Reply;

/// Comments of one conversation, oldest first.
pub fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.issue()?;
    let since = ctx.since()?.unwrap_or(i64::MIN);
    // Times are shown to the second, so they are compared to the second.
    let new = |comment: &&Comment| comment.updated_at / SECOND >= since / SECOND;
    let all = ctx.state.issue(at)?.comments.iter().filter(new).collect();
    Ok(ctx.page(all, |comment| ctx.render().comment(at, comment)))
}

/// Comments of all conversations, oldest first.
pub fn of_repo(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let since = ctx.since()?.unwrap_or(i64::MIN);
    let issues = ctx.state.repo(repo).issues.values();
    let mut all: Vec<(IssueRef, &Comment)> = issues
        .flat_map(|issue| issue.comments.iter().map(|comment| (IssueRef { repo, number: issue.number }, comment)))
        .filter(|(_, comment)| comment.updated_at / SECOND >= since / SECOND)
        .collect();
    all.sort_by_key(|(_, comment)| match ctx.call.query("sort") {
        Some("updated") => (comment.updated_at, comment.id),
        _ => (0, comment.id),
    });
    // Without `sort` the direction is ignored.
    if ctx.call.query("sort").is_some() && ctx.call.query("direction") == Some("desc") {
        all.reverse();
    }
    Ok(ctx.page(all, |(at, comment)| ctx.render().comment(at, comment)))
}

fn answer(ctx: &Ctx<'_>, id: u64, status: u16) -> Result<Reply, Refusal> {
    let (at, comment) = ctx.state.find_comment(ctx.repo()?, id)?;
    Ok(Reply::json(status, ctx.render().comment(at, comment)))
}

/// Says something.
pub fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, user) = (ctx.issue()?, ctx.user()?);
    let body = ctx.call.text("body").unwrap_or_default().to_owned();
    let id = ctx.state.add_comment(at, user, body, ctx.now)?;
    webhooks::emit(ctx.state, &ctx.call.base, at, user, Event::CommentCreated(id), ctx.now);
    answer(ctx, id, 201)
}

/// One comment.
pub fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    answer(ctx, ctx.call.number("comment_id"), 200)
}

/// Replaces a comment's body.
pub fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (repo, user, id) = (ctx.repo()?, ctx.user()?, ctx.call.number("comment_id"));
    let body = ctx.call.text("body").unwrap_or_default().to_owned();
    ctx.state.edit_comment(repo, id, (user, ctx.role(repo)), body, ctx.now)?;
    answer(ctx, id, 200)
}

/// Takes a comment away.
pub fn delete(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (repo, user) = (ctx.repo()?, ctx.user()?);
    ctx.state.delete_comment(repo, ctx.call.number("comment_id"), (user, ctx.role(repo)))?;
    Ok(Reply::empty(204))
}

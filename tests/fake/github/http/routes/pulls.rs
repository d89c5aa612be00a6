//! Pull requests.

use super::super::super::state::ids::IssueRef;
use super::super::super::state::issue::{Issue, Pull};
use super::super::super::state::refusal::Refusal;
use super::super::super::state::repo::Role;
use super::super::super::webhooks::{self, Event};
use super::super::ctx::Ctx;
use super::super::reply::Reply;

/// Pull requests: open ones, newest first, unless the query says otherwise.
pub fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let query = |name, or| ctx.call.query(name).unwrap_or(or);
    let state = query("state", "open");
    let sort = query("sort", "created");
    let descending = match ctx.call.query("direction") {
        Some(direction) => direction == "desc",
        None => sort == "created",
    };
    let head = |pull: &Pull| format!("{}:{}", ctx.state.login(pull.head_owner), pull.head_ref);
    let wanted = |(issue, pull): &(&Issue, &Pull)| {
        (state == "all" || issue.open == (state == "open"))
            && ctx.call.query("base").is_none_or(|base| base == pull.base_ref)
            && ctx.call.query("head").is_none_or(|wanted| wanted == head(pull))
    };
    let mut all: Vec<(&Issue, &Pull)> = ctx.state.pulls(repo).filter(wanted).collect();
    all.sort_by_key(|(issue, _)| match sort {
        "updated" => (issue.updated_at, issue.number),
        "popularity" => (issue.comments.len() as i64, issue.number),
        _ => (issue.created_at, issue.number),
    });
    if descending {
        all.reverse();
    }
    Ok(ctx.page(all, |(issue, pull)| ctx.render().pull(IssueRef { repo, number: issue.number }, issue, pull)))
}

/// One pull request.
pub fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.pull()?;
    Ok(Reply::ok(ctx.render().full_pull(at, ctx.state.issue(at)?, ctx.state.pull(at)?)))
}

/// Closes, opens, renames. For its author and those who may push.
pub fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, user) = (ctx.pull()?, ctx.user()?);
    if ctx.state.issue(at)?.author != user && ctx.role(at.repo) < Role::Write {
        return Err(Refusal::forbidden("Must have admin rights to Repository."));
    }
    if let Some(state) = ctx.call.text("state") {
        let (was, open) = (ctx.state.issue(at)?.open, state == "open");
        ctx.state.set_open(at, open, ctx.now)?;
        if was != open {
            let event = if open { Event::PullReopened } else { Event::PullClosed };
            webhooks::emit(ctx.state, &ctx.call.base, at, user, event, ctx.now);
        }
    }
    let title = ctx.call.text("title").map(str::to_owned);
    let body = ctx.call.text("body").map(str::to_owned);
    if title.is_some() || body.is_some() {
        let issue = ctx.state.issue_mut(at)?;
        issue.updated_at = ctx.now;
        issue.title = title.unwrap_or_else(|| issue.title.clone());
        issue.body = body.or_else(|| issue.body.take());
        webhooks::emit(ctx.state, &ctx.call.base, at, user, Event::PullEdited, ctx.now);
    }
    get(ctx)
}

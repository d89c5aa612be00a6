//! Issues.

use serde_json::Value;

use super::super::super::clock::SECOND;
use super::super::super::state::ids::IssueRef;
use super::super::super::state::issue::Issue;
use super::super::super::state::refusal::Refusal;
use super::super::super::state::repo::Role;
use super::super::ctx::Ctx;
use super::super::reply::Reply;

/// Issues and pull requests: open ones, newest first, unless the query says otherwise.
pub fn list(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let since = ctx.since()?.unwrap_or(i64::MIN);
    let state = ctx.call.query("state").unwrap_or("open");
    let labels: Vec<&str> = ctx.call.query("labels").map(|text| text.split(',').collect()).unwrap_or_default();
    let labelled =
        |issue: &Issue| labels.iter().all(|wanted| issue.labels.iter().any(|label| label.eq_ignore_ascii_case(wanted)));
    let by = |issue: &Issue| {
        ctx.call.query("creator").is_none_or(|login| ctx.state.login(issue.author).eq_ignore_ascii_case(login))
    };
    let issues = ctx.state.repo(repo).issues.values().map(AsRef::as_ref);
    let mut all: Vec<&Issue> = issues
        .filter(|issue| state == "all" || issue.open == (state == "open"))
        .filter(|issue| issue.updated_at / SECOND >= since / SECOND && labelled(issue) && by(issue))
        .collect();
    all.sort_by_key(|issue| match ctx.call.query("sort") {
        Some("updated") => (issue.updated_at, issue.number),
        Some("comments") => (issue.comments.len() as i64, issue.number),
        _ => (issue.created_at, issue.number),
    });
    if ctx.call.query("direction") != Some("asc") {
        all.reverse();
    }
    Ok(ctx.page(all, |issue| ctx.render().issue(IssueRef { repo, number: issue.number }, issue)))
}

/// One issue or pull request.
pub fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.issue()?;
    Ok(Reply::ok(ctx.render().issue(at, ctx.state.issue(at)?)))
}

/// Opens an issue. Labels need the right to triage; without it they are dropped silently, as GitHub does.
pub fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (repo, user) = (ctx.repo()?, ctx.user()?);
    let title = match ctx.call.field("title") {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let body = ctx.call.text("body").map(str::to_owned);
    let at = ctx.state.open_issue(repo, user, &title, body, ctx.now)?;
    if ctx.role(repo) >= Role::Triage {
        let asked = ctx.call.field("labels").as_array().into_iter().flatten();
        let names: Vec<String> =
            asked.filter_map(|label| label.as_str().or_else(|| label["name"].as_str())).map(str::to_owned).collect();
        ctx.state.add_labels(at, &names, ctx.now)?;
    }
    Ok(Reply::json(201, ctx.render().issue(at, ctx.state.issue(at)?)))
}

/// Closes, opens, renames. For its author and those who may triage.
pub fn update(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (at, user) = (ctx.issue()?, ctx.user()?);
    if ctx.state.issue(at)?.author != user && ctx.role(at.repo) < Role::Triage {
        return Err(Refusal::forbidden("Must have admin rights to Repository."));
    }
    if let Some(state) = ctx.call.text("state") {
        ctx.state.set_open(at, state == "open", ctx.now)?;
    }
    let title = ctx.call.text("title").map(str::to_owned);
    let body = ctx.call.text("body").map(str::to_owned);
    if title.is_some() || body.is_some() {
        let issue = ctx.state.issue_mut(at)?;
        issue.updated_at = ctx.now;
        issue.title = title.unwrap_or_else(|| issue.title.clone());
        issue.body = body.or_else(|| issue.body.take());
    }
    get(ctx)
}

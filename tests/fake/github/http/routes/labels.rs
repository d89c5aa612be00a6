//! Labels of repositories, issues and pull requests.

use serde_json::Value;

use super::super::super::state::refusal::Refusal;
use super::super::super::state::repo::Role;
use super::super::ctx::Ctx;
use super::super::reply::Reply;

/// Labels of one issue.
pub fn on_issue(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.issue()?;
    let all = ctx.render().labels(at, ctx.state.issue(at)?);
    Ok(ctx.page(all, |label| label))
}

/// Puts labels on an issue. For those who may triage.
pub fn add(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.issue()?;
    triage(ctx)?;
    let asked = ctx.call.field("labels").as_array().into_iter().flatten();
    let names: Vec<String> =
        asked.filter_map(|label| label.as_str().or_else(|| label["name"].as_str())).map(str::to_owned).collect();
    ctx.state.add_labels(at, &names, ctx.now)?;
    Ok(Reply::ok(ctx.render().labels(at, ctx.state.issue(at)?).into()))
}

/// Takes a label off an issue. For those who may triage.
pub fn remove(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let at = ctx.issue()?;
    triage(ctx)?;
    ctx.state.remove_label(at, ctx.call.parameter("name"), ctx.now)?;
    Ok(Reply::ok(ctx.render().labels(at, ctx.state.issue(at)?).into()))
}

fn triage(ctx: &Ctx<'_>) -> Result<(), Refusal> {
    if ctx.role(ctx.repo()?) < Role::Triage {
        return Err(Refusal::forbidden("Must have admin rights to Repository."));
    }
    Ok(())
}

/// Labels of a repository.
pub fn of_repo(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let all = ctx.state.repo(repo).labels.values().collect();
    Ok(ctx.page(all, |label| ctx.render().label(repo, label)))
}

/// One label of a repository.
pub fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let label = ctx.state.label(repo, ctx.call.parameter("name")).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(ctx.render().label(repo, label)))
}

/// Adds a label to a repository. For those who may push.
pub fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    if ctx.role(repo) < Role::Write {
        return Err(Refusal::not_found());
    }
    let name = ctx.call.text("name").unwrap_or_default();
    let description = ctx.call.field("description");
    ctx.state.create_label(repo, name, ctx.call.text("color"), Value::as_str(description))?;
    let label = ctx.state.label(repo, name).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(201, ctx.render().label(repo, label)))
}

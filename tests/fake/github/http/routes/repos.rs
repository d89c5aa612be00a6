//! Repositories: who may do what, statuses, hooks.

use serde_json::Value;

use super::super::super::state::account::{Actor, HookConfig};
use super::super::super::state::refusal::Refusal;
use super::super::super::state::repo::{Hook, Role};
use super::super::super::state::statuses::NewStatus;
use super::super::super::webhooks;
use super::super::ctx::Ctx;
use super::super::reply::Reply;

/// A repository, and to a person what they may do there.
pub fn get(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let mut page = ctx.render().full_repo(repo);
    if let Actor::User(_) = ctx.actor {
        page["permissions"] = ctx.render().role(ctx.role(repo));
    }
    Ok(Reply::ok(page))
}

/// Direct forks that the asker may see; newest first unless asked otherwise.
pub fn forks(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let mut all: Vec<_> = ctx.state.repos.values().filter(|fork| fork.parent == Some(repo)).collect();
    all.retain(|fork| !fork.private || ctx.role(fork.id) >= Role::Read);
    all.sort_by_key(|fork| (fork.created_at, fork.id));
    if ctx.call.query("sort") != Some("oldest") {
        all.reverse();
    }
    let ids = all.into_iter().map(|fork| fork.id).collect();
    Ok(ctx.page(ids, |id| ctx.render().repo(id)))
}

/// What somebody may do. Anybody may look at what is public.
pub fn permission(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let login = ctx.call.parameter("username");
    let user = ctx.state.user_named(login);
    let missing = || Refusal { message: format!("{login} is not a user"), ..Refusal::not_found() };
    Ok(Reply::ok(ctx.render().permission(repo, user.ok_or_else(missing)?.id)))
}

/// Whether somebody is a collaborator: 204 or 404.
pub fn collaborator(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.state.repo(ctx.repo()?);
    let user = ctx.state.user_named(ctx.call.parameter("username")).ok_or_else(Refusal::not_found)?.id;
    let is = repo.owner == user || repo.roles.get(&user).is_some_and(|role| *role >= Role::Read);
    if is { Ok(Reply::empty(204)) } else { Err(Refusal::not_found()) }
}

/// Webhooks of a repository. For administrators.
pub fn hooks(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = administered(ctx)?;
    let all = ctx.state.repo(repo).hooks.iter().collect();
    Ok(ctx.page(all, |hook| ctx.render().hook(repo, hook)))
}

/// Adds a webhook, and pings it.
pub fn create_hook(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = administered(ctx)?;
    let config = ctx.call.field("config");
    let url = config["url"].as_str().filter(|url| url.starts_with("http")).map(str::to_owned);
    let url = url.ok_or_else(|| Refusal::invalid("Hook", "url", "missing_field", "url cannot be blank"))?;
    if ctx.state.repo(repo).hooks.iter().any(|hook| hook.config.url == url) {
        return Err(Refusal::invalid("Hook", "url", "custom", "Hook already exists on this repository"));
    }
    let events = ctx.call.field("events").as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut events: Vec<String> = events.map(str::to_owned).collect();
    if events.is_empty() {
        events.push("push".to_owned());
    }
    let secret = config["secret"].as_str().unwrap_or_default().to_owned();
    let id = ctx.state.fresh_id();
    let hook = Hook { id, config: HookConfig { url, secret, events }, created_at: ctx.now };
    ctx.state.repo_mut(repo).hooks.push(hook.clone());
    webhooks::ping(ctx.state, &ctx.call.base, repo, id, ctx.now);
    Ok(Reply::json(201, ctx.render().hook(repo, &hook)))
}

fn administered(ctx: &Ctx<'_>) -> Result<super::super::super::state::ids::RepoId, Refusal> {
    let repo = ctx.repo()?;
    // An installation has no role of its own; its permission was asked before.
    let installed = matches!(ctx.actor, Actor::Installation(_));
    if installed || ctx.role(repo) >= Role::Admin { Ok(repo) } else { Err(Refusal::not_found()) }
}

/// Says something about a commit.
pub fn create_status(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let (repo, user) = (ctx.repo()?, ctx.user()?);
    let role = ctx.role(repo);
    let text = |name| ctx.call.text(name).map(str::to_owned);
    let new = NewStatus {
        state: text("state").unwrap_or_default(),
        description: text("description"),
        target_url: text("target_url"),
        context: text("context").unwrap_or_else(|| "default".to_owned()),
    };
    let sha = ctx.call.parameter("sha");
    let id = ctx.state.create_status(repo, sha, (user, role), new, ctx.now)?;
    let made = ctx.state.statuses(repo, sha).find(|status| status.id == id).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(201, ctx.render().status(repo, sha, made)))
}

/// The newest status of each context.
pub fn combined_status(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let sha = ctx.state.resolve(repo, ctx.call.parameter("ref"))?;
    Ok(Reply::ok(ctx.render().combined_status(repo, &sha)))
}

/// All statuses, newest first.
pub fn statuses(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let repo = ctx.repo()?;
    let sha = ctx.state.resolve(repo, ctx.call.parameter("ref"))?;
    let all = ctx.state.statuses(repo, &sha).collect();
    Ok(ctx.page(all, |status| ctx.render().status(repo, &sha, status)))
}

//! Apps, installations, their tokens, deliveries.

use serde_json::{Value, json};

use super::super::super::clock::{HOUR, rfc3339};
use super::super::super::state::account::{Access, Actor, App, Installation, Permissions, Token};
use super::super::super::state::hooks::{Delivery, Target};
use super::super::super::state::ids::RepoId;
use super::super::super::state::refusal::Refusal;
use super::super::ctx::Ctx;
use super::super::reply::Reply;

fn app<'a>(ctx: &'a Ctx<'_>) -> Result<&'a App, Refusal> {
    let Actor::App(id) = ctx.actor else {
        return Err(Refusal::unauthorised("A JSON web token could not be decoded"));
    };
    ctx.state.apps.get(&id).ok_or_else(Refusal::not_found)
}

fn own_installation<'a>(ctx: &'a Ctx<'_>) -> Result<&'a Installation, Refusal> {
    let id = app(ctx)?.id;
    let found = ctx.state.installations.get(&ctx.call.number("installation_id"));
    found.filter(|installation| installation.app == id).ok_or_else(Refusal::not_found)
}

/// The App of the JWT.
pub fn own(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(ctx.render().app(app(ctx)?)))
}

/// Where the App is installed.
pub fn installations(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let id = app(ctx)?.id;
    let all = ctx.state.installations.values().filter(|installation| installation.app == id).collect();
    Ok(ctx.page(all, |installation| ctx.render().installation(installation)))
}

/// One installation.
pub fn installation(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(ctx.render().installation(own_installation(ctx)?)))
}

/// The installation that reaches a repository.
pub fn of_repo(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let id = app(ctx)?.id;
    let repo = ctx.state.repo_named(ctx.call.parameter("owner"), ctx.call.parameter("repo"));
    let repo = repo.ok_or_else(Refusal::not_found)?.id;
    let mut all = ctx.state.installations.values();
    let found = all.find(|installation| installation.app == id && installation.repos.contains(&repo));
    Ok(Reply::ok(ctx.render().installation(found.ok_or_else(Refusal::not_found)?)))
}

/// A token of an installation, narrowed as asked. It lives an hour.
pub fn token(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let installation = own_installation(ctx)?.clone();
    let permissions = match ctx.call.field("permissions") {
        Value::Object(asked) => narrowed(&installation.permissions, asked)?,
        _ => installation.permissions.clone(),
    };
    let named = ctx.call.field("repositories").as_array().into_iter().flatten().filter_map(Value::as_str);
    let ids = ctx.call.field("repository_ids").as_array().into_iter().flatten().filter_map(Value::as_u64);
    let mut repos: Vec<RepoId> = ids.map(RepoId).collect();
    for name in named {
        let of_that_name = |id: &&RepoId| ctx.state.repo(**id).name.eq_ignore_ascii_case(name);
        repos.push(*installation.repos.iter().find(of_that_name).ok_or_else(not_reached)?);
    }
    if repos.iter().any(|repo| !installation.repos.contains(repo)) {
        return Err(not_reached());
    }
    let expires_at = ctx.now + HOUR;
    let token = Token {
        actor: Actor::Installation(installation.id),
        expires_at: Some(expires_at),
        permissions: Some(permissions.clone()),
        repos: (!repos.is_empty()).then_some(repos),
    };
    let secret = ctx.desk.issue(token);
    Ok(Reply::json(
        201,
        json!({
            "token": secret,
            "expires_at": rfc3339(expires_at),
            "permissions": super::super::render::permissions(&permissions),
            "repository_selection": "selected",
        }),
    ))
}

fn not_reached() -> Refusal {
    let message =
        "There is at least one repository that does not exist or is not accessible to the parent installation.";
    Refusal::invalid_message(message)
}

fn narrowed(held: &Permissions, asked: &serde_json::Map<String, Value>) -> Result<Permissions, Refusal> {
    let mut permissions = Permissions::new();
    for (name, access) in asked {
        let access = access.as_str().and_then(Access::parse);
        match (access, held.get(name)) {
            (Some(access), Some(held)) if access <= *held => permissions.insert(name.clone(), access),
            _ => {
                let message = "The permissions requested are not granted to this installation.";
                return Err(Refusal::invalid_message(message));
            }
        };
    }
    // Always granted.
    permissions.insert("metadata".to_owned(), Access::Read);
    Ok(permissions)
}

/// Repositories that an installation reaches.
pub fn repos(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let Actor::Installation(id) = ctx.actor else {
        return Err(Refusal::forbidden(
            "You must authenticate with an installation access token in order to list repositories for an installation.",
        ));
    };
    let reached = ctx.state.installations.get(&id).ok_or_else(Refusal::not_found)?.repos.clone();
    let count = reached.len();
    let mut reply = ctx.page(reached, |repo| ctx.render().repo(repo));
    reply.body = Some(json!({"total_count": count, "repositories": reply.body}));
    Ok(reply)
}

/// Where the App's events go; its secret is never shown.
pub fn hook_config(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let hook = app(ctx)?.hook.as_ref().ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(json!({"url": hook.url, "content_type": "json", "insecure_ssl": "0", "secret": "********"})))
}

/// Deliveries of the App's webhook, newest first.
pub fn deliveries(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let target = Target::App(app(ctx)?.id);
    let newest: Vec<&Delivery> =
        ctx.state.deliveries.iter().rev().map(AsRef::as_ref).filter(|delivery| delivery.target == target).collect();
    // Paged by cursor: the id of the last one seen.
    let after = ctx.call.query("cursor").and_then(|cursor| cursor.strip_prefix("v1_")?.parse::<u64>().ok());
    let mut rest: Vec<&Delivery> =
        newest.into_iter().filter(|delivery| after.is_none_or(|after| delivery.id < after)).collect();
    let size = ctx.call.query("per_page").and_then(|text| text.parse().ok()).unwrap_or(30_usize).clamp(1, 100);
    let more = rest.len() > size;
    rest.truncate(size);
    let reply = Reply::ok(rest.iter().map(|delivery| ctx.render().delivery(delivery)).collect());
    match rest.last().filter(|_| more) {
        Some(last) => {
            let next = format!("{}{}?per_page={size}&cursor=v1_{}", ctx.call.base, ctx.call.path, last.id);
            Ok(reply.with("link", format!("<{next}>; rel=\"next\"")))
        }
        None => Ok(reply),
    }
}

fn own_delivery<'a>(ctx: &'a Ctx<'_>) -> Result<&'a Delivery, Refusal> {
    let (target, id) = (Target::App(app(ctx)?.id), ctx.call.number("delivery_id"));
    let found = ctx.state.deliveries.iter().find(|delivery| delivery.target == target && delivery.id == id);
    found.map(AsRef::as_ref).ok_or_else(Refusal::not_found)
}

/// One delivery, with its payload.
pub fn delivery(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    Ok(Reply::ok(ctx.render().full_delivery(own_delivery(ctx)?)))
}

/// Sends an event again, under the same `X-GitHub-Delivery`. Not after three days.
pub fn redeliver(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let old = own_delivery(ctx)?.clone();
    if ctx.now - old.at > 72 * HOUR {
        return Err(Refusal::invalid_message("Delivery is too old to be redelivered"));
    }
    let again = Delivery { id: ctx.state.fresh_id(), at: ctx.now, redelivery: true, status: None, ..old };
    ctx.state.deliveries.push(again.into());
    Ok(Reply::json(202, json!({})))
}

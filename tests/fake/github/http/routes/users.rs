//! Accounts and rate limits.

use serde_json::json;

use super::super::super::state::account::AccountKind;
use super::super::super::state::ids::UserId;
use super::super::super::state::refusal::Refusal;
use super::super::ctx::Ctx;
use super::super::limits::Resource;
use super::super::reply::Reply;

/// Whose token this is.
pub fn own(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let id = ctx.user()?;
    Ok(Reply::ok(ctx.render().full_user(id)))
}

/// An account by login.
pub fn by_login(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let user = ctx.state.user_named(ctx.call.parameter("username")).ok_or_else(Refusal::not_found)?;
    Ok(Reply::ok(ctx.render().full_user(user.id)))
}

/// An account by id.
pub fn by_id(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let id = UserId(ctx.call.number("account_id"));
    let user = ctx.state.users.get(&id).filter(|user| user.kind != AccountKind::Organization);
    Ok(Reply::ok(ctx.render().full_user(user.ok_or_else(Refusal::not_found)?.id)))
}

/// What is left of the primary limits.
pub fn rate_limit(ctx: &mut Ctx<'_>) -> Result<Reply, Refusal> {
    let mut budget = |resource| ctx.desk.meters.budget(ctx.actor, resource, &ctx.desk.limits, ctx.now);
    let (core, graphql) = (budget(Resource::Core), budget(Resource::Graphql));
    let search = json!({"limit": 30, "used": 0, "remaining": 30, "reset": core["reset"]});
    Ok(Reply::ok(json!({"resources": {"core": core, "search": search, "graphql": graphql}, "rate": core})))
}

//! What the fake offers: one row per operation of GitHub's description.

mod apps;
mod comments;
mod issues;
mod labels;
mod pulls;
mod repos;
mod reviews;
mod users;

use super::super::state::account::Access;
use super::super::state::refusal::Refusal;
use super::ctx::Ctx;
use super::reply::Reply;

/// What a request must come with.
#[derive(Debug, Clone, Copy)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// An App's JWT.
    App,
    /// An installation's token.
    Installation,
    /// A user's token: an App has no user.
    User,
    /// One of these permissions, when it is an installation. What a user may do, the route asks.
    Any(&'static [(&'static str, Access)]),
}

/// Whether people see something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    /// No.
    Nothing,
    /// Yes: it counts towards 80 a minute and 500 an hour.
    Content,
    /// A label or a status: GitHub does not say whether it counts.
    Note,
}

/// One operation.
pub struct Route {
    /// As in `pulls/create-review`.
    pub id: &'static str,
    /// What a request must come with.
    pub needs: Needs,
    /// Whether people see something new.
    pub makes: Makes,
    /// Does it.
    pub run: fn(&mut Ctx<'_>) -> Result<Reply, Refusal>,
}

const METADATA: Needs = Needs::Any(&[("metadata", Access::Read)]);
const PULLS_READ: Needs = Needs::Any(&[("pull_requests", Access::Read)]);
const PULLS_WRITE: Needs = Needs::Any(&[("pull_requests", Access::Write)]);
const ISSUES_READ: Needs = Needs::Any(&[("issues", Access::Read), ("pull_requests", Access::Read)]);
const ISSUES_WRITE: Needs = Needs::Any(&[("issues", Access::Write), ("pull_requests", Access::Write)]);
const ISSUES_ONLY: Needs = Needs::Any(&[("issues", Access::Write)]);
const STATUSES_READ: Needs = Needs::Any(&[("statuses", Access::Read)]);
const STATUSES_WRITE: Needs = Needs::Any(&[("statuses", Access::Write)]);
const HOOKS_READ: Needs = Needs::Any(&[("repository_hooks", Access::Read)]);
const HOOKS_WRITE: Needs = Needs::Any(&[("repository_hooks", Access::Write)]);

const fn read(id: &'static str, needs: Needs, run: fn(&mut Ctx<'_>) -> Result<Reply, Refusal>) -> Route {
    Route { id, needs, makes: Makes::Nothing, run }
}

const fn write(id: &'static str, needs: Needs, makes: Makes, run: fn(&mut Ctx<'_>) -> Result<Reply, Refusal>) -> Route {
    Route { id, needs, makes, run }
}

/// Everything that the fake offers over REST.
pub const ROUTES: &[Route] = &[
    read("apps/get-authenticated", Needs::App, apps::own),
    read("apps/list-installations", Needs::App, apps::installations),
    read("apps/get-installation", Needs::App, apps::installation),
    read("apps/get-repo-installation", Needs::App, apps::of_repo),
    write("apps/create-installation-access-token", Needs::App, Makes::Nothing, apps::token),
    read("apps/get-webhook-config-for-app", Needs::App, apps::hook_config),
    read("apps/list-webhook-deliveries", Needs::App, apps::deliveries),
    read("apps/get-webhook-delivery", Needs::App, apps::delivery),
    write("apps/redeliver-webhook-delivery", Needs::App, Makes::Nothing, apps::redeliver),
    read("apps/list-repos-accessible-to-installation", Needs::Installation, apps::repos),
    read("users/get-authenticated", Needs::User, users::own),
    read("users/get-by-username", Needs::Nothing, users::by_login),
    read("users/get-by-id", Needs::Nothing, users::by_id),
    read("rate-limit/get", Needs::Nothing, users::rate_limit),
    read("repos/get", METADATA, repos::get),
    read("repos/list-forks", METADATA, repos::forks),
    read("repos/get-collaborator-permission-level", METADATA, repos::permission),
    read("repos/check-collaborator", METADATA, repos::collaborator),
    read("repos/list-webhooks", HOOKS_READ, repos::hooks),
    write("repos/create-webhook", HOOKS_WRITE, Makes::Nothing, repos::create_hook),
    write("repos/create-commit-status", STATUSES_WRITE, Makes::Note, repos::create_status),
    read("repos/get-combined-status-for-ref", STATUSES_READ, repos::combined_status),
    read("repos/list-commit-statuses-for-ref", STATUSES_READ, repos::statuses),
    read("pulls/list", PULLS_READ, pulls::list),
    read("pulls/get", PULLS_READ, pulls::get),
    write("pulls/update", PULLS_WRITE, Makes::Nothing, pulls::update),
    read("pulls/list-reviews", PULLS_READ, reviews::list),
    write("pulls/create-review", PULLS_WRITE, Makes::Content, reviews::create),
    read("pulls/get-review", PULLS_READ, reviews::get),
    write("pulls/update-review", PULLS_WRITE, Makes::Content, reviews::update),
    write("pulls/delete-pending-review", PULLS_WRITE, Makes::Nothing, reviews::delete),
    write("pulls/submit-review", PULLS_WRITE, Makes::Content, reviews::submit),
    write("pulls/dismiss-review", PULLS_WRITE, Makes::Content, reviews::dismiss),
    read("pulls/list-comments-for-review", PULLS_READ, reviews::comments),
    read("pulls/list-review-comments", PULLS_READ, reviews::all_comments),
    read("issues/list-comments", ISSUES_READ, comments::list),
    write("issues/create-comment", ISSUES_WRITE, Makes::Content, comments::create),
    read("issues/list-comments-for-repo", ISSUES_READ, comments::of_repo),
    read("issues/get-comment", ISSUES_READ, comments::get),
    write("issues/update-comment", ISSUES_WRITE, Makes::Content, comments::update),
    write("issues/delete-comment", ISSUES_WRITE, Makes::Nothing, comments::delete),
    read("issues/list-labels-on-issue", ISSUES_READ, labels::on_issue),
    write("issues/add-labels", ISSUES_WRITE, Makes::Note, labels::add),
    write("issues/remove-label", ISSUES_WRITE, Makes::Nothing, labels::remove),
    read("issues/list-labels-for-repo", ISSUES_READ, labels::of_repo),
    read("issues/get-label", ISSUES_READ, labels::get),
    write("issues/create-label", ISSUES_WRITE, Makes::Note, labels::create),
    read("issues/list-for-repo", ISSUES_READ, issues::list),
    read("issues/get", ISSUES_READ, issues::get),
    write("issues/create", ISSUES_ONLY, Makes::Content, issues::create),
    write("issues/update", ISSUES_WRITE, Makes::Nothing, issues::update),
];

//! Accounts.

use serde_json::{Value, json};

use super::super::super::clock::rfc3339;
use super::super::super::state::account::AccountKind;
use super::super::super::state::ids::{NodeKind, RepoId, UserId};
use super::super::super::state::repo::Role;
use super::Render;

impl Render<'_> {
    /// A user wherever another object has one.
    pub fn user(&self, id: UserId) -> Value {
        self.state.user(id).rendered.or(self.base, || self.written_user(id))
    }

    fn written_user(&self, id: UserId) -> Value {
        let user = self.state.user(id);
        let url = format!("{}/users/{}", self.base, user.login.replace("[bot]", "%5Bbot%5D"));
        let node = if user.kind == AccountKind::Bot { NodeKind::Bot } else { NodeKind::User };
        json!({
            "login": user.login,
            "id": user.id.0,
            "node_id": node.node(user.id.0),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", user.id.0),
            "gravatar_id": "",
            "url": url,
            "html_url": format!("https://github.com/{}", user.login.trim_end_matches("[bot]")),
            "followers_url": format!("{url}/followers"),
            "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"),
            "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"),
            "type": user.kind.word(),
            "user_view_type": "public",
            "site_admin": false,
        })
    }

    /// A user's own page.
    pub fn full_user(&self, id: UserId) -> Value {
        let user = self.state.user(id);
        let more = json!({
            "name": null, "company": null, "blog": "", "location": null, "email": null, "hireable": null, "bio": null,
            "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
            "created_at": rfc3339(user.created_at), "updated_at": rfc3339(user.created_at),
        });
        merged(self.user(id), more)
    }

    /// What somebody may do in a repository.
    pub fn permission(&self, repo: RepoId, user: UserId) -> Value {
        let role = self.state.repo(repo).role(user);
        let may = json!({
            "pull": role >= Role::Read, "triage": role >= Role::Triage, "push": role >= Role::Write,
            "maintain": role >= Role::Maintain, "admin": role >= Role::Admin,
        });
        json!({
            "permission": role.legacy_word(),
            "role_name": role.word(),
            "user": merged(self.user(user), json!({"permissions": may, "role_name": role.word()})),
        })
    }
}

/// The fields of both.
pub(super) fn merged(mut base: Value, more: Value) -> Value {
    if let (Value::Object(base), Value::Object(more)) = (&mut base, more) {
        base.extend(more);
    }
    base
}

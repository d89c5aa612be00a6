//! Repositories, labels, statuses, hooks.

use serde_json::{Map, Value, json};

use super::super::super::clock::rfc3339;
use super::super::super::state::ids::{NodeKind, RepoId};
use super::super::super::state::repo::Role;
use super::super::super::state::repo::{Hook, Label, Status};
use super::Render;
use super::user::merged;

/// Addresses below a repository's own: name of the field, rest of the address.
const ADDRESSES: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

impl Render<'_> {
    /// A repository wherever another object has one.
    pub fn repo(&self, id: RepoId) -> Value {
        self.state.repo(id).rendered.or(self.base, || self.written_repo(id))
    }

    fn written_repo(&self, id: RepoId) -> Value {
        let repo = self.state.repo(id);
        let name = self.state.full_name(repo);
        let html = format!("https://github.com/{name}");
        let api = format!("{}/repos/{name}", self.base);
        let created = rfc3339(repo.created_at);
        let open = repo.issues.values().filter(|issue| issue.open).count();
        let addresses: Map<String, Value> =
            ADDRESSES.iter().map(|(field, rest)| ((*field).to_owned(), format!("{api}{rest}").into())).collect();
        let fields = json!({
            "id": id.0,
            "node_id": NodeKind::Repository.node(id.0),
            "name": repo.name,
            "full_name": name,
            "owner": self.user(repo.owner),
            "private": repo.private,
            "visibility": if repo.private { "private" } else { "public" },
            "html_url": html,
            "clone_url": format!("{}/{name}.git", self.site()),
            "git_url": format!("git://github.com/{name}.git"),
            "ssh_url": format!("git@github.com:{name}.git"),
            "svn_url": html,
        });
        let rest = json!({
            "description": null, "homepage": null, "language": null, "mirror_url": null, "license": null,
            "fork": repo.parent.is_some(),
            "default_branch": repo.default_branch,
            "forks": 0, "forks_count": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "size": 1,
            "open_issues": open, "open_issues_count": open,
            "has_downloads": true, "has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false,
            "has_discussions": false, "archived": false, "disabled": false, "is_template": false,
            "allow_forking": true, "web_commit_signoff_required": false, "topics": [],
            "created_at": created, "updated_at": created, "pushed_at": created,
        });
        merged(merged(Value::Object(addresses), fields), rest)
    }

    /// A repository's own page.
    pub fn full_repo(&self, id: RepoId) -> Value {
        let more = json!({"network_count": 0, "subscribers_count": 0});
        let full = merged(self.repo(id), more);
        match self.state.repo(id).parent.filter(|parent| self.state.repos.contains_key(parent)) {
            Some(parent) => merged(full, json!({"parent": self.repo(parent), "source": self.repo(parent)})),
            None => full,
        }
    }

    /// What somebody may do in a repository, as its own page tells them.
    pub fn role(&self, role: Role) -> Value {
        json!({
            "pull": role >= Role::Read, "triage": role >= Role::Triage, "push": role >= Role::Write,
            "maintain": role >= Role::Maintain, "admin": role >= Role::Admin,
        })
    }

    /// A label.
    pub fn label(&self, repo: RepoId, label: &Label) -> Value {
        let name = self.state.full_name(self.state.repo(repo));
        let mut url = url::Url::parse("https://unused.invalid").expect("a constant address");
        url.set_path(&label.name);
        json!({
            "id": label.id,
            "node_id": NodeKind::Label.node(label.id),
            "url": format!("{}/repos/{name}/labels{}", self.base, url.path()),
            "name": label.name,
            // A list of pull requests says a text here, whatever else says null.
            "description": label.description.clone().unwrap_or_default(),
            "color": label.color,
            "default": false,
        })
    }

    /// A commit status, without who set it.
    pub fn simple_status(&self, repo: RepoId, sha: &str, status: &Status) -> Value {
        let name = self.state.full_name(self.state.repo(repo));
        let at = rfc3339(status.created_at);
        json!({
            "url": format!("{}/repos/{name}/statuses/{sha}", self.base),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", status.creator.0),
            "id": status.id,
            "node_id": NodeKind::Status.node(status.id),
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": at,
            "updated_at": at,
        })
    }

    /// A commit status.
    pub fn status(&self, repo: RepoId, sha: &str, status: &Status) -> Value {
        merged(self.simple_status(repo, sha, status), json!({"creator": self.user(status.creator)}))
    }

    /// The newest status of each context, and what they amount to.
    pub fn combined_status(&self, repo: RepoId, sha: &str) -> Value {
        let name = self.state.full_name(self.state.repo(repo));
        let all = self.state.combined_status(repo, sha);
        let any = |words: &[&str]| all.iter().any(|status| words.contains(&status.state.as_str()));
        let state = match () {
            () if any(&["error", "failure"]) => "failure",
            () if all.is_empty() || any(&["pending"]) => "pending",
            () => "success",
        };
        json!({
            "state": state,
            "sha": sha,
            "total_count": all.len(),
            "statuses": all.iter().map(|status| self.simple_status(repo, sha, status)).collect::<Vec<_>>(),
            "repository": self.repo(repo),
            "commit_url": format!("{}/repos/{name}/commits/{sha}", self.base),
            "url": format!("{}/repos/{name}/commits/{sha}/status", self.base),
        })
    }

    /// A webhook; its secret is never shown.
    pub fn hook(&self, repo: RepoId, hook: &Hook) -> Value {
        let name = self.state.full_name(self.state.repo(repo));
        let url = format!("{}/repos/{name}/hooks/{}", self.base, hook.id);
        let at = rfc3339(hook.created_at);
        json!({
            "type": "Repository",
            "id": hook.id,
            "name": "web",
            "active": true,
            "events": hook.config.events,
            "config": {"url": hook.config.url, "content_type": "json", "insecure_ssl": "0", "secret": "********"},
            "created_at": at,
            "updated_at": at,
            "url": url,
            "test_url": format!("{url}/test"),
            "ping_url": format!("{url}/pings"),
            "deliveries_url": format!("{url}/deliveries"),
            "last_response": {"code": null, "status": "unused", "message": null},
        })
    }
}

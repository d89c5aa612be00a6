//! Rules of labels.

use super::super::clock::Millis;
use super::State;
use super::ids::{IssueRef, RepoId};
use super::refusal::Refusal;
use super::repo::Label;

impl State {
    /// Adds a label to a repository.
    pub fn create_label(
        &mut self,
        repo: RepoId,
        name: &str,
        color: Option<&str>,
        description: Option<&str>,
    ) -> Result<(), Refusal> {
        if name.trim().is_empty() || name.chars().count() > 50 {
            return Err(Refusal::invalid("Label", "name", "invalid", "name is too long (maximum is 50 characters)"));
        }
        let color = color.unwrap_or("ededed");
        if color.len() != 6 || !color.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Refusal::invalid("Label", "color", "invalid", "color must be 6 hexadecimal digits"));
        }
        if description.is_some_and(|text| text.chars().count() > 100) {
            let reason = "description is too long (maximum is 100 characters)";
            return Err(Refusal::invalid("Label", "description", "custom", reason));
        }
        if self.repo(repo).labels.contains_key(&name.to_lowercase()) {
            return Err(Refusal::invalid("Label", "name", "already_exists", "name already exists"));
        }
        let label = Label {
            id: self.fresh_id(),
            name: name.to_owned(),
            color: color.to_owned(),
            description: description.map(str::to_owned),
        };
        self.repo_mut(repo).labels.insert(name.to_lowercase(), label);
        Ok(())
    }

    /// Puts labels on an issue; labels that the repository lacks are made.
    pub fn add_labels(&mut self, at: IssueRef, names: &[String], now: Millis) -> Result<(), Refusal> {
        self.issue(at)?;
        for name in names {
            if !self.repo(at.repo).labels.contains_key(&name.to_lowercase()) {
                self.create_label(at.repo, name, None, None)?;
            }
        }
        let known: Vec<String> =
            names.iter().filter_map(|name| self.label(at.repo, name)).map(|label| label.name.clone()).collect();
        let issue = self.issue_mut(at)?;
        for name in known {
            if !issue.labels.contains(&name) {
                issue.labels.push(name);
                issue.updated_at = now;
            }
        }
        Ok(())
    }

    /// Takes a label off an issue.
    pub fn remove_label(&mut self, at: IssueRef, name: &str, now: Millis) -> Result<(), Refusal> {
        let issue = self.issue_mut(at)?;
        let position = issue.labels.iter().position(|label| label.eq_ignore_ascii_case(name));
        let position =
            position.ok_or_else(|| Refusal { message: "Label does not exist".into(), ..Refusal::not_found() })?;
        issue.labels.remove(position);
        issue.updated_at = now;
        Ok(())
    }

    /// The label with this name, whatever its case.
    pub fn label(&self, repo: RepoId, name: &str) -> Option<&Label> {
        self.repo(repo).labels.get(&name.to_lowercase())
    }
}

//! What a push asks for: the lines before its pack, `OLD NEW REF` each, the first with what the client is able to do.

use super::super::packet::{self, Unframed};
use super::{MAX_UPDATES, Moved};
use crate::forge::pull::{Branch, InvalidBranch};
use crate::submission::sha::CommitId;

/// A push, read as far as its pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// References as the client names them: the answer names them again.
    pub names: Vec<Vec<u8>>,
    /// What moves, or why none of it may.
    pub moved: Result<Vec<Moved>, Refusal>,
    /// The client takes text beside the report.
    pub sideband: bool,
    /// The client wants to know what became of each reference.
    pub report: bool,
}

/// A push that is refused, with what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A tag, a note, or anything else outside `refs/heads/`.
    #[error("`{}` is not a branch: push branches only, as in `git push origin HEAD:refs/heads/my-answer`", .0.escape_debug())]
    NotABranch(String),
    /// A name that is not harmless everywhere.
    #[error(transparent)]
    Name(#[from] InvalidBranch),
    /// Where the workspace starts.
    #[error("`main` cannot be deleted: it is where your workspace starts; delete your own branches as you like")]
    DeleteMain,
    /// Where the fork names the workspace as published.
    #[error(
        "`{0}` is the workspace as it is published: push a branch of another name, as in `git push origin \
         HEAD:refs/heads/my-answer`"
    )]
    Published(Branch),
    /// No fork can hold it beside that.
    #[error(
        "a branch `{0}` cannot stand beside `{published}`, which is the workspace as it is published: push it under another \
         name, as in `git push origin HEAD:refs/heads/my-answer`",
        published = Branch::PUBLISHED
    )]
    Displaces(Branch),
    /// Most likely a mistake.
    #[error("this push moves more than {MAX_UPDATES} branches: push those you mean, as in `git push origin my-answer`")]
    TooMany,
    /// The same reference in two lines.
    #[error("`{0}` is in this push twice: push each branch once")]
    Twice(Branch),
    /// Not what Git writes.
    #[error("git told something unreadable about the push: {0}")]
    Unreadable(String),
}

impl Asked {
    /// Reads the beginning of a request; none until all of it is there. The number is where the pack begins.
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Unframed> {
        let Some((lines, end)) = packet::lines(bytes)? else { return Ok(None) };
        let mut capabilities: &[u8] = b"";
        let mut commands = Vec::new();
        for line in lines {
            let mut parts = line.splitn(2, |byte| *byte == 0);
            let command = parts.next().unwrap_or_default();
            if let Some(told) = parts.next() {
                capabilities = told;
            }
            // A shallow clone says where its history ends: a push must bring what we do not have, whatever it lacks.
            if !command.starts_with(b"shallow ") {
                commands.push(command.strip_suffix(b"\n").unwrap_or(command));
            }
        }
        let able = |what: &[u8]| capabilities.split(|byte| matches!(byte, b' ' | b'\n')).any(|word| word == what);
        let name = |command: &&[u8]| command.splitn(3, |byte| *byte == b' ').nth(2).unwrap_or_default().to_vec();
        let asked = Self {
            names: commands.iter().map(name).collect(),
            moved: moved(&commands),
            sideband: able(b"side-band-64k"),
            report: able(b"report-status"),
        };
        Ok(Some((asked, end)))
    }
}

fn moved(commands: &[&[u8]]) -> Result<Vec<Moved>, Refusal> {
    if commands.len() > MAX_UPDATES {
        return Err(Refusal::TooMany);
    }
    let mut all: Vec<Moved> = Vec::new();
    for command in commands {
        let command = String::from_utf8_lossy(command);
        let unreadable = || Refusal::Unreadable(command.escape_debug().to_string());
        let mut words = command.splitn(3, ' ');
        let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) else {
            return Err(unreadable());
        };
        let branch = name.strip_prefix("refs/heads/").ok_or_else(|| Refusal::NotABranch(name.to_owned()))?;
        let branch: Branch = branch.parse()?;
        let commit = |text: &str| match text.parse::<CommitId>() {
            Ok(_) if text.bytes().all(|byte| byte == b'0') => Ok(None),
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(unreadable()),
        };
        let (old, new) = (commit(old)?, commit(new)?);
        if branch.is_main() && new.is_none() {
            return Err(Refusal::DeleteMain);
        }
        if branch.is_published() {
            return Err(Refusal::Published(branch));
        }
        // Whoever has one from elsewhere may delete it.
        if branch.displaces_published() && new.is_some() {
            return Err(Refusal::Displaces(branch));
        }
        if all.iter().any(|other| other.branch == branch) {
            return Err(Refusal::Twice(branch));
        }
        all.push(Moved { branch, old, new });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::super::super::packet::{FLUSH, packet};
    use super::*;

    const ZERO: &str = "0000000000000000000000000000000000000000";
    const HEAD: &str = "4f2c9ab4f2c9ab4f2c9ab4f2c9ab4f2c9ab4f2c9";

    fn read(lines: &[&str]) -> Asked {
        let mut bytes: Vec<u8> = lines.iter().flat_map(|line| packet(line.as_bytes())).collect();
        bytes.extend_from_slice(FLUSH);
        let (asked, end) = Asked::read(&bytes).unwrap().unwrap();
        assert_eq!(end, bytes.len());
        asked
    }

    #[test]
    fn what_git_writes_is_read_in_order() {
        let asked = read(&[
            &format!("shallow {HEAD}"),
            &format!("{ZERO} {HEAD} refs/heads/one\0 report-status side-band-64k object-format=sha1 agent=git/2.39"),
            &format!("{HEAD} {ZERO} refs/heads/you/two"),
        ]);
        let moved = asked.moved.unwrap();
        let found: Vec<_> =
            moved.iter().map(|moved| (moved.branch.as_str(), moved.old.is_some(), moved.new.is_some())).collect();
        assert_eq!(found, [("one", false, true), ("you/two", true, false)]);
        assert_eq!(asked.names, [b"refs/heads/one".to_vec(), b"refs/heads/you/two".to_vec()]);
        assert!(asked.sideband && asked.report);
    }

    #[test]
    fn a_client_gets_only_what_it_is_able_to_take() {
        let asked = read(&[&format!("{ZERO} {HEAD} refs/heads/one\0side-band-64kk no-report-status")]);
        assert!(!asked.sideband && !asked.report);
        let nothing = read(&[]);
        assert_eq!((nothing.names.len(), nothing.moved), (0, Ok(Vec::new())), "how git asks whether it may push");
    }

    #[test]
    fn only_branches_with_harmless_names_are_taken() {
        let refusal = |name: &str| read(&[&format!("{ZERO} {HEAD} {name}")]).moved.unwrap_err().to_string();
        assert!(refusal("refs/tags/v1").contains("push branches only"));
        assert!(refusal("refs/replace/aaaa").contains("push branches only"));
        assert!(refusal("HEAD").contains("push branches only"));
        assert!(refusal("refs/heads/a$(id)").contains("is not a branch name"));
        assert!(refusal("refs/heads/../../x").contains("is not a branch name"));
        assert!(!refusal("refs/heads/a\u{1b}[31m").contains('\u{1b}'));
        assert_eq!(read(&[&format!("{HEAD} {ZERO} refs/heads/main")]).moved, Err(Refusal::DeleteMain));
        assert!(refusal("refs/heads/gradus/workspace").contains("another name"));
        for displacing in ["gradus", "gradus/workspace/mine"] {
            let told = refusal(&format!("refs/heads/{displacing}"));
            assert!(told.contains("beside `gradus/workspace`") && told.contains("HEAD:refs/heads/my-answer"), "{told}");
            assert!(read(&[&format!("{HEAD} {ZERO} refs/heads/{displacing}")]).moved.is_ok(), "may be deleted");
        }
        for beside in ["gradus/mine", "gradus-workspace", "gradu", "gradus/workspaces"] {
            assert!(read(&[&format!("{ZERO} {HEAD} refs/heads/{beside}")]).moved.is_ok(), "{beside}");
        }
        assert!(matches!(read(&["push-cert"]).moved, Err(Refusal::Unreadable(_))));
        assert!(matches!(read(&[&format!("{ZERO} HEAD refs/heads/a")]).moved, Err(Refusal::Unreadable(_))));
    }

    #[test]
    fn a_push_of_everything_or_of_one_branch_twice_is_refused() {
        let line = |n: usize| format!("{ZERO} {HEAD} refs/heads/b{n}");
        let lines: Vec<String> = (0..=MAX_UPDATES).map(line).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(read(&lines).moved, Err(Refusal::TooMany));
        assert!(read(&lines[1..]).moved.is_ok());
        assert!(matches!(read(&[lines[0], lines[0]]).moved, Err(Refusal::Twice(_))));
    }
}

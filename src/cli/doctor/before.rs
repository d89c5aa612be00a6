//! `gradus doctor argocd --before`: what an Argo CD that is there would mean for learners, and our settings for the others.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::{EXIT_FAIL, EXIT_PASS, trouble};
use crate::environment::client;
use crate::gitops::before::read::survey;
use crate::gitops::before::{Before, Setting, judge};
use crate::review::safe::plain;

/// Longest value or name that is shown.
const MAX: usize = 200;

/// Applications that are named below a setting; the rest is counted.
const NAMED: usize = 20;

/// Find out what an Argo CD that is there would mean for learners, and what our settings would break
///
/// Only reads, with the rights of the kubeconfig: ConfigMaps and the workloads in Argo CD's namespace, and all Applications, projects and
/// ApplicationSets. Run it before anything is applied; docs/environments.md says what comes next.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 argocd/dedicated would break nobody's, 1 it would, 2 Argo CD cannot be asked. With argocd/shared no \
                  setting changes, so that it breaks nobody's either way."
)]
pub struct Args {
    /// Before anything is installed
    #[arg(long, required = true)]
    before: bool,
    /// Leads to the cluster; without, as kubectl finds it
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Argo CD's namespace
    #[arg(long, value_name = "NAME", default_value = "argocd")]
    namespace: String,
}

/// Runs the verb.
pub fn run(args: &Args) -> ExitCode {
    let asked = async {
        let client = match &args.kubeconfig {
            Some(path) => client::of_file(Some(path)).await?,
            None => client::of_user().await?,
        };
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(judge(&survey(&client, &args.namespace).await?)?)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(asked)) {
        Ok(before) => {
            print!("{}", text(&before, &args.namespace));
            ExitCode::from(if before.breaks() { EXIT_FAIL } else { EXIT_PASS })
        }
        Err(error) => trouble::fail(&*error),
    }
}

fn text(before: &Before, namespace: &str) -> String {
    let mut text = format!("Argo CD in the namespace {namespace}\n  version: ");
    let _ = match &before.version {
        Some((version, support)) => writeln!(text, "{version}, {}", support.says()),
        None => writeln!(
            text,
            "no image of its programs names one; 3.6.1 is tested, 3.1 is the first with all that is needed"
        ),
    };
    let _ = writeln!(text, "  others' Applications: {}\n", before.applications);
    for setting in &before.settings {
        text.push_str(&one(setting));
    }
    text.push_str(&verdict(before));
    text
}

fn one(setting: &Setting) -> String {
    let mut text = format!("{}\n", plain(&setting.about, MAX));
    let mut line = |word: &str, says: &str| {
        let _ = writeln!(text, "  {word:<9} {}", plain(says, MAX));
    };
    line("now", &setting.now);
    line("needed", &setting.needed);
    if let Some(value) = setting.dedicated.as_ref().filter(|value| **value != setting.now) {
        line("dedicated", value);
    }
    if let Some(lacks) = &setting.lacks {
        line("LACKS", lacks);
    }
    if let Some(remark) = &setting.remark {
        line("note", remark);
    }
    for (name, why) in setting.breaks.iter().take(NAMED) {
        line("BREAKS", &format!("{name}: {why}"));
    }
    if setting.breaks.len() > NAMED {
        line("BREAKS", &format!("and {} more", setting.breaks.len() - NAMED));
    }
    text + "\n"
}

fn verdict(before: &Before) -> String {
    let mut text = String::new();
    match before.keeps_out.as_slice() {
        [] => {
            text.push_str("argocd/shared: untrusted learners can be taken on the namespace tier; no setting changes.\n")
        }
        reasons => {
            text.push_str("argocd/shared: takes no untrusted learners with these settings; no setting changes.\n");
            for reason in reasons {
                let _ = writeln!(text, "  - {}", plain(reason, MAX));
            }
        }
    }
    if before.version.is_none() {
        text.push_str("  Its version is not known here: docs/environments.md says which ones have holes that learners could use.\n");
    }
    let mut names: Vec<&str> =
        before.settings.iter().flat_map(|setting| &setting.breaks).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match (names.len(), before.applications) {
        (0, 0) => text.push_str(match &before.version {
            Some((_, support)) if !support.admits_strangers() => {
                "argocd/dedicated: breaks nothing; nobody else is here. Not with this version: it takes no untrusted learners.\n"
            }
            _ => "argocd/dedicated: breaks nothing; nobody else is here. It takes untrusted learners.\n",
        }),
        (0, _) => text.push_str(
            "argocd/dedicated: breaks nothing that can be seen, but it is meant for an Argo CD that nobody else uses.\n",
        ),
        (count, _) => {
            let _ = writeln!(
                text,
                "argocd/dedicated: would break {count} of others'. Give learners an Argo CD in a cluster of its own."
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gitops::version::{Support, TESTED};

    #[test]
    fn what_breaks_and_what_lacks_stands_below_its_setting_and_the_verdict_last() {
        let setting = Setting {
            about: "argocd-cm x".into(),
            now: "not set".into(),
            needed: "`true`".into(),
            lacks: Some("no boundary".into()),
            dedicated: Some("`true`".into()),
            breaks: (0..22).map(|n| (format!("argocd/{n}"), "names no account".into())).collect(),
            remark: None,
        };
        let before = Before {
            version: Some((TESTED, Support::Tested)),
            applications: 30,
            settings: vec![setting],
            keeps_out: vec!["no boundary".into()],
        };
        let text = text(&before, "argocd");
        assert!(
            text.starts_with("Argo CD in the namespace argocd\n  version: 3.6.1, the version that is tested\n"),
            "{text}"
        );
        assert!(
            text.contains("\n  LACKS     no boundary\n")
                && text.contains("\n  BREAKS    argocd/19: names no account\n"),
            "{text}"
        );
        assert!(text.contains("and 2 more") && !text.contains("argocd/20"), "{text}");
        assert!(text.contains("takes no untrusted learners") && text.contains("would break 22 of others'"), "{text}");
    }

    #[test]
    fn an_empty_argo_cd_says_what_it_takes() {
        let before = Before { version: None, applications: 0, settings: Vec::new(), keeps_out: Vec::new() };
        let text = text(&before, "argocd");
        assert!(
            text.contains("no image")
                && text.contains("untrusted learners can be taken")
                && text.contains("nobody else")
        );
    }
}

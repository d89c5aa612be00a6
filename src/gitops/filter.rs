//! Which kinds Argo CD watches at all: its `resource.inclusions` and `resource.exclusions`. Pure.

use globset::Glob;
use serde::Deserialize;

/// What Argo CD excludes whatever is configured.
const ALWAYS: [(&str, &str); 4] =
    [("events.k8s.io", "*"), ("metrics.k8s.io", "*"), ("", "Event"), ("coordination.k8s.io", "Lease")];

/// One entry of either setting; a list that is empty matches everything.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    api_groups: Vec<String>,
    #[serde(default)]
    kinds: Vec<String>,
    #[serde(default)]
    clusters: Vec<String>,
}

/// Both settings together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    inclusions: Vec<Rule>,
    exclusions: Vec<Rule>,
}

/// A setting cannot be read, by Argo CD neither.
#[derive(Debug, thiserror::Error)]
#[error("cannot be read: {0}")]
pub struct InvalidFilter(#[from] serde_yaml::Error);

/// Whether a pattern of Argo CD's matches, in which `*` stands for anything.
pub fn matches(pattern: &str, text: &str) -> bool {
    Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(text))
}

impl Filter {
    /// From what stands in the settings; nothing where they are not set.
    ///
    /// # Errors
    /// When one of them is no list of rules.
    pub fn read(inclusions: Option<&str>, exclusions: Option<&str>) -> Result<Self, InvalidFilter> {
        let rules = |text: Option<&str>| -> Result<Vec<Rule>, InvalidFilter> {
            Ok(serde_yaml::from_str::<Option<Vec<Rule>>>(text.unwrap_or_default())?.unwrap_or_default())
        };
        Ok(Self { inclusions: rules(inclusions)?, exclusions: rules(exclusions)? })
    }

    /// Whether objects of a kind in a cluster are not there for Argo CD.
    pub fn leaves_out(&self, group: &str, kind: &str, cluster: &str) -> bool {
        let any = |rules: &[Rule]| rules.iter().any(|rule| rule.matches(group, kind, cluster));
        let always = ALWAYS.iter().any(|(of, name)| *of == group && (*name == "*" || *name == kind));
        always
            || any(&self.exclusions)
            || (!any(&self.inclusions) && self.inclusions.iter().any(|rule| rule.is_for(cluster)))
    }
}

impl Rule {
    fn is_for(&self, cluster: &str) -> bool {
        self.clusters.is_empty() || self.clusters.iter().any(|pattern| matches(pattern, cluster))
    }

    fn matches(&self, group: &str, kind: &str, cluster: &str) -> bool {
        (self.api_groups.is_empty() || self.api_groups.iter().any(|pattern| matches(pattern, group)))
            && (self.kinds.is_empty() || self.kinds.iter().any(|known| known == "*" || known == kind))
            && self.is_for(cluster)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "https://kubernetes.default.svc";

    #[test]
    fn inclusions_concern_the_clusters_that_they_name_and_exclusions_win() {
        let inclusions = "- apiGroups: [apps]\n  kinds: [Deployment]\n  clusters: [https://kubernetes.default.svc]\n";
        let only = Filter::read(Some(inclusions), None).unwrap();
        assert!(!only.leaves_out("apps", "Deployment", HERE));
        assert!(only.leaves_out("apps", "StatefulSet", HERE) && only.leaves_out("", "ConfigMap", HERE));
        assert!(!only.leaves_out("", "ConfigMap", "https://10.0.0.1:6443"));
        let both = Filter::read(Some(inclusions), Some("- apiGroups: ['*']\n  kinds: [Deployment]\n")).unwrap();
        assert!(both.leaves_out("apps", "Deployment", HERE));
        let none = Filter::read(None, Some("")).unwrap();
        assert!(!none.leaves_out("", "ConfigMap", HERE) && none.leaves_out("coordination.k8s.io", "Lease", HERE));
        assert!(Filter::read(Some("a: b"), None).is_err());
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(matches("*", HERE) && matches("https://*.svc", HERE) && matches("team-*", "team-a"));
        assert!(!matches("team-?", "team-ab") && !matches("[", "["));
    }
}

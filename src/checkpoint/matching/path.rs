//! Where a comparison stands: a list on the stack, turned into text only when a difference is reported.

/// A path from the root of the value that is looked at.
#[derive(Clone, Copy)]
pub(super) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Item {
        index: usize,
        /// The name by which it was paired.
        name: Option<&'p str>,
    },
}

/// Parents that say nothing about the key below them.
const PLAIN_PARENTS: [&str; 5] = ["spec", "metadata", "status", "data", "stringData"];

impl<'p> Path<'p> {
    pub fn root() -> Self {
        Path { parent: None, step: Step::Root }
    }

    pub fn key(&'p self, key: &'p str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    pub fn item(&'p self, index: usize, name: Option<&'p str>) -> Path<'p> {
        Path { parent: Some(self), step: Step::Item { index, name } }
    }

    fn steps(&self) -> Vec<Step<'p>> {
        let mut steps = Vec::new();
        let mut path = Some(self);
        while let Some(here) = path {
            steps.push(here.step);
            path = here.parent;
        }
        steps.pop();
        steps.reverse();
        steps
    }

    /// RFC 6901.
    pub fn pointer(&self) -> String {
        let segment = |step: &Step<'_>| match step {
            Step::Root => String::new(),
            Step::Key(key) => format!("/{}", escape(key)),
            Step::Item { index, .. } => format!("/{index}"),
        };
        self.steps().iter().map(segment).collect()
    }

    /// The name of the nearest enclosing key: of a list, the list's own.
    pub fn name(&self) -> &'p str {
        match self.step {
            Step::Key(key) => key,
            Step::Root => "",
            Step::Item { .. } => self.parent.map_or("", Path::name),
        }
    }

    /// The top-level key that this path is below.
    pub fn top(&self) -> Option<&'p str> {
        match self.steps().first() {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// The path in words, short and yet unmistakable: `replicas`, `labels.app`, `containers[web].image`.
    pub fn label(&self) -> String {
        let steps = self.steps();
        if steps.is_empty() {
            return "the document".to_owned();
        }
        let item = steps.iter().rposition(|step| matches!(step, Step::Item { .. }));
        let start = match item {
            Some(item) => steps[..item].iter().rposition(|step| matches!(step, Step::Key(_))).unwrap_or(item),
            None if steps.len() < 2 => 0,
            None => match steps[steps.len() - 2] {
                Step::Key(parent) if !PLAIN_PARENTS.contains(&parent) => steps.len() - 2,
                _ => steps.len() - 1,
            },
        };
        let mut label = String::new();
        for step in &steps[start..] {
            match step {
                Step::Root => {}
                Step::Key(key) if label.is_empty() => label.push_str(&super::words::clip(key)),
                Step::Key(key) => label.push_str(&format!(".{}", super::words::clip(key))),
                Step::Item { name: Some(name), .. } => label.push_str(&format!("[{}]", super::words::clip(name))),
                Step::Item { index, name: None } => label.push_str(&format!("[{index}]")),
            }
        }
        format!("`{label}`")
    }
}

/// A key as a segment of a JSON pointer.
pub fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_unmistakable() {
        let root = Path::root();
        let spec = root.key("spec");
        assert_eq!(root.label(), "the document");
        assert_eq!(spec.key("replicas").label(), "`replicas`");
        let (metadata, template) = (root.key("metadata"), spec.key("template"));
        let labels = metadata.key("labels");
        assert_eq!(labels.key("app").label(), "`labels.app`");
        let containers = template.key("containers");
        let web = containers.item(3, Some("web"));
        assert_eq!(web.key("image").label(), "`containers[web].image`");
        assert_eq!(web.key("image").pointer(), "/spec/template/containers/3/image");
        assert_eq!(containers.item(0, None).label(), "`containers[0]`");
        assert_eq!(labels.key("a/b~c").pointer(), "/metadata/labels/a~1b~0c");
    }
}

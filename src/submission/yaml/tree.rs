//! The span tree: an arena of nodes, so that aliases share and dropping never recurses.

/// Index of a node in its document's arena.
pub(super) type NodeId = u32;

/// Where a node stands. Lines and columns from 1, columns in characters, the end exclusive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
}

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub kind: Kind,
    pub span: Span,
    /// What a walk through it would meet, aliases followed.
    pub size: Size,
}

/// What a node is.
#[derive(Debug)]
pub(super) enum Kind {
    Scalar {
        text: Box<str>,
        style: Style,
        tag: Tag,
    },
    List(Vec<NodeId>),
    /// Keys are scalars, or aliases of scalars. Duplicates are kept: which one counts is the dialect's matter.
    Map(Vec<(NodeId, NodeId)>),
    Alias(NodeId),
}

/// How a scalar was written, as far as it decides about its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    /// Single or double quotes, `|` or `>`.
    Quoted,
}

/// The tag of a scalar, as far as it decides about its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    None,
    Str,
    Int,
    Float,
    Bool,
    Null,
    Binary,
    Timestamp,
    /// The author's own tags, as in `!Ref x`: tools of Kubernetes drop them.
    Other,
}

/// Size of a subtree with its aliases followed: what resolving it costs. Saturating, so that a bomb stays a big number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub nodes: u64,
    /// Bytes of scalars.
    pub bytes: u64,
    /// Nesting, 1 for a scalar.
    pub depth: u32,
}

impl Size {
    pub fn scalar(text: &str) -> Self {
        Size { nodes: 1, bytes: text.len() as u64, depth: 1 }
    }

    /// Takes a child in.
    pub fn add(&mut self, child: Size) {
        self.nodes = self.nodes.saturating_add(child.nodes);
        self.bytes = self.bytes.saturating_add(child.bytes);
        self.depth = self.depth.max(child.depth.saturating_add(1));
    }
}

/// The arena of one document.
#[derive(Debug, Default)]
pub(super) struct Arena {
    nodes: Vec<Node>,
}

impl Arena {
    pub fn push(&mut self, node: Node) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.nodes.push(node);
        id
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node itself, possibly an alias.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// The node with aliases followed. An alias points at a node that was complete before it, so this ends.
    pub fn target(&self, id: NodeId) -> &Node {
        let mut node = self.node(id);
        while let Kind::Alias(target) = node.kind {
            node = self.node(target);
        }
        node
    }

    /// The text of a scalar, aliases followed; none for a list or a map.
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match &self.target(id).kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether a key merges another map in: a plain `<<`.
    pub fn is_merge(&self, key: NodeId) -> bool {
        matches!(&self.target(key).kind, Kind::Scalar { text, style: Style::Plain, tag: Tag::None } if &**text == "<<")
    }
}

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

/// One node, as the arena keeps it: its text and children elsewhere. A submission has hundreds of thousands.
#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    span: Span,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Bytes of `texts`.
    Scalar {
        start: u32,
        length: u32,
        style: Style,
        tag: Tag,
    },
    /// Positions of `items`.
    List {
        start: u32,
        length: u32,
    },
    /// Positions of `entries`.
    Map {
        start: u32,
        length: u32,
    },
    Alias(NodeId),
}

/// An entry of a map: key and value. Keys are scalars, or aliases of scalars.
pub(super) type Entry = [NodeId; 2];

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'a> {
    Scalar {
        text: &'a str,
        style: Style,
        tag: Tag,
    },
    List(&'a [NodeId]),
    /// Duplicates are kept: which one counts is the dialect's matter.
    Map(&'a [Entry]),
    Alias,
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

/// The arena of one document: few allocations, however many nodes.
#[derive(Debug, Default, Clone)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    /// Texts of all scalars, one after the other.
    texts: String,
    items: Vec<NodeId>,
    entries: Vec<Entry>,
}

impl Arena {
    pub fn scalar(&mut self, text: &str, style: Style, tag: Tag, span: Span) -> NodeId {
        let start = index(self.texts.len());
        self.texts.push_str(text);
        self.push(Kind::Scalar { start, length: index(text.len()), style, tag }, span)
    }

    pub fn list(&mut self, items: &[NodeId], span: Span) -> NodeId {
        let start = index(self.items.len());
        self.items.extend_from_slice(items);
        self.push(Kind::List { start, length: index(items.len()) }, span)
    }

    /// `flat` holds keys and values in turn.
    pub fn map(&mut self, flat: &[NodeId], span: Span) -> NodeId {
        let start = index(self.entries.len());
        let (entries, _) = flat.as_chunks::<2>();
        self.entries.extend_from_slice(entries);
        self.push(Kind::Map { start, length: index(entries.len()) }, span)
    }

    pub fn alias(&mut self, target: NodeId, span: Span) -> NodeId {
        self.push(Kind::Alias(target), span)
    }

    fn push(&mut self, kind: Kind, span: Span) -> NodeId {
        let id = index(self.nodes.len());
        self.nodes.push(Node { kind, span });
        id
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of the scalars.
    pub fn bytes(&self) -> usize {
        self.texts.len()
    }

    /// Takes everything out and keeps the room for the next document.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.texts.clear();
        self.items.clear();
        self.entries.clear();
    }

    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        0..index(self.nodes.len())
    }

    pub fn span(&self, id: NodeId) -> Span {
        self.nodes[id as usize].span
    }

    /// The node itself, possibly an alias.
    pub fn view(&self, id: NodeId) -> View<'_> {
        let range = |start: u32, length: u32| start as usize..start as usize + length as usize;
        match self.nodes[id as usize].kind {
            Kind::Scalar { start, length, style, tag } => {
                View::Scalar { text: &self.texts[range(start, length)], style, tag }
            }
            Kind::List { start, length } => View::List(&self.items[range(start, length)]),
            Kind::Map { start, length } => View::Map(&self.entries[range(start, length)]),
            Kind::Alias(_) => View::Alias,
        }
    }

    /// With aliases followed. An alias points at a node that was complete before it, so this ends.
    pub fn target(&self, mut id: NodeId) -> NodeId {
        while let Kind::Alias(target) = self.nodes[id as usize].kind {
            id = target;
        }
        id
    }

    /// The node with aliases followed.
    pub fn resolved(&self, id: NodeId) -> View<'_> {
        self.view(self.target(id))
    }

    /// The text of a scalar, aliases followed; none for a list or a map.
    pub fn text(&self, id: NodeId) -> Option<&str> {
        match self.resolved(id) {
            View::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether a key merges another map in: a plain `<<`.
    pub fn is_merge(&self, key: NodeId) -> bool {
        matches!(self.resolved(key), View::Scalar { text: "<<", style: Style::Plain, tag: Tag::None })
    }
}

/// A position in one of the arena's parts. A file has at most 10 MiB, and what a byte of it makes of each part is no more
/// than two.
fn index(position: usize) -> u32 {
    u32::try_from(position).expect("the limits of a file are below 2^32")
}

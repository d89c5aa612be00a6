//! The style and the script of the pages, inside the program.

/// An asset as it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// For `Content-Type`.
    pub content_type: &'static str,
    /// All of it.
    pub body: &'static str,
}

/// The asset of this name, if there is one.
pub fn get(name: &str) -> Option<Asset> {
    Some(match name {
        "style.css" => Asset { content_type: "text/css; charset=utf-8", body: include_str!("../assets/style.css") },
        "live.js" => Asset { content_type: "text/javascript; charset=utf-8", body: include_str!("../assets/live.js") },
        "icon.svg" => Asset { content_type: "image/svg+xml", body: include_str!("../assets/icon.svg") },
        _ => return None,
    })
}

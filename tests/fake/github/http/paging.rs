//! Pages and the `Link` header.

use serde_json::Value;

use super::call::Call;
use super::reply::Reply;

/// A page of a list.
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The value of `Link`; none when everything fits one page.
    pub link: Option<String>,
}

/// The page that a request asks for: 30 a page unless it says so, never more than 100.
pub fn page<T>(call: &Call, all: Vec<T>) -> Page<T> {
    let number = |name, or: usize| call.query(name).and_then(|text| text.parse().ok()).unwrap_or(or).max(1);
    let (size, page) = (number("per_page", 30).min(100), number("page", 1));
    let last = all.len().div_ceil(size).max(1);
    let items = all.into_iter().skip((page - 1).saturating_mul(size)).take(size).collect();
    let mut links = Vec::new();
    if page > 1 {
        links.push((page.min(last + 1) - 1, "prev"));
    }
    if page < last {
        links.extend([(page + 1, "next"), (last, "last")]);
    }
    if page > 1 {
        links.push((1, "first"));
    }
    let link = |(page, relation): (usize, &str)| format!("<{}>; rel=\"{relation}\"", address(call, page));
    let link = (last > 1 && !links.is_empty()).then(|| links.into_iter().map(link).collect::<Vec<_>>().join(", "));
    Page { items, link }
}

fn address(call: &Call, page: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(call.query.iter().filter(|(name, _)| name != "page"));
    query.append_pair("page", &page.to_string());
    format!("{}{}?{}", call.base, call.path, query.finish())
}

/// A page as an answer.
pub fn reply<T>(call: &Call, all: Vec<T>, render: impl FnMut(T) -> Value) -> Reply {
    let Page { items, link } = page(call, all);
    let reply = Reply::ok(items.into_iter().map(render).collect());
    match link {
        Some(link) => reply.with("link", link),
        None => reply,
    }
}

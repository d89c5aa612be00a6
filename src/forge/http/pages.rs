//! Where the next page of a list is (RFC 8288), as far as a token may follow.

use http::HeaderMap;
use http::header::LINK;
use url::Url;

use super::base::Base;
use super::failure::Failure;

/// The link `rel="next"` of an answer; none on the last page.
pub fn next(base: &Base, headers: &HeaderMap) -> Result<Option<Url>, Failure> {
    let links = headers.get_all(LINK).into_iter().filter_map(|value| value.to_str().ok());
    let Some(target) = links.flat_map(split).find_map(next_target) else { return Ok(None) };
    let elsewhere = |to: String| Failure::Elsewhere { host: base.host(), to };
    let url: Url = target.parse().map_err(|_| elsewhere("no address".to_owned()))?;
    if base.covers(&url) { Ok(Some(url)) } else { Err(elsewhere(url.origin().ascii_serialization())) }
}

/// The address of the page after this one, by number: for a full page without a link.
pub fn page_after(url: &Url) -> Url {
    let number = |(name, value): (_, std::borrow::Cow<'_, str>)| (name == "page").then(|| value.parse::<u32>().ok());
    let page = url.query_pairs().find_map(number).flatten().unwrap_or(1);
    let others: Vec<(String, String)> =
        url.query_pairs().filter(|(name, _)| name != "page").map(|(name, value)| (name.into(), value.into())).collect();
    let mut after = url.clone();
    after.query_pairs_mut().clear().extend_pairs(others).append_pair("page", &(page.saturating_add(1)).to_string());
    after
}

/// The links of one header. A comma may stand in an address, but not before `<`.
fn split(value: &str) -> impl Iterator<Item = &str> {
    value.split(", <").flat_map(|part| part.split(",<")).map(|part| part.trim_start().trim_start_matches('<'))
}

fn next_target(link: &str) -> Option<&str> {
    let (target, parameters) = link.split_once('>')?;
    let is_next = parameters.split(';').any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or_default();
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel") && value.split_ascii_whitespace().any(|rel| rel == "next")
    });
    is_next.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::super::base::Plain;
    use super::*;

    fn found(link: &str) -> Result<Option<String>, Failure> {
        let base = Base::parse("https://api.github.com", Plain::Loopback).unwrap();
        let headers = HeaderMap::from_iter([(LINK, link.parse().unwrap())]);
        Ok(next(&base, &headers)?.map(String::from))
    }

    #[test]
    fn the_next_page_is_found_among_others() {
        let second = "https://api.github.com/repositories/1/pulls?page=2";
        for link in [
            format!(r#"<{second}>; rel="next", <https://api.github.com/x?page=9>; rel="last""#),
            format!(r#"<https://api.github.com/x?page=9>; rel="last",<{second}>; title="a"; rel="next""#),
            format!("<{second}>;rel=next"),
            format!(r#"<{second}>; REL="prefetch next""#),
        ] {
            assert_eq!(found(&link).unwrap().as_deref(), Some(second), "{link}");
        }
        for link in ["", "<https://api.github.com/x>; rel=\"prev\"", "<https://api.github.com/x", "nonsense"] {
            assert_eq!(found(link).unwrap(), None, "{link}");
        }
        let comma = "https://api.github.com/x?a=1,2&page=2";
        assert_eq!(found(&format!(r#"<{comma}>; rel="next""#)).unwrap().as_deref(), Some(comma));
    }

    #[test]
    fn a_link_to_another_server_is_refused_and_says_where_to() {
        for target in ["https://evil.test/pulls?page=2&token=x", "http://api.github.com/pulls", "/pulls?page=2"] {
            let error = found(&format!(r#"<{target}>; rel="next""#)).unwrap_err().to_string();
            assert!(error.contains("set the address of the API") && !error.contains("token"), "{error}");
        }
    }

    #[test]
    fn pages_are_counted_on() {
        let after = |text: &str| page_after(&text.parse().unwrap()).to_string();
        assert_eq!(after("https://h/x?per_page=100"), "https://h/x?per_page=100&page=2");
        assert_eq!(after("https://h/x?page=2&state=all"), "https://h/x?state=all&page=3");
        assert_eq!(after("https://h/x"), "https://h/x?page=2");
    }
}

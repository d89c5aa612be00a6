//! One difference in words: what was looked at, what is wrong, what was expected and found.

use serde::Serialize;
use serde_json::Value;

use super::asked::{Asked, asked, shown};
use super::safe;
use crate::checkpoint::evidence::{Evidence, Place};

/// How text is made safe for where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice {
    prose: fn(&str) -> String,
    quote: fn(&str) -> String,
}

/// For a review.
pub(super) const MARKDOWN: Voice = Voice { prose: safe::md, quote: safe::code };

/// For a terminal, whose lines are made safe as a whole.
pub(super) const TERMINAL: Voice = Voice { prose: str::to_owned, quote: str::to_owned };

/// Differences of one checkpoint in words; what all of them share is said once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Differences {
    /// What all are about, as in `AppProject argocd/retail`; none when there is one difference or several subjects.
    pub about: Option<String>,
    /// The sentence that all share, each being about another subject.
    pub sentence: Option<String>,
    /// `path:line` where all are.
    pub place: Option<String>,
    /// In the order found.
    pub items: Vec<Difference>,
}

/// A difference in words, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// `path:line`; none when there is no place, or when all are there.
    pub place: Option<String>,
    /// The sentence with what was expected and found.
    pub text: String,
}

/// Words for each piece of evidence.
pub(super) fn differences(evidence: &[&Evidence], voice: Voice) -> Differences {
    let place = |e: &Evidence| place(&e.place).map(|place| (voice.quote)(&place));
    let common_place = shared(evidence, place);
    let several = evidence.len() > 1;
    let about = several.then(|| shared(evidence, about)).flatten();
    let subject = |e: &Evidence| e.subject.clone().filter(|subject| !subject.is_empty());
    let all_named = evidence.iter().all(|e| subject(e).is_some());
    let sentence = (several && all_named && about.is_none()).then(|| shared(evidence, |e| Some(e.message.clone())));
    let sentence = sentence.flatten();
    let text = |e: &Evidence| match (&sentence, &about) {
        (Some(_), _) => (voice.prose)(&subject(e).unwrap_or_default()),
        (None, Some(_)) => predicate(e, voice),
        (None, None) => self::sentence(e, voice),
    };
    let items =
        evidence.iter().map(|e| Difference { place: place(e).filter(|_| common_place.is_none()), text: text(e) });
    Differences {
        items: items.collect(),
        about: about.map(|about| (voice.prose)(&about)),
        sentence: sentence.map(|sentence| (voice.prose)(sentence.trim_end_matches('.'))),
        place: common_place,
    }
}

/// What all have in common.
fn shared(evidence: &[&Evidence], part: impl Fn(&Evidence) -> Option<String>) -> Option<String> {
    let (first, rest) = evidence.split_first()?;
    let first = part(first)?;
    rest.iter().all(|e| part(e).as_ref() == Some(&first)).then_some(first)
}

/// The parts of the subject that the message does not name itself.
fn about(evidence: &Evidence) -> Option<String> {
    let subject = evidence.subject.as_deref()?;
    let untold = |part: &&str| !evidence.message.contains(part.trim_matches(['\'', '"', '`']));
    let parts: Vec<&str> = subject.split(", ").filter(untold).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `path:line`, `path`, or nothing.
pub(super) fn place(place: &Place) -> Option<String> {
    let file = place.file.as_deref()?;
    Some(match place.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    })
}

/// The message, led by its subject and followed by what it does not already say of expected and found.
fn sentence(evidence: &Evidence, voice: Voice) -> String {
    let text = predicate(evidence, voice);
    match about(evidence) {
        Some(about) => format!("{}: {text}", (voice.prose)(&about)),
        None => text,
    }
}

/// [`sentence`] without its subject.
fn predicate(evidence: &Evidence, Voice { prose, quote }: Voice) -> String {
    let message = evidence.message.trim_end_matches('.');
    let mut text = prose(message);
    // Generated sentences that say what must be are whole; values would only be said twice.
    if ["must", "expected", "found"].iter().any(|word| says(message, word)) {
        return text;
    }
    // That a rule was to be true and is false says nothing.
    if evidence.expected.as_ref().is_some_and(Value::is_boolean) {
        return text;
    }
    let told = |value: &String| says(message, value);
    let actual = evidence.actual.as_ref().map(shown).filter(|value| !told(value));
    let expected = asked(evidence).and_then(|asked| match asked {
        Asked::Value(value) => {
            Some(shown(value)).filter(|value| !told(value)).map(|v| format!("expected {}", quote(&v)))
        }
        Asked::Rule(rule) => (!message.contains(&rule)).then(|| format!("it must {}", prose(&rule))),
    });
    let actual = actual.map(|value| format!("found {}", quote(&value)));
    let values: Vec<String> = expected.into_iter().chain(actual).collect();
    if !values.is_empty() {
        text.push_str(&format!("; {}", values.join(", ")));
    }
    text
}

/// Whether the message holds the value as a whole word.
fn says(message: &str, value: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || c == '.';
    message
        .match_indices(value)
        .any(|(at, _)| !message[..at].ends_with(inner) && !message[at + value.len()..].starts_with(inner))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(evidence: &Evidence) -> String {
        sentence(evidence, MARKDOWN)
    }

    #[test]
    fn what_the_message_says_is_not_said_twice() {
        let evidence = Evidence {
            message: "`replicas` must be 3, found 1.".to_owned(),
            expected: Some(json!(3)),
            actual: Some(json!(1)),
            subject: Some("Deployment web".to_owned()),
            ..Evidence::default()
        };
        assert_eq!(told(&evidence), "Deployment web: `replicas` must be 3, found 1");
    }

    #[test]
    fn what_all_share_is_said_once() {
        let case = |case: &str, message: &str| Evidence {
            message: message.to_owned(),
            subject: Some(format!("AppProject retail, {case}")),
            expected: Some(json!(true)),
            place: Place { file: Some("a.yaml".to_owned()), line: Some(2), ..Place::default() },
            ..Evidence::default()
        };
        let told = [
            case("on Friday, at noon", "on Friday, at noon nothing goes through"),
            case("at night", "at night all goes"),
        ];
        let all = differences(&told.iter().collect::<Vec<_>>(), MARKDOWN);
        assert_eq!((all.about.as_deref(), all.place.as_deref()), (Some("AppProject retail"), Some("`a.yaml:2`")));
        let texts: Vec<_> = all.items.iter().map(|item| item.text.as_str()).collect();
        assert_eq!(texts, ["on Friday, at noon nothing goes through", "at night all goes"]);
        assert_eq!(all.items[0].place, None);

        let hidden = [case("at night", "1 of 3 cases pass"), case("at noon", "1 of 3 cases pass")];
        let hidden = hidden.map(|e| Evidence { subject: e.subject.map(|s| s.replace("AppProject retail, ", "")), ..e });
        let all = differences(&hidden.iter().collect::<Vec<_>>(), MARKDOWN);
        assert_eq!(all.sentence.as_deref(), Some("1 of 3 cases pass"));
        assert_eq!(all.items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>(), ["at night", "at noon"]);
    }

    #[test]
    fn what_it_does_not_say_is_added_with_types_kept_apart() {
        let evidence = Evidence {
            message: "`port` is wrong".to_owned(),
            expected: Some(json!(8080)),
            actual: Some(json!("8080")),
            ..Evidence::default()
        };
        assert_eq!(told(&evidence), "`port` is wrong; expected `8080`, found `\"8080\"`");
        assert!(!says("port 8080 is taken", "80"));
    }
}

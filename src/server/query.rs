//! Which pull requests a list has: the query of `/pulls` and of `GET /api/v1/pulls`.

use std::num::NonZeroUsize;

use axum::extract::rejection::QueryRejection;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Deserializer};

use crate::course::id::{CourseId, Learner};
use crate::forge::pull::{Pull, PullState};
use crate::review::{Status, StatusState};

/// Pull requests on a page.
pub const PAGE: usize = 50;

/// What is asked for. What is left out or empty leaves nothing out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullQuery {
    /// Open or closed ones.
    #[serde(default, deserialize_with = "given")]
    pub state: Option<States>,
    /// Those whose head shows this.
    #[serde(default, deserialize_with = "given")]
    pub status: Option<StatusState>,
    /// Those of one learner.
    #[serde(default, deserialize_with = "given")]
    pub learner: Option<Learner>,
    /// Those of one course.
    #[serde(default, deserialize_with = "given")]
    pub course: Option<CourseId>,
    /// The how manieth [`PAGE`] of them.
    pub page: Option<NonZeroUsize>,
}

/// States of pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum States {
    /// What waits for somebody.
    Open,
    /// What does not any more.
    Closed,
    /// Both.
    All,
}

impl States {
    /// The word in the query.
    pub fn word(self) -> &'static str {
        match self {
            States::Open => "open",
            States::Closed => "closed",
            States::All => "all",
        }
    }

    fn has(self, state: PullState) -> bool {
        match self {
            States::Open => state == PullState::Open,
            States::Closed => state == PullState::Closed,
            States::All => true,
        }
    }
}

/// A form sends its empty fields too.
fn given<'de, D: Deserializer<'de>, T: DeserializeOwned>(field: D) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(field)?;
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { T::deserialize(text.to_owned().into_deserializer()).map(Some) }
}

/// What is wrong with a query, and what one may have.
pub fn misread(rejection: &QueryRejection) -> String {
    let text = rejection.body_text();
    let what = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, what)| what);
    format!(
        "that query cannot be read ({what}): it may have `state` (open, closed or all), `status` (pending, success, failure \
         or error), `learner`, `course` and `page` (from 1), each once"
    )
}

/// A pull request with the status of its head.
pub type Row = (Pull, Status);

impl PullQuery {
    /// Those of the learner and course that are asked for, of whatever state.
    pub fn of_whom<'a>(&self, all: &'a [Row]) -> Vec<&'a Row> {
        let wanted = |(pull, _): &&Row| {
            self.learner.as_ref().is_none_or(|learner| pull.learner() == learner)
                && self.course.as_ref().is_none_or(|course| pull.course == *course)
        };
        all.iter().filter(wanted).collect()
    }

    /// Of these, those of the state and status that are asked for.
    pub fn of_which<'a>(&self, states: States, rows: &[&'a Row]) -> Vec<&'a Row> {
        let wanted =
            |(pull, status): &Row| states.has(pull.state) && self.status.is_none_or(|wanted| status.state == wanted);
        rows.iter().copied().filter(|row| wanted(row)).collect()
    }

    /// Its page, from 1.
    pub fn page(&self) -> usize {
        self.page.map_or(1, NonZeroUsize::get)
    }

    /// What stands on its page.
    pub fn on_page<'s, 'a>(&self, rows: &'s [&'a Row]) -> &'s [&'a Row] {
        let from = (self.page() - 1).saturating_mul(PAGE).min(rows.len());
        &rows[from..rows.len().min(from + PAGE)]
    }

    /// The address of the list that this asks for.
    pub fn address(&self) -> String {
        let fields = [
            ("state", self.state.map(|state| state.word().to_owned())),
            ("status", self.status.map(|status| status.word().to_owned())),
            // Ids: nothing in them is to be escaped.
            ("learner", self.learner.as_ref().map(ToString::to_string)),
            ("course", self.course.as_ref().map(ToString::to_string)),
            ("page", self.page.filter(|page| page.get() > 1).map(|page| page.to_string())),
        ];
        let fields: Vec<_> =
            fields.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
        if fields.is_empty() { "/pulls".to_owned() } else { format!("/pulls?{}", fields.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::extract::Query;

    use super::*;
    use crate::forge::pull::{PullNumber, Readiness, User};
    use crate::store::time::Time;

    fn row(number: i64, learner: &str, state: PullState, status: StatusState) -> Row {
        let pull = Pull {
            number: PullNumber(number),
            author: User::local(learner.parse().unwrap()),
            course: if number % 2 == 0 { "cnpe" } else { "hello" }.parse().unwrap(),
            branch: "fix".parse().unwrap(),
            head: "a".repeat(40).parse().unwrap(),
            base: None,
            state,
            readiness: Readiness::Ready,
            labels: BTreeSet::new(),
            opened_at: Time(0),
            updated_at: Time(0),
        };
        (pull, Status { state: status, description: String::new() })
    }

    fn read(query: &str) -> Result<PullQuery, String> {
        let uri = format!("http://x.test/pulls?{query}").parse().unwrap();
        Query::try_from_uri(&uri).map(|Query(query)| query).map_err(|rejection| misread(&rejection))
    }

    fn numbers(query: &str, all: &[Row]) -> Vec<i64> {
        let query = read(query).unwrap();
        let rows = query.of_which(query.state.unwrap_or(States::All), &query.of_whom(all));
        query.on_page(&rows).iter().map(|(pull, _)| pull.number.0).collect()
    }

    #[test]
    fn each_field_leaves_out_what_is_not_asked_for_and_an_empty_one_nothing() {
        use PullState::{Closed, Open};
        use StatusState::{Failure, Pending, Success};
        let all = [row(1, "ada", Open, Pending), row(2, "bob", Open, Failure), row(3, "ada", Closed, Success)];
        assert_eq!(numbers("state=&status=&learner=&course=", &all), [1, 2, 3]);
        assert_eq!(numbers("state=open", &all), [1, 2]);
        assert_eq!(numbers("state=closed", &all), [3]);
        assert_eq!(numbers("state=all&learner=+ada+", &all), [1, 3]);
        assert_eq!(numbers("status=failure", &all), [2]);
        assert_eq!(numbers("course=hello&status=success", &all), [3]);
        assert_eq!(numbers("learner=eve", &all), [0; 0]);
    }

    #[test]
    fn there_are_fifty_on_a_page_and_none_behind_the_last() {
        let all: Vec<Row> = (1..=120).map(|n| row(n, "ada", PullState::Open, StatusState::Pending)).collect();
        assert_eq!(numbers("", &all), (1..=50).collect::<Vec<_>>());
        assert_eq!(numbers("page=3", &all), (101..=120).collect::<Vec<_>>());
        for behind in ["page=4".to_owned(), format!("page={}", usize::MAX)] {
            assert_eq!(numbers(&behind, &all), [0; 0]);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_one_may_have() {
        for (query, what) in [
            ("state=merged", "merged"),
            ("status=failed", "failed"),
            ("learner=../x", "../x"),
            ("learner=a&learner=b", "duplicate"),
            ("page=0", "page"),
            ("stat=open", "stat"),
        ] {
            let text = read(query).unwrap_err();
            assert!(
                text.contains(what) && text.contains("it may have `state` (open, closed or all)"),
                "{query}: {text}"
            );
        }
    }

    #[test]
    fn an_address_is_read_as_what_it_was_made_of() {
        for query in ["", "state=closed&status=error&learner=ada-9&course=cnpe&page=2", "learner=ada"] {
            let asked = read(query).unwrap();
            let address = asked.address();
            assert_eq!(address, if query.is_empty() { "/pulls".to_owned() } else { format!("/pulls?{query}") });
        }
        assert_eq!(read("page=1").unwrap().address(), "/pulls");
    }
}

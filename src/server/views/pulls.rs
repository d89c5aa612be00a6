//! The list of pull requests.

use std::collections::BTreeSet;

use super::super::App;
use super::super::pages::model::{Choice, Nav, PullList, PullRow, Search, StatusView};
use super::super::query::{PAGE, PullQuery, Row, States};
use super::pull::{row, shown};
use super::{ViewError, frame};
use crate::review::StatusState;

/// All pull requests with the status of their heads, newest activity first.
pub async fn all(app: &App) -> Result<Vec<Row>, ViewError> {
    let mut statuses = app.forge.statuses_of_heads().await?;
    let with_status = |pull: crate::forge::pull::Pull| {
        let status = shown(&pull, statuses.remove(&pull.number));
        (pull, status)
    };
    Ok(app.forge.pulls().await?.into_iter().map(with_status).collect())
}

/// As rows of a page.
pub fn rows<'a>(all: impl IntoIterator<Item = &'a Row>) -> Vec<PullRow> {
    all.into_iter().map(|(pull, status)| row(pull, status)).collect()
}

/// `/pulls`: the open ones unless others are asked for.
pub async fn list(app: &App, query: &PullQuery) -> Result<PullList, ViewError> {
    let mut frame = frame(app, "Pull requests", Nav::Pulls);
    frame.events = Some("/events".to_owned());
    let all = all(app).await?;
    let states = query.state.unwrap_or(States::Open);
    let of_whom = query.of_whom(&all);
    let matching = query.of_which(states, &of_whom);
    let page = |number: usize| PullQuery { page: number.try_into().ok(), ..query.clone() }.address();
    Ok(PullList {
        frame,
        pulls: rows(query.on_page(&matching).iter().copied()),
        any: !all.is_empty(),
        states: by_state(query, states, &of_whom),
        statuses: by_status(query, states, &of_whom),
        search: search(query, &all),
        newer: (query.page() > 1).then(|| page(query.page() - 1)),
        older: (query.page().saturating_mul(PAGE) < matching.len()).then(|| page(query.page() + 1)),
    })
}

/// Open and closed ones, of whatever status.
fn by_state(query: &PullQuery, current: States, rows: &[&Row]) -> Vec<Choice> {
    let choice = |(text, states): (&'static str, States)| {
        let asked = PullQuery { state: Some(states), status: None, page: None, ..query.clone() };
        let number = asked.of_which(states, rows).len();
        Choice { text, class: "", number, href: asked.address(), current: states == current }
    };
    [("Open", States::Open), ("Closed", States::Closed), ("All", States::All)].map(choice).into()
}

/// The statuses that there are; a second click on one takes it back.
fn by_status(query: &PullQuery, states: States, rows: &[&Row]) -> Vec<Choice> {
    let choice = |status: StatusState| {
        let asked = PullQuery { status: Some(status), page: None, ..query.clone() };
        let number = asked.of_which(states, rows).len();
        let current = query.status == asked.status;
        let href = if current { PullQuery { status: None, ..asked }.address() } else { asked.address() };
        (number > 0 || current).then(|| Choice {
            text: StatusView::word(status),
            class: status.word(),
            number,
            href,
            current,
        })
    };
    use StatusState::{Error, Failure, Pending, Success};
    [Pending, Error, Failure, Success].into_iter().filter_map(choice).collect()
}

/// Looking for a learner or a course, where there are several.
fn search(query: &PullQuery, all: &[Row]) -> Option<Search> {
    let learners: BTreeSet<_> = all.iter().map(|(pull, _)| pull.learner().to_string()).collect();
    let courses: BTreeSet<_> = all.iter().map(|(pull, _)| pull.course.to_string()).collect();
    let asked = query.learner.is_some() || query.course.is_some();
    (asked || learners.len() > 1 || courses.len() > 1).then(|| Search {
        learner: query.learner.as_ref().map(ToString::to_string).unwrap_or_default(),
        course: query.course.as_ref().map(ToString::to_string).unwrap_or_default(),
        learners: learners.into_iter().collect(),
        courses: courses.into_iter().collect(),
        state: query.state.map(States::word).unwrap_or_default(),
        status: query.status.map(StatusState::word).unwrap_or_default(),
    })
}

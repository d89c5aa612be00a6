//! Rate limits, per identity.

use std::collections::{BTreeMap, VecDeque};

use super::super::clock::{HOUR, MINUTE, Millis, SECOND};
use super::super::state::account::Actor;
use super::reply::Reply;
use serde_json::{Value, json};

/// What GitHub answers when it has had enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Secondary {
    /// 403 or 429.
    pub status: u16,
    /// Seconds in `retry-after`; none leaves the header out.
    pub retry_after: Option<u64>,
}

impl Secondary {
    /// The answer.
    pub fn reply(self) -> Reply {
        let reply = Reply::json(
            self.status,
            json!({
                "message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
                "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
            }),
        );
        match self.retry_after {
            Some(seconds) => reply.with("retry-after", seconds.to_string()),
            None => reply,
        }
    }
}

/// How much an identity may do. None: without bound.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests an hour; without credentials at most 60.
    pub primary: Option<u64>,
    /// Requests that make content, a minute.
    pub content_per_minute: Option<usize>,
    /// The same, an hour.
    pub content_per_hour: Option<usize>,
    /// Points a minute: 1 for a read, 5 for a write.
    pub points_per_minute: Option<u64>,
    /// The same for GraphQL.
    pub graphql_points_per_minute: Option<u64>,
    /// Whether labels and commit statuses count as content. GitHub does not say; reviews, comments and issues do.
    pub labels_and_statuses_are_content: bool,
    /// What is answered above a secondary limit.
    pub answer: Secondary,
}

impl Limits {
    /// Those that GitHub documents for an installation.
    pub fn github() -> Self {
        Self {
            primary: Some(5_000),
            content_per_minute: Some(80),
            content_per_hour: Some(500),
            points_per_minute: Some(900),
            graphql_points_per_minute: Some(2_000),
            labels_and_statuses_are_content: false,
            answer: Secondary { status: 403, retry_after: Some(60) },
        }
    }

    fn primary(&self, actor: Actor) -> Option<u64> {
        match actor {
            Actor::Anonymous => self.primary.map(|limit| limit.min(60)),
            _ => self.primary,
        }
    }

    /// None at all.
    pub fn off() -> Self {
        Self {
            primary: None,
            content_per_minute: None,
            content_per_hour: None,
            points_per_minute: None,
            graphql_points_per_minute: None,
            ..Self::github()
        }
    }
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// 1 or 5.
    pub points: u64,
    /// Whether people see something new.
    pub content: bool,
    /// Which budget.
    pub resource: Resource,
}

/// The budgets of the primary limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// REST.
    Core,
    /// GraphQL.
    Graphql,
}

impl Resource {
    /// As in `x-ratelimit-resource`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Graphql => "graphql",
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Window {
    used: u64,
    resets_at: Millis,
}

#[derive(Debug, Clone, Default)]
struct Meter {
    windows: BTreeMap<Resource, Window>,
    points: BTreeMap<Resource, VecDeque<(Millis, u64)>>,
    content: VecDeque<Millis>,
}

/// What every identity has used.
#[derive(Debug, Clone, Default)]
pub struct Meters(BTreeMap<Actor, Meter>);

impl Meters {
    /// Counts a request, or says why it is refused. A refused request is not counted.
    pub fn count(&mut self, actor: Actor, cost: Cost, limits: &Limits, now: Millis) -> Result<(), Box<Reply>> {
        let meter = self.0.entry(actor).or_default();
        let points = meter.points.entry(cost.resource).or_default();
        while points.front().is_some_and(|(at, _)| *at <= now - MINUTE) {
            points.pop_front();
        }
        while meter.content.front().is_some_and(|at| *at <= now - HOUR) {
            meter.content.pop_front();
        }
        let spent: u64 = points.iter().map(|(_, points)| points).sum();
        let allowed = match cost.resource {
            Resource::Core => limits.points_per_minute,
            Resource::Graphql => limits.graphql_points_per_minute,
        };
        let recent = meter.content.iter().rev().take_while(|at| **at > now - MINUTE).count();
        let full = |limit: Option<usize>, count: usize| cost.content && limit.is_some_and(|limit| count >= limit);
        if allowed.is_some_and(|allowed| spent + cost.points > allowed)
            || full(limits.content_per_minute, recent)
            || full(limits.content_per_hour, meter.content.len())
        {
            return Err(Box::new(limits.answer.reply()));
        }
        let window = meter.windows.entry(cost.resource).or_default();
        window.renew(now);
        if limits.primary(actor).is_some_and(|limit| window.used >= limit) {
            let message =
                "API rate limit exceeded. If you reach out to GitHub Support for help, please include the request ID.";
            return Err(Box::new(Reply::json(
                403,
                json!({"message": message, "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"}),
            )));
        }
        window.used += 1;
        points.push_back((now, cost.points));
        if cost.content {
            meter.content.push_back(now);
        }
        Ok(())
    }

    /// Takes one request off the primary count: a 304 is free.
    pub fn give_back(&mut self, actor: Actor, resource: Resource) {
        if let Some(window) = self.0.get_mut(&actor).and_then(|meter| meter.windows.get_mut(&resource)) {
            window.used = window.used.saturating_sub(1);
        }
    }

    /// Uses up the primary limit until it resets.
    pub fn exhaust(&mut self, actor: Actor, limits: &Limits, now: Millis) {
        let window = self.0.entry(actor).or_default().windows.entry(Resource::Core).or_default();
        window.renew(now);
        window.used = limits.primary(actor).unwrap_or(u64::MAX);
    }

    /// `limit`, `used`, `remaining` and `reset` in seconds since the epoch.
    pub fn budget(&mut self, actor: Actor, resource: Resource, limits: &Limits, now: Millis) -> Value {
        let window = self.0.entry(actor).or_default().windows.entry(resource).or_default();
        window.renew(now);
        let limit = limits.primary(actor).unwrap_or(1_000_000);
        json!({
            "limit": limit,
            "used": window.used.min(limit),
            "remaining": limit.saturating_sub(window.used),
            "reset": window.resets_at / SECOND,
            "resource": resource.word(),
        })
    }
}

impl Window {
    fn renew(&mut self, now: Millis) {
        if now >= self.resets_at {
            *self = Self { used: 0, resets_at: now + HOUR };
        }
    }
}

//! `POST /graphql`: any document of the parts of GitHub's schema that a review bot uses.

mod connection;
mod mutation;
mod node;
mod pulls;

use std::cell::RefCell;
use std::rc::Rc;

use apollo_compiler::ast::OperationType;
use apollo_compiler::resolvers::Execution;
use serde_json::{Value, json};

use super::super::clock::Millis;
use super::super::hub::Inner;
use super::super::spec::graphql;
use super::super::state::State;
use super::super::state::account::{Access, Actor, Token};
use super::super::state::ids::{RepoId, UserId};
use super::super::state::refusal::Refusal;
use super::super::state::repo::Role;
use super::call::Call;
use super::limits::{Cost, Resource};
use super::reply::Reply;
use node::{Kind, Node};

/// What objects are read from, and for whom.
struct View {
    state: State,
    user: UserId,
    actor: Actor,
    now: Millis,
    /// Fields that the schema has and the fake does not.
    unknown: Rc<RefCell<Vec<String>>>,
    budget: Value,
}

impl View {
    fn sees(&self, repo: RepoId) -> bool {
        self.state.role_of(self.actor, repo) >= Role::Read
    }
}

/// Answers a document.
pub fn answer(
    inner: &mut Inner,
    call: &Call,
    actor: Actor,
    token: Option<&Token>,
    past: Option<Millis>,
) -> Result<Reply, Box<Reply>> {
    let refuse = |refusal: Refusal| Box::new(Reply::from(refusal));
    let Some(user) = inner.state.acting(actor) else {
        return Err(refuse(Refusal::unauthorised("This endpoint requires you to be authenticated.")));
    };
    let Some(text) = call.text("query") else {
        inner.violation(call, "the body has no `query`");
        return Err(refuse(Refusal {
            status: 400,
            ..Refusal::forbidden("A query attribute must be specified and must be a string.")
        }));
    };
    for name in call.body.as_ref().and_then(Value::as_object).into_iter().flat_map(|body| body.keys()) {
        if !["query", "variables", "operationName"].contains(&name.as_str()) {
            inner.violation(call, &format!("the body has `{name}`, GraphQL knows no such thing"));
        }
    }
    let document = match graphql::document(text) {
        Ok(document) => document,
        Err(wrong) => {
            inner.violation(call, &wrong);
            return Ok(errors(&wrong));
        }
    };
    let operation = match document.operations.get(call.text("operationName")) {
        Ok(operation) => operation,
        Err(_) => {
            inner.violation(call, "the document does not hold the operation that is asked for");
            return Ok(errors("No such operation"));
        }
    };
    let writes = operation.operation_type == OperationType::Mutation;
    let now = inner.now();
    let cost = Cost { points: if writes { 5 } else { 1 }, content: false, resource: Resource::Graphql };
    let limits = inner.desk.limits;
    if let Err(refused) = inner.desk.meters.count(actor, cost, &limits, now) {
        return Ok(super::with_budget(inner, *refused, actor, Resource::Graphql));
    }
    let held = token.and_then(|token| token.permissions.as_ref());
    let wanted = if writes { Access::Write } else { Access::Read };
    if held.is_some_and(|held| held.get("pull_requests") < Some(&wanted)) {
        let message = "Resource not accessible by integration";
        return Ok(Reply::ok(json!({"data": null, "errors": [{"type": "FORBIDDEN", "message": message}]})));
    }
    let empty = apollo_compiler::response::JsonMap::new();
    let variables: apollo_compiler::response::JsonValue = match call.field("variables") {
        Value::Null => empty.into(),
        other => serde_json::from_value(other.clone()).unwrap_or_default(),
    };
    let unknown = Rc::new(RefCell::new(Vec::new()));
    let budget = inner.desk.meters.budget(actor, Resource::Graphql, &limits, now);
    let seen = past.filter(|_| !writes).and_then(|past| inner.past(past)).unwrap_or_else(|| inner.state.clone());
    let view = Rc::new(View { state: seen, user, actor, now, unknown: Rc::clone(&unknown), budget });
    let changed = Rc::new(RefCell::new(inner.state.clone()));
    let root = if writes { Kind::Mutation(Rc::clone(&changed)) } else { Kind::Query };
    let execution = Execution::new(graphql::schema(), &document).operation(operation);
    let Some(variables) = variables.as_object() else {
        inner.violation(call, "`variables` is no object");
        return Ok(errors("Variables must be an object"));
    };
    let response = execution.raw_variable_values(variables).execute_sync(&Node { view, kind: root });
    if writes {
        inner.state = changed.borrow().clone();
        inner.changed();
    }
    unknown.borrow().iter().for_each(|what| inner.violation(call, what));
    let body = match response {
        Ok(response) => serde_json::to_value(response).expect("answers of GraphQL are JSON"),
        Err(error) => {
            let message = error.message().to_string();
            inner.violation(call, &format!("variables do not fit: {message}"));
            json!({"errors": [{"message": message}]})
        }
    };
    Ok(super::with_budget(inner, Reply::ok(body), actor, Resource::Graphql))
}

/// GraphQL says 200 whatever went wrong.
fn errors(message: &str) -> Reply {
    Reply::ok(json!({"data": null, "errors": [{"message": message}]}))
}

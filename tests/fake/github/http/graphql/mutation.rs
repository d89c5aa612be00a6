//! The mutations: hide, resolve, unresolve.

use std::cell::RefCell;
use std::rc::Rc;

use apollo_compiler::resolvers::{FieldError, ResolveInfo, ResolvedValue};

use super::super::super::state::State;
use super::super::super::state::ids::NodeKind;
use super::super::super::state::repo::Role;
use super::View;
use super::node::{Kind, Node};

/// Does what a field of `Mutation` says.
pub fn run<'a>(
    view: &Rc<View>,
    state: &RefCell<State>,
    info: &ResolveInfo<'a>,
) -> Result<ResolvedValue<'a>, FieldError> {
    let input = info.arguments().get("input");
    let text = |name: &str| {
        let value = input.and_then(|input| input.get(name)).and_then(|value| value.as_str());
        value.unwrap_or_default().to_owned()
    };
    let client = input.and_then(|input| input.get("clientMutationId")).and_then(|id| id.as_str()).map(str::to_owned);
    let missing =
        |id: &str| FieldError { message: format!("Could not resolve to a node with the global id of '{id}'") };
    let (id_field, payload) = match info.field_name() {
        "minimizeComment" => ("subjectId", "MinimizeCommentPayload"),
        "resolveReviewThread" => ("threadId", "ResolveReviewThreadPayload"),
        "unresolveReviewThread" => ("threadId", "UnresolveReviewThreadPayload"),
        other => {
            view.unknown.borrow_mut().push(format!("the fake offers no mutation `{other}`"));
            return Err(FieldError { message: format!("Field '{other}' is not faked") });
        }
    };
    let node = text(id_field);
    let (kind, id) = NodeKind::parse(&node).ok_or_else(|| missing(&node))?;
    let mut after = state.borrow().clone();
    let done = match info.field_name() {
        "minimizeComment" => after.minimize(kind, id, &text("classifier").to_lowercase()),
        "resolveReviewThread" => after.resolve_thread(id, true),
        _ => after.resolve_thread(id, false),
    };
    let at = done.map_err(|_| missing(&node))?;
    if after.role_of(view.actor, at.repo) < Role::Write {
        return Err(FieldError { message: "Resource not accessible".to_owned() });
    }
    *state.borrow_mut() = after.clone();
    let shown = Rc::new(View {
        state: after,
        user: view.user,
        actor: view.actor,
        now: view.now,
        unknown: Rc::clone(&view.unknown),
        budget: view.budget.clone(),
    });
    let subject = match kind {
        NodeKind::Review => Kind::Review(at, id),
        NodeKind::Thread => Kind::Thread(at, id),
        NodeKind::ReviewComment => Kind::ReviewComment(at, id),
        _ => Kind::IssueComment(at, id),
    };
    let field = if kind == NodeKind::Thread { "thread" } else { "minimizedComment" };
    let payload = Kind::Payload { name: payload, client, field, subject: Box::new(subject) };
    Ok(ResolvedValue::object(Node { view: shown, kind: payload }))
}

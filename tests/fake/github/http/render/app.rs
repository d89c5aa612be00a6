//! Apps, installations, deliveries.

use serde_json::{Value, json};

use super::super::super::clock::rfc3339;
use super::super::super::state::account::{App, Installation, Permissions};
use super::super::super::state::hooks::Delivery;
use super::super::super::state::ids::NodeKind;
use super::Render;
use super::user::merged;

impl Render<'_> {
    /// An App.
    pub fn app(&self, app: &App) -> Value {
        let at = rfc3339(app.created_at);
        json!({
            "id": app.id,
            "client_id": app.client_id,
            "slug": app.slug,
            "node_id": NodeKind::App.node(app.id),
            "owner": self.user(app.owner),
            "name": app.slug,
            "description": null,
            "external_url": "https://gradus.example",
            "html_url": format!("https://github.com/apps/{}", app.slug),
            "created_at": at,
            "updated_at": at,
            "permissions": permissions(&app.permissions),
            "events": app.hook.as_ref().map(|hook| hook.events.clone()).unwrap_or_default(),
            "installations_count": self.state.installations.values().filter(|i| i.app == app.id).count(),
        })
    }

    /// An installation.
    pub fn installation(&self, installation: &Installation) -> Value {
        let api = format!("{}/app/installations/{}", self.base, installation.id);
        let app = self.state.apps.get(&installation.app);
        let at = rfc3339(installation.created_at);
        json!({
            "id": installation.id,
            "account": self.user(installation.account),
            "repository_selection": "selected",
            "access_tokens_url": format!("{api}/access_tokens"),
            "repositories_url": format!("{}/installation/repositories", self.base),
            "html_url": format!("https://github.com/settings/installations/{}", installation.id),
            "app_id": installation.app,
            "app_slug": app.map(|app| app.slug.clone()).unwrap_or_default(),
            "target_id": installation.account.0,
            "target_type": self.state.user(installation.account).kind.word(),
            "permissions": permissions(&installation.permissions),
            "events": app.and_then(|app| app.hook.as_ref()).map(|hook| hook.events.clone()).unwrap_or_default(),
            "created_at": at,
            "updated_at": at,
            "single_file_name": null,
            "has_multiple_single_files": false,
            "single_file_paths": [],
            "suspended_by": null,
            "suspended_at": null,
        })
    }

    /// A delivery in a list.
    pub fn delivery(&self, delivery: &Delivery) -> Value {
        let status = delivery.status.unwrap_or(0);
        json!({
            "id": delivery.id,
            "guid": delivery.guid,
            "delivered_at": rfc3339(delivery.at),
            "redelivery": delivery.redelivery,
            "duration": 0.03,
            "status": if (200..300).contains(&status) { "OK" } else { "Invalid HTTP Response" },
            "status_code": status,
            "event": delivery.event,
            "action": delivery.action,
            "installation_id": null,
            "repository_id": null,
            "throttled_at": null,
        })
    }

    /// A delivery's own page.
    pub fn full_delivery(&self, delivery: &Delivery) -> Value {
        let headers: serde_json::Map<String, Value> =
            delivery.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let payload: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
        let more = json!({
            "url": delivery.url,
            "request": {"headers": headers, "payload": payload},
            "response": {"headers": {}, "payload": ""},
        });
        merged(self.delivery(delivery), more)
    }
}

/// Permissions as an object.
pub fn permissions(permissions: &Permissions) -> Value {
    permissions
        .iter()
        .map(|(name, access)| (name.clone(), Value::from(access.word())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

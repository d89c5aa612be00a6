//! A server of the operator's that tasks ask moves while the daemon runs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;

use super::beside;
use super::shop::{Shop, one_task, settings};

const TASK: &str = r#"apiVersion: gradus.dev/v1alpha1
kind: Task
metadata: {id: shop, title: A shop that is looked into}
spec:
  points: 3
  minutes: 5
  environment:
    tier: namespace
    path: manifests
    allow: {kinds: [{kind: ConfigMap}]}
  checkpoints:
    - id: settings
      title: The shop is open
      points: 1
      live:
        select: {kind: ConfigMap, name: settings}
        match: {data: {open: "yes"}}
        offline: {manifest: {select: {kind: ConfigMap, name: settings}, match: {data: {open: "yes"}}}}
    - id: stock
      title: The shop has something to sell
      points: 2
      eventually: {within: 3s}
      http:
        via: {address: stock}
        get: /shops/$namespace
        expect: {body: plenty}
        offline: {file: {path: manifests/settings.yaml, expect: exists}}
"#;

fn course(dir: &Path) {
    let (starter, solution) = (settings("no"), settings("yes"));
    let files = [
        ("task.yaml", TASK),
        ("starter/manifests/settings.yaml", &starter),
        ("solution/manifests/settings.yaml", &solution),
    ];
    one_task(dir, 3, &files);
}

/// A server that answers whoever shows its token; ends with the test.
#[derive(Clone)]
struct Stock {
    says: &'static str,
    token: &'static str,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Stock {
    /// Where it is.
    async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        at
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(State(stock): State<Stock>, headers: HeaderMap, uri: Uri) -> (StatusCode, &'static str) {
    stock.asked.lock().unwrap().push(uri.to_string());
    let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
    let known = shown == Some(&format!("Bearer {}", stock.token));
    if known { (StatusCode::OK, stock.says) } else { (StatusCode::UNAUTHORIZED, "who are you?") }
}

#[test]
fn a_server_that_tasks_ask_is_asked_where_a_changed_configuration_says_without_a_restart() {
    beside(async {
        let stock = |says, token| Stock { says, token, asked: Arc::default() };
        let (old, new) = (stock("nothing", "canary-of-the-old"), stock("plenty", "canary-of-the-new"));
        let tokens = tempfile::tempdir().unwrap();
        let lends = async |stock: &Stock| {
            let (at, token) = (stock.serve().await, tokens.path().join(stock.token));
            std::fs::write(&token, stock.token).unwrap();
            let token = token.display();
            format!("namespaces: {{}}\n  addresses: [{{name: stock, url: \"{at}\", token: {{file: \"{token}\"}}}}]")
        };
        let mut shop = Shop::of("tiny", course, &lends(&old).await).await;
        let namespace = shop.environment("ada");
        let ada = shop.academy.learner("ada");
        ada.clone.branch("work");
        shop.write(&ada, &[("settings.yaml", &settings("yes"))]);
        let pull = ada.open("work");
        let told = shop.review(pull, "Not yet: 1 of 3 points").await;
        assert!(told.contains("nothing") && !told.contains("canary"), "{told}");
        let before = old.asked();
        assert!(!before.is_empty() && before.iter().all(|path| *path == format!("/shops/{namespace}")), "{before:?}");

        let in_force = |shop: &Shop| shop.daemon.as_ref().unwrap().logged().matches("is in force").count();
        let known = in_force(&shop);
        shop.lends(&lends(&new).await);
        shop.until("the changed configuration", |shop| in_force(shop) > known).await;
        let health = shop.daemon.as_ref().unwrap().get("/healthz").1;
        assert!(!health.contains("next start"), "{health}");
        let before = old.asked().len();
        shop.write(&ada, &[("settings.yaml", &format!("{}  more: \"1\"\n", settings("yes")))]);
        ada.force_push(pull);
        let told = shop.review(pull, "Passed: 3 of 3 points").await;
        assert!(!told.contains("judged on the files"), "{told}");
        let asked = new.asked();
        assert!(!asked.is_empty() && asked.iter().all(|path| *path == format!("/shops/{namespace}")), "{asked:?}");
        assert_eq!(old.asked().len(), before, "nobody asks there any more");
    });
}

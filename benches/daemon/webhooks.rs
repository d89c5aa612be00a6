//! Five hundred deliveries a second: how soon they are acknowledged.

use std::time::{Duration, Instant};

use axum::body::Body;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::fake_github::webhooks::signature;
use crate::live::Live;
use crate::sample::{Sample, ms};

/// Deliveries a second.
const RATE: u32 = 500;

/// For how long.
const SECONDS: u32 = 10;

/// Prints a line.
pub async fn run() {
    let (live, _) = Live::new(100).await;
    let client: Client<HttpConnector, Body> = Client::builder(TokioExecutor::new()).build_http();
    let (secret, address) = (live.world.hook(), format!("http://{}/webhooks/hub", live.serve.authority));
    let began = Instant::now();
    let mut deliveries = tokio::task::JoinSet::new();
    for n in 0..RATE * SECONDS {
        let due = began + Duration::from_secs(1) * n / RATE;
        tokio::time::sleep(due.saturating_duration_since(Instant::now())).await;
        let number = live.pulls[n as usize % live.pulls.len()].number;
        let body = format!(
            r#"{{"action":"synchronize","pull_request":{{"number":{number}}},"repository":{{"full_name":"acme/tiny"}}}}"#
        );
        let request = axum::http::Request::post(&address)
            .header("content-type", "application/json")
            .header("x-github-event", "pull_request")
            .header("x-github-delivery", format!("72d3162e-cc78-11e3-81ab-{n:012}"))
            .header("x-hub-signature-256", signature(&secret, body.as_bytes()))
            .body(Body::from(body))
            .unwrap();
        let client = client.clone();
        deliveries.spawn(async move {
            let asked = Instant::now();
            let answer = client.request(request).await.unwrap();
            let status = answer.status().as_u16();
            answer.into_body().collect().await.unwrap();
            (status, asked.elapsed())
        });
    }
    let answers = deliveries.join_all().await;
    let taken = answers.iter().filter(|(status, _)| *status == 202).count();
    let busy = answers.iter().filter(|(status, _)| *status == 503).count();
    let times = Sample::from(answers.iter().map(|(_, time)| *time).collect::<Vec<_>>());
    println!(
        "\nWebhooks, {RATE} a second for {SECONDS} s: acknowledged after {} (p50), {} (p99), {} at most; {taken} taken, {busy} told to \
         come back, {} else.",
        ms(times.percentile(50)),
        ms(times.percentile(99)),
        ms(times.percentile(100)),
        answers.len() - taken - busy
    );
}

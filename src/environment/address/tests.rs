use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::forge::http::base::Plain;

const TOKEN: &str = "canary-7f3a-of-the-operator";

/// A server of the operator's, and what it was asked.
struct Played {
    at: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Played {
    async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let requests = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, requests.clone()));
            }
        });
        Self { at, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, requests: Arc<Mutex<Vec<String>>>) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    requests.lock().unwrap().push(request.clone());
    let (head, body) = match path.split('?').next().unwrap() {
        "/base/away" => ("302 Found\r\nlocation: /base/fine", String::new()),
        "/base/unknown" => ("401 Unauthorized", String::new()),
        "/base/busy" => ("429 Too Many Requests\r\nretry-after: 1", String::new()),
        "/base/down" => ("503 Service Unavailable\r\nretry-after: 1", String::new()),
        "/base/echo" => ("200 OK\r\nx-echo: Bearer canary-7f3a-of-the-operator", request),
        "/base/huge" => ("200 OK", "x".repeat(3 << 20)),
        "/base/hangs" => return tokio::time::sleep(Duration::from_secs(30)).await,
        "/base/endless" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
            while stream.write_all(&[b'x'; 100]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            return;
        }
        "/base/half" => ("200 OK\r\nconnection: close\r\ncontent-length: 1000\r\nx: ", "half".to_owned()),
        "/base/noise" => {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await;
            return;
        }
        _ => ("200 OK", "fine".to_owned()),
    };
    let length =
        if head.contains("content-length") { String::new() } else { format!("\r\ncontent-length: {}", body.len()) };
    let _ = stream.write_all(format!("HTTP/1.1 {head}{length}\r\n\r\n{body}").as_bytes()).await;
}

fn addresses(at: &str, token: Option<&str>) -> Addresses {
    let addresses = Addresses::none().unwrap();
    let base = Base::parse(at, Plain::Loopback).unwrap();
    addresses.replace(BTreeMap::from([("metrics".to_owned(), Server { base, token: token.map(Secret::new) })]));
    addresses
}

fn ask(name: &str, path: &str) -> Ask {
    let target = Target { kind: Addressee::Address, name: name.to_owned(), port: None };
    Ask { target, path: path.to_owned(), headers: vec!["x-echo".to_owned()], body: Keep::Text, within: None }
}

async fn told(addresses: &Addresses, path: &str) -> Result<Reply, String> {
    match addresses.ask(&ask("metrics", path), "shop-ada").await {
        Said::Http(Answer { namespace, reply }) => {
            assert_eq!(namespace, "shop-ada");
            reply.map_err(|why| format!("{why:?}"))
        }
        Said::Nothing(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_is_asked_about_one_environment_with_its_token_and_nothing_of_that_is_kept() {
    let server = Played::listen().await;
    let addresses = addresses(&format!("{}/base/", server.at), Some(TOKEN));
    let fine = told(&addresses, "/q?ns=%22$namespace%22&again=$namespace").await.unwrap();
    assert_eq!((fine.status, fine.body.as_deref()), (200, Some("fine")));
    let echo = told(&addresses, "/echo").await.unwrap();
    assert_eq!(echo.headers["x-echo"], "Bearer [secret]");
    assert!(echo.body.as_deref().unwrap().contains("authorization: Bearer [secret]"), "{echo:?}");
    let kept = format!("{echo:?} {addresses:?} {:?}", addresses.servers());
    assert!(!kept.contains("canary"), "{kept}");
    let asked = server.asked();
    assert!(asked[0].starts_with("GET /base/q?ns=%22shop-ada%22&again=shop-ada HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[0].contains(&format!("authorization: Bearer {TOKEN}\r\n")), "{asked:?}");
}

#[tokio::test]
async fn nobody_else_is_asked_and_no_path_leads_elsewhere() {
    let server = Played::listen().await;
    let addresses = addresses(&format!("{}/base", server.at), Some(TOKEN));
    let other = addresses.ask(&ask("grafana", "/"), "shop-ada").await;
    assert!(matches!(other, Said::Http(Answer { reply: Err(Unreached::NotConfigured), .. })), "{other:?}");
    for path in ["/../admin", "/%2e%2e/admin", "/x/../../admin", ".evil.test/", "@evil.test/", ":1/", "/x#y"] {
        let said = told(&addresses, path).await;
        assert_eq!(said.unwrap_err(), "the operator's address `metrics`: what is asked leads elsewhere", "{path}");
    }
    assert_eq!(server.asked(), [""; 0]);
    // Whom tasks may ask is taken over while we run.
    addresses.replace(BTreeMap::new());
    assert_eq!(told(&addresses, "/").await.unwrap_err(), "NotConfigured");
}

#[tokio::test]
async fn what_a_server_makes_of_it_is_bounded_and_asked_once() {
    let server = Played::listen().await;
    let addresses = addresses(&format!("{}/base", server.at), Some(TOKEN));
    assert_eq!(told(&addresses, "/away").await.unwrap().status, 302);
    assert_eq!(told(&addresses, "/down").await.unwrap().status, 503);
    assert_eq!(server.asked().len(), 2, "neither a redirect is followed nor anything repeated");
    let huge = told(&addresses, "/huge").await.unwrap();
    assert_eq!((huge.status, huge.body), (200, None));
    for (path, words) in [
        ("/unknown", "the operator's address `metrics` does not know our token"),
        ("/busy", "the operator's address `metrics` has no time for us"),
        ("/half", "Broken"),
        ("/noise", "Broken"),
    ] {
        assert_eq!(told(&addresses, path).await.unwrap_err(), words, "{path}");
    }
    let (hangs, endless) = tokio::join!(told(&addresses, "/hangs"), told(&addresses, "/endless"));
    assert_eq!((hangs.unwrap_err().as_str(), endless.unwrap_err().as_str()), ("Slow", "Slow"));
}

#[tokio::test]
async fn a_server_without_a_token_may_say_401_and_one_that_is_not_there_is_told() {
    let server = Played::listen().await;
    let open = addresses(&format!("{}/base", server.at), None);
    assert_eq!(told(&open, "/unknown").await.unwrap().status, 401);
    assert!(!server.asked()[0].contains("authorization"));
    assert_eq!(open.knock("metrics").await, Ok(200));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let closed = addresses(&format!("http://{closed}"), None);
    assert_eq!(told(&closed, "/").await.unwrap_err(), "Refused");
    assert_eq!(closed.knock("metrics").await, Err("the operator's address `metrics` cannot be reached".to_owned()));
    let odd = addresses(&server.at, Some("no\nheader"));
    assert!(told(&odd, "/").await.unwrap_err().ends_with("our token for it is no text that could be sent"));
}

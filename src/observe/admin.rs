//! The admin server: `/metrics` for Prometheus, `/healthz` and `/readyz` for an orchestrator, `/status` for people, `/` to
//! find them. It binds before anything else starts, so that a port in use stops the process at once, and answers while
//! the pipeline waits for a server. It only reads; whoever reaches it learns names of tables, never rows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Path as Name, State as Extract};
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::board::{Board, Watched};
use super::connection::BoundedListener;
use super::health::Verdict;
use crate::error::{Error, Kind, Result};

/// A bound port that does not answer yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

impl Admin {
    /// Takes the port.
    ///
    /// # Errors
    /// [`Kind::Config`] naming `admin.listen` when it is taken or not ours to take.
    pub async fn bind(listen: SocketAddr) -> Result<Self> {
        let refused = |error: std::io::Error| {
            Error::new(Kind::Config, format!("admin.listen = \"{listen}\" cannot be listened on"))
                .with_source(error)
                .with_hint("choose another admin.listen, end the process that holds the port, or turn the admin server off with admin.listen = \"\"")
                .context("start admin server")
        };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address })
    }

    /// Where it listens; with port 0 in the configuration, the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`, then lets the requests under way end.
    ///
    /// # Errors
    /// [`Kind::Internal`] when the listening socket breaks.
    pub async fn serve(self, board: Arc<Board>, stop: CancellationToken) -> Result<()> {
        self.serve_for(MAX_LIFETIME, board, stop).await
    }

    async fn serve_for(self, lifetime: Duration, board: Arc<Board>, stop: CancellationToken) -> Result<()> {
        let listener = BoundedListener::new(self.listener, MAX_CONNECTIONS, lifetime);
        axum::serve(listener, router(board))
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
            .map_err(|error| Error::new(Kind::Internal, "the admin server ended").with_source(error))
    }
}

fn router(board: Arc<Board>) -> Router {
    Router::new()
        .route("/", get(INDEX))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/healthz/{pipeline}", get(healthz_of_one))
        .route("/readyz", get(readyz))
        .route("/readyz/{pipeline}", get(readyz_of_one))
        .route("/status", get(status))
        .route("/status/{pipeline}", get(status_of_one))
        .layer(middleware::map_response(one_request_per_connection))
        .with_state(board)
}

type OfAll = Extract<Arc<Board>>;

async fn metrics(Extract(board): OfAll) -> Response {
    // For `headwater_healthy`.
    board.check(Instant::now());
    match board.render(super::now()) {
        Ok(text) => ([(CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn healthz(Extract(board): OfAll) -> (StatusCode, String) {
    let (verdict, text) = board.check(Instant::now());
    (good(verdict == Verdict::Healthy), text)
}

async fn healthz_of_one(Extract(board): OfAll, Name(name): Name<String>) -> (StatusCode, String) {
    let Some(watched) = board.pipeline(&name) else { return no_pipeline(&board) };
    match watched.health.check(Instant::now()) {
        Verdict::Healthy => (StatusCode::OK, "ok\n".into()),
        Verdict::Unhealthy(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

async fn readyz(Extract(board): OfAll) -> (StatusCode, String) {
    let (ready, text) = board.ready();
    (good(ready), text)
}

async fn readyz_of_one(Extract(board): OfAll, Name(name): Name<String>) -> (StatusCode, String) {
    let Some(watched) = board.pipeline(&name) else { return no_pipeline(&board) };
    (good(watched.health.ready()), format!("{}\n", watched.metrics.pipeline().state().name()))
}

/// One pipeline's page has always been its report; several are a list of such.
async fn status(Extract(board): OfAll) -> Response {
    match board.pipelines() {
        [only] if !board.is_several() => Json(only.status.report(super::now())).into_response(),
        _ => Json(board.report(super::now())).into_response(),
    }
}

async fn status_of_one(Extract(board): OfAll, Name(name): Name<String>) -> Response {
    match board.pipeline(&name) {
        Some(watched) => Json(watched.status.report(super::now())).into_response(),
        None => no_pipeline(&board).into_response(),
    }
}

fn good(is: bool) -> StatusCode {
    if is { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

fn no_pipeline(board: &Board) -> (StatusCode, String) {
    let names: Vec<&str> = board.pipelines().iter().map(Watched::name).collect();
    (StatusCode::NOT_FOUND, format!("no such pipeline; there is {}\n", names.join(", ")))
}

async fn one_request_per_connection(mut response: Response) -> Response {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

const INDEX: &str = "Headwater: change data capture from PostgreSQL to Kafka

/metrics   Prometheus metrics
/status    position, lag, tables and last error, as JSON
/healthz   200 while the pipeline makes progress or has nothing to do, 503 with the reason otherwise
/readyz    200 while changes flow, 503 with the state otherwise

Of several pipelines the last three say which is meant; behind a slash and its name they are about one of them.
";

/// The version of the text format.
const PROMETHEUS_TEXT: &str = prometheus::TEXT_FORMAT;

/// Connections at once; the next one waits.
const MAX_CONNECTIONS: usize = 16;

/// Of a connection, from accept to the last byte of its answer.
const MAX_LIFETIME: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::observe::State;
    use crate::observe::board::tests::board;

    struct Running {
        address: SocketAddr,
        board: Arc<Board>,
        stop: CancellationToken,
        server: tokio::task::JoinHandle<Result<()>>,
    }

    async fn start() -> Running {
        serving(board(&["shop"], false), MAX_LIFETIME).await
    }

    async fn serving(board: Board, lifetime: Duration) -> Running {
        let board = Arc::new(board);
        let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop) = (admin.address(), CancellationToken::new());
        let server = tokio::spawn(admin.serve_for(lifetime, Arc::clone(&board), stop.clone()));
        Running { address, board, stop, server }
    }

    impl Running {
        /// The whole answer; ends because the server closes.
        async fn request(&self, method: &str, path: &str) -> String {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        }

        fn set_state(&self, name: &str, state: State) {
            self.board.pipeline(name).unwrap().metrics.pipeline().set_state(state);
        }

        async fn stop(self) {
            self.stop.cancel();
            self.server.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn serves_every_page_of_its_index() {
        let running = start().await;
        let index = running.request("GET", "/").await;
        let paths: Vec<_> = index.lines().filter(|line| line.starts_with('/')).collect();
        assert_eq!(paths.len(), 4);
        for line in paths {
            let path = line.split_whitespace().next().unwrap();
            assert!(!running.request("GET", path).await.starts_with("HTTP/1.1 404"), "{path}");
        }
        assert!(running.request("GET", "/secrets").await.starts_with("HTTP/1.1 404"));
        assert!(running.request("POST", "/status").await.starts_with("HTTP/1.1 405"));
        running.stop().await;
    }

    #[tokio::test]
    async fn head_has_no_body() {
        let running = start().await;
        let answer = running.request("HEAD", "/metrics").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(answer.contains("text/plain; version=0.0.4"), "{answer}");
        running.stop().await;
    }

    #[tokio::test]
    async fn ready_only_while_streaming() {
        let running = start().await;
        let answer = running.request("GET", "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("starting\n"), "{answer}");
        running.set_state("shop", State::Streaming);
        assert!(running.request("GET", "/readyz").await.starts_with("HTTP/1.1 200"));
        running.stop().await;
    }

    #[tokio::test]
    async fn healthz_and_metrics_agree() {
        let running = start().await;
        assert!(running.request("GET", "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(
            running.request("GET", "/metrics").await.contains("\nheadwater_healthy{pipeline=\"shop\"} 1\n")
        );
        running.set_state("shop", State::Failed);
        let answer = running.request("GET", "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("/status shows it"), "{answer}");
        assert!(
            running.request("GET", "/metrics").await.contains("\nheadwater_healthy{pipeline=\"shop\"} 0\n")
        );
        running.stop().await;
    }

    #[tokio::test]
    async fn several_pipelines_are_listed_and_each_has_its_pages() {
        let running = serving(board(&["shop", "crm.eu"], true), MAX_LIFETIME).await;
        running.set_state("shop", State::Streaming);
        let of = |answer: &str| {
            serde_json::from_str::<serde_json::Value>(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
        };
        let all = of(&running.request("GET", "/status").await);
        let states = ["shop", "crm.eu"].map(|name| {
            let pipelines = all["pipelines"].as_array().unwrap();
            pipelines.iter().find(|one| one["name"] == name).unwrap()["state"].as_str().unwrap().to_owned()
        });
        assert_eq!(states, ["streaming", "starting"]);
        assert_eq!(of(&running.request("GET", "/status/crm.eu").await)["name"], "crm.eu");
        let answer = running.request("GET", "/readyz").await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.ends_with("shop: streaming\ncrm.eu: starting\n"),
            "{answer}"
        );
        assert!(running.request("GET", "/readyz/shop").await.starts_with("HTTP/1.1 200"));
        assert!(running.request("GET", "/healthz/shop").await.ends_with("ok\n"));
        let unknown = running.request("GET", "/status/crm").await;
        assert!(
            unknown.starts_with("HTTP/1.1 404") && unknown.contains("there is shop, crm.eu"),
            "{unknown}"
        );
        running.stop().await;
    }

    #[tokio::test]
    async fn one_pipeline_s_page_is_its_report() {
        let running = start().await;
        let answer = running.request("GET", "/status").await;
        assert!(answer.contains("{\"name\":\"shop\",\"slot\":"), "{answer}");
        running.stop().await;
    }

    #[tokio::test]
    async fn a_port_in_use_names_the_key() {
        let running = start().await;
        let error = Admin::bind(running.address).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Config);
        assert!(error.to_string().contains(&format!("admin.listen = \"{}\"", running.address)), "{error}");
        running.stop().await;
    }

    #[tokio::test]
    async fn a_client_that_says_nothing_loses_its_place() {
        let running = serving(board(&["shop"], false), Duration::from_secs(1)).await;
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            silent.push(TcpStream::connect(running.address).await.unwrap());
        }
        assert!(running.request("GET", "/").await.starts_with("HTTP/1.1 200"));
        let mut end = [0];
        assert!(matches!(silent[0].read(&mut end).await, Ok(0) | Err(_)));
        running.stop().await;
    }
}

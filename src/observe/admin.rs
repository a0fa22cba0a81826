//! The admin server: `/metrics` for Prometheus, `/healthz` and `/readyz` for an orchestrator, `/status` for people, `/` to
//! find them. It binds before anything else starts, so that a port in use stops the process at once, and answers while
//! the pipeline waits for a server. It only reads; whoever reaches it learns names of tables, never rows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State as Extract;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::connection::BoundedListener;
use super::health::{Health, Verdict};
use super::metrics::Metrics;
use super::status::Status;
use crate::error::{Error, Kind, Result};

/// A bound port that does not answer yet.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    address: SocketAddr,
}

/// What the pages are made of.
#[derive(Clone, Debug)]
pub struct Pages {
    pub metrics: Metrics,
    pub status: Arc<Status>,
    pub health: Arc<Health>,
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
    pub async fn serve(self, pages: Pages, stop: CancellationToken) -> Result<()> {
        self.serve_for(MAX_LIFETIME, pages, stop).await
    }

    async fn serve_for(self, lifetime: Duration, pages: Pages, stop: CancellationToken) -> Result<()> {
        let listener = BoundedListener::new(self.listener, MAX_CONNECTIONS, lifetime);
        axum::serve(listener, router(pages))
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
            .map_err(|error| Error::new(Kind::Internal, "the admin server ended").with_source(error))
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/", get(INDEX))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .layer(middleware::map_response(one_request_per_connection))
        .with_state(pages)
}

async fn metrics(Extract(pages): Extract<Pages>) -> Response {
    // For `headwater_healthy`.
    pages.health.check(Instant::now());
    match pages.metrics.render(super::now()) {
        Ok(text) => ([(CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn healthz(Extract(pages): Extract<Pages>) -> (StatusCode, String) {
    match pages.health.check(Instant::now()) {
        Verdict::Healthy => (StatusCode::OK, "ok\n".into()),
        Verdict::Unhealthy(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
    }
}

async fn readyz(Extract(pages): Extract<Pages>) -> (StatusCode, String) {
    let code = if pages.health.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, format!("{}\n", pages.metrics.pipeline().state().name()))
}

async fn status(Extract(pages): Extract<Pages>) -> Response {
    Json(pages.status.report(super::now())).into_response()
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
    use crate::lsn::UnixMicros;
    use crate::observe::{About, State, status};

    struct Running {
        address: SocketAddr,
        metrics: Metrics,
        stop: CancellationToken,
        server: tokio::task::JoinHandle<Result<()>>,
    }

    async fn start() -> Running {
        start_with(MAX_LIFETIME).await
    }

    async fn start_with(lifetime: Duration) -> Running {
        let metrics = Metrics::new(&About { name: "shop", memory_bytes: 1 }).unwrap();
        let status = Status::new(&status::tests::config(), metrics.clone(), UnixMicros(0));
        let health = Health::new(metrics.clone(), Duration::from_secs(60), Instant::now());
        let pages = Pages { metrics: metrics.clone(), status: status.into(), health: health.into() };
        let admin = Admin::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let (address, stop) = (admin.address(), CancellationToken::new());
        let server = tokio::spawn(admin.serve_for(lifetime, pages, stop.clone()));
        Running { address, metrics, stop, server }
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
        running.metrics.pipeline().set_state(State::Streaming);
        assert!(running.request("GET", "/readyz").await.starts_with("HTTP/1.1 200"));
        running.stop().await;
    }

    #[tokio::test]
    async fn healthz_and_metrics_agree() {
        let running = start().await;
        assert!(running.request("GET", "/healthz").await.starts_with("HTTP/1.1 200"));
        assert!(running.request("GET", "/metrics").await.contains("\nheadwater_healthy 1\n"));
        running.metrics.pipeline().set_state(State::Failed);
        let answer = running.request("GET", "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("/status shows it"), "{answer}");
        assert!(running.request("GET", "/metrics").await.contains("\nheadwater_healthy 0\n"));
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
        let running = start_with(Duration::from_secs(1)).await;
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

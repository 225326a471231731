//! A backend that records the requests of workers.

use std::sync::Arc;
use std::thread::JoinHandle;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{SOON, eventually};

/// A running server; stopped when dropped.
pub struct Backend {
    address: String,
    received: Arc<Mutex<Received>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// All requests so far.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// Bodies of registrations.
    pub registrations: Vec<Value>,
    /// Bodies of heartbeats, including those that received the response 404.
    pub heartbeats: Vec<Value>,
    /// `Authorization` headers of registrations.
    pub authorizations: Vec<String>,
    registered: Vec<String>,
}

type Shared = State<Arc<Mutex<Received>>>;

impl Backend {
    /// Starts a server at a free port.
    pub fn start() -> Self {
        let received: Arc<Mutex<Received>> = Arc::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/api/workers/register", post(register))
            .route("/api/workers/{worker_id}/heartbeat", post(heartbeat))
            .with_state(Arc::clone(&received));
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    result = async { axum::serve(listener, routes).await } => result.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address, received, stop: Some(stop), thread: Some(thread) }
    }

    /// Returns the address for BACKEND_URL.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// Removes every registration, as a restart does: the response to a heartbeat is 404 until its
    /// worker registers again.
    pub fn forget_workers(&self) {
        self.received.lock().registered.clear();
    }

    /// Waits until the requests so far satisfy `condition`, and returns them.
    ///
    /// * `description`: name of the condition in the panic message.
    pub fn wait_until(&self, description: &str, condition: impl Fn(&Received) -> bool) -> Received {
        eventually(description, SOON, || Some(self.received.lock().clone()).filter(|received| condition(received)))
    }

    /// Waits for a heartbeat with this state, and returns the first.
    pub fn wait_for_state(&self, state: &str) -> Value {
        self.wait_for_heartbeat(state, |heartbeat| heartbeat["state"] == state)
    }

    /// Waits for a heartbeat that counts `n` attempts of an outcome: `done`, `failed`, `crashed` or
    /// `fenced`.
    pub fn wait_for_count(&self, outcome: &str, n: u64) {
        self.wait_for_heartbeat(outcome, |heartbeat| heartbeat["counters"][outcome] == n);
    }

    fn wait_for_heartbeat(&self, description: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let received = self.wait_until(description, |received| received.heartbeats.iter().any(&condition));
        received.heartbeats.into_iter().find(condition).unwrap()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn register(State(received): Shared, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let mut received = received.lock();
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    received.authorizations.extend(authorization.map(str::to_owned));
    received.registered.extend(body["worker_id"].as_str().map(str::to_owned));
    received.registrations.push(body);
    StatusCode::CREATED
}

async fn heartbeat(State(received): Shared, Path(worker_id): Path<String>, Json(body): Json<Value>) -> StatusCode {
    let mut received = received.lock();
    received.heartbeats.push(body);
    if received.registered.contains(&worker_id) { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

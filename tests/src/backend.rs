//! A backend that records what workers tell it.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::{SOON, eventually};

/// A running server; ends when dropped.
pub struct Backend {
    address: String,
    heard: Arc<Mutex<Heard>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// All that has been told.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Bodies of registrations.
    pub registrations: Vec<Value>,
    /// Bodies of heartbeats, also of those that were answered with 404.
    pub heartbeats: Vec<Value>,
    /// The `Authorization` headers.
    pub authorizations: Vec<String>,
    known: Vec<String>,
}

type Shared = State<Arc<Mutex<Heard>>>;

impl Backend {
    /// Starts at a free port.
    pub fn start() -> Self {
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new()
            .route("/api/workers/register", post(register))
            .route("/api/workers/{worker_id}/heartbeat", post(heartbeat))
            .with_state(Arc::clone(&heard));
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = async { axum::serve(listener, routes).await } => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { address, heard, stop: Some(stop), thread: Some(thread) }
    }

    /// For BACKEND_URL.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// Forgets every worker, as after a restart: heartbeats answer 404 until they register again.
    pub fn forget_workers(&self) {
        self.heard.lock().unwrap().known.clear();
    }

    /// Waits until what has been told satisfies `is_enough`, and answers it.
    pub fn wait_until(&self, what: &str, is_enough: impl Fn(&Heard) -> bool) -> Heard {
        eventually(what, SOON, || Some(self.heard.lock().unwrap().clone()).filter(|heard| is_enough(heard)))
    }

    /// Waits for a heartbeat with this state, and returns the first.
    pub fn wait_for_state(&self, state: &str) -> Value {
        self.wait_for_beat(state, |beat| beat["state"] == state)
    }

    /// Waits for a heartbeat that says that `n` attempts ended in some way: `done`, `failed`, `crashed` or `fenced`.
    pub fn wait_for_count(&self, what: &str, n: u64) {
        self.wait_for_beat(what, |beat| beat["counters"][what] == n);
    }

    fn wait_for_beat(&self, what: &str, is_such: impl Fn(&Value) -> bool) -> Value {
        let heard = self.wait_until(what, |heard| heard.heartbeats.iter().any(&is_such));
        heard.heartbeats.into_iter().find(is_such).unwrap()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn register(State(heard): Shared, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    let mut heard = heard.lock().unwrap();
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    heard.authorizations.extend(authorization.map(str::to_owned));
    heard.known.extend(body["worker_id"].as_str().map(str::to_owned));
    heard.registrations.push(body);
    StatusCode::CREATED
}

async fn heartbeat(State(heard): Shared, Path(worker_id): Path<String>, Json(body): Json<Value>) -> StatusCode {
    let mut heard = heard.lock().unwrap();
    heard.heartbeats.push(body);
    if heard.known.contains(&worker_id) { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

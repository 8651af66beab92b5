//! What can be asked of the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use ottla_tokio::{Producer, Record};
use serde::Deserialize;

use crate::answer::Answer;

/// The header that a key may stand in.
const KEY: &str = "x-record-key";

/// What all requests share.
#[derive(Clone)]
pub(crate) struct Service {
    producer: Producer,
    recorder: PrometheusHandle,
    ending: Ending,
}

/// Whether the service is about to end.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<AtomicBool>);

impl Ending {
    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a post may say of its record beside the value.
#[derive(Deserialize)]
struct Details {
    key: Option<String>,
    partition: Option<i32>,
    /// Whether to wait for the outcome; by default it is waited for.
    wait: Option<bool>,
}

impl Service {
    pub(crate) fn new(producer: Producer, recorder: PrometheusHandle) -> Self {
        Self { producer, recorder, ending: Ending::default() }
    }

    pub(crate) fn ending(&self) -> Ending {
        self.ending.clone()
    }

    pub(crate) fn router(self) -> Router {
        // A body that is larger than any record is not even read.
        let largest = self.producer.config().core().max_request_size as usize;
        Router::new()
            .route("/topics/{topic}", post(produce).layer(DefaultBodyLimit::max(largest)))
            .route("/metrics", get(metrics))
            .route("/healthz", get(healthz))
            .with_state(self)
    }
}

async fn produce(
    State(service): State<Service>,
    Path(topic): Path<String>,
    Query(details): Query<Details>,
    headers: HeaderMap,
    value: Bytes,
) -> Answer {
    let mut record = Record::new(&topic, &value);
    if let Some(key) = &details.key {
        record = record.key(key);
    } else if let Some(key) = headers.get(KEY) {
        record = record.key(key.as_bytes());
    }
    if let Some(partition) = details.partition {
        record = record.partition(partition);
    }
    if details.wait == Some(false) {
        return Answer::of_post(&topic, service.producer.post(record).await);
    }
    // If the caller hangs up, this future is dropped; a record that was accepted by then is
    // written all the same.
    match service.producer.send(record).await {
        Ok(delivery) => Answer::of_send(&topic, delivery.await),
        Err(refused) => Answer::of_send(&topic, Err(refused)),
    }
}

async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    service.producer.metrics().record();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], service.recorder.render())
}

async fn healthz(State(service): State<Service>) -> (StatusCode, &'static str) {
    match service.ending.has_begun() {
        false => (StatusCode::OK, "ok\n"),
        true => (StatusCode::SERVICE_UNAVAILABLE, "ending\n"),
    }
}

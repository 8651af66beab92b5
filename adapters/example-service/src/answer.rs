//! What a post is answered: a status that a retry may go by, and the words for people.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ottla_tokio::{RecordMetadata, Refused, SendError, SendErrorKind};
use serde::Serialize;

/// The answer to a post.
#[derive(Serialize, Debug)]
pub(crate) struct Answer {
    #[serde(skip)]
    status: StatusCode,
    /// `written`, `accepted`, `sent`, `refused`, `not written` or `unknown`.
    outcome: &'static str,
    topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Answer {
    fn new(status: StatusCode, outcome: &'static str, topic: &str) -> Self {
        Self {
            status,
            outcome,
            topic: topic.to_owned(),
            partition: None,
            offset: None,
            reason: None,
        }
    }

    /// To a post that waited for the outcome.
    pub(crate) fn of_send(topic: &str, outcome: Result<RecordMetadata, SendError>) -> Self {
        match outcome {
            Ok(RecordMetadata { partition, offset, acknowledged, .. }) => {
                let (status, outcome) = match acknowledged {
                    true => (StatusCode::OK, "written"),
                    // acks=0: no broker said anything.
                    false => (StatusCode::ACCEPTED, "sent"),
                };
                Self { partition: Some(partition), offset, ..Self::new(status, outcome, topic) }
            }
            Err(error) => Self::of_error(topic, &error),
        }
    }

    /// To a post that waited for acceptance only.
    pub(crate) fn of_post(topic: &str, accepted: Result<(), SendError>) -> Self {
        match accepted {
            Ok(()) => Self::new(StatusCode::ACCEPTED, "accepted", topic),
            Err(error) => Self::of_error(topic, &error),
        }
    }

    fn of_error(topic: &str, error: &SendError) -> Self {
        let (status, outcome) = match error.kind() {
            SendErrorKind::Unknown(..) => (StatusCode::GATEWAY_TIMEOUT, "unknown"),
            SendErrorKind::NotWritten(_) => (StatusCode::SERVICE_UNAVAILABLE, "not written"),
            SendErrorKind::Refused(refused) => (status_of(refused), "refused"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "refused"),
        };
        let answer = Self::new(status, outcome, topic);
        Self { partition: error.partition(), reason: Some(error.to_string()), ..answer }
    }
}

/// Whose fault a refusal is: the caller's, or one that passes.
fn status_of(refused: Refused) -> StatusCode {
    match refused {
        Refused::IllegalName => StatusCode::BAD_REQUEST,
        Refused::PartitionUnknown => StatusCode::NOT_FOUND,
        Refused::LargerThanRequest | Refused::LargerThanMemory => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self.status {
            // It may be posted again without being written twice.
            StatusCode::SERVICE_UNAVAILABLE => {
                (self.status, [(header::RETRY_AFTER, "1")], Json(self)).into_response()
            }
            status => (status, Json(self)).into_response(),
        }
    }
}

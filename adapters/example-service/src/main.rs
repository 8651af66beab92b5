#![forbid(unsafe_code)]
//! An example of a service around a producer: what is posted to it becomes a record, and the
//! answer says what became of the record.
//!
//! ```text
//! cargo run -p ottla-example-service -- --bootstrap localhost:9092
//! curl --data-binary '21.5' 'localhost:8080/topics/readings?key=sensor-7'
//! {"outcome":"written","topic":"readings","partition":0,"offset":17}
//! ```
//!
//! | request | |
//! |---|---|
//! | `POST /topics/{topic}` | a record: the body is its value; `key`, `partition`, `wait` in the query, or the key in the header `x-record-key` |
//! | `GET /metrics` | figures for Prometheus |
//! | `GET /healthz` | 200; 503 for `--grace` seconds once it is told to end; then refused |
//!
//! | status | what became of the record |
//! |---|---|
//! | 200 | it is in the log |
//! | 202 | with `wait=false`: it is accepted, and nobody waits for more; with `acks=0`: sent |
//! | 400, 404, 413 | not accepted, as the request is wrong: it is not in the log |
//! | 503 | not accepted, or not written: it is not in the log, and can be posted again |
//! | 504 | nobody knows: posted again, it may be in the log twice |
//!
//! At SIGTERM or Ctrl-C, and after `--grace` seconds, it takes no more posts, answers those that it
//! has, and ends when all of their records have their outcome, or `--drain` seconds have passed.
//! Its exit code is 0 if no record has failed since the signal.

mod answer;
mod routes;

use std::net::SocketAddr;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use metrics_exporter_prometheus::PrometheusBuilder;
use ottla_tokio::{Metrics, Producer};
use tokio::net::TcpListener;
use tokio::signal;
use tokio::sync::oneshot;

/// Take records over HTTP, and tell what became of them
#[derive(Parser, Debug)]
struct Arguments {
    /// Brokers to begin with, as host:port, separated by commas
    #[arg(long, value_name = "HOSTS", default_value = "localhost:9092")]
    bootstrap: String,
    /// Address to listen at; port 0 takes a free one, which is printed
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Set a property of the producer, by the name that Kafka has for it; repeatable
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE", value_parser = property)]
    properties: Vec<(String, String)>,
    /// Seconds for which posts are still taken at the end, while /healthz answers 503: for a load
    /// balancer to look elsewhere
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    grace: u64,
    /// Seconds that requests and records which are under way have after that, all in all
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err("it has to be KEY=VALUE, such as linger.ms=20".to_owned()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is told to end. False: records have failed since then.
async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let Arguments { bootstrap, listen, properties, grace, drain } = arguments;
    let [grace, drain] = [grace, drain].map(Duration::from_secs);
    let producer = Producer::builder()
        .bootstrap_servers(bootstrap)
        // Whoever posts waits for an answer: that is not to take two minutes.
        .max_block(Duration::from_secs(5))
        .request_timeout(Duration::from_secs(10))
        .delivery_timeout(Duration::from_secs(20))
        .properties(properties)
        .build()?;
    let recorder = PrometheusBuilder::new().install_recorder().context("metrics")?;
    Metrics::describe();
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen at {listen}"))?;
    // For whoever gave port 0.
    println!("listening at http://{}", listener.local_addr()?);
    let service = routes::Service::new(producer.clone(), recorder);
    let ending = service.ending();
    let (stop, stopped) = oneshot::channel::<()>();
    // Requests that are there are answered, each with the outcome of its record.
    let serving = axum::serve(listener, service.router()).with_graceful_shutdown(async {
        // An end of the sender is the end, too.
        let _ = stopped.await;
    });
    let mut serving = pin!(serving.into_future());
    let told = async {
        asked_to_end().await;
        let before = producer.stats().counters;
        ending.begin();
        tracing::info!(?grace, "ending");
        tokio::time::sleep(grace).await;
        before
    };
    let before = tokio::select! {
        served = &mut serving => {
            served?;
            anyhow::bail!("nothing listens any more");
        }
        before = told => before,
    };
    tracing::info!("no more posts are taken");
    let began = Instant::now();
    drop(stop);
    match tokio::time::timeout(drain, serving).await {
        Ok(served) => served?,
        // Somebody may send the body of a request forever.
        Err(_) => tracing::warn!("requests without an answer were cut off"),
    }
    // What nobody waits for is delivered, too, in what is left of the time.
    producer.close(drain.saturating_sub(began.elapsed())).await;
    let counters = producer.stats().counters;
    let (written, not_written, unknown) =
        (counters.written, counters.not_written, counters.unknown);
    tracing::info!(written, not_written, unknown, "ended");
    Ok(not_written == before.not_written && unknown == before.unknown)
}

/// Waits for SIGTERM or Ctrl-C.
async fn asked_to_end() {
    #[cfg(unix)]
    {
        let mut terminate = match signal::unix::signal(signal::unix::SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(error) => {
                tracing::error!(%error, "SIGTERM cannot be waited for, ending");
                return;
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    {
        // If it cannot be waited for, the service ends.
        let _ = signal::ctrl_c().await;
    }
}

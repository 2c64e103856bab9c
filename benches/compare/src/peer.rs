//! The async clients, each on a runtime of one thread: on one of several they are many times slower.

use eventsource_client::{Client, ClientBuilder, ReconnectOptions, SSE};
use futures_util::StreamExt;
use hyper_rustls::HttpsConnectorBuilder;
use launchdarkly_sdk_transport::HyperTransport;
use reqwest_eventsource::Event;
use sseer::reqwest::StreamEvent;
use tokio::runtime::Builder;

use crate::target::{PAUSE, Seen, Target, tls};
use crate::words::Failure;

/// Reads as many events as there are to be, and leaves: none of them comes back at the end.
pub fn run(name: &str, target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match name {
            "eventsource-client" => launchdarkly(target, seen).await,
            "reqwest-eventsource" => reqwest_eventsource(target, seen).await,
            "sseer" => sseer(target, seen).await,
            _ => Err(format!("no contestant {name}").into()),
        }
    })
}

async fn launchdarkly(target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    let builder = HyperTransport::builder().disable_proxy();
    let reconnect = ReconnectOptions::reconnect(target.reconnects).delay(PAUSE).backoff_factor(1).delay_max(PAUSE);
    let client = ClientBuilder::for_url(&target.url)?.reconnect(reconnect.build());
    let mut stream = match &target.root {
        None => client.build_with_transport(builder.build_http()?).stream(),
        Some(_) => {
            let connector = HttpsConnectorBuilder::new().with_tls_config(tls(target)?).https_or_http().enable_http1();
            client.build_with_transport(builder.build_with_connector(connector.build())?).stream()
        }
    };
    while seen.events < target.events {
        match stream.next().await {
            Some(Ok(SSE::Event(event))) => seen.event(&event.data),
            Some(Ok(_)) => {}
            Some(Err(_)) if target.reconnects => {}
            Some(Err(error)) => return Err(error.to_string().into()),
            None => break,
        }
    }
    Ok(())
}

async fn reqwest_eventsource(target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    let client = reqwest_012::Client::builder().no_proxy().use_preconfigured_tls(tls(target)?).build()?;
    let mut stream = reqwest_eventsource::EventSource::new(client.get(&target.url))?;
    stream.set_retry_policy(Box::new(reqwest_eventsource::retry::Constant::new(PAUSE, None)));
    while seen.events < target.events {
        match stream.next().await {
            Some(Ok(Event::Message(event))) => seen.event(&event.data),
            Some(Ok(Event::Open)) => {}
            Some(Err(_)) if target.reconnects => {}
            Some(Err(error)) => return Err(error.into()),
            None => break,
        }
    }
    Ok(())
}

async fn sseer(target: &Target, seen: &mut Seen) -> Result<(), Failure> {
    let client = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls(target)?).build()?;
    let policy = sseer::retry::Constant::new(PAUSE, None);
    let mut stream = std::pin::pin!(sseer::EventSource::new_with_retry(client.get(&target.url), policy)?);
    while seen.events < target.events {
        match stream.next().await {
            Some(Ok(StreamEvent::Event(event))) => seen.event(&event.data),
            Some(Ok(StreamEvent::Open)) => {}
            Some(Err(_)) if target.reconnects => {}
            Some(Err(error)) => return Err(error.into()),
            None => break,
        }
    }
    Ok(())
}

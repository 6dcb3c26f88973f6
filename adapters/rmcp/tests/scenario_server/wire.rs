//! The client's end of a connection: a pair of streams, or rmcp's client transport for streamable HTTP.
//!
//! In: messages as JSON. Out: the same. Must not answer anything itself.

use std::sync::Arc;
use std::time::Duration;

use callgate_rmcp::Guard;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::model::{ClientJsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::RoleClient;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpClientTransport, Transport};
use serde_json::Value;
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};
use tokio::sync::mpsc;

use super::Server;

pub(crate) enum Wire {
    Streams { to: WriteHalf<DuplexStream>, from: Lines<BufReader<ReadHalf<DuplexStream>>> },
    Http { to: mpsc::UnboundedSender<Value>, from: mpsc::UnboundedReceiver<Value> },
}

/// Serves a guard over streamable HTTP, and gives its address.
pub(crate) async fn serve_http(guard: Guard<Arc<Server>>) -> String {
    let service: StreamableHttpService<_, LocalSessionManager> =
        StreamableHttpService::new(move || Ok(guard.clone().handler()), Arc::default(), Default::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let serving =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serving);
        }
    });
    format!("http://{address}/mcp")
}

impl Wire {
    pub(crate) fn streams(guard: Guard<Arc<Server>>) -> Self {
        let (client, server) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move {
            if let Ok(running) = guard.serve(server).await {
                let _ = running.waiting().await;
            }
        });
        let (from, to) = tokio::io::split(client);
        Self::Streams { to, from: BufReader::new(from).lines() }
    }

    /// A client that speaks HTTP. Dropped, it closes its session.
    pub(crate) fn http(uri: &str) -> Self {
        let mut transport = StreamableHttpClientTransport::from_uri(uri.to_owned());
        let (to, mut sent) = mpsc::unbounded_channel::<Value>();
        let (received, from) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = sent.recv() => match message {
                        Some(message) => {
                            let message: ClientJsonRpcMessage = serde_json::from_value(message).unwrap();
                            tokio::spawn(transport.send(message));
                        }
                        None => {
                            let _ = transport.close().await;
                            return;
                        }
                    },
                    message = receive(&mut transport) => match message {
                        Some(message) => _ = received.send(serde_json::to_value(message).unwrap()),
                        None => return,
                    },
                }
            }
        });
        Self::Http { to, from }
    }

    pub(crate) async fn send(&mut self, message: Value) {
        match self {
            Self::Streams { to, .. } => to.write_all(format!("{message}\n").as_bytes()).await.unwrap(),
            Self::Http { to, .. } => to.send(message).unwrap(),
        }
    }

    /// The next message, if it comes in time.
    pub(crate) async fn next(&mut self, patience: Duration) -> Option<Value> {
        match self {
            Self::Streams { from, .. } => {
                let line = tokio::time::timeout(patience, from.next_line()).await.ok()?.unwrap()?;
                Some(serde_json::from_str(&line).unwrap())
            }
            Self::Http { from, .. } => tokio::time::timeout(patience, from.recv()).await.ok()?,
        }
    }
}

async fn receive<T: Transport<RoleClient>>(transport: &mut T) -> Option<ServerJsonRpcMessage> {
    transport.receive().await
}

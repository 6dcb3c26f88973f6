//! A server that is reached over streamable HTTP.
//!
//! In: its address, headers, messages. Out: the messages that answer them. Must not follow a redirection: headers that hold tokens would go
//! where nobody sent them.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::OfferError;
use super::ceilings::{BYTES, MESSAGE_BYTES};
use super::error::quoted;
use super::events::Events;

const PROTOCOL: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// How long the end of a session may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// A stream of bytes, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A server at an address.
pub(super) struct Http {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    headers: HeaderMap,
    /// The revision that was agreed on.
    pub(super) protocol: Option<&'static str>,
    session: Option<HeaderValue>,
}

/// The answer to a request, as it comes.
pub(super) struct Answer {
    body: Incoming,
    /// Where it is a stream of events.
    events: Option<Events>,
    waiting: std::vec::IntoIter<Vec<u8>>,
    is_over: bool,
}

impl Http {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The address is none, or a header cannot be one.
    pub(super) fn new(url: &str, headers: &[(String, String)]) -> Result<Self, OfferError> {
        let wrong = |what: &str| OfferError::Reach(what.to_owned());
        let uri: Uri = url.parse().map_err(|_| wrong("the address is no URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("the address has no host"))?;
        let is_secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("the address begins neither with `https://` nor with `http://`")),
        };
        if authority.as_str().contains('@') {
            return Err(wrong("the address has a user in it: use a header"));
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().map_err(|_| wrong("the name of a header cannot be one"))?;
            let mut value: HeaderValue = value
                .parse()
                .map_err(|_| OfferError::Reach(format!("the value of header `{name}` cannot be one")))?;
            value.set_sensitive(true);
            map.append(name, value);
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let tls = is_secure.then(tls).transpose()?;
        Ok(Self { uri, host, port, tls, headers: map, protocol: None, session: None })
    }

    /// Sends a message, which asks for `method`.
    ///
    /// # Errors
    /// The server cannot be reached, or its answer is no success.
    pub(super) async fn post(&mut self, method: &str, message: &Value) -> Result<Answer, OfferError> {
        let body = Full::new(Bytes::from(message.to_string()));
        let mut request = self.request(Method::POST, body)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if let Ok(method) = HeaderValue::from_str(method) {
            headers.insert(METHOD, method);
        }
        let response = self.send(request).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(refused(status, response.headers()));
        }
        if let Some(session) = response.headers().get(SESSION) {
            self.session = Some(session.clone());
        }
        let kind =
            response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_stream = kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream");
        let events = is_stream.then(|| Events::new(MESSAGE_BYTES));
        Ok(Answer { body: response.into_body(), events, waiting: Vec::new().into_iter(), is_over: false })
    }

    /// Ends the session, if there is one.
    pub(super) async fn end(mut self) {
        if self.session.is_some()
            && let Ok(request) = self.request(Method::DELETE, Full::new(Bytes::new()))
        {
            let _ = timeout(GOODBYE, self.send(request)).await;
        }
    }

    fn request(&self, method: Method, body: Full<Bytes>) -> Result<Request<Full<Bytes>>, OfferError> {
        let failed = |_| OfferError::Reach("the address cannot be asked".to_owned());
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, host).body(body).map_err(failed)?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("callgate/", env!("CARGO_PKG_VERSION"))));
        headers.extend(self.headers.clone());
        if let Some(protocol) = self.protocol {
            headers.insert(PROTOCOL, HeaderValue::from_static(protocol));
        }
        if let Some(session) = &self.session {
            headers.insert(SESSION, session.clone());
        }
        Ok(request)
    }

    /// Why no TLS connection came about.
    fn unproven(&self, error: &std::io::Error) -> OfferError {
        use rustls::CertificateError as Wrong;
        let refused = error.get_ref().and_then(|error| error.downcast_ref());
        let Some(rustls::Error::InvalidCertificate(wrong)) = refused else {
            return OfferError::Reach(quoted(&error.to_string()));
        };
        OfferError::Reach(match wrong {
            Wrong::UnknownIssuer => {
                "no authority that this system trusts has signed its certificate".to_owned()
            }
            Wrong::Expired | Wrong::ExpiredContext { .. } => "its certificate has expired".to_owned(),
            Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
                "its certificate is not valid yet".to_owned()
            }
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => {
                format!("its certificate is for another name than `{}`", quoted(&self.host))
            }
            other => format!("its certificate is refused: {}", quoted(&other.to_string())),
        })
    }

    /// A connection for each request: there are few, and none has to be kept alive.
    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, OfferError> {
        let failed = |error: &dyn std::fmt::Display| OfferError::Reach(quoted(&error.to_string()));
        let stream = TcpStream::connect((&*self.host, self.port)).await.map_err(|error| failed(&error))?;
        let stream: Box<dyn Stream> = match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|error| failed(&error))?;
                Box::new(tls.connect(name, stream).await.map_err(|error| self.unproven(&error))?)
            }
        };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        sender.send_request(request).await.map_err(|error| failed(&error))
    }
}

impl Answer {
    /// The next message of it; `None` at its end. `bytes` counts what the server says.
    pub(super) async fn next(&mut self, bytes: &mut usize) -> Result<Option<Vec<u8>>, OfferError> {
        let mut whole = Vec::new();
        loop {
            if let Some(message) = self.waiting.next() {
                return Ok(Some(message));
            }
            if self.is_over {
                return Ok(None);
            }
            let Some(frame) = self.body.frame().await else {
                self.is_over = true;
                return Ok((!whole.is_empty()).then_some(whole));
            };
            let frame = frame.map_err(|_| OfferError::Closed)?;
            let Some(data) = frame.data_ref() else { continue };
            *bytes = bytes.saturating_add(data.len());
            if *bytes > BYTES {
                return Err(OfferError::Bytes);
            }
            match &mut self.events {
                Some(events) => self.waiting = events.take_in(data)?.into_iter(),
                None if whole.len().saturating_add(data.len()) > MESSAGE_BYTES => {
                    return Err(OfferError::LongMessage);
                }
                None => whole.extend_from_slice(data),
            }
            if self.body.is_end_stream() && self.events.is_none() {
                self.is_over = true;
                return Ok((!whole.is_empty()).then_some(whole));
            }
        }
    }
}

fn refused(status: StatusCode, headers: &HeaderMap) -> OfferError {
    let place =
        headers.get(LOCATION).and_then(|place| place.to_str().ok()).filter(|_| status.is_redirection());
    match place {
        Some(place) => {
            OfferError::Reach(format!("it is elsewhere, and is not followed there: `{}`", quoted(place)))
        }
        None => OfferError::Status(status.as_u16()),
    }
}

/// What trusts the certificates that the system trusts.
fn tls() -> Result<TlsConnector, OfferError> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read is one that nobody is trusted by.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    // The provider is named: a process may have another one, or two, as its default.
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| OfferError::Reach(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

//! The order of requests that lists a server's tools.
//!
//! In: a connection. Out: an offer. Must not call a tool, and must not ask for one page twice.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::ceilings::PAGES;
use super::connection::{Connection, Era, MODERN, client};
use super::error::quoted;
use super::message::{Discovered, Info, Initialized, Message, Page};
use super::{Offer, OfferError, Tools};

/// The newest revision with a handshake.
const NEWEST_HANDSHAKE: &str = "2025-11-25";
/// All revisions with a handshake.
const HANDSHAKES: [&str; 4] = [NEWEST_HANDSHAKE, "2025-06-18", "2025-03-26", "2024-11-05"];
/// How long a server may stay silent before it is taken for one that knows no `server/discover`, at most.
const SILENCE: Duration = Duration::from_secs(5);
/// The error of a method that a server does not have.
const NO_METHOD: i64 = -32601;

const DISCOVER: &str = "server/discover";
const INITIALIZE: &str = "initialize";
const LIST: &str = "tools/list";

/// How a server is to be asked.
struct Greeted {
    era: Era,
    /// Whether it says that it has tools.
    has_tools: bool,
    offer: Offer,
}

/// Lists the tools of a server.
///
/// # Errors
/// As [`Lister::list`](super::Lister::list).
pub(super) async fn list(
    connection: &mut Connection<'_>,
    patience: Duration,
    keeps_texts: bool,
) -> Result<Offer, OfferError> {
    connection.open().await?;
    let silence = SILENCE.min(patience.checked_div(3).unwrap_or(SILENCE));
    let greeted = match timeout(silence, discover(connection)).await {
        Ok(Ok(Some(greeted))) => greeted,
        // It knows nothing newer, or does not answer what it does not know.
        Ok(Ok(None)) | Err(_) => initialize(connection).await?,
        // Some end where anything comes before the handshake.
        Ok(Err(OfferError::Closed)) => {
            connection.open().await?;
            initialize(connection).await?
        }
        Ok(Err(error)) => return Err(error),
    };
    let tools = if keeps_texts { Tools::with_texts() } else { Tools::default() };
    pages(connection, greeted, tools).await
}

/// Asks a server of 2026-07-28 what it is; `None` if it is older.
async fn discover(connection: &mut Connection<'_>) -> Result<Option<Greeted>, OfferError> {
    let text = match connection.ask(Era::Modern, DISCOVER, json!({})).await {
        // It does not know the request, and needs no other rights.
        Err(OfferError::Status(400 | 404..=406 | 409..=428)) => return Ok(None),
        text => text?,
    };
    let Ok(result) = result(DISCOVER, &text) else { return Ok(None) };
    let Ok(answer) = serde_json::from_str::<Discovered<'_>>(result.get()) else { return Ok(None) };
    let speaks =
        |version: &&RawValue| serde_json::from_str::<String>(version.get()).is_ok_and(|it| it == MODERN);
    if !answer.supported_versions.0.iter().any(speaks) {
        return Ok(None);
    }
    let has_tools = answer.capabilities.is_some_and(|capabilities| capabilities.tools.is_some());
    Ok(Some(Greeted { era: Era::Modern, has_tools, offer: offer(MODERN, answer.server_info) }))
}

/// Shakes hands, as it was before.
async fn initialize(connection: &mut Connection<'_>) -> Result<Greeted, OfferError> {
    connection.agree(None);
    let params = json!({"protocolVersion": NEWEST_HANDSHAKE, "capabilities": {}, "clientInfo": client()});
    let text = connection.ask(Era::Handshake, INITIALIZE, params).await?;
    let answer: Initialized<'_> = read(INITIALIZE, result(INITIALIZE, &text)?)?;
    let version = answer.protocol_version;
    let Some(known) = HANDSHAKES.into_iter().find(|known| *known == version) else {
        let what = format!("is in a revision of the protocol that is not known: `{}`", quoted(&version));
        return Err(OfferError::Answer { method: INITIALIZE, what });
    };
    connection.agree(Some(known));
    let has_tools = answer.capabilities.is_some_and(|capabilities| capabilities.tools.is_some());
    let offer = offer(known, answer.server_info);
    connection.tell("notifications/initialized").await?;
    Ok(Greeted { era: Era::Handshake, has_tools, offer })
}

/// Reads all pages of the list.
async fn pages(
    connection: &mut Connection<'_>,
    greeted: Greeted,
    mut tools: Tools,
) -> Result<Offer, OfferError> {
    let Greeted { era, has_tools, mut offer } = greeted;
    let (mut seen, mut params) = (HashSet::new(), json!({}));
    for _ in 0..PAGES {
        let text = connection.ask(era, LIST, params).await?;
        let page = match result(LIST, &text) {
            Err(OfferError::Refused { code: NO_METHOD, .. }) if !has_tools => return Ok(offer),
            page => page?,
        };
        let page: Page<'_> = read(LIST, page)?;
        if page.result_type.as_deref().is_some_and(|kind| kind != "complete") {
            let what = "is not the list: it asks for something first".to_owned();
            return Err(OfferError::Answer { method: LIST, what });
        }
        for tool in &page.tools.0 {
            tools.add(tool.get())?;
        }
        let Some(cursor) = page.next_cursor else {
            (offer.tools, offer.texts) = tools.into_parts();
            return Ok(offer);
        };
        params = json!({"cursor": &*cursor});
        if !seen.insert(cursor.into_owned()) {
            return Err(OfferError::Circle);
        }
    }
    Err(OfferError::Pages)
}

fn offer(protocol: &str, info: Option<Info<'_>>) -> Offer {
    let (name, version) = info.map(|info| (quoted(&info.name), quoted(&info.version))).unwrap_or_default();
    Offer { protocol: protocol.to_owned(), name, version, ..Offer::default() }
}

/// The result in an answer.
fn result<'t>(method: &'static str, text: &'t str) -> Result<&'t RawValue, OfferError> {
    let message: Message<'_> = serde_json::from_str(text).map_err(|error| unreadable(method, &error))?;
    if let Some(refusal) = message.error {
        return Err(OfferError::Refused { method, code: refusal.code, message: quoted(&refusal.message) });
    }
    let none = || OfferError::Answer { method, what: "has no result".to_owned() };
    message.result.ok_or_else(none)
}

fn read<'t, T: serde::Deserialize<'t>>(method: &'static str, text: &'t RawValue) -> Result<T, OfferError> {
    serde_json::from_str(text.get()).map_err(|error| unreadable(method, &error))
}

fn unreadable(method: &'static str, error: &serde_json::Error) -> OfferError {
    OfferError::Answer { method, what: format!("cannot be read: {}", quoted(&error.to_string())) }
}

//! The input schemas of a server's tools.
//!
//! In: the server's own answers to `tools/list`, unfiltered. Out: the checks for a call of a tool. Must not guess: a tool that
//! the server does not list has no schema.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use callgate::{ArgsCheck, InputSchema};
use rmcp::model::{
    ClientRequest, ErrorCode, JsonObject, JsonRpcMessage, ListToolsRequest, PaginatedRequestParams,
    ServerConfig, ServerNotification, ServerResult, Tool,
};
use rmcp::service::{RequestContext, RoleServer, Service, TxJsonRpcMessage};
use serde_json::Value;

use crate::refusal::Unchecked;

/// The most pages of a list. A longer list is an error, so that a call ends.
const PAGES: u32 = 1_000;

/// The member of `_meta` by which a client asks for a request's progress.
const PROGRESS_TOKEN: &str = "progressToken";

/// The tools of one list: their input schemas, by name.
type Schemas = HashMap<String, Arc<JsonObject>>;

/// The definitions of one connection's server.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    /// Whether announcements of changed lists pass through here, in a session that begins with `initialize`.
    announced: bool,
    /// The generation: grows with each event that may have changed the list.
    changes: AtomicU64,
    /// The list, and its generation when it was asked for.
    known: Mutex<Option<(u64, Schemas)>>,
    /// The names of all tools, by the last complete list; whether nobody has looked at them yet.
    names: Mutex<(Option<Arc<Vec<String>>>, bool)>,
    /// Those of the pages that a client has got so far.
    pages: Mutex<Vec<String>>,
}

impl Definitions {
    /// For a server whose messages to the client all pass through the guard.
    pub(crate) fn watched(server: &ServerConfig) -> Self {
        let announced = server.capabilities.tools.as_ref().and_then(|tools| tools.list_changed);
        Self { announced: announced == Some(true), ..Self::default() }
    }

    /// A message to the client.
    pub(crate) fn passes(&self, message: &TxJsonRpcMessage<RoleServer>) {
        if let JsonRpcMessage::Notification(told) = message
            && matches!(told.notification, ServerNotification::ToolListChangedNotification(_))
        {
            self.changed();
        }
    }

    /// The list may have changed.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// The checks for a call of this tool.
    ///
    /// # Errors
    /// Why the server's list is missing.
    pub(crate) async fn of(
        &self,
        tool: &str,
        server: &impl Service<RoleServer>,
        context: &RequestContext<RoleServer>,
    ) -> Result<ArgsCheck, Unchecked> {
        // A session without `initialize` gets only the announcements that its client subscribed to.
        let remembers = self.announced && context.peer.peer_info().is_some();
        // Taken before the server is asked, so that a change meanwhile counts.
        let changes = self.changes.load(Ordering::Acquire);
        if remembers && let Some(schema) = self.remembered(tool, changes) {
            return Ok(check(schema));
        }
        let listed = list(server, context).await.map_err(Unchecked)?;
        self.learn(listed.keys().cloned().collect());
        let found = listed.get(tool).cloned();
        if remembers {
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((changes, listed));
        }
        Ok(found.map_or_else(ArgsCheck::new, check))
    }

    /// The names of all tools that the server has.
    ///
    /// # Errors
    /// Why the server's list is missing.
    pub(crate) async fn names(
        &self,
        server: &impl Service<RoleServer>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Vec<String>, Unchecked> {
        let names: Vec<String> = list(server, context).await.map_err(Unchecked)?.into_keys().collect();
        self.learn(names.clone());
        Ok(names)
    }

    fn learn(&self, mut names: Vec<String>) {
        names.sort_unstable();
        let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0.as_deref() != Some(&names) {
            *known = (Some(Arc::new(names)), true);
        }
    }

    /// A page of the server's list, on its way to a client.
    pub(crate) fn page<'n>(&self, names: impl Iterator<Item = &'n str>, is_first: bool, is_last: bool) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if is_first {
            pages.clear();
        }
        pages.extend(names.map(str::to_owned));
        if is_last {
            self.learn(std::mem::take(&mut pages));
        }
    }

    /// The names of all tools, if they are known.
    pub(crate) fn known_names(&self) -> Option<Arc<Vec<String>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// The same, once after each change.
    pub(crate) fn new_names(&self) -> Option<Arc<Vec<String>>> {
        let mut known = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut known.1).then(|| known.0.clone()).flatten()
    }

    fn remembered(&self, tool: &str, changes: u64) -> Option<Arc<JsonObject>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked_at, schemas) = known.as_ref()?;
        schemas.get(tool).filter(|_| *asked_at == changes).cloned()
    }
}

fn check(schema: Arc<JsonObject>) -> ArgsCheck {
    let schema = Value::Object(Arc::unwrap_or_clone(schema));
    ArgsCheck::new().schema(InputSchema::new(&schema))
}

/// The schemas of all tools that the server lists.
async fn list(
    server: &impl Service<RoleServer>,
    context: &RequestContext<RoleServer>,
) -> Result<Schemas, String> {
    let tools = tools(server, context).await?;
    Ok(tools.into_iter().map(|tool| (tool.name.into_owned(), tool.input_schema)).collect())
}

/// All tools that the server lists; none if it does not know the request.
pub(crate) async fn tools(
    server: &impl Service<RoleServer>,
    context: &RequestContext<RoleServer>,
) -> Result<Vec<Tool>, String> {
    // Copies the call's `_meta`, which some revisions of the protocol require in every request, without its progress token.
    let mut context = context.clone();
    context.meta.0.0.remove(PROGRESS_TOKEN);
    let mut tools = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
        let page = match server.handle_request(request, context.clone()).await {
            Ok(ServerResult::ListToolsResult(page)) => page,
            Ok(_) => return Err("the server's list of tools is none".to_owned()),
            Err(error) if error.code == ErrorCode::METHOD_NOT_FOUND => return Ok(tools),
            Err(error) => return Err(format!("the server does not list its tools: {}", error.message)),
        };
        tools.extend(page.tools);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(tools);
        }
    }
    Err(format!("the server's list of tools has more than {PAGES} pages"))
}

//! A guard where rmcp wants a `ServerHandler`, such as its server for streamable HTTP.
//!
//! In: what rmcp has read of a request. Out: the guard's answer to that request. Must not answer anything itself.

#![expect(deprecated, reason = "clients of earlier generations send these requests")]

use std::borrow::Cow;
use std::fmt;

use rmcp::ServerHandler;
use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, RoleServer, Service, SubscriptionContext};

use crate::guard::Guard;

/// A guard as a `ServerHandler`: made by [`Guard::handler`].
#[derive(Clone)]
pub struct GuardHandler<S>(Guard<S>);

impl<S> GuardHandler<S> {
    pub(crate) const fn new(guard: Guard<S>) -> Self {
        Self(guard)
    }
}

/// The server answered a request otherwise than its method has it.
fn unexpected() -> ErrorData {
    ErrorData::internal_error("the server's answer is not one to this request", None)
}

/// Sends a request through the guard, and takes the answers that its method has.
macro_rules! guarded {
    ($($(#[$attribute:meta])* $name:ident($params:ty) -> $result:ty = $request:ident { $($answer:ident => $as:expr),+ })+) => {$(
        $(#[$attribute])*
        async fn $name(&self, params: $params, context: RequestContext<RoleServer>) -> Result<$result, ErrorData> {
            let request = ClientRequest::$request(with_params!($request, params));
            match self.0.handle_request(request, context).await? {
                $(ServerResult::$answer(result) => Ok($as(result)),)+
                _ => Err(unexpected()),
            }
        }
    )+};
}

macro_rules! with_params {
    (ListToolsRequest, $params:expr) => {
        optional!(ListToolsRequest, $params)
    };
    (ListPromptsRequest, $params:expr) => {
        optional!(ListPromptsRequest, $params)
    };
    (ListResourcesRequest, $params:expr) => {
        optional!(ListResourcesRequest, $params)
    };
    (ListResourceTemplatesRequest, $params:expr) => {
        optional!(ListResourceTemplatesRequest, $params)
    };
    (ListSkillsRequest, $params:expr) => {
        optional!(ListSkillsRequest, $params)
    };
    ($request:ident, $params:expr) => {
        $request::new($params)
    };
}

macro_rules! optional {
    ($request:ident, $params:expr) => {
        match $params {
            Some(params) => $request::with_param(params),
            None => $request::default(),
        }
    };
}

fn same<T>(result: T) -> T {
    result
}

fn nothing<T>(_: T) {}

impl<S: ServerHandler> ServerHandler for GuardHandler<S> {
    guarded! {
        complete(CompleteRequestParams) -> CompleteResult = CompleteRequest { CompleteResult => same }
        get_prompt(GetPromptRequestParams) -> GetPromptResponse = GetPromptRequest {
            GetPromptResult => GetPromptResponse::Complete, InputRequiredResult => GetPromptResponse::InputRequired
        }
        list_prompts(Option<PaginatedRequestParams>) -> ListPromptsResult = ListPromptsRequest { ListPromptsResult => same }
        list_resources(Option<PaginatedRequestParams>) -> ListResourcesResult = ListResourcesRequest { ListResourcesResult => same }
        list_resource_templates(Option<PaginatedRequestParams>) -> ListResourceTemplatesResult =
            ListResourceTemplatesRequest { ListResourceTemplatesResult => same }
        read_resource(ReadResourceRequestParams) -> ReadResourceResponse = ReadResourceRequest {
            ReadResourceResult => ReadResourceResponse::Complete, InputRequiredResult => ReadResourceResponse::InputRequired
        }
        subscribe(SubscribeRequestParams) -> () = SubscribeRequest { EmptyResult => nothing }
        unsubscribe(UnsubscribeRequestParams) -> () = UnsubscribeRequest { EmptyResult => nothing }
        set_level(SetLevelRequestParams) -> () = SetLevelRequest { EmptyResult => nothing }
        call_tool(CallToolRequestParams) -> CallToolResponse = CallToolRequest {
            CallToolResult => CallToolResponse::Complete, InputRequiredResult => CallToolResponse::InputRequired,
            CreateTaskResult => CallToolResponse::Task
        }
        list_tools(Option<PaginatedRequestParams>) -> ListToolsResult = ListToolsRequest { ListToolsResult => same }
        get_task(GetTaskParams) -> GetTaskResult = GetTaskRequest { GetTaskResult => same }
        update_task(UpdateTaskParams) -> () = UpdateTaskRequest { TaskAckResult => nothing }
        cancel_task(CancelTaskParams) -> () = CancelTaskRequest { TaskAckResult => nothing }
        list_skills(Option<PaginatedRequestParams>) -> ListSkillsResult = ListSkillsRequest { ListSkillsResult => same }
        get_skill(GetSkillRequestParams) -> GetSkillResult = GetSkillRequest { GetSkillResult => same }
        read_resource_directory(ReadResourceDirectoryRequestParams) -> ListResourcesResult =
            ReadResourceDirectoryRequest { ListResourcesResult => same }
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        match self.0.handle_request(ClientRequest::CustomRequest(request), context).await? {
            ServerResult::CustomResult(result) => Ok(result),
            _ => Err(unexpected()),
        }
    }

    async fn ping(&self, context: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        self.0.server.ping(context).await
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        self.0.server.initialize(request, context).await
    }

    fn negotiate_initialize(&self, request: &InitializeRequestParams) -> Result<InitializeResult, ErrorData> {
        self.0.server.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        ServerHandler::supported_protocol_versions(&self.0.server)
    }

    async fn discover(&self, context: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        self.0.server.discover(context).await
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.0.server.accepted_subscription_filter(requested)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let tells = context.accepted().tools_list_changed == Some(true);
        let sees = if tells { self.0.subscribes(context.request_context()).await } else { None };
        let ended = self.0.server.listen(context).await;
        if let Some(id) = sees {
            self.0.connection.seen.forget(&id);
        }
        ended
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.server.get_tool(name)
    }

    async fn on_cancelled(
        &self,
        notification: CancelledNotificationParam,
        context: NotificationContext<RoleServer>,
    ) {
        self.0.server.on_cancelled(notification, context).await;
    }

    async fn on_progress(
        &self,
        notification: ProgressNotificationParam,
        context: NotificationContext<RoleServer>,
    ) {
        self.0.server.on_progress(notification, context).await;
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        self.0.server.on_initialized(context).await;
    }

    async fn on_roots_list_changed(&self, context: NotificationContext<RoleServer>) {
        self.0.server.on_roots_list_changed(context).await;
    }

    async fn on_custom_notification(
        &self,
        notification: CustomNotification,
        context: NotificationContext<RoleServer>,
    ) {
        self.0.server.on_custom_notification(notification, context).await;
    }

    fn get_info(&self) -> ServerConfig {
        ServerHandler::get_info(&self.0.server)
    }
}

impl<S: fmt::Debug> fmt::Debug for GuardHandler<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

//! The end of a connection, noticed when its input ends.
//!
//! In: a transport. Out: the same messages, a token that is cancelled when no more come, and notice of a changed tool list.
//! rmcp lets handlers go on for some seconds after the end, to deliver answers. A call that only waits for approval must not
//! start to run then.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;

use rmcp::service::{RoleServer, RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio_util::sync::CancellationToken;

use crate::definitions::Definitions;

/// A transport whose end is noticed.
pub(crate) struct Watched<T> {
    pub(crate) transport: T,
    pub(crate) closed: CancellationToken,
    pub(crate) definitions: Arc<Definitions>,
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for Watched<T> {
    type Error = T::Error;

    fn name() -> Cow<'static, str> {
        T::name()
    }

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.definitions.passes(&item);
        self.transport.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        let received = self.transport.receive().await;
        if received.is_none() {
            self.closed.cancel();
        }
        received
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.closed.cancel();
        self.transport.close().await
    }
}

impl<T> Drop for Watched<T> {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

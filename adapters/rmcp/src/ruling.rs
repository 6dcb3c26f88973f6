//! The decision of a call, with the approval that a rule asks for.
//!
//! In: a call. Out: the engine's decision, or a question to the client. Must not let a call pass but by the engine's decision.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use callgate::{ArgsCheck, Decision, Effect};
use rmcp::model::ServerResult;
use rmcp::service::{RequestContext, RoleServer, Service};

use crate::approval::{ASKS_FOR, ApprovalAnswer, ApprovalRequest, Approver, Question, caught, new_id};
use crate::call::{Approved, Asked, Called, Caller, id_of};
use crate::filing::{ApprovalStore, Standing};
use crate::guard::Guard;
use crate::names::{Unmatched, refuse_unmatched};
use crate::refusal::{Told, Unchecked, is_modern};
use crate::rounds::{Key, Round};
use crate::waiting::{Over, Place, meanwhile, with_progress};

/// Why a call does not run where records are required (G11.3).
const UNRECORDED: &str = "audit records cannot be written";
/// How often a call is decided by a grant that another one takes.
const GRANTS: usize = 3;

/// What was decided of a call, with what a person said.
pub(crate) enum Ruled {
    Decided(Decision<'static>, Told),
    /// The client is asked first.
    Asks(Box<ServerResult>),
}

/// Why a call was not decided.
pub(crate) enum Failed {
    Over,
    Unchecked(Unchecked),
}

impl Failed {
    /// In a record.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Over => "withdrawn",
            Self::Unchecked(Unchecked(why)) if why == UNRECORDED => "audit_unavailable",
            Self::Unchecked(_) => "unchecked",
        }
    }
}

impl From<Over> for Failed {
    fn from(_: Over) -> Self {
        Self::Over
    }
}

impl From<Unchecked> for Failed {
    fn from(why: Unchecked) -> Self {
        Self::Unchecked(why)
    }
}

/// A request that is to be decided.
pub(crate) struct Request<'r> {
    pub(crate) caller: &'r Caller,
    pub(crate) called: &'r Called,
    pub(crate) context: &'r RequestContext<RoleServer>,
    /// What its later rounds must be like; `None` where it has none.
    pub(crate) likeness: Option<&'r str>,
}

impl<S: Service<RoleServer>> Guard<S> {
    /// Checks a call, and decides it.
    pub(crate) async fn ruled(
        &self,
        request: &Request<'_>,
        mut asked: Asked,
        answered: Option<(String, bool)>,
    ) -> Result<(Arc<Asked>, Ruled), Failed> {
        if !self.options.audit.is_ready() {
            return Err(Failed::Unchecked(Unchecked(UNRECORDED.to_owned())));
        }
        asked.check = self.check(request.caller, request.called, request.context).await?;
        let asked = Arc::new(asked);
        let ruled = self.rule(request, &asked, answered).await?;
        Ok((asked, ruled))
    }

    /// The checks of a call's arguments before any rule.
    async fn check(
        &self,
        caller: &Caller,
        called: &Called,
        context: &RequestContext<RoleServer>,
    ) -> Result<Option<ArgsCheck>, Failed> {
        let Some(tool) = called.tool() else {
            // A server says nothing of the params of other methods, so that only members that fold are checked.
            return Ok(Some(ArgsCheck::new()));
        };
        let (definitions, closed) = (&self.connection.definitions, &self.connection.closed);
        let check = if self.options.check_args {
            Some(meanwhile(context, closed, definitions.of(tool, &self.server, context)).await??)
        } else {
            None
        };
        if self.options.unmatched == Unmatched::Refuse {
            if definitions.known_names().is_none() {
                meanwhile(context, closed, definitions.names(&self.server, context)).await??;
            }
            if let Some(names) = definitions.known_names() {
                refuse_unmatched(&caller.engine, &names)?;
            }
        }
        self.warns_of_names(caller);
        Ok(check)
    }

    /// Warns of names that the server does not have, where its list is new.
    pub(crate) fn warns_of_names(&self, caller: &Caller) {
        if let Some(names) = self.connection.definitions.new_names() {
            self.shared.told.listed(&caller.engine, &names);
        }
    }

    /// Decides a call, and asks for approval where a rule wants that.
    async fn rule(
        &self,
        request: &Request<'_>,
        asked: &Arc<Asked>,
        answered: Option<(String, bool)>,
    ) -> Result<Ruled, Failed> {
        let engine = &request.caller.engine;
        let by_client = |key: String| Approved { key, id: new_id(), at: engine.now() };
        if let Some((key, true)) = answered {
            let decision = asked.decide(engine, Some(by_client(key))).await?;
            return Ok(Ruled::Decided(decision, Told::default()));
        }
        let was_asked = answered.is_some();
        let decision = asked.decide(engine, None).await?;
        let approver = self.options.approver.as_ref().filter(|_| !was_asked);
        let (Effect::RequireApproval, Some(approver)) = (decision.effect(), approver) else {
            return Ok(Ruled::Decided(decision, Told::default()));
        };
        let key = decision.approval().map(|approval| approval.key().to_owned());
        let id = id_of(request.caller.identity.as_ref());
        let place = self.shared.waiting.enter(id, self.options.max_waiting);
        let (Some(key), Some(place)) = (key, place) else {
            return Ok(Ruled::Decided(decision, Told::default()));
        };
        let question = match approver {
            Approver::Host(ask) => {
                let (args, identity) = (asked.args.as_ref(), request.caller.identity.as_ref());
                let (tool, context) = (request.called.tool(), request.context);
                let call = ApprovalRequest { decision: &decision, tool, args, identity, context };
                let answer = caught(async { ask(call).await });
                match self.waits(request, answer).await?? {
                    ApprovalAnswer::Approved(id) => {
                        return self.again(asked, Approved { key, id, at: engine.now() }, engine).await;
                    }
                    ApprovalAnswer::Refused => None,
                    ApprovalAnswer::AskClient(message) => Some(Question { message, valid_for: ASKS_FOR }),
                }
            }
            Approver::Client { message, valid_for } => {
                let message = message.as_deref().map_or_else(|| Question::words(&decision), str::to_owned);
                Some(Question { message, valid_for: *valid_for })
            }
            Approver::Store { store, wait } => {
                return self.by_store(request, asked, decision, store, *wait).await;
            }
        };
        let Some(question) = question.filter(|_| Question::may_be_asked(&decision, request.context)) else {
            return Ok(Ruled::Decided(decision, Told::default()));
        };
        if is_modern(request.context) {
            return self.asks_by_round(request, decision, key, &question, place);
        }
        if self.waits(request, question.ask(request.context)).await?? {
            return self.again(asked, by_client(key), engine).await;
        }
        Ok(Ruled::Decided(decision, Told::default()))
    }

    /// Files the call, and decides it again by the grant that it finds.
    async fn by_store(
        &self,
        request: &Request<'_>,
        asked: &Arc<Asked>,
        mut decision: Decision<'static>,
        store: &ApprovalStore,
        wait: Duration,
    ) -> Result<Ruled, Failed> {
        let engine = &request.caller.engine;
        let server = self.options.server_name.as_deref().unwrap_or_default();
        let id = id_of(request.caller.identity.as_ref());
        for _ in 0..GRANTS {
            let standing = store.stands(&decision, server, id, asked.args.as_ref(), || engine.now(), wait);
            match self.waits(request, standing).await? {
                Standing::Granted(approved) => decision = asked.decide(engine, Some(approved)).await?,
                Standing::Not(told) => return Ok(Ruled::Decided(decision, told)),
            }
            // Another call may have taken the grant: once more.
            if decision.effect() != Effect::RequireApproval {
                break;
            }
        }
        Ok(Ruled::Decided(decision, Told::default()))
    }

    /// Decided again: the policy or a counter may have changed while somebody thought.
    async fn again(
        &self,
        asked: &Arc<Asked>,
        approved: Approved,
        engine: &Arc<callgate::Engine>,
    ) -> Result<Ruled, Failed> {
        Ok(Ruled::Decided(asked.decide(engine, Some(approved)).await?, Told::default()))
    }

    async fn waits<T>(&self, request: &Request<'_>, waiting: impl Future<Output = T>) -> Result<T, Over> {
        with_progress(request.context, &self.connection.closed, waiting).await
    }

    /// Asks the client by a round of the call, where its method has rounds.
    fn asks_by_round(
        &self,
        request: &Request<'_>,
        decision: Decision<'static>,
        key: String,
        question: &Question,
        place: Place,
    ) -> Result<Ruled, Failed> {
        let (state, round) = question.round()?;
        let waits = Key::new(&state, request.likeness, self.connection.id).is_some_and(|at| {
            let kept = Round::Question { key, _place: place };
            let caller = id_of(request.caller.identity.as_ref());
            self.shared.rounds.keep(at, kept, caller, Some(question.valid_for)).is_ok()
        });
        Ok(if waits {
            Ruled::Asks(Box::new(ServerResult::InputRequiredResult(round)))
        } else {
            Ruled::Decided(decision, Told::default())
        })
    }
}

//! Mistakes that the relay can be told to make, one or more for each clause of `spec/guards.md` that it keeps: whether the tests notice
//! each shows what they are worth. `tests/proof.sh relay_mistakes` runs them all.
//!
//! In: `CALLGATE_MISTAKE`, a name, in a build with `--cfg callgate_mistakes`. Out: whether a mistake is made. In any other build none is,
//! and what stands where it would be costs nothing.

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mistake {
    /// G1.1: a call is not decided.
    CallsPass,
    /// G1.1: a request of another method is not decided.
    RequestsPass,
    /// G1.2: white space around a message is left out.
    MessagesTrimmed,
    /// G1.3: what is decided has no arguments.
    ArgumentsUnread,
    /// G1.4: a decision that nobody asked for counts.
    DecidedTwice,
    /// G1.5: null arguments are not absent.
    NullIsAValue,
    /// G1.5: a call without an id passes.
    CallsWithoutId,
    /// G1.6: a call does not wait for the list.
    ListNotWaitedFor,
    /// G1.6: arguments are not checked by the schema of the list.
    SchemaLost,
    /// G1.7: an unlisted tool runs although the list failed.
    FailedListIsWhole,
    /// G1.7: a tool that is not listed runs where it should not.
    UnlistedRuns,
    /// G2.1: an id in flight is taken again.
    IdTwice,
    /// G2.1: `1` and `"1"` are two ids.
    TwinsApart,
    /// G2.1: a client may use an id of the relay's own.
    OwnIdTaken,
    /// G2.2: the id of a cancelled request is taken again.
    CancelledIdTaken,
    /// G2.3: an answer passes that nobody asked for.
    AnswersForNobody,
    /// G2.3: an answer of the client passes that the server did not ask for.
    AnswersToServer,
    /// G2.4: a member passes that folds to one of the protocol's.
    EnvelopeFolds,
    /// G2.4: the same in `params`.
    ParamsFold,
    /// G2.4: a carriage return passes.
    LinesInLines,
    /// G2.5: an id may be of any length.
    IdsUnbounded,
    /// G2.5: any number of requests is in flight.
    FlightUnbounded,
    /// G2.5: any number of bytes waits for decisions.
    WaitingUnbounded,
    /// G3.1: a refusal does not say that it is complete.
    ResultWithoutType,
    /// G3.2: a denied task gets a tool's result.
    TaskGetsResult,
    /// G3.4: a denied request of another method gets a tool's result.
    RequestGetsResult,
    /// G4.1: hidden tools are listed.
    HiddenListed,
    /// G4.2: a list is filtered for nobody.
    ListOfNobody,
    /// G4.2: a list passes before it is known for whom.
    ListNotHeld,
    /// G4.3: a list that cannot be read passes.
    BrokenListPasses,
    /// G4.3: a list passes that reads in two ways.
    ListFolds,
    /// G4.4: a filtered list is for all.
    ListShared,
    /// G4.4: a filtered list is kept for long.
    ListKept,
    /// G4.5: a reload that changes the list is not told.
    ReloadSilent,
    /// G4.5: a reload is told where the server tells of none.
    ReloadToldToAll,
    /// G4.7: resources are listed that cannot be read.
    ResourcesListed,
    /// G5.1: a later round is decided as a new call.
    RoundsDecided,
    /// G5.2: a round goes on for another caller.
    RoundsOfAll,
    /// G5.2: a round goes on with another tool.
    RoundsOfTools,
    /// G5.2: a round goes on with other arguments.
    RoundsOfArguments,
    /// G5.3: a round goes on however late.
    RoundsForEver,
    /// G5.3: a call has any number of rounds.
    RoundsUncounted,
    /// G5.3: a round goes on after a reload.
    RoundsOutliveReload,
    /// G5.4: what an answer asks for is not decided.
    InputPasses,
    /// G5.4: what an error asks for is not decided.
    ErrorsAsk,
    /// G6.4: who decides does not hear that a call was given up.
    GivenUpSilently,
    /// G6.4: a call that was given up while it was decided runs.
    CancelledRuns,
    /// G7.1: a result with `isError` is `done`.
    ToolErrorIsDone,
    /// G7.1: the answer goes out before the call has ended.
    AnswerFirst,
    /// G7.2: a refused call is `done`.
    RefusedIsDone,
    /// G7.2: a call that was not written is `lost`.
    UnsentIsLost,
    /// G7.2: a later round that was not written gives all back.
    UnsentRoundIsFree,
    /// G7.3: an error is `not_run`.
    ErrorIsNotRun,
    /// G7.3: an answer that cannot be passed on gives all back.
    UnreadableIsFree,
    /// G7.4: a cancelled call does not end.
    CancelledIsKept,
    /// G7.6: a task that was accepted has ended.
    TaskIsDone,
    /// G8.2: a call is decided for nobody.
    CallersMixed,
    /// G8.3: a list whose caller is refused passes.
    RefusedIdentityPasses,
    /// G9.1: an inner call is decided again.
    InnerDecided,
    /// G9.2: an inner call passes again and again.
    InnerTwice,
    /// G9.2: an inner call passes for another caller.
    InnerOfAll,
    /// G9.2: an inner call passes with other arguments.
    InnerOfArguments,
    /// G10.1: resources that a client wants to hear of are not decided.
    ListenPasses,
    /// G10.1: a completion is not read as strictly inside.
    CompletionFolds,
    /// G10.2: a request of the server is not decided.
    ServerAsksFreely,
    /// G10.2: the client sees a denied request of the server.
    DenialForClient,
    /// G10.3: a notification of a decided method passes.
    NotificationsPass,
    /// G10.3: the same of the server.
    ServerNotificationsPass,
    /// G13.1: a changed tool runs.
    LockIgnored,
    /// G13.2: a call does not wait for the list that it is compared with.
    LockNotWaitedFor,
    /// G13.1: a changed tool is listed.
    ChangedListed,
    /// G13.2: what a caller's own list said is forgotten.
    DriftForgotten,
    /// G13.2: a later round runs a tool that has changed.
    RoundsDrift,
    /// G10.2: what the server sends passes where it has many requests open.
    FullServerPasses,
}

/// Whether this mistake is made.
#[cfg(callgate_mistakes)]
pub(crate) fn is_made(mistake: Mistake) -> bool {
    use std::sync::LazyLock;
    static MADE: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("CALLGATE_MISTAKE").ok());
    MADE.as_deref() == Some(format!("{mistake:?}").as_str())
}

/// Whether this mistake is made.
#[cfg(not(callgate_mistakes))]
#[inline]
pub(crate) fn is_made(_: Mistake) -> bool {
    false
}

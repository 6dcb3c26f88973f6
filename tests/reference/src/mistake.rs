//! Mistakes that the interpreter can be told to make, so that it can be tested whether a comparison with it would notice them.
//!
//! In: a mistake. Out: what is asked on this thread is decided with it. Each stands where its clause is said.

use std::cell::Cell;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Clause 4.7: `@lower` leaves capital letters.
    LowerKeepsCase,
    /// Clause 4.7: `@lower` takes the full mapping, with its rules for the end of a word.
    LowerInFull,
    /// Clause 4.7: `@length` counts bytes.
    LengthInBytes,
    /// Clause 4.7: `@length` takes a string with two readings.
    LengthOfTwoReadings,
    /// Clause 4.7: `@count` of null is 0.
    CountOfNull,
    /// Clause 4.7: `@keys` gives the names as they stand.
    KeysUnsorted,
    /// Clause 5.27: names have two readings.
    NamesOfTwoReadings,
    /// Clause 4.7: `@json` leaves text that cannot be read as it is.
    JsonKeepsText,
    /// Clause 4.7: `@json` takes strings alone.
    JsonOfTextAlone,
    /// Clause 4.7: strings behind `@json` have one reading.
    JsonReadOnce,
    /// Clause 3.8: members in a text are not checked.
    JsonUnfolded,
    /// Clause 4.8: `.*` leads to the elements of a list, too.
    MembersOfLists,
    /// Clause 4.8: `.**` leaves names out.
    BelowWithoutNames,
    /// Clause 4.8: `.**` does not lead to the value itself.
    BelowWithoutSelf,
    /// Clause 5.32: what is no string counts in every place.
    BelowCountsInBlocks,
    /// Clause 5.32: what is no string is passed by in every place.
    BelowPassesInPermits,
    /// Clause 5.28: `includes` takes a part of a string.
    IncludesPartOfText,
    /// Clause 5.5: `not_includes` of an absent value fails in a block place.
    AbsentIsNotExcluded,
    /// Clause 5.29: `integer` is a number without a point and an exponent.
    IntegerByForm,
    /// Clause 5.29: a string with two readings is a string.
    TypeOfTextAlone,
    /// Clause 5.26: `type` of null is unknown.
    TypeOfNullUnknown,
    /// Clause 5.30: a null operand from the call is decided.
    NullFromCall,
    /// Clause 5.30: an empty string from the call is an operand.
    EmptyTextFromCall,
    /// Clause 5.30: an empty list from the call is unknown.
    EmptyListFromCall,
    /// Clause 5.30: a string with two readings is an operand as text.
    TwoReadingsFromCall,
    /// Clause 5.30: the operand is looked at for each value, so not where there is none.
    OperandLast,
    /// Clause 5.30: a member of the operand without a type is left out.
    UntypedMemberSkipped,
    /// Clause 5.31: what an element lacks may be left out, too.
    OptionalElement,
    /// Clause 5.31: null is not left out.
    OptionalIgnoresNull,
    /// Clause 5.31: a value that is left out holds in `when`, too.
    OptionalApplies,
    /// Clause 5.31: a value that is left out needs no operand.
    OptionalFirst,
    /// Clause 2.20: `only_args: []` says nothing.
    OnlyArgsEmpty,
    /// Clause 3.8: the names of `only_args` are not read.
    OnlyArgsUnread,
    /// Clause 2.21: a limit does not apply where it is unknown whether it does.
    WhenUnknownSpares,
    /// Clause 5.5: an absent value fails in `when`.
    WhenAbsentSpares,
    /// Clause 5.6: a wildcard in `when` is the `all` of its outcomes.
    WhenOfEveryElement,
    /// Clause 2.21: a limit that does not apply is charged.
    WhenStillCharges,
    /// Clause 6.6: approval is asked before the counters are looked at.
    ApprovalBeforeLimit,
    /// Clause 10.9: what is unknown may hold and may fail.
    CallableUnknownIsOpen,
    /// Clause 10.9: a tool that is not listed is visible.
    CallableUnlisted,
    /// Clause 10.9: an identity that is not valid sees all.
    CallableToAnyIdentity,
    /// Clause 10.9: a rule that always asks is against a tool.
    CallableWithoutApproval,
    /// Clause 10.9: a condition on arguments is unknown.
    CallableWithoutArgs,
    /// Clause 7.1: the approval key does not cover the server.
    ServerOutOfKey,
    /// Clause 9.5: a server that is not given is an empty name.
    ServerAlwaysThere,
    /// Clause 2.24: each entry has a budget of its own.
    BudgetOfEntry,
    /// Clause 8.6: each tool has a budget of its own.
    BudgetOfTool,
    /// Clause 2.25: what several items of a call pay is not added up.
    BudgetAsSeveral,
    /// Clause 2.25: the last item that pays is the reported rule.
    LastPayerReported,
    /// Clause 2.26: `max` is the most that a claim may say.
    MaxCapsClaim,
    /// Clause 2.26: a claim of null is no maximum.
    NullIsUnlimited,
    /// Clause 2.26: a text may say a maximum.
    TextIsMaximum,
    /// Clause 8.17: a day begins at midnight of UTC.
    DayOfUtc,
    /// Clause 8.17: a day begins again where a clock goes back over midnight.
    DayBeginsTwice,
    /// Clause 2.29: a week begins on Monday.
    WeekFromMonday,
    /// Clause 8.18: what never resets does so every month.
    EverResets,
    /// Clause 8.3: a charge of a long sliding window is made at the start of its quarter of an hour.
    LongAtStart,
    /// Clause 8.3: a charge of a long sliding window is made when it is made.
    LongIsExact,
    /// Clause 8.13: `error` gives back what says `error` alone.
    ErrorKeepsToolErrors,
    /// Clause 8.13: `tool_error` gives back what says `error`.
    ToolErrorGivesErrors,
    /// Clause 8.13: `done` gives back what says `error`.
    DoneGivesBack,
    /// Clause 8.13: calls in flight are given back by `not_run` alone.
    InFlightStays,
    /// Clause 8.13: calls in flight are given back where they did not succeed.
    InFlightOfErrors,
    /// Clause 8.14: calls in flight stay after settling.
    InFlightAfterSettling,
    /// Clause 7.3: `not_run` gives an approval back.
    ApprovalGivenBack,
    /// Clause 8.14: a maximum refuses what a call cost more.
    SurchargeRefused,
    /// Clause 8.14: what a call cost more counts in the window of its charge.
    SurchargeInOldWindow,
    /// Clause 8.14: an amount takes the place of all that was paid into a budget.
    SettleTakesAll,
    /// Clause 6.7: a rule that may ask reads its counters without the charge.
    AskWithoutCharge,
    /// Clause 6.7: a rule that may ask does so before bounds refuse.
    AsksBeforeBound,
    /// Clause 6.7: an approval is used although nobody asks.
    SpendsUnasked,
    /// Clause 6.7: an approval is not used where counters alone ask.
    UnspentByCounters,
    /// Clause 7.1: what one of the rules ignores is not covered.
    IgnoresOfAnyRule,
    /// Clause 7.1: what another entry reads may be ignored.
    IgnoresWhatIsRead,
    /// Clause 7.1: what decides whether a limit applies may be ignored.
    IgnoresWhen,
    /// Clause 7.2: an approval of any age will do.
    AgeIgnored,
    /// Clause 7.2: an approval may be given in the future.
    AheadIsApproved,
    /// Clause 7.3: the most generous rule says how many calls an approval lets through.
    MostUses,
    /// Clause 7.2: the first rule says how long an approval holds.
    FirstValidFor,
    /// Clause 8.6: policies share counters and budgets of one name.
    LayersShareCounters,
    /// Clause 6.10: a path of a counter names that of the first policy which has one.
    StateOfOtherLayer,
    /// Clause 6.10: rules of the last policy stand first.
    LaterLayerFirst,
    /// Clause 6.10: a tool is listed where any policy lists it.
    ListedByAnyLayer,
    /// Clause 6.10: `list: callable` of one policy is about its own rules.
    ListOfLayer,
    /// Clause 3.10: subscribing always passes.
    SubscribePasses,
    /// Clause 3.10: subscribing is decided as itself.
    SubscribeAsItself,
    /// Clause 3.10: a completion is decided as itself alone.
    CompletionAsItself,
    /// Clause 3.10: the arguments of a completion's context are not read.
    CompletionWithoutContext,
    /// Clause 3.10: `default` decides of every method.
    NothingAlwaysPasses,
    /// Clause 3.10: `roots/list` always passes.
    RootsAlwaysPass,
    /// Clause 2.32: the document's `default` decides of requests.
    RequestsByDocumentDefault,
    /// Clause 2.31: the names in a dispatcher's paths are not read.
    DispatcherUnread,
    /// Clause 3.11: a dispatcher may be called by a dispatcher.
    DispatcherInDispatcher,
    /// Clause 3.11: inner arguments that are no object are none.
    InnerArgsOfAnyType,
    /// Clause 3.11: rules of the inner tool see the outer arguments.
    InnerSeesOuterArgs,
    /// Clause 3.11: rules of the inner tool see the outer name.
    InnerSeesOuterTool,
    /// Clause 3.11: a hidden tool may be called by a dispatcher.
    InnerHiddenPasses,
    /// Clause 3.11: a tool that is not listed may be called by a dispatcher.
    InnerUnlistedPasses,
    /// Clause 3.11: an inner name is not cut at a NUL.
    InnerNulUncut,
    /// Clause 3.11: white space around an inner name stays.
    InnerBlanksStay,
    /// Clause 3.11: an inner name is not folded.
    InnerCaseStays,
    /// Clause 3.11: what both calls pay is added up.
    InnerAddedUp,
    /// Clause 3.11: what the outer call pays is charged.
    OuterCharged,
    /// Clause 3.11: the smaller of two amounts is charged.
    SmallerCharged,
    /// Clause 3.11: both calls count for the scope value of the outer one.
    InnerScopeOfOuter,
    /// Clause 3.11: the approval key is that of the inner call.
    KeyOfInner,
    /// Clause 3.11: an inner rule ignores outer arguments.
    InnerIgnoresOuter,
    /// Clause 3.11: what is in a text of JSON is ignored, too.
    IgnoresBehindJson,
    /// Clause 3.11: which tool is called may be ignored.
    IgnoresWhichTool,
}

thread_local! {
    static MADE: Cell<Option<Mistake>> = const { Cell::new(None) };
}

/// Makes this mistake from now on, and no other; or none.
pub fn make(mistake: Option<Mistake>) {
    MADE.set(mistake);
}

/// Whether this mistake is made.
pub(crate) fn is_made(mistake: Mistake) -> bool {
    MADE.get() == Some(mistake)
}

/// Every mistake, with what stands in each policy, in JSON, under which it can be noticed.
pub const ALL: [(Mistake, &str); 109] = [
    (Mistake::LowerKeepsCase, ".@lower"),
    (Mistake::LowerInFull, ".@lower"),
    (Mistake::LengthInBytes, ".@length"),
    (Mistake::LengthOfTwoReadings, ".@length"),
    (Mistake::CountOfNull, ".@count"),
    (Mistake::KeysUnsorted, ".@keys"),
    (Mistake::NamesOfTwoReadings, ".@keys"),
    (Mistake::JsonKeepsText, ".@json"),
    (Mistake::JsonOfTextAlone, ".@json"),
    (Mistake::JsonReadOnce, ".@json"),
    (Mistake::JsonUnfolded, ".@json"),
    (Mistake::MembersOfLists, ".*"),
    (Mistake::BelowWithoutNames, ".**"),
    (Mistake::BelowWithoutSelf, ".**"),
    (Mistake::BelowCountsInBlocks, ".**"),
    (Mistake::BelowPassesInPermits, ".**"),
    (Mistake::IncludesPartOfText, "includes\""),
    (Mistake::AbsentIsNotExcluded, "not_includes"),
    (Mistake::IntegerByForm, "\"type\""),
    (Mistake::TypeOfTextAlone, "\"type\""),
    (Mistake::TypeOfNullUnknown, "\"type\""),
    (Mistake::NullFromCall, "\"value_from\""),
    (Mistake::EmptyTextFromCall, "\"value_from\""),
    (Mistake::EmptyListFromCall, "\"value_from\""),
    (Mistake::TwoReadingsFromCall, "\"value_from\""),
    (Mistake::OperandLast, "\"value_from\""),
    (Mistake::UntypedMemberSkipped, "\"value_from\""),
    (Mistake::OptionalElement, "\"optional\""),
    (Mistake::OptionalIgnoresNull, "\"optional\""),
    (Mistake::OptionalApplies, "\"optional\""),
    (Mistake::OptionalFirst, "\"optional\""),
    (Mistake::OnlyArgsEmpty, "\"only_args\":[]"),
    (Mistake::OnlyArgsUnread, "\"only_args\""),
    (Mistake::WhenUnknownSpares, "\"when\""),
    (Mistake::WhenAbsentSpares, "\"when\""),
    (Mistake::WhenOfEveryElement, "\"when\""),
    (Mistake::WhenStillCharges, "\"when\""),
    (Mistake::ApprovalBeforeLimit, "\"require_approval\""),
    (Mistake::CallableUnknownIsOpen, "\"callable\""),
    (Mistake::CallableUnlisted, "\"callable\""),
    (Mistake::CallableToAnyIdentity, "\"callable\""),
    (Mistake::CallableWithoutApproval, "\"callable\""),
    (Mistake::CallableWithoutArgs, "\"callable\""),
    (Mistake::ServerOutOfKey, "\"require_approval\""),
    (Mistake::ServerAlwaysThere, "\"server\""),
    (Mistake::BudgetOfEntry, "\"budget\":"),
    (Mistake::BudgetOfTool, "\"budget\":"),
    (Mistake::BudgetAsSeveral, "\"budget\":"),
    (Mistake::LastPayerReported, "\"budget\":"),
    (Mistake::MaxCapsClaim, "\"max_from"),
    (Mistake::NullIsUnlimited, "\"max_from"),
    (Mistake::TextIsMaximum, "\"max_from"),
    (Mistake::DayOfUtc, "\"time_zone"),
    (Mistake::DayBeginsTwice, "\"time_zone"),
    (Mistake::WeekFromMonday, "\"week_start\":\"sunday"),
    (Mistake::EverResets, "\"ever"),
    (Mistake::LongAtStart, "\"sliding"),
    (Mistake::LongIsExact, "\"sliding"),
    (Mistake::ErrorKeepsToolErrors, "\"refund\":\"tool_error"),
    (Mistake::ToolErrorGivesErrors, "\"refund\":\"error"),
    (Mistake::DoneGivesBack, "\"refund\":\"error"),
    (Mistake::InFlightStays, "\"in_flight"),
    (Mistake::InFlightOfErrors, "\"in_flight"),
    (Mistake::InFlightAfterSettling, "\"in_flight"),
    (Mistake::ApprovalGivenBack, "\"require_approval"),
    (Mistake::SurchargeRefused, "\"increment_from"),
    (Mistake::SurchargeInOldWindow, "\"increment_from"),
    (Mistake::SettleTakesAll, "\"budget\":"),
    (Mistake::AskWithoutCharge, "\"require_approval"),
    (Mistake::AsksBeforeBound, "\"require_approval"),
    (Mistake::SpendsUnasked, "\"require_approval"),
    (Mistake::UnspentByCounters, "\"require_approval"),
    (Mistake::IgnoresOfAnyRule, "\"ignore"),
    (Mistake::IgnoresWhatIsRead, "\"ignore"),
    (Mistake::IgnoresWhen, "\"ignore"),
    (Mistake::AgeIgnored, "\"valid_for"),
    (Mistake::AheadIsApproved, "\"valid_for"),
    (Mistake::MostUses, "\"uses"),
    (Mistake::FirstValidFor, "\"valid_for"),
    (Mistake::LayersShareCounters, "\"name\":\"two"),
    (Mistake::StateOfOtherLayer, "\"name\":\"two"),
    (Mistake::LaterLayerFirst, "\"name\":\"two"),
    (Mistake::ListedByAnyLayer, "\"name\":\"two"),
    (Mistake::ListOfLayer, "\"name\":\"two"),
    (Mistake::SubscribePasses, "\"requests\""),
    (Mistake::SubscribeAsItself, "\"requests\""),
    (Mistake::CompletionAsItself, "\"requests\""),
    (Mistake::CompletionWithoutContext, "\"requests\""),
    (Mistake::NothingAlwaysPasses, "\"requests\""),
    (Mistake::RootsAlwaysPass, "\"requests\""),
    (Mistake::RequestsByDocumentDefault, "\"requests\""),
    (Mistake::DispatcherUnread, "\"dispatchers\""),
    (Mistake::DispatcherInDispatcher, "\"dispatchers\""),
    (Mistake::InnerArgsOfAnyType, "\"dispatchers\""),
    (Mistake::InnerSeesOuterArgs, "\"dispatchers\""),
    (Mistake::InnerSeesOuterTool, "\"dispatchers\""),
    (Mistake::InnerHiddenPasses, "\"dispatchers\""),
    (Mistake::InnerUnlistedPasses, "\"dispatchers\""),
    (Mistake::InnerNulUncut, "\"dispatchers\""),
    (Mistake::InnerBlanksStay, "\"dispatchers\""),
    (Mistake::InnerCaseStays, "\"dispatchers\""),
    (Mistake::InnerAddedUp, "\"dispatchers\""),
    (Mistake::OuterCharged, "\"dispatchers\""),
    (Mistake::SmallerCharged, "\"dispatchers\""),
    (Mistake::InnerScopeOfOuter, "\"dispatchers\""),
    (Mistake::KeyOfInner, "\"dispatchers\""),
    (Mistake::InnerIgnoresOuter, "\"dispatchers\""),
    (Mistake::IgnoresBehindJson, "\"dispatchers\""),
    (Mistake::IgnoresWhichTool, "\"dispatchers\""),
];

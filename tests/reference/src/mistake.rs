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
pub const ALL: [(Mistake, &str); 45] = [
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
];

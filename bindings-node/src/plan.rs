//! Plans: what is known of the calls of a tool, or of another method, before they are made.
//!
//! In: its name, under the policy in force. Out: a function that decides its calls, and everything that can be asked of
//! their decisions afterwards. Once another policy is in force, it answers with nothing instead, and JS makes a new plan:
//! each call is decided by one policy, whole.

use std::sync::Arc;

use callgate::store::ApprovalCall;
use callgate::time::Clock as _;
use callgate::{Decision, Outcome};
use napi::bindgen_prelude::FromNapiValue;
use napi::{Env, Unknown};
use napi_derive::napi;

use crate::asked::{Asked, Read, ReadIdentity};
use crate::call::{Args, Given};
use crate::clock;
use crate::decide::{Answer, decide, decide_observed};
use crate::explain::{Explained, explain};
use crate::failure::{Failure, failure};
use crate::filing::{self, Filing};
use crate::names::{ARGS, BEFORE, Fetched, IDENTITY, NODES, Names};
use crate::pending::{self, Wanted};
use crate::planned::Planned;
use crate::raw::{self, Arguments, Bytes};
use crate::reservation::{Finish, Finishing, amount, finish};
use crate::store::Store;
use crate::view::Host;

/// The plan of a tool or of another method, in the hands of JS.
#[napi(js_name = "NativePlan")]
pub struct Plan {
    plan: Planned,
    names: Arc<Names>,
}

/// A name that leads to a value which the tool's checks may read.
#[napi(object, object_from_js = false)]
pub struct Step {
    /// The node that the member belongs to: 0 for the arguments, 1 for the identity, else the place of a step in the list.
    pub parent: u32,
    /// The member's name.
    pub name: String,
}

impl Plan {
    fn finishing<'e>(
        &self,
        env: &'e Env,
        packed: &Bytes,
        how: Finish,
        now: Option<f64>,
    ) -> Result<Unknown<'e>, Failure> {
        let finishing = Finishing::new(self.plan.clone(), self.plan.charges(packed)?, how, now);
        finishing.promise(env).map_err(|error| failure("store_transient", error.reason))
    }
}

impl Plan {
    /// A decision that this plan made.
    pub(crate) fn decision(&self, packed: &Bytes) -> Result<Decision<'_>, Failure> {
        self.plan.unpack(packed)
    }

    pub(crate) fn new(plan: Planned) -> Self {
        let names = Arc::new(Names::of(&plan.policy, plan.target()));
        Self { plan, names }
    }
}

/// Decides one call: the probe, what the clock shows (NaN for the machine's), the kinds of the values, and the values.
fn call(plan: &Planned, names: &Names, given: Arguments<'_>) -> napi::Result<Option<Bytes>> {
    if !plan.is_in_force() {
        return Ok(None);
    }
    let missing = || napi::Error::from_reason("a call has a probe, a time, kinds, arguments and an identity");
    let number = |index| f64::from_unknown(given.get(index).ok_or_else(missing)?);
    let now = Some(number(1)?).filter(|now| !now.is_nan());
    let kinds = number(2)? as u32;
    let probe = given.get(0).ok_or_else(missing)?;
    let host = Host::new(given.env(), probe, Some(Fetched { names, kinds, given }));
    let (Some(args), Some(identity)) = (host.root(ARGS), host.root(IDENTITY)) else { return Err(missing()) };
    let identity = ReadIdentity::new(identity)?;
    let args = Args::Value(plan.judged(args));
    let given = Given {
        args,
        identity: identity.given(),
        approval: None,
        check: None,
        server: None,
        now,
        audit: None,
    };
    Ok(Some(decide(plan, given).packed))
}

#[napi]
impl Plan {
    /// What the checks read: the TypeScript half fetches it, and gives it to `decider` after arguments and identity.
    #[napi(getter, catch_unwind)]
    pub fn steps(&self) -> Vec<Step> {
        let named = self.names.nodes().skip(IDENTITY + 1);
        named.map(|node| Step { parent: node.parent as u32, name: node.name.clone() }).collect()
    }

    /// The function that decides a call and charges what it costs: null once another policy is in force.
    #[napi(
        catch_unwind,
        ts_return_type = "(probe: object, now: number, kinds: number, ...values: unknown[]) => string | null"
    )]
    pub fn decider<'e>(&self, env: &'e Env) -> napi::Result<Unknown<'e>> {
        const { assert!(BEFORE + NODES == raw::ARGUMENTS) };
        let (plan, names) = (self.plan.clone(), self.names.clone());
        raw::function(env, "decide", move |given| call(&plan, &names, given))
    }

    /// Decides a call of any form and charges what it costs: null once another policy is in force.
    #[napi(catch_unwind, ts_return_type = "Answer | null")]
    pub fn evaluate(&self, env: Env, asked: Asked<'_>) -> napi::Result<Option<Answer>> {
        if !self.plan.is_in_force() {
            return Ok(None);
        }
        let audit = self.plan.audit(asked.audit);
        let host = Host::new(env, asked.probe, None);
        let read = Read::asked(&self.plan, &host, asked)?;
        Ok(Some(decide_observed(&self.plan, read.given(audit), || host.renew())))
    }

    /// `evaluate` without blocking on the store. What the checks read is read before it returns.
    #[napi(catch_unwind, ts_return_type = "Promise<Answer> | null")]
    pub fn evaluate_async<'e>(&self, env: &'e Env, asked: Asked<'_>) -> napi::Result<Option<Unknown<'e>>> {
        if !self.plan.is_in_force() {
            return Ok(None);
        }
        let audit = self.plan.audit(asked.audit);
        let host = Host::new(*env, asked.probe, None);
        let read = Read::asked(&self.plan, &host, asked)?;
        pending::promise(env, self.plan.clone(), (read, &host), Wanted::Decision(audit)).map(Some)
    }

    /// What would be decided now, and why: null once another policy is in force. Charges nothing.
    #[napi(catch_unwind, ts_return_type = "Explained | null")]
    pub fn explain(&self, env: Env, asked: Asked<'_>) -> napi::Result<Option<Explained>> {
        let host = Host::new(env, asked.probe, None);
        let read = Read::asked(&self.plan, &host, asked)?;
        let explained = explain(&self.plan, &read.given(None));
        Ok(self.plan.is_in_force().then_some(explained))
    }

    /// `explain` without blocking on the store. What the checks read is read before it returns.
    #[napi(catch_unwind, ts_return_type = "Promise<Explained> | null")]
    pub fn explain_async<'e>(&self, env: &'e Env, asked: Asked<'_>) -> napi::Result<Option<Unknown<'e>>> {
        if !self.plan.is_in_force() {
            return Ok(None);
        }
        let host = Host::new(*env, asked.probe, None);
        let read = Read::asked(&self.plan, &host, asked)?;
        pending::promise(env, self.plan.clone(), (read, &host), Wanted::Explanation).map(Some)
    }

    /// The JSON of a decision (spec 10.3).
    #[napi(catch_unwind)]
    pub fn json(&self, #[napi(ts_arg_type = "string")] packed: Bytes) -> Result<String, Failure> {
        Ok(self.plan.unpack(&packed)?.to_json())
    }

    /// The result that tells an MCP client, as JSON (spec 10.6): null where the call is allowed.
    #[napi(catch_unwind)]
    pub fn mcp_result(
        &self,
        #[napi(ts_arg_type = "string")] packed: Bytes,
    ) -> Result<Option<String>, Failure> {
        Ok(self.plan.unpack(&packed)?.to_mcp_result())
    }

    /// The `_meta` of that result alone.
    #[napi(catch_unwind)]
    pub fn mcp_meta(&self, #[napi(ts_arg_type = "string")] packed: Bytes) -> Result<Option<String>, Failure> {
        Ok(self.plan.unpack(&packed)?.to_mcp_meta())
    }

    /// The ends of a call that give something back of what a decision charged, each as a bit, in core's order of outcomes; behind them, those that
    /// keep something. Null if it charged nothing.
    #[napi(catch_unwind)]
    pub fn charged(&self, #[napi(ts_arg_type = "string")] packed: Bytes) -> Result<Option<u32>, Failure> {
        let Some(charges) = self.plan.unpack(&packed)?.take_reservation() else { return Ok(None) };
        let bits = |is: &dyn Fn(Outcome) -> bool| {
            Outcome::ALL.iter().rev().fold(0, |bits, outcome| bits << 1 | u32::from(is(*outcome)))
        };
        let keeps = bits(&|outcome| charges.keeps(outcome));
        Ok(Some(bits(&|outcome| charges.gives_back(outcome)) | keeps << Outcome::ALL.len()))
    }

    /// Files the call of a decision that asks for approval: where it stands then; null where the decision asks for none.
    #[napi(catch_unwind, ts_return_type = "Promise<Stands> | null")]
    pub fn file<'e>(
        &self,
        env: &'e Env,
        #[napi(ts_arg_type = "string")] packed: Bytes,
        store: &Store,
        filing: Filing,
    ) -> Result<Option<Unknown<'e>>, Failure> {
        let Filing { server, caller, shown, args, now } = filing;
        let decision = self.plan.unpack(&packed)?;
        let Some(call) = ApprovalCall::new(&decision, &server, caller.as_deref()) else { return Ok(None) };
        let at = clock::at(now, || clock::HostClock.now());
        filing::file(env, &store.0, call, filing::kept(&shown, &args)?, at).map(Some)
    }

    /// Whether a text is an amount: an error if not, before anything is finished with it.
    #[napi(catch_unwind)]
    pub fn check_amount(literal: String) -> Result<(), Failure> {
        amount(&literal).map(|_| ())
    }

    /// Says how the call of a decision ended.
    #[napi(catch_unwind)]
    pub fn finish(
        &self,
        #[napi(ts_arg_type = "string")] packed: Bytes,
        outcome: String,
        now: Option<f64>,
    ) -> Result<(), Failure> {
        let how = Finish::ended(&outcome)?;
        finish(&self.plan.engine, self.plan.charges(&packed)?, &how, now)
    }

    /// Makes charges of a decision what the call really cost, less or more.
    #[napi(catch_unwind)]
    pub fn settle(
        &self,
        #[napi(ts_arg_type = "string")] packed: Bytes,
        names: Option<Vec<String>>,
        amounts: Vec<String>,
        now: Option<f64>,
    ) -> Result<(), Failure> {
        let how = Finish::settled(names, &amounts)?;
        finish(&self.plan.engine, self.plan.charges(&packed)?, &how, now)
    }

    /// `finish` without blocking.
    #[napi(catch_unwind, ts_return_type = "Promise<[code: string, message: string] | null>")]
    pub fn finish_async<'e>(
        &self,
        env: &'e Env,
        #[napi(ts_arg_type = "string")] packed: Bytes,
        outcome: String,
        now: Option<f64>,
    ) -> Result<Unknown<'e>, Failure> {
        self.finishing(env, &packed, Finish::ended(&outcome)?, now)
    }

    /// `settle` without blocking.
    #[napi(catch_unwind, ts_return_type = "Promise<[code: string, message: string] | null>")]
    pub fn settle_async<'e>(
        &self,
        env: &'e Env,
        #[napi(ts_arg_type = "string")] packed: Bytes,
        names: Option<Vec<String>>,
        amounts: Vec<String>,
        now: Option<f64>,
    ) -> Result<Unknown<'e>, Failure> {
        self.finishing(env, &packed, Finish::settled(names, &amounts)?, now)
    }
}

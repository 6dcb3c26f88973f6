//! A decision as bytes, for hosts that hold it outside of Rust.
//!
//! In: a decision, or the bytes of one with the policy and the target that it was about. Out: the bytes, or the decision.
//! The bytes are for the same build of this library, not for storage. Must not trust them: other bytes give `None`.

use super::Decision;
use crate::amount::Amount;
use crate::call::Target;
use crate::policy::Policy;
use crate::ruling::{Asking, Code, Counted, Detail, Details, Effect, Paid, Ruling};
use crate::store::ScopeValue;
use crate::time::Timestamp;

const EFFECTS: [Effect; 3] = [Effect::Allow, Effect::Deny, Effect::RequireApproval];

// Which parts follow the first byte. Absent ones take no room, so that the commonest decision is one byte.
const RULE: u8 = 1;
const DETAIL: u8 = 1 << 1;
const RETRY_AFTER: u8 = 1 << 2;
const ASKING: u8 = 1 << 3;
const COUNTERS: u8 = 1 << 4;
const INNER: u8 = 1 << 5;

// Which detail it is.
const ARGS: u8 = 0;
const DECLARED: u8 = 1;
const PAYMENT: u8 = 2;
const MAXIMUM: u8 = 3;
const FULL: u8 = 4;
const FULL_OF_CHARGES: u8 = 5;

impl Decision<'_> {
    /// Appends the decision as bytes, without its policy and its target; [`Policy::unpack`] reads them. The first byte is 16
    /// times the effect plus the code, each counted from 0 as [`Effect`] and [`Code`] list them; an allowed call that no
    /// counter was asked about has no other.
    ///
    /// Every decision that is read back has the reservation of this one: at most one of them may be finished.
    pub(crate) fn pack(&self, out: &mut Vec<u8>) {
        let ruling = &self.ruling;
        out.push(((ruling.effect() as u8) << 4) | ruling.code() as u8);
        let none = Details::default();
        let Details { detail, counters, retry_millis, asking, charged_in: _, inner } =
            ruling.more().unwrap_or(&none);
        let rule = ruling.rule();
        let flags = flag(RULE, rule.is_some())
            | flag(DETAIL, !matches!(detail, Detail::None))
            | flag(RETRY_AFTER, retry_millis.is_some())
            | flag(ASKING, asking.is_some())
            | flag(COUNTERS, !counters.is_empty())
            | flag(INNER, inner.is_some());
        if flags == 0 {
            return;
        }
        out.push(flags);
        if let Some(rule) = rule {
            out.extend(rule.to_le_bytes());
        }
        let mut about = |kind: u8, index: &u32| {
            out.push(kind);
            out.extend(index.to_le_bytes());
        };
        match detail {
            Detail::None => {}
            Detail::Args(why) => {
                out.push(ARGS);
                bytes(out, why.as_bytes());
            }
            Detail::Declared(index) => about(DECLARED, index),
            Detail::Payment(index) => about(PAYMENT, index),
            Detail::Maximum(index) => about(MAXIMUM, index),
            Detail::Full(index) => about(FULL, index),
            Detail::FullOfCharges(index) => about(FULL_OF_CHARGES, index),
        }
        if let Some(millis) = retry_millis {
            out.extend(millis.to_le_bytes());
        }
        if let Some(Asking { key, rules, ignored, valid_for, uses }) = asking.as_deref() {
            bytes(out, key.as_bytes());
            out.extend(uses.to_le_bytes());
            // No stretch of time is nothing.
            out.extend(valid_for.unwrap_or(0).to_le_bytes());
            out.extend(u32::try_from(ignored.len()).unwrap_or(u32::MAX).to_le_bytes());
            ignored.iter().for_each(|path| bytes(out, path.as_bytes()));
            out.extend(u32::try_from(rules.len()).unwrap_or(u32::MAX).to_le_bytes());
            rules.iter().for_each(|rule| out.extend(rule.to_le_bytes()));
        }
        if let Some(inner) = inner {
            bytes(out, inner.as_bytes());
        }
        for Counted { declared, scope, charged, paid, max, used, resets_at, stamp } in counters {
            out.extend(declared.to_le_bytes());
            // No amount is negative.
            out.extend(charged.map_or(-1, Amount::as_micros).to_le_bytes());
            out.extend(used.as_micros().to_le_bytes());
            out.extend(resets_at.as_millis().to_le_bytes());
            out.extend(stamp.as_millis().to_le_bytes());
            out.extend(max.as_micros().to_le_bytes());
            bytes(out, scope.as_bytes());
            out.extend(u32::try_from(paid.len()).unwrap_or(u32::MAX).to_le_bytes());
            for (payment, amount) in paid {
                out.extend(payment.to_le_bytes());
                out.extend(amount.as_micros().to_le_bytes());
            }
        }
    }
}

impl Policy {
    /// The decision of this policy about `target` that [`Decision::pack`] made bytes of; `None` for anything else.
    pub(crate) fn unpack<'d>(&'d self, target: Target<'d>, packed: &[u8]) -> Option<Decision<'d>> {
        let mut rest = Rest(packed);
        let [first] = rest.array()?;
        let effect = *EFFECTS.get(usize::from(first >> 4))?;
        let code = *Code::ALL.get(usize::from(first & 15))?;
        let flags = if rest.is_empty() { 0 } else { rest.array::<1>().map(|[flags]| flags)? };
        let has = |flag| flags & flag != 0;
        let rule = if has(RULE) { Some(rest.u32()?) } else { None };
        let mut ruling = Ruling::new(effect, code, rule);
        if has(DETAIL) {
            let [kind] = rest.array()?;
            ruling.more_mut().detail = match kind {
                ARGS => Detail::Args(rest.text()?.into()),
                DECLARED => Detail::Declared(rest.u32()?),
                PAYMENT => Detail::Payment(rest.u32()?),
                MAXIMUM => Detail::Maximum(rest.u32()?),
                FULL => Detail::Full(rest.u32()?),
                FULL_OF_CHARGES => Detail::FullOfCharges(rest.u32()?),
                _ => return None,
            };
        }
        if has(RETRY_AFTER) {
            ruling.more_mut().retry_millis = Some(u64::from_le_bytes(rest.array()?));
        }
        if has(ASKING) {
            let key = rest.text()?.into();
            let (uses, valid_for) = (rest.u32()?, Some(rest.u32()?).filter(|seconds| *seconds > 0));
            let count = rest.u32()?;
            let ignored = (0..count).map(|_| rest.text().map(Box::from)).collect::<Option<_>>()?;
            let count = rest.u32()?;
            let rules = (0..count).map(|_| rest.u32()).collect::<Option<_>>()?;
            ruling.more_mut().asking = Some(Box::new(Asking { key, rules, ignored, valid_for, uses }));
        }
        if has(INNER) {
            ruling.more_mut().inner = Some(rest.text()?.into());
        }
        while has(COUNTERS) && !rest.is_empty() {
            let declared = rest.u32()?;
            let charged = Amount::from_micros(rest.i64()?);
            let used = Amount::from_micros(rest.i64()?)?;
            let resets_at = Timestamp::from_millis(rest.i64()?);
            let stamp = Timestamp::from_millis(rest.i64()?);
            let max = Amount::from_micros(rest.i64()?)?;
            let scope = ScopeValue::from(rest.bytes()?);
            let mut paid = Paid::new();
            for _ in 0..rest.u32()? {
                paid.push((rest.u32()?, Amount::from_micros(rest.i64()?)?));
            }
            let counted = Counted { declared, scope, charged, paid, max, used, resets_at, stamp };
            ruling.more_mut().counters.push(counted);
        }
        rest.is_empty().then(|| Decision::borrowing(self, target, ruling))
    }
}

fn flag(flag: u8, set: bool) -> u8 {
    if set { flag } else { 0 }
}

/// Bytes after their length. Nothing in a decision is as long as 4 GiB; what were would be read as no decision.
fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// What is not read yet.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<&'b [u8]> {
        let length = self.u32()? as usize;
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Approval, Call, Engine, Identity};
    use serde_json::{Value, json};

    const POLICY: &str = "
version: \"1\"
default: deny
hide: [hidden]
dispatchers: {run: {tool: args.name, args: args.args}}
tools:
  run: {}
  free: {}
  pay:
    limits: [{counter: spend, window: day, max: 9, increment_from: args.amount, scope: identity}]
    require: [{path: args.amount, op: lte, value: 8}]
  ask: {rules: [{action: require_approval, approval: {ignore: [args.a, args.b.c]}}]}
  ask_again: {rules: [{action: require_approval, approval: {valid_for: 5m, uses: 7, approvers: [bob]}}]}
  store: {limits: [{counter: bytes, window: day, max: 9223372036854.775807, increment_from: args.amount}]}
";

    /// A decision of every shape: with and without rule, detail, counters, retry_after and approval key.
    fn decisions(engine: &Engine) -> Vec<Decision<'_>> {
        let alice: Identity<'_> = Identity::new("alice");
        let evaluate = |tool, args: &Value| engine.evaluate(tool, args, &alice);
        let mut made = vec![
            evaluate("free", &json!({})),
            evaluate("free", &json!([])),
            evaluate("hidden", &json!({})),
            evaluate("other", &json!({})),
            evaluate("pay", &json!({"amount": 9})),
            evaluate("pay", &json!({})),
            evaluate("pay", &json!({"amount": 5.5})),
            evaluate("pay", &json!({"amount": 5.5})),
            engine.evaluate("pay", &json!({"amount": 1}), &Identity::<&Value>::Absent),
            evaluate("store", &json!({"amount": 9_223_372_036_854.0})),
            evaluate("store", &json!({"amount": 1})),
            evaluate("run", &json!({"name": "free"})),
            evaluate("run", &json!({"name": "hidden"})),
            evaluate("run", &json!({"name": "pay", "args": {"amount": 1}})),
            evaluate("ask_again", &json!({})),
            evaluate("ask", &json!({})),
        ];
        let key = made.last().unwrap().approval().unwrap().key().to_owned();
        let args = json!({});
        for method in ["resources/read", "tools/call"] {
            made.push(engine.decide(&Call::request(method, &args)).into_owned());
        }
        for _ in 0..2 {
            let call = Call::new("ask", &args).identity(alice).approved(Approval::new(&key, "a-1"));
            made.push(engine.decide(&call).into_owned());
        }
        made
    }

    #[test]
    fn every_decision_comes_back_as_it_was() {
        let engine = Engine::new(POLICY.parse().unwrap());
        let policy = engine.policy();
        let mut codes = Vec::new();
        for decision in decisions(&engine) {
            let mut packed = Vec::new();
            decision.pack(&mut packed);
            assert_eq!(packed.first(), Some(&(decision.effect() as u8 * 16 + decision.code() as u8)));
            let read = policy.unpack(decision.target(), &packed).unwrap();
            assert_eq!(read.to_json(), decision.to_json());
            assert_eq!(read.inner(), decision.inner());
            assert_eq!(read.take_reservation().is_some(), decision.take_reservation().is_some());
            for end in 1..packed.len() {
                assert_ne!(
                    policy.unpack(Target::Tool("t"), &packed[..end]).map(|cut| cut.to_json()),
                    Some(read.to_json())
                );
            }
            codes.push(decision.code());
        }
        codes.dedup();
        assert_eq!(codes.len(), 18, "{codes:?}");
        assert_eq!(engine.evaluate("free", &json!({}), &Identity::new("a")).packed_len(), 1);
    }

    #[test]
    fn the_reservation_of_a_read_decision_takes_the_charges_back() {
        let engine = Engine::new(POLICY.parse().unwrap());
        let policy = engine.policy();
        let pay = || engine.evaluate("pay", &json!({"amount": 8}), &Identity::new("alice"));
        let mut packed = Vec::new();
        pay().pack(&mut packed);
        assert_eq!(pay().code(), Code::LimitExceeded);
        let mut reservation =
            policy.unpack(Target::Tool("pay"), &packed).unwrap().take_reservation().unwrap();
        engine.finish(&mut reservation, crate::Outcome::NotRun).unwrap();
        assert!(pay().allowed());
    }

    #[test]
    fn codes_and_effects_count_as_they_are_listed() {
        assert!(EFFECTS.iter().enumerate().all(|(index, effect)| *effect as usize == index));
        assert!(Code::ALL.iter().enumerate().all(|(index, code)| *code as usize == index));
    }

    #[test]
    fn what_is_no_decision_is_none() {
        let policy: Policy = POLICY.parse().unwrap();
        for bytes in [
            &[][..],
            &[0x30],
            &[0x0f],
            &[0, 1],
            &[0, 1, 0, 0, 0],
            &[0, 0, 0],
            &[0, DETAIL, ARGS, 1, 0, 0, 0, 0xff],
        ] {
            assert!(policy.unpack(Target::Tool("free"), bytes).is_none(), "{bytes:?}");
        }
        assert!(
            policy.unpack(Target::Tool("free"), &[0, RULE, 255, 255, 255, 255]).unwrap().rule().is_none(),
            "no such rule"
        );
    }

    impl Decision<'_> {
        fn packed_len(&self) -> usize {
            let mut packed = Vec::new();
            self.pack(&mut packed);
            packed.len()
        }
    }
}

//! Conditions on counters, as the amounts that satisfy them (spec 4.5, 8.5).
//!
//! In: an operator's name and its operand. Out: ranges of amounts, exact: no number is rounded to another side of a bound.

use crate::condition::Operand;

/// The amounts that satisfy `name operand`, in units of 10^-6: inclusive, ascending, disjoint. `None` if the two do not
/// make a condition on a counter.
pub(super) fn ranges(name: &str, operand: &Operand) -> Option<Box<[(i64, i64)]>> {
    let number = |operand: &Operand| match operand {
        Operand::Number(number) => Some(number.to_micros_floor()),
        _ => None,
    };
    let points = |operand: &Operand| -> Option<Vec<i64>> {
        let Operand::Array(members) = operand else { return None };
        let mut points = Vec::new();
        for member in members {
            // A number that no amount can equal adds nothing.
            if let (micros, true) = number(member)? {
                points.push(micros);
            }
        }
        points.sort_unstable();
        points.dedup();
        Some(points)
    };
    let at = |points: &[i64]| points.iter().map(|point| (*point, *point)).collect::<Vec<_>>();
    Some(
        match name {
            "eq" => match number(operand)? {
                (micros, true) => vec![(micros, micros)],
                (_, false) => vec![],
            },
            "neq" => match number(operand)? {
                (micros, true) => complement(&[(micros, micros)]),
                (_, false) => complement(&[]),
            },
            "in" => at(&points(operand)?),
            "not_in" => complement(&at(&points(operand)?)),
            "lte" => vec![(i64::MIN, number(operand)?.0)],
            "gt" => complement(&[(i64::MIN, number(operand)?.0)]),
            "lt" => vec![(i64::MIN, below(number(operand)?)?)],
            "gte" => complement(&[(i64::MIN, below(number(operand)?)?)]),
            _ => return None,
        }
        .into(),
    )
}

/// The largest amount below a number, given as its floor and whether that is exact.
fn below((floor, exact): (i64, bool)) -> Option<i64> {
    Some(if exact { floor.saturating_sub(1) } else { floor })
}

fn complement(ranges: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut gaps = Vec::new();
    let mut next = Some(i64::MIN);
    for (low, high) in ranges {
        if let (Some(start), Some(end)) = (next, low.checked_sub(1))
            && start <= end
        {
            gaps.push((start, end));
        }
        next = high.checked_add(1);
    }
    if let Some(start) = next {
        gaps.push((start, i64::MAX));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Number;

    fn holds(name: &str, literal: &str, micros: i64) -> bool {
        let operand = Operand::Number(Number::from_literal(literal).unwrap().into_owned());
        let operand = if name.ends_with("in") { Operand::Array([operand].into()) } else { operand };
        ranges(name, &operand).unwrap().iter().any(|(low, high)| *low <= micros && micros <= *high)
    }

    /// Trap 21: a fractional bound is exact.
    #[test]
    fn ranges_are_exact_between_units() {
        for (name, at, below, above) in [
            ("lt", false, true, false),
            ("lte", true, true, false),
            ("gt", false, false, true),
            ("gte", true, false, true),
            ("eq", true, false, false),
            ("neq", false, true, true),
            ("in", true, false, false),
            ("not_in", false, true, true),
        ] {
            assert_eq!(holds(name, "10.5", 10_500_000), at, "{name} at");
            assert_eq!(holds(name, "10.5", 10_499_999), below, "{name} below");
            assert_eq!(holds(name, "10.5", 10_500_001), above, "{name} above");
        }
        // 10.5000005 lies between two amounts: nothing equals it.
        for (name, below, above) in [
            ("lt", true, false),
            ("lte", true, false),
            ("gt", false, true),
            ("gte", false, true),
            ("eq", false, false),
            ("neq", true, true),
        ] {
            assert_eq!(holds(name, "10.5000005", 10_500_000), below, "{name} below");
            assert_eq!(holds(name, "10.5000005", 10_500_001), above, "{name} above");
        }
        for micros in [0, i64::MAX] {
            assert!(
                holds("lt", "1e300", micros)
                    && holds("lte", "1e300", micros)
                    && holds("neq", "1e300", micros)
            );
            assert!(
                !holds("gt", "1e300", micros)
                    && !holds("gte", "1e300", micros)
                    && !holds("eq", "1e300", micros)
            );
            assert!(holds("gt", "-1e300", micros) && holds("gte", "-1e300", micros));
            assert!(!holds("lt", "-1e300", micros) && !holds("lte", "-1e300", micros));
        }
    }
}

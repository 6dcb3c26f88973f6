//! Makes a case that differs smaller.

use callgate_reference::json::Json;

use super::{Compared, compare};
use crate::generate::{GeneratedApproval, GeneratedCase, GeneratedStep, Ways};

/// A smaller case that differs still, in the same fields: without steps, parts of the policy and parts of arguments that
/// do not matter.
pub fn minimise(case: &GeneratedCase) -> GeneratedCase {
    let Compared::Different { fields: wanted, .. } = compare(case) else { return case.clone() };
    let differs = |case: &GeneratedCase| matches!(compare(case), Compared::Different { fields, .. } if fields == wanted);
    let mut best = case.clone();
    loop {
        let before = size(&best);
        for index in (0..best.steps.len()).rev() {
            let smaller = without_step(&best, index);
            if differs(&smaller) {
                best = smaller;
            }
        }
        shrink(&best.policy.clone(), |policy| {
            let smaller = GeneratedCase { policy, ..best.clone() };
            let keep = differs(&smaller);
            if keep {
                best = smaller;
            }
            keep
        });
        for index in 0..best.steps.len() {
            shrink(&best.steps[index].call.args.clone(), |args| {
                let mut smaller = best.clone();
                smaller.steps[index].call.args = args;
                let keep = differs(&smaller);
                if keep {
                    best = smaller;
                }
                keep
            });
            let mut smaller = best.clone();
            smaller.steps[index].approve = None;
            if differs(&smaller) {
                best = smaller.clone();
            }
            smaller = best.clone();
            smaller.steps[index].finish = None;
            if differs(&smaller) {
                best = smaller.clone();
            }
            smaller = best.clone();
            smaller.steps[index].reload = None;
            if differs(&smaller) {
                best = smaller.clone();
            }
            smaller = best.clone();
            smaller.steps[index].call.identity = None;
            if differs(&smaller) {
                best = smaller.clone();
            }
            if let Some(identity) = best.steps[index].call.identity.clone() {
                shrink(&identity, |identity| {
                    let mut smaller = best.clone();
                    smaller.steps[index].call.identity = Some(identity);
                    let keep = differs(&smaller);
                    if keep {
                        best = smaller;
                    }
                    keep
                });
            }
            smaller = best.clone();
            smaller.steps[index].call.server = None;
            if differs(&smaller) {
                best = smaller.clone();
            }
            smaller = best.clone();
            smaller.steps[index].call.check = None;
            if differs(&smaller) {
                best = smaller;
            }
        }
        for way in [
            Ways { yaml: false, ..best.ways },
            Ways { values: false, ..best.ways },
            Ways { explained: false, ..best.ways },
            Ways { remote: false, ..best.ways },
        ] {
            // Each is as the best was before the loop, so only the first that does not matter goes in one turn.
            let smaller = GeneratedCase { ways: way, ..best.clone() };
            if way != best.ways && differs(&smaller) {
                best = smaller;
                break;
            }
        }
        if size(&best) == before {
            return best;
        }
    }
}

fn size(case: &GeneratedCase) -> usize {
    let step = |step: &GeneratedStep| {
        1 + step.call.args.len()
            + step.call.identity.as_ref().map_or(0, String::len)
            + usize::from(step.call.check.is_some())
            + usize::from(step.call.server.is_some())
            + usize::from(step.approve.is_some())
            + usize::from(step.finish.is_some())
            + step.reload.as_ref().map_or(0, String::len)
    };
    let ways = [case.ways.yaml, case.ways.values, case.ways.explained, case.ways.remote];
    ways.into_iter().map(usize::from).sum::<usize>()
        + case.policy.len()
        + case.steps.iter().map(step).sum::<usize>()
}

fn without_step(case: &GeneratedCase, index: usize) -> GeneratedCase {
    let mut smaller = case.clone();
    smaller.steps.remove(index);
    for step in &mut smaller.steps {
        // What named the step that is gone is dropped, what named a later one moves.
        let moved = |of: usize| (of != index).then(|| if of > index { of - 1 } else { of });
        step.approve = step.approve.take().and_then(|old| match old.of {
            None => Some(old),
            Some(of) => Some(GeneratedApproval { of: Some(moved(of)?), ..old }),
        });
        step.finish = step.finish.take().and_then(|(of, finish)| Some((moved(of)?, finish)));
    }
    smaller
}

/// Offers the text without each of its elements and members in turn, and goes on with what was accepted.
fn shrink(text: &str, mut accept: impl FnMut(String) -> bool) {
    let Ok(mut tree) = Json::read(text) else { return };
    let mut next = 0;
    loop {
        let mut smaller = tree.clone();
        let mut left = next;
        if !remove(&mut smaller, &mut left) {
            return;
        }
        if accept(smaller.write()) {
            tree = smaller;
        } else {
            next += 1;
        }
    }
}

/// Removes the element or member with this number, counted from the outside in.
fn remove(tree: &mut Json, left: &mut usize) -> bool {
    match tree {
        Json::Array(elements) => {
            if *left < elements.len() {
                elements.remove(*left);
                return true;
            }
            *left -= elements.len();
            elements.iter_mut().any(|element| remove(element, left))
        }
        Json::Object(members) => {
            if *left < members.len() {
                members.remove(*left);
                return true;
            }
            *left -= members.len();
            members.iter_mut().any(|(_, value)| remove(value, left))
        }
        _ => false,
    }
}

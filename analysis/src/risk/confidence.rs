//! A judgement into a verdict: how sure it is, and the reasons for and against. Clause R4.
//!
//! In: all that was said, and the class. Out: the verdict. Must not change the class.

use super::Class::{self, Execute, Unknown, Write};
use super::evidence::Tool;
use super::weigh::{Kind, LEAST, Verdict, Weigh};
use super::{Direction, Reason};

impl Weigh<'_, '_> {
    pub(super) fn done(self) -> Verdict {
        let Self { tool, said, findings, class, sure, .. } = self;
        let agrees = |kind| said.iter().any(|one| one.kind == kind && one.class == class);
        let weaker = |kind| said.iter().any(|one| one.kind == kind && one.class != class) && !agrees(kind);
        let stronger =
            |kind| said.iter().any(|one| one.kind == kind && one.class.strength() > class.strength());
        let mut points = i32::from(sure);
        let mut lowered = Vec::new();
        let mut lower = |points: &mut i32, by: i32, text: &str, place: &str| {
            *points = points.saturating_sub(by);
            lowered.push(Reason {
                direction: Direction::Against,
                text: format!("{text}: −{by}"),
                place: place.to_owned(),
            });
        };
        for (kind, more) in [(Kind::Text, 7), (Kind::Hint, 5), (Kind::Schema, 3)] {
            if agrees(kind) && said.iter().any(|one| one.kind != kind && one.class == class) {
                points = points.saturating_add(more);
            }
        }
        points = points.min(99);
        if class.strength() < Execute.strength() && doubtful(tool, class) {
            lower(&mut points, 12, "its text has words of something stronger", "/description");
        }
        if class == Write && tool.schema.first("amount").is_some() {
            lower(&mut points, 12, "takes an `amount`", "/inputSchema/properties");
        }
        if tool.description.trim().is_empty() {
            lower(&mut points, 10, "no description", "/description");
        }
        if !tool.has_schema {
            lower(&mut points, 4, "no schema", "/inputSchema");
        }
        if tool.schema.cut {
            lower(&mut points, 20, "the schema is deeper or longer than what is read", "/inputSchema");
        }
        let kinds = [Kind::Name, Kind::Text, Kind::Hint, Kind::Schema]
            .into_iter()
            .filter(|kind| agrees(*kind))
            .count();
        if kinds == 1 {
            lower(&mut points, 8, "only one kind of evidence", "");
        }
        for (kind, what, by) in [
            (Kind::Name, "the name", 6),
            (Kind::Text, "the description", 8),
            (Kind::Hint, "a hint", 6),
            (Kind::Schema, "the schema", 4),
        ] {
            if stronger(kind) {
                lower(&mut points, 14, &format!("{what} says more"), "");
            } else if weaker(kind) {
                lower(&mut points, by, &format!("{what} says otherwise"), "");
            }
        }
        if class == Unknown {
            lower(&mut points, 0, "no verb that is known, and nothing else that decides", "/name");
        }
        let (least, most) =
            if class == Unknown { (0, i32::from(LEAST).saturating_sub(1)) } else { (i32::from(LEAST), 99) };
        let confidence = u8::try_from(points.clamp(least, most)).unwrap_or(LEAST);
        let mut reasons: Vec<Reason> = said
            .into_iter()
            .map(|one| Reason {
                direction: if one.class == class { Direction::For } else { Direction::Against },
                text: if one.class == class {
                    one.text
                } else {
                    format!("{} ({})", one.text, one.class.name())
                },
                place: one.place,
            })
            .collect();
        reasons.append(&mut lowered);
        Verdict { class, confidence, reasons, findings }
    }
}

/// Whether a text speaks of more than the class that was found, such that it could mean this tool.
fn doubtful(tool: &Tool<'_>, class: Class) -> bool {
    const STRONGER: &str = "overwrit, replace, delet, remov, permanent, irrevers, undone, execut, payment, charge, purchas, destroy, terminat, force, cost, fee, refund, payout, withdraw, spend";
    let leads = tool.leads.iter().any(|lead| lead.class.strength() > class.strength() && lead.sure >= LEAST);
    let low = tool.description.to_ascii_lowercase();
    leads || class == Write && STRONGER.split(", ").any(|stem| low.contains(stem))
}

//! Arguments that make a tool another tool: `permanent`, `force`, a value of `action`.
//!
//! In: a definition and its risk. Out: rules on these arguments, and what the tool is without them, judged by the classifier again. So a tool is
//! not denied whole for what one argument asks for. Must not hold a tool for weaker than its name and schema say.

use serde_json::{Value, json};

use super::entry::{Entry, Expect, Item, List, denial};
use super::treatment::{Profile, Treatment, treatment};
use super::yaml;
use crate::risk::{self, Argument, Class, Code, Risk, Variants};

/// Flags that take more away, or that take a question away. Any that begins with one of the first words is one.
const FIRST: &str =
    "force forced hard permanent permanently purge delete overwrite recursive recursively cascade wipe";
const FLAGS: [&str; 5] =
    ["skip_trash", "allow_overwrite", "skip_confirmation", "suppress_confirmations", "no_verify"];

/// A tool that is weaker without some arguments.
pub(super) struct Gated {
    /// What it is without them.
    pub(super) class: Class,
    pub(super) treatment: Treatment,
    /// What it is with them, and whether a person may let such a call through.
    full: Class,
    denies: bool,
    gates: Vec<Gate>,
}

/// A condition that holds for a stronger call.
struct Gate {
    argument: String,
    kind: Kind,
}

enum Kind {
    /// A flag, and what it is where it is left out.
    Flag { default: bool },
    /// A choice, the values that are no stronger, and what the others do.
    Choice { weak: Vec<String>, strong: Vec<Class> },
}

/// The arguments that a rule is to look at; none where the tool is what it is without them, too.
pub(super) fn find(
    definition: &Value,
    risk: &Risk,
    arguments: &[Argument<'_>],
    profile: Profile,
    variants: Variants<'_>,
) -> Option<Gated> {
    // The author of an override knows the tool.
    if variants.is_given(&risk.name) || risk.class == Class::Read {
        return None;
    }
    let full = treatment(profile, risk.class, &risk.labels);
    let is_weaker = |weaker: Treatment| weaker.strictness() < full.strictness();
    if is_weaker(Treatment::Allow) {
        for target in [Class::Execute, Class::Write, Class::Read] {
            if target.strength() >= risk.class.strength() {
                continue;
            }
            let Some(gates) = gates(arguments, target) else { continue };
            let Some((left, told)) = without(definition, &gates, risk, target) else { continue };
            let without = variants.classify(&left);
            if without.class == Class::Unknown || without.class.strength() > target.strength() {
                continue;
            }
            let class =
                told.filter(|told| told.strength() > without.class.strength()).unwrap_or(without.class);
            // Labels of the whole tool: its texts may say what the rest has to do with.
            let treatment = treatment(profile, class, &risk.labels);
            if is_weaker(treatment) {
                return Some(Gated {
                    class,
                    treatment,
                    full: risk.class,
                    denies: full == Treatment::Deny,
                    gates,
                });
            }
        }
    }
    // Nobody is asked about a call like any other, but about one that forces it.
    let gates: Vec<Gate> = arguments.iter().filter_map(flag).collect();
    let passes = matches!(full, Treatment::Limit(_)) && !gates.is_empty();
    passes.then_some(Gated {
        class: risk.class,
        treatment: full,
        full: Class::Destructive,
        denies: false,
        gates,
    })
}

/// All that has to be kept out for a class to be the strongest. `None` where a choice has no value that weak, or nothing is to be kept out.
fn gates(arguments: &[Argument<'_>], target: Class) -> Option<Vec<Gate>> {
    let mut gates: Vec<Gate> = arguments.iter().filter_map(flag).collect();
    for argument in arguments.iter().filter(|argument| !argument.choice.is_empty()) {
        let is_weak = |class: Option<Class>| {
            class.is_some_and(|class| class != Class::Unknown && class.strength() <= target.strength())
        };
        let weak = argument.choice.iter().filter(|choice| is_weak(choice.class));
        let weak: Vec<String> = weak.map(|choice| choice.value.to_owned()).collect();
        if weak.len() == argument.choice.len() {
            continue;
        }
        if weak.is_empty() || !argument.is_only(&["string"]) {
            return None;
        }
        let strong =
            argument.choice.iter().filter(|choice| !is_weak(choice.class)).filter_map(|choice| choice.class);
        let kind = Kind::Choice { weak, strong: strong.collect() };
        gates.push(Gate { argument: argument.name.to_owned(), kind });
    }
    (!gates.is_empty()).then_some(gates)
}

fn flag(argument: &Argument<'_>) -> Option<Gate> {
    let first = argument.words.split('_').next().unwrap_or_default();
    let is_flag = FIRST.split(' ').any(|word| word == first) || FLAGS.contains(&argument.words.as_str());
    let default = argument.default.and_then(Value::as_bool).unwrap_or_default();
    (is_flag && argument.is_only(&["boolean"]))
        .then(|| Gate { argument: argument.name.to_owned(), kind: Kind::Flag { default } })
}

/// The definition without what the gates keep out. Its description tells of what is kept out, too, where the class comes from a choice: then
/// name and schema alone say what is left, and it is at least what the texts speak of beside. `None` where they speak of something strong that no
/// value is.
fn without(definition: &Value, gates: &[Gate], risk: &Risk, target: Class) -> Option<(Value, Option<Class>)> {
    let (mut left, mut told) = (definition.clone(), None);
    let kept_out = gates.iter().filter_map(|gate| match &gate.kind {
        Kind::Choice { strong, .. } => Some(strong),
        Kind::Flag { .. } => None,
    });
    let chooses = risk.findings.iter().any(|finding| finding.code == Code::SeveralTools);
    if chooses && kept_out.clone().next().is_some() {
        let (beside, strong): (Vec<Class>, Vec<Class>) =
            risk::said(definition).into_iter().partition(|class| class.strength() <= target.strength());
        if !strong.iter().all(|class| kept_out.clone().flatten().any(|one| one == class)) {
            return None;
        }
        told = beside.into_iter().max_by_key(|class| class.strength());
        for field in ["description", "title", "annotations"] {
            left.as_object_mut()?.remove(field);
        }
    }
    if let Some(properties) = left.pointer_mut("/inputSchema/properties").and_then(Value::as_object_mut) {
        for gate in gates {
            match &gate.kind {
                Kind::Flag { .. } => _ = properties.remove(&gate.argument),
                Kind::Choice { weak, .. } => {
                    properties.insert(gate.argument.clone(), json!({"type": "string", "enum": weak}));
                }
            }
        }
    }
    Some((left, told))
}

/// Writes a rule for each gate.
pub(super) fn write(entry: &mut Entry, gated: &Gated) {
    for gate in &gated.gates {
        let path = yaml::path(&gate.argument, "");
        let shown = yaml::line(&gate.argument);
        let (condition, strong, name) = match &gate.kind {
            Kind::Flag { default } => {
                // Where the server takes an absent flag for true, only a call that says false is the weaker one.
                let test = if *default { "op: neq, value: false" } else { "op: eq, value: true" };
                if *default {
                    entry.call_with(&gate.argument, "false");
                }
                (format!("{{path: {path}, {test}}}"), "true".to_owned(), format!("`{shown}`"))
            }
            Kind::Choice { weak, .. } => {
                let values: Vec<String> = weak.iter().map(|value| yaml::quoted(value)).collect();
                entry.call_with(&gate.argument, values.first().map_or("", String::as_str));
                let values = values.join(", ");
                // What the schema does not list is no weaker than what it lists.
                let mut other = "something else".to_owned();
                while weak.contains(&other) {
                    other.push('!');
                }
                let condition = format!("{{path: {path}, op: not_in, value: [{values}]}}");
                (condition, yaml::quoted(&other), format!("other `{shown}`"))
            }
        };
        let fields = format!("conditions: [{condition}]");
        if gated.denies {
            let rule = entry.add(Item::new(List::DenyIf, name, [fields]).told(denial(gated.full)));
            entry.case(&[(&gate.argument, &strong)], Expect::Denied, &rule);
        } else {
            let item = Item::new(List::Rules, name, ["action: require_approval".to_owned(), fields]);
            let rule =
                entry.add(item.told(&format!("A person has to approve this call because of `{shown}`.")));
            entry.case(&[(&gate.argument, &strong)], Expect::Asked, &rule);
        }
    }
}

//! Generated configurations: whatever they hold and however they are written, callgate comes in front of the servers and goes again without a
//! trace.

use std::collections::BTreeMap;

use jsonc_parser::{JsonValue, ParseOptions, parse_to_value};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{POLICY, PROGRAM, ServerState, Wrapping, dry, enforced, fs, states, undo, wrap};

/// How a text is written.
#[derive(Debug, Clone)]
struct Style {
    /// One level, where members are on lines of their own; all on one line without.
    indent: Option<&'static str>,
    tall_lists: bool,
    newline: &'static str,
    colon: &'static str,
    comments: bool,
    trailing_commas: bool,
    mark: bool,
}

#[derive(Debug, Clone)]
enum Server {
    Process { command: String, args: Option<Vec<String>>, args_first: bool, env: bool },
    Remote,
}

#[derive(Debug, Clone)]
struct Model {
    style: Style,
    key: &'static str,
    servers: BTreeMap<String, Server>,
    projects: BTreeMap<String, BTreeMap<String, Server>>,
}

fn style() -> impl Strategy<Value = Style> {
    let indent = option::of(prop::sample::select(vec!["  ", "    ", "\t"]));
    let newline = prop::sample::select(vec!["\n", "\r\n"]);
    let colon = prop::sample::select(vec![":", ": ", " : "]);
    (indent, any::<bool>(), newline, colon, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(indent, tall_lists, newline, colon, comments, trailing_commas, mark)| Style {
            indent,
            tall_lists,
            newline,
            colon,
            comments: comments && indent.is_some(),
            trailing_commas,
            mark,
        },
    )
}

fn words() -> impl Strategy<Value = String> {
    // Words that the flags of `proxy` and its end are made of, too.
    prop_oneof![
        prop::sample::select(vec![
            "--",
            "-p",
            "proxy",
            "--name",
            "callgate",
            "${HOME}/x",
            "//",
            "/*",
            ",",
            "]",
            "\""
        ])
        .prop_map(str::to_owned),
        any::<String>(),
        "[a-z/-]{1,12}",
    ]
}

fn servers() -> impl Strategy<Value = BTreeMap<String, Server>> {
    let process = (words(), option::of(vec(words(), 0..4)), any::<bool>(), any::<bool>());
    let process = process.prop_map(|(command, args, args_first, env)| Server::Process {
        command: format!("{command}x"),
        args,
        args_first,
        env,
    });
    btree_map(
        words().prop_filter("a name", |name| !name.is_empty()),
        prop_oneof![4 => process, 1 => Just(Server::Remote)],
        1..5,
    )
}

fn model() -> impl Strategy<Value = Model> {
    let key = prop::sample::select(vec!["mcpServers", "servers"]);
    (style(), key, servers(), btree_map(words(), servers(), 0..3))
        .prop_map(|(style, key, servers, projects)| Model { style, key, servers, projects })
}

/// Writes a model as its style says.
struct Writer<'s> {
    style: &'s Style,
    out: String,
    depth: usize,
}

impl Writer<'_> {
    fn line(&mut self, tall: bool) {
        if let Some(indent) = self.style.indent.filter(|_| tall) {
            if self.style.comments {
                self.out.push_str(" // a \"comment\", [of] {sorts}");
            }
            self.out.push_str(self.style.newline);
            self.out.push_str(&indent.repeat(self.depth));
        }
    }

    fn list<T>(&mut self, brackets: [char; 2], tall: bool, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.out.push(brackets[0]);
        self.depth += 1;
        for (index, each) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.line(tall);
            item(self, each);
        }
        self.depth -= 1;
        if !items.is_empty() {
            if self.style.trailing_commas {
                self.out.push(',');
            }
            self.line(tall);
        }
        self.out.push(brackets[1]);
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                let members = members.iter().collect::<Vec<_>>();
                self.list(['{', '}'], true, &members, |writer, (name, value)| writer.member(name, value));
            }
            Value::Array(items) => {
                let tall = self.style.tall_lists;
                self.list(['[', ']'], tall, items, Self::value);
            }
            other => self.out.push_str(&other.to_string()),
        }
    }

    fn member(&mut self, name: &str, value: &Value) {
        self.out.push_str(&Value::from(name).to_string());
        self.out.push_str(self.style.colon);
        self.value(value);
    }

    fn servers(&mut self, key: &str, servers: &BTreeMap<String, Server>) {
        self.out.push_str(&format!("\"{key}\"{}", self.style.colon));
        let servers = servers.iter().collect::<Vec<_>>();
        self.list(['{', '}'], true, &servers, |writer, (name, server)| {
            writer.out.push_str(&Value::from(&***name).to_string());
            writer.out.push_str(writer.style.colon);
            writer
                .list(['{', '}'], true, &members(server), |writer, (name, value)| writer.member(name, value));
        });
    }
}

/// The members of a server, in the order in which they are written.
fn members(server: &Server) -> Vec<(&'static str, Value)> {
    let Server::Process { command, args, args_first, env } = server else {
        return vec![("type", json!("http")), ("url", json!("https://example.org/mcp"))];
    };
    let mut members = vec![("command", json!(command))];
    if let Some(args) = args {
        members.insert(usize::from(!args_first), ("args", json!(args)));
    }
    if *env {
        members.push(("env", json!({"TOKEN": "a, ]"})));
    }
    members
}

impl Model {
    fn text(&self) -> String {
        let mark = if self.style.mark { "\u{feff}" } else { "" };
        let mut writer = Writer { style: &self.style, out: mark.to_owned(), depth: 0 };
        writer.list(['{', '}'], true, &[0, 1, 2], |writer, part| match part {
            0 => writer.servers(self.key, &self.servers),
            1 => {
                writer.out.push_str("\"projects\":");
                let projects = self.projects.iter().collect::<Vec<_>>();
                writer.list(['{', '}'], true, &projects, |writer, (path, servers)| {
                    writer.out.push_str(&format!("{}:", Value::from(&***path)));
                    writer.list(['{', '}'], true, &[()], |writer, ()| writer.servers("mcpServers", servers));
                });
            }
            _ => writer.member("other", &json!({"command": "x", "args": [1, [null, true]]})),
        });
        writer.out
    }

    fn lists(&self) -> impl Iterator<Item = &BTreeMap<String, Server>> {
        std::iter::once(&self.servers).chain(self.projects.values())
    }

    /// What the text says where servers are written in this way.
    fn tree(&self, written: impl Fn(&str, &Server) -> Vec<(&'static str, Value)>) -> Value {
        let list = |servers: &BTreeMap<String, Server>| -> Value {
            let servers = servers.iter().map(|(name, server)| {
                (
                    name.clone(),
                    written(name, server).into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
                )
            });
            Value::Object(servers.collect())
        };
        let projects =
            self.projects.iter().map(|(path, servers)| (path.clone(), json!({"mcpServers": list(servers)})));
        json!({
            self.key: list(&self.servers),
            "projects": Value::Object(projects.collect()),
            "other": {"command": "x", "args": [1, [null, true]]},
        })
    }
}

/// What a text says.
fn tree(text: &str) -> Value {
    fn value(from: JsonValue<'_>) -> Value {
        match from {
            JsonValue::String(text) => text.into(),
            JsonValue::Number(number) => serde_json::from_str(number).unwrap(),
            JsonValue::Boolean(is) => is.into(),
            JsonValue::Null => Value::Null,
            JsonValue::Array(items) => items.into_iter().map(value).collect(),
            JsonValue::Object(members) => {
                members.into_iter().map(|(name, each)| (name.into_owned(), value(each))).collect()
            }
        }
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    value(parse_to_value(text, &ParseOptions::default()).unwrap().unwrap())
}

/// A server behind callgate.
fn behind(name: &str, server: &Server, policy: Option<&str>) -> Vec<(&'static str, Value)> {
    let mut members = members(server);
    if let Server::Process { command, args, .. } = server {
        let mut words = vec!["proxy".to_owned()];
        if name.starts_with('-') {
            words.push(format!("--name={name}"));
        } else {
            words.extend(["--name".to_owned(), name.to_owned()]);
        }
        words.extend(policy.into_iter().flat_map(|policy| ["-p".to_owned(), policy.to_owned()]));
        words.extend(["--".to_owned(), command.clone()]);
        words.extend(args.clone().unwrap_or_default());
        members.retain(|(name, _)| !["command", "args"].contains(name));
        members.extend([("command", json!(PROGRAM)), ("args", json!(words))]);
    }
    members
}

/// Servers as an undo without a backup leaves them: an empty list where there was none.
fn listed(server: &Server) -> Vec<(&'static str, Value)> {
    let mut members = members(server);
    if let Server::Process { args: None, .. } = server {
        members.push(("args", json!([])));
    }
    members
}

/// Every comment of the text, and nothing that was written is gone.
fn comments(text: &str) -> usize {
    text.matches("// a \"comment\", [of] {sorts}").count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn wrapping_changes_servers_alone_and_undoing_leaves_no_trace(model in model()) {
        let before = model.text();
        prop_assert_eq!(tree(&before), model.tree(|_, server| members(server)));
        let path = super::file("generated", &before);
        let text = || fs::read_to_string(&path).unwrap();

        wrap(&path, &dry());
        prop_assert_eq!(tree(&text()), model.tree(|name, server| behind(name, server, None)));
        let change = wrap(&path, &enforced());
        let wrapped = text();
        prop_assert_eq!(tree(&wrapped), model.tree(|name, server| behind(name, server, Some(POLICY))));
        prop_assert_eq!(comments(&wrapped), comments(&before));
        prop_assert_eq!(wrapped.contains('\r'), before.contains('\r'));
        let remotes = states(&change).iter().filter(|(_, state)| *state == ServerState::Remote).count();
        let urls = model.lists().flat_map(BTreeMap::values).filter(|server| matches!(server, Server::Remote)).count();
        prop_assert_eq!(remotes, urls);

        // Twice is the same as once, and in one step the same as in two.
        prop_assert!(wrap(&path, &enforced()).is_empty());
        let once = super::file("generated-once", &before);
        wrap(&once, &enforced());
        prop_assert_eq!(fs::read_to_string(&once).unwrap(), wrapped);

        undo(&path);
        prop_assert_eq!(text(), before.clone());
        prop_assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);

        // Without the backup the same servers are there, in the same bytes where each had a list of words.
        fs::remove_file(once.with_file_name("mcp.json.callgate-backup")).ok();
        undo(&once);
        let spliced = fs::read_to_string(&once).unwrap();
        prop_assert_eq!(tree(&spliced), model.tree(|_, server| listed(server)));
        let mut all = model.lists().flat_map(BTreeMap::values);
        let full = |server: &Server| !matches!(server, Server::Process { args, .. } if args.as_ref().is_none_or(Vec::is_empty));
        if all.all(full) {
            prop_assert_eq!(spliced, before);
        }
    }

    /// One server after the other, each by a policy of its own, and all undone at once.
    #[test]
    fn servers_are_wrapped_one_by_one(model in model(), policies in vec("[a-z]{1,8}", 1..4)) {
        let before = model.text();
        let path = super::file("generated-single", &before);
        for (name, policy) in model.servers.keys().zip(policies) {
            wrap(&path, &Wrapping::new(PROGRAM).policy(policy).servers([name]));
        }
        undo(&path);
        prop_assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
}

//! Every way in which a run of tests could pass by matching nothing, as data for `nothing.rs`.
//!
//! The guide has the same table: `docs/guide/test.md`. A new way needs a row in both.

/// A way to pass by matching nothing.
pub(super) struct Way {
    /// As the guide says it.
    pub(super) way: &'static str,
    /// The error's code.
    pub(super) code: &'static str,
    /// Test files in which that is so. `¦` stands before what the error points to.
    pub(super) files: &'static [&'static str],
}

const fn way(way: &'static str, code: &'static str, files: &'static [&'static str]) -> Way {
    Way { way, code, files }
}

/// What is wrong in a test file.
pub(super) const WAYS: [Way; 47] = [
    way("a file that holds nothing", "wrong_type", &["¦", "¦# later\n"]),
    way("a file without `tests`", "missing_field", &["¦policy: p.yaml\n", "¦{\"policy\": \"p.yaml\"}"]),
    way("`tests` without a test", "empty_tests", &["policy: p.yaml\ntests: ¦[]\n"]),
    way(
        "a file without a policy",
        "missing_field",
        &["¦tests: [{name: a, steps: [{tool: list, expect: allow}]}]\n"],
    ),
    way(
        "`policies` without a policy, or a stack without a file",
        "empty_tests",
        &[
            "policies: ¦[]\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: ¦[]\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, steps: [{reload: ¦[], tool: list, expect: allow}]}]\n",
        ],
    ),
    way(
        "a stack of policies without names",
        "unnamed_layer",
        &[
            "policy: ¦[p.yaml, open.yaml]\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policies: [p.yaml, ¦[p.yaml, open.yaml]]\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, steps: [{reload: ¦[p.yaml, open.yaml], tool: list, expect: allow}]}]\n",
        ],
    ),
    way(
        "one policy twice in `policies`",
        "duplicate_item",
        &["policies: [p.yaml, ¦p.yaml]\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n"],
    ),
    way(
        "a file that is not there, in `policy`, `policies`, `tools` or `reload`",
        "unreadable_file",
        &[
            "policy: ¦nowhere.yaml\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policies: [p.yaml, ¦nowhere.yaml]\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntools: ¦nowhere.json\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, steps: [{reload: ¦nowhere.yaml, tool: list, expect: allow}]}]\n",
        ],
    ),
    way(
        "a list of the server's tools without a tool",
        "unreadable_file",
        &[
            "policy: p.yaml\ntools: ¦empty.json\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntools: ¦p.yaml\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
        ],
    ),
    way(
        "a list of the server's tools that is one page of several, an error, or says nothing of arguments",
        "unreadable_file",
        &[
            "policy: p.yaml\ntools: ¦page.json\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntools: ¦error.json\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntools: ¦no_schema.json\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntools: ¦twice.json\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n",
        ],
    ),
    way(
        "a `check` without `schema` and `folding`",
        "empty_check",
        &["policy: p.yaml\ntests: [{name: a, steps: [{tool: list, check: ¦{}, expect: allow}]}]\n"],
    ),
    way(
        "a `rule` whose name two rules of one entry have",
        "ambiguous_rule",
        &["policy: same.yaml\ntests: [{name: a, steps: [{tool: pay, expect: deny, rule: ¦same}]}]\n"],
    ),
    way(
        "`args` beside `call`, which would replace all of its arguments",
        "conflicting_fields",
        &[
            "policy: p.yaml\ncalls: {c: {tool: pay, args: {amount: 5}}}\ntests: [{name: a, steps: [{call: c, ¦args: {amount: 6}, expect: allow}]}]\n",
        ],
    ),
    way(
        "a file name that is not a file, such as `-`",
        "unreadable_file",
        &["policy: ¦\"-\"\ntests: [{name: a, steps: [{tool: list, expect: allow}]}]\n"],
    ),
    way(
        "a test without `steps`, `each` or `matrix`",
        "empty_test",
        &["policy: p.yaml\ntests:\n  - ¦name: a\n"],
    ),
    way(
        "`steps` or `each` without a call",
        "empty_test",
        &[
            "policy: p.yaml\ntests: [{name: a, steps: ¦[]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: ¦[]}]\n",
        ],
    ),
    way(
        "a call without `tool` or `call`",
        "missing_field",
        &["policy: p.yaml\ntests: [{name: a, each: [¦{expect: deny}]}]\n"],
    ),
    way(
        "a call without `expect`",
        "missing_field",
        &[
            "policy: p.yaml\ntests: [{name: a, steps: [¦{tool: list}]}]\n",
            "policy: p.yaml\ntests:\n  - name: a\n    each:\n      - {tool: list, expect: allow}\n      - ¦tool: list\n",
        ],
    ),
    way(
        "an `expect` that is neither an effect nor a code",
        "invalid_expect",
        &["policy: p.yaml\ntests: [{name: a, steps: [{tool: list, expect: ¦allwo}]}]\n"],
    ),
    way(
        "`expect` beside `steps` or `each`",
        "misplaced_expect",
        &["policy: p.yaml\ntests: [{name: a, each: [{tool: list, expect: allow}], ¦expect: deny}]\n"],
    ),
    way(
        "a side of a matrix without an item",
        "empty_matrix",
        &[
            "policy: p.yaml\ntests: [{name: a, matrix: {tool: ¦[]}, expect: {}}]\n",
            "policy: p.yaml\ntests: [{name: a, matrix: {as: ¦[], tool: list}, expect: {}}]\n",
        ],
    ),
    way(
        "a matrix without a list",
        "empty_matrix",
        &["policy: p.yaml\ntests: [{name: a, matrix: ¦{tool: list}, expect: allow}]\n"],
    ),
    way(
        "a matrix without `tool` or `call`",
        "missing_field",
        &[
            "policy: p.yaml\nidentities: {al: al}\ntests: [{name: a, matrix: ¦{as: [al]}, expect: {al: deny}}]\n",
        ],
    ),
    way(
        "a matrix without `expect`",
        "missing_field",
        &["policy: p.yaml\ntests: [¦{name: a, matrix: {tool: [list, pay]}}]\n"],
    ),
    way(
        "a cell of a matrix without an outcome",
        "missing_cell",
        &[
            "policy: p.yaml\ntests: [{name: a, matrix: {tool: [list, pay]}, expect: ¦{list: allow}}]\n",
            "policy: p.yaml\nidentities: {al: al}\ntests: [{name: a, matrix: {as: [al], tool: [list, pay]}, expect: {al: ¦{pay: deny}}}]\n",
        ],
    ),
    way(
        "an outcome for a cell that is not in the matrix",
        "unknown_cell",
        &["policy: p.yaml\ntests: [{name: a, matrix: {tool: [list]}, expect: {list: allow, ¦pay: deny}}]\n"],
    ),
    way(
        "an item twice in a side of a matrix",
        "duplicate_item",
        &["policy: p.yaml\ntests: [{name: a, matrix: {tool: [list, ¦list]}, expect: {list: allow}}]\n"],
    ),
    way(
        "a tool that no entry names",
        "unknown_tool",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: ¦lst, expect: deny}]}]\n",
            "policy: p.yaml\ncalls: {c: {tool: ¦lst}}\ntests: [{name: a, each: [{call: c, expect: deny}]}]\n",
            "policy: p.yaml\ntests: [{name: a, matrix: {tool: [list, ¦lst]}, expect: {list: allow, lst: deny}}]\n",
            "policies: [p.yaml, open.yaml]\ntests: [{name: a, each: [{tool: ¦pya, expect: allow}]}]\n",
        ],
    ),
    way(
        "`unlisted: true` beside a tool that an entry names",
        "listed_tool",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: ¦list, unlisted: true, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: ¦read_x, unlisted: true, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: ¦wipe, unlisted: true, expect: hidden}]}]\n",
        ],
    ),
    way(
        "a tool that the server's list lacks",
        "unknown_tool",
        &["policy: p.yaml\ntools: server.json\ntests: [{name: a, each: [{tool: ¦list, expect: allow}]}]\n"],
    ),
    way(
        "`call` that names no call",
        "unknown_call",
        &[
            "policy: p.yaml\ncalls: {c: {tool: list}}\ntests: [{name: a, each: [{call: ¦d, expect: allow}]}]\n",
            "policy: p.yaml\ncalls: {c: {tool: list}}\ntests: [{name: a, matrix: {call: [c, ¦d]}, expect: {c: allow, d: allow}}]\n",
        ],
    ),
    way(
        "`as` that names no identity",
        "unknown_identity",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: list, as: ¦al, expect: allow}]}]\n",
            "policy: p.yaml\ncalls: {c: {tool: list, as: ¦al}}\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, matrix: {as: ¦al, tool: [list]}, expect: {list: allow}}]\n",
        ],
    ),
    way(
        "an identity that cannot be read",
        "invalid_identity",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: list, raw_identity: ¦'{\"id\": 1, \"id\": 2}', expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: list, raw_identity: ¦alice, expect: allow}]}]\n",
        ],
    ),
    way(
        "`rule` or `approval_rules` that names no rule",
        "unknown_rule",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, expect: deny, rule: ¦cpa}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, expect: deny, rule: ¦/tools/pay/rules/7}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, expect: deny, rule: ¦{name: cpa}}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, expect: deny, rule: ¦{pointer: /tools/pay}}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, args: {amount: 60}, expect: approval, approval_rules: ¦[lagre]}]}]\n",
            "policies: [p.yaml, open.yaml]\ntests: [{name: a, each: [{tool: pay, expect: deny, rule: ¦cap}]}]\n",
        ],
    ),
    way(
        "`rule` or an item of `counters` without a field",
        "empty_expect",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: read_x, expect: allow, counters: [¦{}]}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, expect: deny, rule: ¦{}}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, expect: deny, rule: ¦{x-name: cap}}]}]\n",
        ],
    ),
    way(
        "`without` that names no member",
        "unknown_argument",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, args: {amount: 1}, without: [¦amuont], expect: deny}]}]\n",
        ],
    ),
    way(
        "a `with`, `without` or `settle` that is empty",
        "empty_change",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, args: {amount: 1}, with: ¦{}, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, args: {amount: 1}, without: ¦[], expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: read_x, finish: {settle: ¦{}}, expect: allow}]}]\n",
        ],
    ),
    way(
        "`repeat` below 1",
        "invalid_repeat",
        &[
            "policy: p.yaml\ntests: [{name: a, steps: [{tool: list, repeat: ¦0, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, steps: [{tool: list, repeat: ¦1.5, expect: allow}]}]\n",
        ],
    ),
    way(
        "`key_of` or `finish_of` that names no step before it",
        "unknown_step",
        &[
            "policy: p.yaml\ntests: [{name: a, steps: [{tool: pay, args: {amount: 60}, approve: {id: i, key_of: ¦b}, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, steps: [{tool: list, expect: allow, finish: done, finish_of: ¦b}, {name: b, tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{name: b, tool: read_x, expect: allow}, {tool: list, finish: done, finish_of: ¦b, expect: allow}]}]\n",
        ],
    ),
    way(
        "`finish_of` or `finish_error` without `finish`",
        "missing_field",
        &[
            "policy: p.yaml\ntests: [{name: a, steps: [{tool: list, expect: allow, ¦finish_error: finished}]}]\n",
            "policy: p.yaml\ntests: [{name: a, steps: [{name: b, tool: list, expect: allow}, {tool: list, expect: allow, ¦finish_of: b}]}]\n",
        ],
    ),
    way(
        "two tests of one name",
        "duplicate_test",
        &[
            "policy: p.yaml\ntests:\n  - {name: a, each: [{tool: list, expect: allow}]}\n  - {name: ¦a, each: [{tool: list, expect: allow}]}\n",
        ],
    ),
    way(
        "two steps of one name",
        "duplicate_step",
        &[
            "policy: p.yaml\ntests: [{name: a, steps: [{name: b, tool: list, expect: allow}, ¦{name: b, tool: list, expect: allow}]}]\n",
        ],
    ),
    way(
        "`skip` or `todo` without a reason",
        "missing_reason",
        &[
            "policy: p.yaml\ntests: [{name: a, skip: ¦true, each: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, skip: ¦\" \", each: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, todo: ¦\"\", each: [{tool: list, expect: deny}]}]\n",
        ],
    ),
    way(
        "a field that is not known",
        "unknown_field",
        &[
            "policy: p.yaml\ntests: [{name: a, each: [{tool: pay, ¦expects: deny, expect: deny}]}]\n",
            "policy: p.yaml\n¦test: []\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n",
        ],
    ),
    way(
        "a key that stands twice",
        "duplicate_key",
        &["policy: p.yaml\ntests: [{name: a, each: [{tool: list, expect: deny, ¦expect: allow}]}]\n"],
    ),
    way(
        "a second document in one file",
        "syntax",
        &["policy: p.yaml\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n¦---\npolicy: p.yaml\n"],
    ),
    way(
        "two fields that exclude each other",
        "conflicting_fields",
        &[
            "policy: p.yaml\n¦policies: [p.yaml]\ntests: [{name: a, each: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: list, expect: allow}], ¦steps: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, skip: b, ¦todo: c, each: [{tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ncalls: {c: {tool: list}}\ntests: [{name: a, each: [{call: c, ¦tool: list, expect: allow}]}]\n",
            "policy: p.yaml\ncalls: {c: {tool: list}}\ntests: [{name: a, matrix: {call: [c], ¦tool: [list]}, expect: {c: allow}}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: list, args: {}, ¦raw: '{}', expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, each: [{tool: list, raw: '{}', ¦with: {a: 1}, expect: allow}]}]\n",
            "policy: p.yaml\nidentities: {al: al}\ntests: [{name: a, each: [{tool: list, as: al, ¦identity: bo, expect: allow}]}]\n",
            "policy: p.yaml\ntests: [{name: a, steps: [{name: b, tool: list, expect: allow}, {tool: pay, approve: {id: i, key: k, ¦key_of: b}, expect: allow}]}]\n",
        ],
    ),
];
